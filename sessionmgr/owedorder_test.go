package sessionmgr

import (
	"fmt"
	"testing"
	"time"

	"weir/stanza"
	"weir/storage"
)

// A message that found nobody comes before the next one, to whoever has come
// while it was on its way into the log.
func TestOwedAsItsReaderComes(t *testing.T) {
	for _, c := range []struct {
		name          string
		left          bool // an earlier session of the account has ended
		flying, early bool // a batch is with the store; the message is sealed before her presence
		enabled       bool
	}{
		{name: "sealed after her presence", flying: true, enabled: true},
		{name: "sealed before her presence", early: true, enabled: true},
		{name: "after another session", left: true, flying: true, enabled: true},
		{name: "without stream management", flying: true},
		{name: "without, sealed before", early: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, g := newGatedHouse(t)
			romeo, tybalt := h.online("romeo@verona.lit/b", 0), h.online("tybalt@verona.lit/t", 0)
			if c.left {
				old := h.online("juliet@verona.lit/a", 0)
				old.enable()
				h.Kick(old.Session, Cause{Kicked, "gone"}, nil)
			}
			juliet := h.bind("juliet@verona.lit/a")
			if c.enabled {
				romeo.enable()
				juliet.enable()
			}
			h.settle()
			g.set(true, nil)
			if c.flying {
				tybalt.send("<message to='romeo@verona.lit'><body>x</body></message>")
			}
			romeo.send("<message to='juliet@verona.lit' type='chat'><body>first</body></message>")
			juliet.available(0)
			romeo.send("<message to='juliet@verona.lit' type='chat'><body>second</body></message>")
			g.set(false, nil)
			h.settle()
			if got := juliet.seen(); got != "first second" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// Nor is it overtaken where the client has not acknowledged what it was owed
// before.
func TestOwedBehindAClaim(t *testing.T) {
	h, g := newGatedHouse(t)
	romeo, tybalt := h.online("romeo@verona.lit/b", 0), h.online("tybalt@verona.lit/t", 0)
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>zero</body></message>")
	juliet := h.bind("juliet@verona.lit/a")
	juliet.enable()
	juliet.available(0)
	juliet.want("zero") // a claim, not acknowledged
	juliet.available(-1)
	h.settle()
	g.set(true, nil)
	tybalt.send("<message to='romeo@verona.lit'><body>x</body></message>")
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>first</body></message>")
	juliet.available(0)
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>second</body></message>")
	g.set(false, nil)
	h.settle()
	if got := juliet.seen(); got != "first second" {
		t.Errorf("got %q", got)
	}
	juliet.ack(3)
	h.Kick(juliet.Session, Cause{Kicked, "gone"}, nil)
	next := h.online("juliet@verona.lit/b", 0)
	if got := next.seen(); got != "" {
		t.Errorf("acknowledged, and came again: %q", got)
	}
}

// A message that could not be kept holds nobody back.
func TestOwedNotKept(t *testing.T) {
	h, g := newGatedHouse(t)
	romeo, tybalt := h.online("romeo@verona.lit/b", 0), h.online("tybalt@verona.lit/t", 0)
	romeo.enable()
	juliet := h.bind("juliet@verona.lit/a")
	juliet.enable()
	h.until(func() (calm bool) { // nothing is recorded in a moment
		h.settle()
		h.inOrder(func() { calm = len(h.pipe.behind)+len(h.pipe.lingering) == 0 })
		return calm
	})
	g.set(true, nil)
	tybalt.send("<message to='romeo@verona.lit'><body>x</body></message>")
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>first</body></message>")
	juliet.available(0)
	g.set(false, fmt.Errorf("disk: %w", storage.ErrFull))
	h.until(func() bool { return romeo.sent.Load() > 1 }) // that it could not be kept
	g.set(false, nil)
	romeo.want("<body>x", "resource-constraint")
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>second</body></message>")
	h.settle()
	if got := juliet.seen(); got != "second" {
		t.Errorf("got %q", got)
	}
}

// What is sent to the full address of a session that was just bound waits for what
// is owed, and so until it says that it is available: not for long.
func TestOwedBeforeTheFullAddress(t *testing.T) {
	for _, enabled := range []bool{true, false} {
		t.Run(fmt.Sprint(enabled), func(t *testing.T) {
			h := newHouse(t)
			romeo := h.online("romeo@verona.lit/b", 0)
			romeo.send("<message to='juliet@verona.lit/a' type='chat'><body>first</body></message>")
			juliet := h.bind("juliet@verona.lit/a")
			if enabled {
				juliet.enable()
			}
			romeo.send("<message to='juliet@verona.lit/a' type='chat'><body>second</body></message>")
			h.settle()
			if got := juliet.seen(); got != "" {
				t.Errorf("before her presence: %q", got)
			}
			juliet.available(0)
			h.settle()
			if got := juliet.seen(); got != "first second" {
				t.Errorf("got %q", got)
			}
			romeo.send("<message to='juliet@verona.lit/a' type='chat'><body>third</body></message>")
			h.settle()
			if got := juliet.seen(); got != "first second third" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// Who takes nothing that is owed gets its own messages at once, and who doesn't say
// so a little later.
func TestNewcomersWithoutPresence(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/b", 0)
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>first</body></message>")
	silent, negative := h.bind("juliet@verona.lit/silent"), h.bind("juliet@verona.lit/negative")
	negative.available(-1)
	for _, c := range []*client{silent, negative} {
		romeo.send("<message to='" + c.JID().String() + "' type='chat'><body>second</body></message>")
	}
	negative.want("second")
	if got := silent.seen(); got != "" {
		t.Errorf("at once: %q", got)
	}
	h.until(func() bool { return silent.seen() != "" })
	silent.want("second")
}

// What waits for a session that leaves meanwhile is owed, and comes before what finds
// nobody then.
func TestOwedAsItsReaderLeaves(t *testing.T) {
	h, g := newGatedHouse(t)
	romeo, juliet := h.online("romeo@verona.lit/b", 0), h.online("juliet@verona.lit/a", 0)
	g.set(true, nil)
	h.Submit(Entry{Writes: writes()}) // with the store, and romeo waits for the next
	h.Submit(Entry{From: romeo.Session, Writes: writes()})
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>first</body></message>")
	h.Kick(juliet.Session, Cause{Kicked, "gone"}, nil)
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>second</body></message>")
	g.set(false, nil)
	h.settle()
	next := h.bind("juliet@verona.lit/b")
	next.available(0)
	h.settle()
	if got := next.seen(); got != "first second" {
		t.Errorf("got %q", got)
	}
}

// What was on its way to a session stays before what finds nobody later, and is owed
// to that session when it comes back.
func TestOwedBehindWhatWasOnItsWay(t *testing.T) {
	h, g := newGatedHouse(t)
	romeo, juliet := h.online("romeo@verona.lit/b", 0), h.online("juliet@verona.lit/a", 0)
	g.set(true, nil)
	h.Submit(Entry{Writes: writes()})
	h.Submit(Entry{From: romeo.Session, Writes: writes()})
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>first</body></message>")
	juliet.reach.Store(-1)
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>second</body></message>")
	juliet.reach.Store(0)
	g.set(false, nil)
	h.settle()
	if got := juliet.seen(); got != "first second" {
		t.Errorf("got %q", got)
	}
}

// Several sessions wait until it is known what one that was owed something has
// written: one that takes its time then doesn't hold up the others.
func TestEachGoesOnBehindOneThatCatchesUp(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/b", 0)
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>one</body></message>")
	h.settle()
	var all [3]*client
	for i, name := range []string{"first", "second", "third"} {
		all[i] = h.bind("juliet@verona.lit/" + name)
	}
	all[0].slow, all[1].slow = true, true
	all[0].available(0)
	all[0].want("one") // and it is not written
	all[0].available(-1)
	all[1].available(0)
	all[2].available(0)
	romeo.send("<message to='juliet@verona.lit/second' type='chat'><body>two</body></message>")
	romeo.send("<message to='juliet@verona.lit/third' type='chat'><body>three</body></message>")
	h.settle()
	all[0].wake()
	all[1].want("two") // and it is not written
	all[2].want("three")
}

// A session that has what it was owed still to acknowledge, and may take over
// nothing more until then, gets what is its own.
func TestPullsWhereNothingCanBeClaimed(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/b", 0)
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>zero</body></message>")
	juliet := h.bind("juliet@verona.lit/a")
	juliet.enable()
	juliet.available(0)
	juliet.want("zero") // a claim, not acknowledged
	old := h.bind("juliet@verona.lit/old")
	old.enable()
	romeo.send("<message to='juliet@verona.lit/old' type='chat'><body>left</body></message>")
	old.want("left")
	h.Kick(old.Session, Cause{Kicked, "gone"}, nil)
	h.settle()
	h.inOrder(func() { juliet.behind = true }) // as if it had waited for another
	st, err := stanza.New(stanza.Message, "chat", "", romeo.JID(), juliet.JID(), []byte("<thread>typing</thread>"))
	if err != nil {
		t.Fatal(err)
	}
	romeo.send(string(st.AppendTo(nil)))
	h.inOrder(func() { h.startOwed(juliet.ledger, juliet.Session) })
	juliet.want("typing")
	juliet.ack(1)
	juliet.want("left")
}

// Nor by what was sent to the full address of a session that had not come to say that
// it is available when its stream, or the server, was gone.
func TestOwedBeforeTheQueueOfANewcomer(t *testing.T) {
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprintf("killed %v", killed), func(t *testing.T) {
			h := newHouse(t)
			romeo := h.online("romeo@verona.lit/b", 0)
			romeo.enable()
			romeo.send("<message to='juliet@verona.lit' type='chat'><body>first</body></message>")
			juliet := h.bind("juliet@verona.lit/a")
			id := juliet.enable()
			romeo.send("<message to='juliet@verona.lit/a' type='chat'><body>second</body></message>")
			h.settle()
			juliet.want()
			juliet.cut()
			if killed {
				h = newHouseOn(t, h.store)
				if err := h.Restore(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			juliet = h.mustResume("juliet@verona.lit", id, 0)
			juliet.want()
			juliet.available(0)
			juliet.want("first", "second")
		})
	}
}

// Who never says so gets what is its own all the same.
func TestNewcomerThatSaysNothing(t *testing.T) {
	h := newHouse(t)
	h.patience = 50 * time.Millisecond
	romeo := h.online("romeo@verona.lit/b", 0)
	romeo.enable()
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>first</body></message>")
	juliet := h.bind("juliet@verona.lit/a")
	id := juliet.enable()
	juliet.cut()
	romeo.send("<message to='juliet@verona.lit/a' type='chat'><body>second</body></message>")
	juliet = h.mustResume("juliet@verona.lit", id, 0)
	h.until(func() bool { return len(juliet.got()) == 1 })
}
