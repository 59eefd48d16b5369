package sessionmgr

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/hook"
	"weir/jid"
	"weir/stanza"
	"weir/storage"
)

// juliets is her account.
var juliets = jid.MustParse("juliet@verona.lit")

// TestUnwrittenMessagesAreOwed cuts a slow session: what it was given and its
// link has not written comes to the next one.
func TestUnwrittenMessagesAreOwed(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	juliet := h.online("juliet@verona.lit/balcony", 0)
	romeo.send("<message to='juliet@verona.lit'><body>read</body></message>")
	juliet.want("read")
	juliet.slow = true
	for i := range 3 {
		romeo.send(fmt.Sprintf("<message to='juliet@verona.lit'><body>unread %d</body></message>", i))
	}
	h.Closed(juliet.Session, juliet, Cause{Code: LinkLost})
	romeo.send("<message to='juliet@verona.lit'><body>later</body></message>")
	again := h.bind("juliet@verona.lit/chamber")
	again.available(0)
	again.want("unread 0", "unread 1", "unread 2", "later")
}

// TestLinkBreaksWithinAChunk leaves what it took and what it didn't in the log,
// once.
func TestLinkBreaksWithinAChunk(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	for i := range 5 {
		romeo.send(fmt.Sprintf("<message to='juliet@verona.lit'><body>n%d</body></message>", i))
	}
	h.settle()
	juliet := h.bind("juliet@verona.lit/balcony")
	juliet.room = 2
	juliet.available(0)
	h.settle()
	h.Closed(juliet.Session, juliet, Cause{Code: LinkLost})
	again := h.bind("juliet@verona.lit/chamber")
	again.available(0)
	again.want("n0", "n1", "n2", "n3", "n4")
}

// TestPriorityDropsWhileCatchingUp: what was written is not given again.
func TestPriorityDropsWhileCatchingUp(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	romeo.send("<message to='juliet@verona.lit'><body>one</body></message>")
	juliet := h.bind("juliet@verona.lit/balcony")
	juliet.slow = true
	juliet.available(0)
	h.settle()
	juliet.available(-1)
	juliet.wake()
	juliet.want("one")
	romeo.send("<message to='juliet@verona.lit'><body>two</body></message>")
	juliet.want()
	juliet.available(0)
	juliet.want("two")
}

// TestHeldCopyIsNotOwedTwice: one session catches up and holds a copy that the
// other has got, and is cut.
func TestHeldCopyIsNotOwedTwice(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	romeo.send("<message to='juliet@verona.lit'><body>one</body></message>")
	slow := h.bind("juliet@verona.lit/slow")
	slow.slow = true
	slow.available(0)
	h.settle()
	other := h.online("juliet@verona.lit/other", 0)
	romeo.send("<message to='juliet@verona.lit'><body>copied</body></message>")
	other.want("copied")
	h.Closed(slow.Session, slow, Cause{Code: LinkLost})
	other.want("one & delay")
}

// TestMissedMessageHoldsBackItsSender: the sender is not told of later stanzas
// before the message that its receiver missed is durable.
func TestMissedMessageHoldsBackItsSender(t *testing.T) {
	h, g := newGatedHouse(t)
	romeo := h.online("romeo@verona.lit/b", 0)
	juliet := h.online("juliet@verona.lit/a", 0)
	before := romeo.Handled()
	juliet.broken = true
	g.set(true, nil)
	romeo.send("<message to='juliet@verona.lit/a'><body>missed</body></message>")
	romeo.send("<message to='romeo@verona.lit/b'><body>after</body></message>")
	if n := romeo.Handled() - before; n != 0 || romeo.seen() != "" {
		t.Errorf("%d handled and %q delivered while the missed message is in memory only", n, romeo.seen())
	}
	g.set(false, nil)
	h.settle()
	if n := romeo.Handled() - before; n != 2 || romeo.seen() != "after" {
		t.Errorf("%d handled, %q delivered", n, romeo.seen())
	}
}

