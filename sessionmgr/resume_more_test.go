package sessionmgr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir/jid"
	"weir/storage"
)

// TestNumbersWrap goes over 2^32 in both directions, on a live stream and over a
// resumption, in the same process and in the next (XEP-0198 §4).
func TestNumbersWrap(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	juliet := h.bind("juliet@verona.lit/balcony")
	id := juliet.enable()
	juliet.available(0)
	const start = 1<<32 - 3
	h.inOrder(func() {
		a := juliet.sm
		a.in, a.accepted, a.recorded, a.durable, a.out, a.acked = start, start, start, start, start, start
		h.pipe.dirty(juliet.Session)
	})
	h.settle()
	say := func(from, to int) (all []string) {
		for i := from; i < to; i++ {
			romeo.send(fmt.Sprintf("<message to='juliet@verona.lit' type='chat'><body>n%d</body></message>", i))
			all = append(all, fmt.Sprintf("<body>n%d<", i))
		}
		return all
	}
	juliet.want(say(0, 6)...)
	juliet.ack(start + 1)
	juliet.ack(2)     // the fifth, as 2^32 + 2
	juliet.ack(start) // lower: changes nothing
	for range 5 {
		juliet.send("<message to='romeo@verona.lit' type='chat'><body>x</body></message>")
	}
	h.settle()
	if n := juliet.sm.durable; n != 2 {
		t.Errorf("h is %d, want 2", n)
	}
	juliet.cut()
	if _, _, err := h.resume("juliet@verona.lit", id, 4); err == nil {
		t.Error("resumed with one more than was sent")
	}
	again := h.mustResume("juliet@verona.lit", id, 2)
	again.want("<body>n5<")
	h.inOrder(func() { again.Session.sm.out += 0 })
	again.cut()
	h.settle()
	next := newHouseOn(t, h.store)
	if err := next.Restore(context.Background()); err != nil {
		t.Fatal(err)
	}
	next.mustResume("juliet@verona.lit", id, 2).want("<body>n5<")
}

// TestSentAgainAfterALostSession: a client whose session is gone sends again what
// it doesn't know to be handled.
func TestSentAgainAfterALostSession(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.Archive = ArchiveAlways })
	juliet := h.online("juliet@verona.lit/balcony", 0)
	first := h.bind("romeo@verona.lit/orchard")
	first.enable()
	message := func(n int) string {
		return fmt.Sprintf("<message to='juliet@verona.lit' type='chat' id='m%d'><body>n%d</body><origin-id xmlns='urn:xmpp:sid:0' id='m%d'/></message>", n, n, n)
	}
	first.send(message(1))
	juliet.want("n1")
	first.cut()
	h.Kick(first.Session, Cause{Code: Expired}, nil)
	again := h.bind("romeo@verona.lit/street")
	again.enable()
	again.send(message(1))
	again.send(message(2))
	again.send(strings.Replace(message(1), "n1", "something else", 1))
	h.settle()
	juliet.want("n2", "something else")
	if n := again.sm.in; n != 3 {
		t.Errorf("%d handled, want 3: the first too", n)
	}
}

// TestArchiveReadFirst: what a client has read in the archive before it became
// available is not given to it once more; what it has not read is.
func TestArchiveReadFirst(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.Archive = ArchiveAlways })
	romeo := h.online("romeo@verona.lit/orchard", 0)
	for i := range 4 {
		romeo.send(fmt.Sprintf("<message to='juliet@verona.lit' type='chat'><body>n%d</body></message>", i))
	}
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>secret</body><no-permanent-store xmlns='urn:xmpp:hints'/></message>")
	h.settle()
	var ids []uint64
	account := jid.MustParse("juliet@verona.lit")
	if err := h.Archived(context.Background(), account, 0, func(a Archived) bool { ids = append(ids, a.ID); return true }); err != nil {
		t.Fatal(err)
	}
	if len(ids) != 4 {
		t.Fatalf("%d are archived, want the 4 that may be", len(ids))
	}
	juliet := h.bind("juliet@verona.lit/balcony")
	h.Fetched(juliet.Session, ids[0]-1, ids[1])
	h.Fetched(juliet.Session, ids[1], ids[2])
	juliet.available(0)
	juliet.want("n3", "secret")
}

