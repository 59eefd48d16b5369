package sessionmgr

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"weir/stanza"
)

// The accounts of house_test.go are romeo's and juliet's; nobody else has one.
const toNobody = "<message to='nobody@verona.lit' id='m%d' type='chat'><body>n%d</body><origin-id xmlns='urn:xmpp:sid:0' id='m%d'/></message>"

func (c *client) sendToNobody(n int) { c.h.t.Helper(); c.send(fmt.Sprintf(toNobody, n, n, n)) }

// TestBouncesSurviveTheProcess: a message is acknowledged, so its sender hears that
// nobody gets it, whatever comes in between.
func TestBouncesSurviveTheProcess(t *testing.T) {
	h := newHouse(t)
	romeo := h.bind("romeo@verona.lit/orchard")
	id := romeo.enable()
	romeo.available(0)
	romeo.sendToNobody(1)
	romeo.sendToNobody(2)
	h.settle()
	if n := romeo.sm.durable; n != 2 {
		t.Fatalf("%d are acknowledged, want 2", n)
	}
	romeo.want("id='m1' & type='error'", "id='m2' & type='error'")

	// Another process, which knows what was committed. The client got the first.
	next := newHouseOn(t, h.store)
	if err := next.Restore(context.Background()); err != nil {
		t.Fatal(err)
	}
	romeo = next.mustResume("romeo@verona.lit", id, 1)
	romeo.want("id='m2' & type='error'")
	romeo.cut()
	romeo = next.mustResume("romeo@verona.lit", id, 1) // it got nothing
	romeo.want("id='m2' & type='error'")
	romeo.ack(2)
	romeo.cut()
	next.settle()
	if n := next.logged("romeo@verona.lit"); n != 0 {
		t.Errorf("%d records are left of what was acknowledged", n)
	}
	next.mustResume("romeo@verona.lit", id, 2).want()
}

// TestRefusalsSurviveTheProcess: the same goes for what the stream itself refuses.
func TestRefusalsSurviveTheProcess(t *testing.T) {
	h := newHouse(t)
	romeo := h.bind("romeo@verona.lit/orchard")
	id := romeo.enable()
	romeo.available(0)
	refused, err := stanza.Parse([]byte("<message id='m1' to='juliet@verona.lit' type='chat'><body>love</body></message>"))
	if err != nil {
		t.Fatal(err)
	}
	answer := refused.With(romeo.JID(), refused.To).ErrorReply(stanza.NotAllowed())
	h.Submit(Entry{From: romeo.Session, Out: []Delivery{{To: romeo.Session, Stanza: answer}}, Counts: true, Link: romeo})
	h.Settle(t.Context(), romeo.Session, romeo) // its client asks
	if n := romeo.sm.durable; n != 1 {
		t.Fatalf("%d are acknowledged, want 1", n)
	}
	romeo.want("id='m1' & type='error'")
	next := newHouseOn(t, h.store)
	if err := next.Restore(context.Background()); err != nil {
		t.Fatal(err)
	}
	next.mustResume("romeo@verona.lit", id, 0).want("id='m1' & type='error'")
}

// TestBounceAfterTheLinkIsGone: what is found out while nobody is connected waits, and
// over a restart too.
func TestBounceAfterTheLinkIsGone(t *testing.T) {
	h := newHouse(t)
	romeo, juliet := h.bind("romeo@verona.lit/orchard"), h.online("juliet@verona.lit/balcony", 0)
	id := romeo.enable()
	romeo.available(0)
	romeo.cut()
	for i := range 3 {
		juliet.send(fmt.Sprintf("<message to='romeo@verona.lit/orchard' id='e%d' type='error'><error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>", i))
	}
	h.settle()
	next := newHouseOn(t, h.store)
	if err := next.Restore(context.Background()); err != nil {
		t.Fatal(err)
	}
	next.mustResume("romeo@verona.lit", id, 0).want("e0 & gone", "e1 & gone", "e2 & gone")
}