// TestOwedBytesAfterAFailure: the count of what is owed is right after commits
// that failed.
func TestOwedBytesAfterAFailure(t *testing.T) {
	h, g := newGatedHouse(t)
	romeo := h.online("romeo@verona.lit/b", 0)
	for range 3 {
		g.set(false, fmt.Errorf("disk: %w", storage.ErrFull))
		romeo.send("<message to='juliet@verona.lit' id='m'><body>x</body></message>")
		romeo.wantNow("resource-constraint")
		g.set(false, nil)
		h.settle()
	}
	l := h.ledgers.loaded(juliets)
	defer h.ledgers.release(l)
	if l.waiting != 0 {
		t.Errorf("%d bytes are owed, and nothing is", l.waiting)
	}
}

// TestFullLogAnswersInTurn: the refusal doesn't overtake what waits for a commit.
func TestFullLogAnswersInTurn(t *testing.T) {
	h, g := newGatedHouse(t)
	h.o.MaxLog = 10
	romeo := h.online("romeo@verona.lit/b", 0)
	g.set(true, nil)
	h.Submit(Entry{From: romeo.Session, Writes: writes(), Out: []Delivery{{To: romeo.Session, Stanza: note(t, "first")}}})
	romeo.send("<message to='juliet@verona.lit' id='m'><body>x</body></message>")
	if s := romeo.seen(); s != "" {
		t.Errorf("%q before the commit", s)
	}
	g.set(false, nil)
	romeo.want("first", "service-unavailable")
}

// TestOwedMessagesPauseAtTheBound: a stream whose stanzas block pauses like any
// other when the pipeline is full.
func TestOwedMessagesPauseAtTheBound(t *testing.T) {
	h, g := newGatedHouse(t)
	romeo := h.online("romeo@verona.lit/b", 0)
	g.set(true, nil)
	for range maxPendingEntries {
		h.Submit(Entry{From: romeo.Session, Writes: writes()})
	}
	st := note(t, "x").With(romeo.JID(), juliets)
	resumed := make(chan struct{})
	if !h.Inbound(romeo.Session, romeo, st, func() { close(resumed) }) {
		t.Fatal("not paused")
	}
	h.waitWork()
	select {
	case <-resumed:
		t.Error("resumed while the pipeline is full")
	default:
	}
	g.set(false, nil)
	<-resumed
}

// TestForgetRefusesWhatIsOnItsWay: nothing is written for an account after its
// deletion, which its next owner would get.
func TestForgetRefusesWhatIsOnItsWay(t *testing.T) {
	h, g := newGatedHouse(t)
	romeo := h.online("romeo@verona.lit/b", 0)
	juliet := h.bind("juliet@verona.lit/a")
	juliet.slow = true
	juliet.available(0)
	h.settle()
	romeo.send("<message to='juliet@verona.lit'><body>unread</body></message>")
	g.set(true, nil)
	forgotten := make(chan error, 1)
	go func() { forgotten <- h.Forget(context.Background(), juliets) }()
	h.until(func() bool { return h.ledgers.forgets.Load() == 1 })
	h.inOrder(func() {})
	h.Closed(juliet.Session, juliet, Cause{Code: AccountGone})
	g.set(false, nil)
	if err := <-forgotten; err != nil {
		t.Fatal(err)
	}
	h.settle()
	next := h.bind("juliet@verona.lit/a")
	next.available(0)
	next.want()
}