// TestLargeLogsLoseTheOldest: an archive that has grown beyond its limit loses its
// oldest part, and nothing that somebody is still to get.
func TestLargeLogsLoseTheOldest(t *testing.T) {
	const limit = 300 << 10
	h := newHouse(t, func(o *Options) { o.Archive, o.MaxLog = ArchiveAlways, limit })
	romeo := h.online("romeo@verona.lit/orchard", 0)
	juliet := h.online("juliet@verona.lit/balcony", 0)
	sleepy := h.bind("juliet@verona.lit/asleep")
	size := func() (n int64) {
		h.settle()
		storage.NewLog(h.store, tableLog).Scan(context.Background(), "juliet@verona.lit", 0, func(_ uint64, rec []byte) bool {
			n += int64(len(rec))
			return true
		})
		return n
	}
	body := strings.Repeat("x", 1000)
	fill := func(n int) {
		for range n {
			romeo.send("<message to='juliet@verona.lit/balcony' type='chat'><body>" + body + "</body></message>")
		}
		juliet.got()
	}
	fill(600)
	size() // the burst is over, and so is what it led to
	n := int64(0)
	for range 10 { // on a busy machine juliet still needs some of it each time
		fill(100)
		if n = size(); n <= limit+2*ledgerEvery {
			break
		}
	}
	if n > limit+2*ledgerEvery || n < limit/2 {
		t.Errorf("the log has %d bytes, and %d is the limit", n, limit)
	}
	sleepy.enable()
	sleepy.available(0)
	juliet.available(-1)
	h.settle()
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>kept</body></message>")
	sleepy.cut()
	fill(600)
	h.Kick(sleepy.Session, Cause{Code: Expired}, nil)
	juliet.got()
	juliet.available(0)
	juliet.want("kept & delay")
}

// TestSessionsOfAnotherVersion: a record with more than this program knows is
// read; one that it can't understand costs that session and no other. What waits for
// that is then owed to the account, and its client learns what was handled.
func TestSessionsOfAnotherVersion(t *testing.T) {
	h := newHouse(t)
	juliet := h.bind("juliet@verona.lit/balcony")
	id := juliet.enable()
	juliet.available(3)
	other := h.bind("juliet@verona.lit/chamber")
	lost := other.enable()
	other.available(0)
	half := h.bind("juliet@verona.lit/tomb")
	half.enable()
	half.available(0)
	other.cut()
	half.cut()
	romeo := h.online("romeo@verona.lit/orchard", 0)
	romeo.send("<message to='juliet@verona.lit/chamber' type='chat'><body>waits for the lost one</body></message>")
	romeo.send("<message to='juliet@verona.lit/tomb' type='chat'><body>waits for half of one</body></message>")
	h.settle()
	key := func(c *client) string { return recordKey(c.queue.tag, keySnapshot) }
	change := func(c *client, from, to string) {
		rec, err := h.sessions.records.Get(context.Background(), "juliet@verona.lit", key(c))
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(rec), from, to, 1)
		if changed == string(rec) {
			t.Fatalf("no %s in %s", from, rec)
		}
		var b storage.Batch
		h.sessions.records.Put(&b, "juliet@verona.lit", key(c), []byte(changed))
		if err := storage.Commit(context.Background(), h.store, &b); err != nil {
			t.Fatal(err)
		}
	}
	change(juliet, `"jid"`, `"of_the_future":{"a":[1]},"jid"`)
	change(other, `"v":1`, `"v":99`)
	var b storage.Batch
	h.sessions.records.Delete(&b, "juliet@verona.lit", key(half))
	if err := storage.Commit(context.Background(), h.store, &b); err != nil {
		t.Fatal(err)
	}
	next := newHouseOn(t, h.store)
	if err := next.Restore(context.Background()); err != nil {
		t.Fatal(err)
	}
	again := next.mustResume("juliet@verona.lit", id, 0)
	if !again.Available() || again.Priority() != 3 {
		t.Errorf("available %v, priority %d", again.Available(), again.Priority())
	}
	if next.ByJID(other.JID()) != nil {
		t.Error("a session of version 99 was made")
	}
	var refused *ResumeError
	if _, _, err := next.resume("juliet@verona.lit", lost, 0); !errors.As(err, &refused) || !refused.Known {
		t.Errorf("whose session is lost learns %+v", refused)
	}
	again.want("waits for the lost one", "waits for half of one")
}

// TestResumeRefusals tells nobody anything.
func TestResumeRefusals(t *testing.T) {
	h := newHouse(t)
	juliet := h.bind("juliet@verona.lit/balcony")
	id := juliet.enable()
	h.settle()
	refused := func(account, id string, n uint32) *ResumeError {
		t.Helper()
		_, _, err := h.resume(account, id, n)
		var e *ResumeError
		if !errors.As(err, &e) {
			t.Fatalf("resumed, or failed otherwise: %v", err)
		}
		return e
	}
	other := id[:len(id)-1] + "A"
	if other == id {
		other = id[:len(id)-1] + "B"
	}
	for _, e := range []*ResumeError{
		refused("romeo@verona.lit", id, 0), refused("juliet@verona.lit", other, 0),
		refused("juliet@verona.lit", "", 0), refused("juliet@verona.lit", strings.Repeat("x", 5000), 0),
	} {
		if e.Reason.Condition != "item-not-found" || e.Known {
			t.Errorf("%v, known %v", e, e.Known)
		}
	}
	if e := refused("juliet@verona.lit", id, 1); !e.TooHigh || e.Sent != 0 {
		t.Errorf("%+v", e)
	}
	juliet.send("<presence/>")
	juliet.cut()
	h.Kick(juliet.Session, Cause{Code: Expired}, nil)
	h.settle()
	if e := refused("juliet@verona.lit", id, 0); !e.Known || e.Handled != 1 {
		t.Errorf("of the ended session: %+v", e)
	}
	if e := refused("romeo@verona.lit", id, 0); e.Known {
		t.Error("another account learns what was handled")
	}
}

