package sessionmgr

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"weir/stanza"
)

// TestNothingStaysUnflushed lets pairs of clients answer each other, a stanza at a
// time, as streams do: hand it over, then flush what was touched. Links drain
// while they are flushed, and draining may take the pipeline's token and, where
// it takes its time, the other streams' stanzas with it: they have to be flushed
// too, or all wait for ever.
func TestNothingStaysUnflushed(t *testing.T) {
	const pairs, rounds = 4, 50
	h := newHouse(t)
	var wg sync.WaitGroup
	answer := func(from, to *client, first bool) {
		st, err := stanza.New(stanza.Message, "chat", "x", from.JID(), to.JID(), []byte("<body>x</body>"))
		if err != nil {
			t.Error(err)
			return
		}
		for n := range rounds {
			if n > 0 || !first {
				select {
				case <-from.flushed:
				case <-time.After(10 * time.Second):
					t.Errorf("%s was sent a stanza that nobody flushes", from.JID())
					return
				}
			}
			h.Inbound(from.Session, from, st, func() {})
			h.FlushTouched()
		}
	}
	for i := range pairs {
		a := h.online(fmt.Sprintf("romeo@verona.lit/%d", i), 0)
		b := h.online(fmt.Sprintf("juliet@verona.lit/%d", i), 0)
		for _, c := range []*client{a, b} {
			c.flushed = make(chan struct{}, 2)
			c.dawdle = time.Millisecond
		}
		wg.Go(func() { answer(a, b, true) })
		wg.Go(func() { answer(b, a, false) })
	}
	wg.Wait()
}