// TestSuccessorWaitsForUnbound: whoever hears of two sessions with one resource
// hears of the end of the first before.
func TestSuccessorWaitsForUnbound(t *testing.T) {
	h := newHouse(t)
	begun, goOn := make(chan struct{}), make(chan struct{})
	h.Hooks.Unbound.Add("test", hook.Normal, func(context.Context, *Session) { close(begun); <-goOn })
	older := h.bind("juliet@verona.lit/balcony")
	newer := h.connect("juliet@verona.lit")
	go h.Closed(older.Session, older, Cause{Code: LinkLost})
	<-begun
	bound := make(chan error, 1)
	go func() { bound <- h.Bind(context.Background(), newer.Session, "balcony", func(jid.JID) {}) }()
	select {
	case <-bound:
		t.Error("the successor is there while Unbound runs")
		bound <- nil
	case <-time.After(20 * time.Millisecond): // a fault shows within it
	}
	close(goOn)
	if err := <-bound; err != nil {
		t.Fatal(err)
	}
}

// TestUnboundComesAfterBound kicks a session while Bound runs.
func TestUnboundComesAfterBound(t *testing.T) {
	h := newHouse(t)
	var events []string
	h.Hooks.Bound.Add("test", hook.Normal, func(_ context.Context, s *Session) {
		h.Kick(s, Cause{Code: Kicked}, nil)
		if h.ByJID(s.JID()) != nil {
			t.Error("can still be reached")
		}
		events = append(events, "bound")
	})
	h.Hooks.Unbound.Add("test", hook.Normal, func(context.Context, *Session) { events = append(events, "unbound") })
	h.Hooks.Closed.Add("test", hook.Normal, func(context.Context, Closing) { events = append(events, "closed") })
	c := h.connect("juliet@verona.lit")
	if err := h.Bind(t.Context(), c.Session, "a", func(jid.JID) {}); condition(err) != "not-allowed" {
		t.Errorf("bind: %v", err)
	}
	if got := strings.Join(events, " "); got != "bound unbound closed" {
		t.Errorf("events: %s", got)
	}
}

// TestPanicLeavesThePipelineRunning: a fault of one item takes that one.
func TestPanicLeavesThePipelineRunning(t *testing.T) {
	h := newHouse(t)
	romeo := h.bind("romeo@verona.lit/b")
	h.Submit(Entry{Writes: writes(), Done: func(error) { panic("oh") }})
	h.Submit(Entry{From: romeo.Session, Out: []Delivery{{To: romeo.Session, Stanza: note(t, "x")}}, Done: func(error) { panic("oh") }})
	romeo.want("<body>x</body>")
	h.Submit(Entry{Out: []Delivery{{To: romeo.Session, Stanza: note(t, "y")}}})
	romeo.want("<body>y</body>")
}

// TestStanzaOutlivesItsStream: a message that was taken is handled although its
// stream ended meanwhile.
func TestStanzaOutlivesItsStream(t *testing.T) {
	h := newHouse(t)
	romeo := h.bind("romeo@verona.lit/b")
	var err error
	h.HandleIQ(IQHandler{NS: "urn:late", Scope: OnServer, Blocking: true, Get: func(ctx context.Context, _ *stanza.Stanza) (any, error) {
		h.Closed(romeo.Session, romeo, Cause{Code: LinkLost})
		err = ctx.Err()
		return nil, nil
	}})
	romeo.send("<iq to='verona.lit' type='get' id='1'><q xmlns='urn:late'/></iq>")
	if err != nil {
		t.Errorf("the handler's context: %v", err)
	}
}

// TestRefusedStanzaCounts: what the stream itself refuses is handled, too.
func TestRefusedStanzaCounts(t *testing.T) {
	h, g := newGatedHouse(t)
	romeo := h.bind("romeo@verona.lit/b")
	g.set(true, nil)
	h.Submit(Entry{From: romeo.Session, Writes: writes()})
	h.Submit(Entry{From: romeo.Session, Out: []Delivery{{To: romeo.Session, Stanza: note(t, "no")}}, Counts: true, Link: romeo})
	if n := romeo.Handled(); n != 0 {
		t.Errorf("%d handled before the commit", n)
	}
	g.set(false, nil)
	romeo.want("no")
	if n := romeo.Handled(); n != 1 {
		t.Errorf("%d handled", n)
	}
}
