package sessionmgr

import (
	"fmt"
	"testing"

	"weir/stanza"
	"weir/storage"
)

func withOrigin(n int) string {
	return fmt.Sprintf("<message to='juliet@verona.lit' type='chat' id='m%d'><body>n%d</body><origin-id xmlns='urn:xmpp:sid:0' id='m%d'/></message>", n, n, n)
}

// TestSentTwiceAtOnce: a client sends again on a new stream what is still to be
// read from its old one. It is delivered once, in whichever order they come, and
// counts on both.
func TestSentTwiceAtOnce(t *testing.T) {
	for _, oldFirst := range []bool{true, false} {
		t.Run(fmt.Sprintf("old first %v", oldFirst), func(t *testing.T) {
			h := newHouse(t)
			juliet := h.online("juliet@verona.lit/balcony", 0)
			before, after := h.bind("romeo@verona.lit/orchard"), h.bind("romeo@verona.lit/street")
			before.enable()
			after.enable()
			after.send(withOrigin(1)) // from here on it has looked into the log
			juliet.want("n1")
			first, second := after, before
			if oldFirst {
				first, second = before, after
			}
			first.send(withOrigin(2))
			second.send(withOrigin(2))
			second.send(withOrigin(3))
			h.settle()
			juliet.want("n2", "n3")
			if a, b := before.sm.in, after.sm.in; a+b != 4 {
				t.Errorf("%d and %d are handled, want 4 in all", a, b)
			}
			first.send(withOrigin(2)) // the same session: whatever it means by that
			juliet.want("n2")
		})
	}
}

// TestSentTwiceAndNotKept: that a message was sent before counts only if that
// copy was kept.
func TestSentTwiceAndNotKept(t *testing.T) {
	for _, together := range []bool{true, false} {
		t.Run(fmt.Sprintf("in one batch %v", together), func(t *testing.T) {
			h, g := newGatedHouse(t)
			juliet := h.online("juliet@verona.lit/balcony", 0)
			before, after := h.bind("romeo@verona.lit/orchard"), h.bind("romeo@verona.lit/street")
			before.enable()
			after.enable()
			after.send(withOrigin(1))
			before.send(withOrigin(0)) // both have looked into the log
			juliet.want("n1", "n0")
			t.Cleanup(func() { g.set(false, nil) })
			full := func() { g.set(false, fmt.Errorf("disk: %w", storage.ErrFull)) }
			send := func(c *client, xml string) {
				st, err := stanza.Parse([]byte(xml))
				if err != nil {
					t.Fatal(err)
				}
				n := c.sm.accepted
				h.Inbound(c.Session, c, st.With(c.JID(), st.To), func() {})
				h.until(func() (taken bool) {
					h.inOrder(func() { taken = c.sm.accepted > n })
					return taken
				})
			}
			kept := func() { // what was given to the store until now
				h.until(func() (quiet bool) {
					h.inOrder(func() { quiet = h.pipe.idle() })
					return quiet
				})
				g.set(false, nil)
			}
			if together {
				other := h.bind("tybalt@verona.lit/street")
				other.enable()
				g.set(true, nil)
				send(other, "<message to='romeo@verona.lit/street' type='chat'><body>is with the store</body></message>")
				send(before, withOrigin(2))
				send(after, withOrigin(2))
				full()
				kept()
				after.want("is with the store", "resource-constraint")
			} else {
				full()
				send(before, withOrigin(2))
				kept()
				send(after, withOrigin(2))
				juliet.want("n2")
			}
			before.want("resource-constraint")
		})
	}
}

// TestStaleOfAnEndedSession: a message that was read from a stream and handled
// only after its session had ended is its client's to send again: that was told
// how many were handled.
func TestStaleOfAnEndedSession(t *testing.T) {
	h := newHouse(t)
	juliet := h.online("juliet@verona.lit/balcony", 0)
	before := h.bind("romeo@verona.lit/orchard")
	before.enable()
	from, current := before.source(before)
	if !current {
		t.Fatal("it has no stream")
	}
	st, err := stanza.Parse([]byte(withOrigin(1)))
	if err != nil {
		t.Fatal(err)
	}
	h.Kick(before.Session, Cause{Code: Replaced}, nil)
	h.settle()
	after := h.bind("romeo@verona.lit/orchard")
	after.enable()
	after.send(withOrigin(1))
	h.handle(from, st.With(before.JID(), st.To)) // it comes to its turn
	h.settle()
	juliet.want("n1")
}

// TestSentTwiceAfterAFullDisk: a session that ended while the disk was full is
// remembered, although that could not be written down yet.
func TestSentTwiceAfterAFullDisk(t *testing.T) {
	h, g := newGatedHouse(t)
	h.o.Archive = ArchiveAlways // the log of who sends is looked at
	juliet := h.online("juliet@verona.lit/balcony", 0)
	before := h.bind("romeo@verona.lit/orchard")
	before.enable()
	before.send(withOrigin(1))
	juliet.want("n1")
	g.set(false, fmt.Errorf("disk: %w", storage.ErrFull))
	t.Cleanup(func() { g.set(false, nil) })
	h.Kick(before.Session, Cause{Code: Kicked}, nil)
	h.until(func() (quiet bool) {
		h.inOrder(func() { quiet = h.pipe.idle() })
		return quiet
	})
	g.set(false, nil)
	after := h.bind("romeo@verona.lit/street")
	after.enable()
	after.send(withOrigin(1))
	after.send(withOrigin(2))
	juliet.want("n2")
}
