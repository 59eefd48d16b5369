package sessionmgr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir/hook"
	"weir/jid"
	"weir/storage"

	merr "mellium.im/xmpp/stanza"
)

// opened is a client that has lost its link while something of each kind waits for it,
// on a store that can be held.
type opened struct {
	*house
	*gate
	romeo, juliet *client
	id            string
	all           []string // what it is to get
}

func (o *opened) say(n int) {
	o.t.Helper()
	for range n {
		o.romeo.send(fmt.Sprintf("<message to='juliet@verona.lit' type='chat'><body>n%d</body></message>", len(o.all)))
		o.all = append(o.all, fmt.Sprintf("<message & n%d<", len(o.all)))
	}
}

func (o *opened) show() {
	o.t.Helper()
	from := fmt.Sprintf("romeo@verona.lit/%d", len(o.all))
	o.presence(from, o.juliet.Session)
	o.all = append(o.all, "<presence & "+from)
}

// newOpened has two messages be sent again, then a presence, then two from the log.
func newOpened(t *testing.T) *opened {
	t.Helper()
	o := &opened{}
	o.house, o.gate = newGatedHouse(t)
	o.romeo = o.online("romeo@verona.lit/orchard", 0)
	o.juliet = o.bind("juliet@verona.lit/balcony")
	o.id = o.juliet.enable()
	o.juliet.available(0)
	o.settle()
	o.say(2)
	o.juliet.want(o.all...)
	o.juliet.cut()
	o.show()
	o.say(2)
	o.settle()
	return o
}

// attempt is a resumption under way.
type attempt struct {
	*client
	err chan error
}

// begin has her client resume, and returns when the store has it to commit, or when it
// waits for that.
func (o *opened) begin(has uint32) attempt {
	o.t.Helper()
	x := attempt{o.connect("juliet@verona.lit"), make(chan error, 1)}
	temp := x.client.Session
	go func() {
		x.err <- o.Manager.Resume(context.Background(), temp, x.client, o.id, has, func(s *Session, _ uint32) { x.client.Session = s })
	}()
	o.until(func() (waits bool) {
		o.inOrder(func() {
			b := o.pipe.open
			if b == nil {
				b = o.pipe.flying
			}
			waits = o.juliet.attachedTo(x.client) && b != nil && slices.ContainsFunc(b.items, func(it item) bool { return it.rec && it.prepare != nil })
		})
		return waits
	})
	return x
}

// hold has the store commit nothing until it is let go.
func (o *opened) hold() { o.gate.set(true, nil) }
func (o *opened) free() { o.gate.set(false, nil) }

// killed returns the next process.
func (o *opened) killed() *house {
	o.t.Helper()
	o.settle()
	o.failed.Store(true) // nothing of it acts any more
	o.quiet.Store(true)
	next := newHouseOn(o.t, o.house.store)
	if err := next.Restore(context.Background()); err != nil {
		o.t.Fatal(err)
	}
	return next
}

// messages are those of what is to come that a later process has.
func messages(all []string) (rest []string) {
	for _, x := range all {
		if strings.HasPrefix(x, "<message") {
			rest = append(rest, x)
		}
	}
	return rest
}

// TestOpeningAndWhatComesMeanwhile: what comes while a resumption is written down is
// behind what goes with it, and a client that has only part of it gets the rest.
func TestOpeningAndWhatComesMeanwhile(t *testing.T) {
	for has := range uint32(9) {
		o := newOpened(t)
		o.hold()
		x := o.begin(0)
		o.show()
		o.say(2)
		o.show()
		o.free()
		if err := <-x.err; err != nil {
			t.Fatal(err)
		}
		x.want(o.all...)
		if x.closed {
			t.Fatalf("it was cut: %v", x.goodbye)
		}
		next := o.killed()
		next.mustResume("juliet@verona.lit", o.id, has).want(messages(o.all[has:])...)
	}
}