// TestSleepersMakeRoom: an account with as many sessions as it may have gets one
// more by ending the one that has slept longest.
func TestSleepersMakeRoom(t *testing.T) {
	for _, conflict := range []string{ConflictReplace, ConflictRename, ConflictRefuse} {
		h := newHouse(t, func(o *Options) { o.MaxSessions, o.Conflict = 3, conflict })
		var all []*client
		for i := range 3 {
			c := h.bind(fmt.Sprintf("juliet@verona.lit/r%d", i))
			c.enable()
			all = append(all, c)
		}
		all[1].cut()
		all[0].cut()
		h.bind("juliet@verona.lit/new")
		if all[1].State() != Destroyed || all[0].State() != Hibernating {
			t.Errorf("%s: the first is %s, the second %s", conflict, all[0].State(), all[1].State())
		}
	}
}

// TestOneOrder: what was sent to a session itself and what is owed to its account
// come in the order in which they were sent (RFC 6120 §10.1).
func TestOneOrder(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	juliet := h.bind("juliet@verona.lit/balcony")
	id := juliet.enable()
	juliet.cut() // it was not available: what is for the account is owed
	for i, to := range []string{"/balcony", "", "/balcony", "", "/balcony"} {
		romeo.send(fmt.Sprintf("<message to='juliet@verona.lit%s' type='chat'><body>n%d</body></message>", to, i))
	}
	h.settle()
	first := h.connect("juliet@verona.lit")
	first.broken = true // it becomes available, and gets nothing
	err := h.Manager.Resume(context.Background(), first.Session, first, id, 0, func(s *Session, _ uint32) { first.Session = s })
	if err != nil {
		t.Fatal(err)
	}
	first.available(0)
	first.cut()
	h.settle()
	h.failed.Store(true) // nothing of it acts any more
	next := newHouseOn(t, h.store)
	if err := next.Restore(context.Background()); err != nil {
		t.Fatal(err)
	}
	next.mustResume("juliet@verona.lit", id, 0).want("n0", "n1", "n2", "n3", "n4")
}

// TestResumeAsTheServerStops resumes behind the back of Stop, which looks at each
// session once: the stream ends all the same.
func TestResumeAsTheServerStops(t *testing.T) {
	h := newHouse(t)
	juliet := h.online("juliet@verona.lit/balcony", 0)
	id := juliet.enable()
	juliet.cut()
	h.stopping.Store(true)
	again := h.mustResume("juliet@verona.lit", id, 0)
	again.mu.Lock()
	defer again.mu.Unlock()
	if !again.closed || again.goodbye == nil || again.goodbye.Err != "system-shutdown" {
		t.Errorf("closed: %v, %v", again.closed, again.goodbye)
	}
}

// TestWhatIsSaidInRooms: it is in no log, but a client that is back has missed none of it;
// and where nobody is to have it, or it is too much, the room hears of that.
func TestWhatIsSaidInRooms(t *testing.T) {
	h := newHouse(t)
	room := h.online("room@verona.lit/nurse", 0)
	juliet := h.bind("juliet@verona.lit/balcony")
	id := juliet.enable()
	juliet.available(0)
	say := func(text string) {
		room.send("<message to='juliet@verona.lit/balcony' type='groupchat' id='" + text[:2] + "'><body>" + text + "</body></message>")
	}
	say("m0")
	juliet.want("m0")
	juliet.cut()
	say("m1")
	room.send("<message to='juliet@verona.lit/balcony' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>")
	say("m2")
	juliet = h.mustResume("juliet@verona.lit", id, 1)
	juliet.want("m1", "m2")
	juliet.ack(2)
	room.want()

	juliet.cut()
	say("m3")
	say("m4" + strings.Repeat("x", heldVolatile))
	room.want("id='m4' & service-unavailable")
	h.Kick(juliet.Session, Cause{Code: Kicked}, nil)
	got := room.got()
	slices.Sort(got)
	if len(got) != 2 || !strings.Contains(got[0], "id='m2'") || !strings.Contains(got[1], "id='m3'") {
		t.Errorf("the room hears %q", got)
	}
}