// TestBouncesAreForOneSession: when the session has ended that an error was for, no
// other device of the account is told, and it counts for nothing any more (RFC 6121
// §8.5.3.2.1).
func TestBouncesAreForOneSession(t *testing.T) {
	h := newHouse(t)
	first := h.bind("romeo@verona.lit/orchard")
	first.enable()
	first.available(0)
	first.sendToNobody(1) // it never acknowledges this
	juliet := h.online("juliet@verona.lit/balcony", 0)
	juliet.send("<message to='romeo@verona.lit' type='chat'><body>love</body></message>")
	h.settle()
	first.cut()
	juliet.send("<message to='romeo@verona.lit/orchard' id='e' type='error'><body>" + strings.Repeat("x", 1000) + "</body></message>")
	h.settle()
	h.Kick(first.Session, Cause{Code: Expired}, nil)
	h.settle()
	second := h.bind("romeo@verona.lit/street")
	second.enable()
	second.available(0)
	second.want("love & delay")
	second.ack(1)
	h.settle()
	if n := h.logged("romeo@verona.lit"); n != 0 {
		t.Errorf("%d records are left that nobody is to get", n)
	}
	l, err := h.ledgers.acquire(t.Context(), second.JID().Bare())
	if err != nil {
		t.Fatal(err)
	}
	h.inOrder(func() {
		if l.waiting != 0 {
			t.Errorf("%d bytes wait for somebody", l.waiting)
		}
	})
	h.ledgers.release(l)
}

// TestBouncesOfTheDeadGo: the errors for a session that has ended are gone from the
// disk once its account has been given what is owed, also to a client that reads only.
func TestBouncesOfTheDeadGo(t *testing.T) {
	h := newHouse(t)
	first := h.bind("romeo@verona.lit/orchard")
	first.enable()
	first.sendToNobody(1)
	h.settle()
	first.cut()
	h.Kick(first.Session, Cause{Code: Expired}, nil)
	h.settle()
	h.online("romeo@verona.lit/street", 0).want()
	if n := h.logged("romeo@verona.lit"); n != 0 {
		t.Errorf("%d records are left that nobody is to get", n)
	}
}

// TestBounceIsNoMessage: who asks for a message by the id that its sender gave it is not
// told of the error that answers it.
func TestBounceIsNoMessage(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.Archive = ArchiveAlways })
	romeo, juliet := h.bind("romeo@verona.lit/orchard"), h.online("juliet@verona.lit/balcony", 0)
	romeo.enable()
	romeo.send("<message to='juliet@verona.lit' type='chat' id='m1'><body>love</body></message>")
	juliet.want("love")
	juliet.send("<message to='romeo@verona.lit/orchard' id='m1' type='error'><error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>")
	romeo.want("gone")
	if st, err := h.ExplainMessage(t.Context(), romeo.JID(), "m1"); err != nil || !st.Outgoing {
		t.Errorf("%+v, %v", st, err)
	}
}

// TestBounceOfAFullLog: a message that the receiver's log has no room for is found
// out when its batch is sealed, and what is told then is kept as well.
func TestBounceOfAFullLog(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.MaxLog = 1000 })
	romeo := h.bind("romeo@verona.lit/orchard")
	id := romeo.enable()
	romeo.available(0)
	for i := range 3 {
		romeo.send(fmt.Sprintf("<message to='juliet@verona.lit' id='m%d'><body>%s</body></message>", i, strings.Repeat("x", 300)))
	}
	h.settle()
	if n := romeo.sm.durable; n != 3 {
		t.Fatalf("%d are acknowledged, want 3", n)
	}
	next := newHouseOn(t, h.store, func(o *Options) { o.MaxLog = 1000 })
	if err := next.Restore(context.Background()); err != nil {
		t.Fatal(err)
	}
	next.mustResume("romeo@verona.lit", id, 0).want("id='m2' & type='error' & the receiver has")
}