// TestOpeningIsOvertaken: of two connections that resume a session at once the later
// one has it, whichever came to the store, and the other gets nothing.
func TestOpeningIsOvertaken(t *testing.T) {
	for has := range uint32(6) {
		o := newOpened(t)
		o.hold()
		first := o.begin(0)
		second := o.begin(0)
		o.free()
		var refused *ResumeError
		if err := <-first.err; !errors.As(err, &refused) {
			t.Fatalf("the first: %v", err)
		}
		if err := <-second.err; err != nil {
			t.Fatal(err)
		}
		if first.appended > 0 {
			t.Errorf("the first got %q", first.in)
		}
		second.want(o.all...)
		next := o.killed()
		next.mustResume("juliet@verona.lit", o.id, has).want(messages(o.all[has:])...)
	}
}

// TestOpeningOfASessionThatEnds: a session that ends while its resumption is written
// down leaves all to the next, and nothing in use; its client is told what it had handled
// (XEP-0198 §5).
func TestOpeningOfASessionThatEnds(t *testing.T) {
	for _, how := range []string{"kicked", "replaced", "forgotten"} {
		o := newOpened(t)
		o.hold()
		x := o.begin(1)
		next := o.connect("juliet@verona.lit")
		bound := make(chan error, 1)
		switch how {
		case "kicked":
			o.Kick(o.juliet.Session, Cause{Code: Kicked}, nil)
			bound <- o.Bind(t.Context(), next.Session, "chamber", func(jid.JID) {})
		case "replaced":
			go func() { bound <- o.Bind(context.Background(), next.Session, "balcony", func(jid.JID) {}) }()
			o.until(func() bool { return o.juliet.State() == Destroyed })
		case "forgotten":
			forgotten := make(chan error, 1)
			go func() { forgotten <- o.Forget(context.Background(), juliets) }()
			o.until(func() bool { return o.ledgers.forgets.Load() == 1 })
			o.inOrder(func() {})
			o.Kick(o.juliet.Session, Cause{Code: AccountGone}, nil)
			o.free()
			if err := <-forgotten; err != nil {
				t.Fatal(err)
			}
			bound <- o.Bind(t.Context(), next.Session, "chamber", func(jid.JID) {})
		}
		o.free()
		var refused *ResumeError
		if err := <-x.err; !errors.As(err, &refused) {
			t.Fatalf("%s: %v", how, err)
		}
		if refused.Known != (how != "forgotten") {
			t.Errorf("%s: its client is told whether what it sent was handled: %v", how, refused.Known)
		}
		if err := <-bound; err != nil {
			t.Fatal(err)
		}
		if x.appended > 0 {
			t.Errorf("%s: it got %q", how, x.in)
		}
		next.available(0)
		if how == "forgotten" {
			next.want()
		} else {
			next.want(messages(o.all)[1:]...)
		}
		o.Kick(next.Session, Cause{Code: Kicked}, nil)
		o.settle()
		l := o.ledgers.loaded(juliets)
		if l == nil {
			continue
		}
		o.ledgers.release(l)
		o.ledgers.mu.Lock()
		if l.uses != 0 {
			t.Errorf("%s: the ledger is in use %d times", how, l.uses)
		}
		o.ledgers.mu.Unlock()
	}
}

// TestOpeningOnAFullDisk: a resumption that can't be written down costs nothing but the
// attempt.
func TestOpeningOnAFullDisk(t *testing.T) {
	o := newOpened(t)
	for range 2 {
		o.gate.set(false, fmt.Errorf("disk: %w", storage.ErrFull))
		_, _, err := o.resume("juliet@verona.lit", o.id, 1)
		var refused *ResumeError
		if !errors.As(err, &refused) || refused.Reason.Type != merr.Wait {
			t.Fatalf("on a full disk: %v", err)
		}
		o.free()
	}
	if o.juliet.State() != Hibernating {
		t.Errorf("the session is %s", o.juliet.State())
	}
	o.mustResume("juliet@verona.lit", o.id, 1).want(o.all[1:]...)
	next := o.killed()
	next.mustResume("juliet@verona.lit", o.id, 4).want(o.all[4])
}

