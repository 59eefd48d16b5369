package sessionmgr

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"weir/jid"
	"weir/stanza"
	"weir/storage"
	"weir/storage/pebble"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// commitCounter is a store that counts its commits.
type commitCounter struct {
	storage.Store
	n atomic.Int32
}

func (c *commitCounter) Commit(b *storage.Batch, done func(error)) {
	c.n.Add(1)
	c.Store.Commit(b, done)
}

// presence has a session be sent presence of somebody, which isn't kept.
func (h *house) presence(from string, to *Session) {
	h.t.Helper()
	st, err := stanza.New(stanza.Presence, "", "", jid.MustParse(from), to.JID(), nil)
	if err != nil {
		h.t.Fatal(err)
	}
	h.Submit(Entry{Out: []Delivery{{To: to, Stanza: st}}})
}

// TestOpening: what a resumed session is sent again, what was held back for it and
// what came for it meanwhile goes out in that order, and all of it is numbered in the
// commit of the resumption; a client that has only part of it when the process is
// killed gets the rest from the next, once.
func TestOpening(t *testing.T) {
	const again, held, own = 2, 2, 3
	for has := range uint32(again + held + own + 1) {
		st, err := pebble.Open(pebble.Options{FS: vfs.NewMem(), Dir: "data"})
		if err != nil {
			t.Fatal(err)
		}
		store := &commitCounter{Store: st}
		h := newHouseOn(t, store)
		romeo := h.online("romeo@verona.lit/orchard", 0)
		juliet := h.bind("juliet@verona.lit/balcony")
		id := juliet.enable()
		juliet.available(0)
		h.settle()
		var all []string
		say := func(n int) {
			for range n {
				romeo.send(fmt.Sprintf("<message to='juliet@verona.lit' type='chat'><body>n%d</body></message>", len(all)))
				all = append(all, fmt.Sprintf("<message & n%d<", len(all)))
			}
		}
		say(again)
		juliet.want(all...)
		juliet.cut()
		for i := range held {
			from := fmt.Sprintf("romeo@verona.lit/%d", i)
			h.presence(from, juliet.Session)
			all = append(all, "<presence & "+from)
		}
		say(own)
		h.settle()

		before := store.n.Load()
		next := h.mustResume("juliet@verona.lit", id, 0)
		if n := store.n.Load() - before; n != 1 {
			t.Errorf("%d commits", n)
		}
		next.want(all...)

		h.failed.Store(true) // nothing of it acts any more
		h.quiet.Store(true)
		later := newHouseOn(t, st)
		if err := later.Restore(context.Background()); err != nil {
			t.Fatal(err)
		}
		var rest []string
		for _, x := range all[has:] {
			if strings.HasPrefix(x, "<message") { // presence is told anew by who knows it
				rest = append(rest, x)
			}
		}
		later.mustResume("juliet@verona.lit", id, has).want(rest...)
		later.Stop(context.Background())
		st.Close()
	}
}

// TestOpeningInParts: much that waits comes whole and in order, though only the first
// of it goes with the resumption.
func TestOpeningInParts(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	juliet := h.bind("juliet@verona.lit/balcony")
	id := juliet.enable()
	juliet.available(0)
	var all []string
	say := func(n int) {
		for range n {
			romeo.send(fmt.Sprintf("<message to='juliet@verona.lit' type='chat'><body>n%d.%s</body></message>", len(all), strings.Repeat("x", 400)))
			all = append(all, fmt.Sprintf("n%d.", len(all)))
		}
	}
	say(300)
	juliet.got()
	juliet.cut()
	say(500)
	h.presence("romeo@verona.lit/1", juliet.Session)
	next := h.mustResume("juliet@verona.lit", id, 10)
	next.want(append(append(append([]string(nil), all[10:300]...), "<presence"), all[300:]...)...)
	next.ack(800)
	next.cut()
	say(1)
	last := h.mustResume("juliet@verona.lit", id, 801)
	last.want(all[800])
}

// TestBackAtOnce: that a session has lost its link is written with its resumption where
// that comes at once, or as the server stops; the next process knows all that was
// handled then.
func TestBackAtOnce(t *testing.T) {
	store := &commitCounter{Store: newHouse(t).store}
	h := newHouseOn(t, store)
	juliet := h.bind("juliet@verona.lit/balcony")
	id := juliet.enable()
	juliet.available(0)
	juliet.send("<message to='romeo@verona.lit' type='headline'><body>not kept</body></message>")
	h.settle()
	before := store.n.Load()
	h.Closed(juliet.Session, juliet, Cause{Code: LinkLost})
	again := h.mustResume("juliet@verona.lit", id, 0)
	if n := store.n.Load() - before; n != 1 {
		t.Errorf("%d commits", n)
	}
	again.send("<message to='romeo@verona.lit' type='headline'><body>not kept</body></message>")
	h.Closed(again.Session, again, Cause{Code: LinkLost})
	if err := h.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	next := newHouseOn(t, store.Store)
	if err := next.Restore(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, handled, err := next.resume("juliet@verona.lit", id, 0); err != nil || handled != 2 {
		t.Errorf("%d are handled, want 2; %v", handled, err)
	}
}
