package sessionmgr

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"weir/jid"
	"weir/stanza"
)

// TestVirtualTooSlow: what waits for a bot is bounded.
func TestVirtualTooSlow(t *testing.T) {
	h := newHouse(t)
	h.GuardPresence(func(_, _ jid.JID) bool { return true })
	romeo := h.online("romeo@verona.lit/orchard", 0)
	big := strings.Repeat("x", 60<<10)
	b := h.bot("juliet@verona.lit/bot", acknowledging)
	b.hold()
	for range 20 {
		romeo.send("<message to='juliet@verona.lit/bot' type='headline'><body>" + big + "</body></message>")
	}
	romeo.send("<iq to='juliet@verona.lit/bot' type='get' id='1'><q xmlns='x'>" + big + "</q></iq>")
	h.waitWorkBut(1)
	if n := b.link.Waiting(); n > DefaultWaiting {
		t.Errorf("%d bytes wait", n)
	}
	if n := b.Dropped(); n != 13 {
		t.Errorf("%d were dropped", n)
	}
	for i := range 20 {
		romeo.send("<message to='juliet@verona.lit/bot' type='chat'><body>" + fmt.Sprint(i) + big + "</body></message>")
	}
	if n := b.link.Waiting(); n > DefaultWaiting+128<<10 {
		t.Errorf("%d bytes wait", n)
	}
	b.letGo()
	h.until(func() bool { b.mu.Lock(); defer b.mu.Unlock(); return len(b.in) == 28 })
	romeo.want("id='1' & resource-constraint")
	for i, st := range b.in[8:] {
		if !strings.Contains(st, fmt.Sprintf("<body>%dx", i)) {
			t.Errorf("message %d is %.200s", i, st)
		}
	}
	if s := b.Session(); s.State() != Bound || len(s.sm.unacked) > 0 {
		t.Errorf("%v, %d unacknowledged", s.State(), len(s.sm.unacked))
	}

	plain := h.bot("nurse@verona.lit/bot")
	plain.hold()
	for i := range 10 {
		romeo.send("<message to='nurse@verona.lit/bot' type='chat'><body>" + fmt.Sprint(i) + big + "</body></message>")
	}
	plain.wantEnd(TooSlow)
	next := h.bot("nurse@verona.lit/next")
	next.Session().SetPresence(&stanza.Stanza{Kind: stanza.Presence, From: next.JID()}, 0)
	h.until(func() bool { next.mu.Lock(); defer next.mu.Unlock(); return len(next.in) == 10 })
}

// waitWorkBut waits until no more than some work for the manager.
func (h *house) waitWorkBut(some int) {
	h.t.Helper()
	h.until(func() bool { return h.work.busy() <= some })
}

// TestVirtualStops: the end of the server waits for what is in hand, and ends it.
func TestVirtualStops(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	b := h.bot("juliet@verona.lit/bot", acknowledging)
	b.hold()
	romeo.send(chatTo("juliet@verona.lit/bot", "x"))
	h.until(func() bool { return b.link.Waiting() > 0 })
	stopped := make(chan error)
	go func() { stopped <- h.Stop(context.Background()) }()
	h.until(h.Stopping)
	b.letGo()
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	if len(b.in) != 1 || len(b.ended) != 1 || b.ended[0].Code != ShuttingDown {
		t.Errorf("got %q, ended %v", b.in, b.ended)
	}
}

// TestVirtualsTalk: two bots answer each other from many goroutines while one of
// them is closed; nothing waits for ever.
func TestVirtualsTalk(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	echo := func(o *VirtualOptions) {
		o.Acks = true
		o.Receive = func(ctx context.Context, v *Virtual, st *stanza.Stanza) error {
			if st.Type != "chat" {
				return nil
			}
			err := v.Say(ctx, st.From, st.Text(nsClient, "body"))
			if errors.Is(err, ErrGone) || errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		}
	}
	a, b := h.bot("juliet@verona.lit/a", echo), h.bot("romeo@verona.lit/b", echo)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 10 {
				from, to := a, b
				if i%2 == 0 {
					from, to = b, a
				}
				if err := from.Say(ctx, to.JID(), fmt.Sprint(i, k)); err != nil && !errors.Is(err, ErrGone) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	a.Close(ctx)
	a.wantEnd(ClosedByClient)
	b.Close(ctx)
	b.wantEnd(ClosedByClient)
}