// TestOpeningBreaks: a link that breaks within what goes with its resumption has had
// what it took, and the next link gets the rest.
func TestOpeningBreaks(t *testing.T) {
	for has := 1; has < 5; has++ {
		o := newOpened(t)
		x := o.connect("juliet@verona.lit")
		x.room = has
		err := o.Manager.Resume(context.Background(), x.Session, x, o.id, 0, func(s *Session, _ uint32) { x.Session = s })
		if err != nil {
			t.Fatal(err)
		}
		x.want(o.all[:has]...)
		x.cut()
		y := o.mustResume("juliet@verona.lit", o.id, uint32(has))
		y.want(o.all[has:]...)
		y.cut()
		o.mustResume("juliet@verona.lit", o.id, 5).want()
	}
}

// TestOpeningOfAnInactiveSession: what waits for a client that nobody looks at goes with
// its resumption in its place.
func TestOpeningOfAnInactiveSession(t *testing.T) {
	o := &opened{}
	o.house, o.gate = newGatedHouse(t)
	o.romeo = o.online("romeo@verona.lit/orchard", 0)
	o.juliet = o.bind("juliet@verona.lit/balcony")
	o.id = o.juliet.enable()
	o.juliet.available(0)
	o.settle()
	o.say(2)
	o.juliet.want(o.all...)
	o.SetInactive(o.juliet.Session, o.juliet, true)
	o.show()
	o.juliet.want()
	o.hold()
	x := o.begin(1) // its link is still there
	o.say(2)
	o.free()
	if err := <-x.err; err != nil {
		t.Fatal(err)
	}
	x.want(o.all[1:]...)
	if !o.juliet.closed || o.juliet.goodbye == nil || o.juliet.goodbye.Err != "conflict" {
		t.Errorf("the older link: closed %v, %v", o.juliet.closed, o.juliet.goodbye)
	}
	o.killed().mustResume("juliet@verona.lit", o.id, 2).want(o.all[3:]...)
}

// TestBrokenLinkKeepsWhatIsVolatile: what a link doesn't take any more waits for the
// next, as what comes after it does.
func TestBrokenLinkKeepsWhatIsVolatile(t *testing.T) {
	o := newOpened(t)
	o.juliet = o.mustResume("juliet@verona.lit", o.id, 0)
	o.juliet.got()
	o.juliet.broken = true
	o.show()
	o.show()
	o.settle()
	o.Submit(Entry{Writes: writes(), Out: []Delivery{{To: o.juliet.Session, Stanza: note(t, "is not kept")}}})
	o.juliet.cut()
	o.mustResume("juliet@verona.lit", o.id, 5).want(o.all[5:]...)
}

// TestReadyEnds: whoever waits until a session is ready for more is told when that
// won't be, and its client learns that it has missed something.
func TestReadyEnds(t *testing.T) {
	h := newHouse(t)
	missed := false
	h.Hooks.Resumed.Add("test", hook.Normal, func(_ context.Context, r Resumption) { missed = r.Missed })
	for _, how := range []string{"cut", "kicked", "replaced"} {
		juliet := h.bind("juliet@verona.lit/balcony")
		id := juliet.enable()
		juliet.slow = true
		h.presence("romeo@verona.lit/x", juliet.Session)
		ready := make(chan bool, 1)
		h.Go(func() { ready <- h.Ready(juliet.Session, 0) })
		h.until(func() bool { return h.parked() == 1 })
		switch how {
		case "cut":
			h.Closed(juliet.Session, juliet, Cause{Code: LinkLost})
		case "kicked":
			h.Kick(juliet.Session, Cause{Code: Kicked}, nil)
		case "replaced":
			h.bind("juliet@verona.lit/balcony")
		}
		if <-ready {
			t.Errorf("%s: ready", how)
		}
		if how == "cut" {
			if h.mustResume("juliet@verona.lit", id, 0).want("romeo@verona.lit/x"); !missed {
				t.Error("it isn't known that something was missed")
			}
		}
	}
}
