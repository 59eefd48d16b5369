package presence

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/jid"
	"weir/sessionmgr"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	juliet = "juliet@example.com/balcony"
	romeo  = "romeo@example.net/orchard"
	nurse  = "nurse@example.com/chamber"
)

// inBubble runs a test in a house where romeo and the nurse are subscribed to
// juliet, and romeo watches; time passes when everybody waits.
func inBubble(t *testing.T, policy string, test func(t *testing.T, h *house)) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Options{Hibernating: policy, HibernatingAfter: 5 * time.Minute})
		h.subscribe("romeo@example.net", "juliet@example.com")
		h.subscribe("nurse@example.com", "juliet@example.com")
		test(t, h)
	})
}

// sleeps makes a session that its client may resume, with a presence.
func (h *house) sleeps(full, presence string) (c *client, stream string) {
	h.t.Helper()
	c = h.bind(full)
	if err := h.Enable(context.Background(), c.Session, c, true, 0, func(e sessionmgr.Enabled) { stream = e.ID }); err != nil {
		h.t.Fatal(err)
	}
	c.send(presence)
	c.clear()
	return c, stream
}

// resume makes the client that goes on with a stream of which it has nothing.
func (h *house) resume(full, stream string) *client {
	h.t.Helper()
	j := jid.MustParse(full)
	c := &client{h: h}
	c.Session = h.Open(c, sessionmgr.LinkInfo{})
	h.StreamOpened(c.Session, j.Domain())
	h.Authenticated(c.Session, j.Bare())
	if err := h.Resume(context.Background(), c.Session, c, stream, 0, func(s *sessionmgr.Session, _ uint32) { c.Session = s }); err != nil {
		h.t.Fatal(err)
	}
	return c
}

// crash is the house after a power cut and some downtime. Who was resumable
// hibernates in it.
func (h *house) crash(down time.Duration, o Options, dress ...func(*house)) *house {
	h.t.Helper()
	h.settle()
	h.settle() // what follows from that
	disk := h.disk.CrashClone(vfs.CrashCloneCfg{})
	return h.after(disk, down, o, dress...)
}

// after is the house as it begins with a disk.
func (h *house) after(disk *vfs.MemFS, down time.Duration, o Options, dress ...func(*house)) *house {
	h.t.Helper()
	time.Sleep(down)
	next := newHouseOn(h.t, disk, o)
	for _, d := range dress {
		d(next)
	}
	if err := next.Restore(context.Background()); err != nil {
		h.t.Fatal(err)
	}
	if err := next.h.Start(context.Background()); err != nil {
		h.t.Fatal(err)
	}
	return next
}

// blocks has an account block another.
func (h *house) blocks(owner, blocked string) {
	h.HandleBlocklists(func(_ context.Context, account jid.JID) (*sessionmgr.Blocklist, error) {
		if account != jid.MustParse(owner) {
			return nil, nil
		}
		return sessionmgr.NewBlocklist(account, []jid.JID{jid.MustParse(blocked)}), nil
	})
}

// records counts what is kept of sessions that are away.
func (h *house) records() (n int) {
	h.t.Helper()
	h.settle()
	for _, account := range []string{"juliet@example.com", "romeo@example.net"} {
		if err := h.h.records.All(context.Background(), account, func(string, []byte) bool { n++; return true }); err != nil {
			h.t.Fatal(err)
		}
	}
	return n
}

// TestSeen goes through the policies: what watcher, newcomer and prober see of a
// session with a presence, once the time is over and when it is back.
func TestSeen(t *testing.T) {
	tests := []struct {
		policy, presence string
		told             string // to the watcher; "" for nothing
		seen             string // by the newcomer; "" for nothing
		back             bool   // the watcher is told at the resumption
	}{
		{Stay, "<presence><show>dnd</show></presence>", "", "<show>dnd</show>", false},
		{Away, "<presence/>", "<show>away</show>", "<show>away</show>", true},
		{Away, "<presence><show>dnd</show><status>x</status></presence>", "<status>x</status><show>away</show></presence>", "<status>x</status><show>away</show>", true},
		{Away, "<presence><show>away</show></presence>", "", "<show>away</show>", false},
		{Away, "<presence><show>xa</show></presence>", "", "<show>xa</show>", false},
		{Unavailable, "<presence><show>dnd</show></presence>", "type='unavailable'", "", true},
	}
	for _, x := range tests {
		t.Run(x.policy+x.presence, func(t *testing.T) {
			inBubble(t, x.policy, func(t *testing.T, h *house) {
				watcher := h.online(romeo)
				c, stream := h.sleeps(juliet, x.presence)
				watcher.clear()
				c.end()
				time.Sleep(5*time.Minute - time.Second)
				watcher.want()
				time.Sleep(2 * time.Second)
				if x.told == "" {
					watcher.want()
				} else {
					watcher.want("from='juliet@example.com/balcony' & to='romeo@example.net' & " + x.told)
				}
				watcher.send("<presence type='probe' to='juliet@example.com'/>")
				newcomer := h.bind(nurse)
				newcomer.send("<presence/>")
				own := "from='nurse@example.com/chamber'"
				if x.seen == "" {
					watcher.want("from='juliet@example.com' & type='unavailable'")
					newcomer.want(own)
				} else {
					watcher.want("from='juliet@example.com/balcony' & " + x.seen)
					newcomer.want(own, "from='juliet@example.com/balcony' & to='nurse@example.com' & "+x.seen)
				}
				time.Sleep(time.Hour)
				back := h.resume(juliet, stream)
				real := strings.TrimPrefix(strings.TrimSuffix(x.presence, "/>"), "<presence>")
				if real == "<presence" {
					real = "/>"
				}
				for _, c := range []*client{watcher, newcomer} {
					if x.back {
						c.want("from='juliet@example.com/balcony' & " + real)
					} else {
						c.want()
					}
				}
				if n := h.records(); n != 0 {
					t.Errorf("%d records are left", n)
				}
				back.send("<presence><show>chat</show></presence>")
				watcher.want("<show>chat</show>")
				time.Sleep(time.Hour)
				watcher.want()
			})
		})
	}
}

// TestTimeCountsFromTheLoss: a session that is resumed in time is never seen
// otherwise, however often it loses its link.
func TestTimeCountsFromTheLoss(t *testing.T) {
	inBubble(t, Away, func(t *testing.T, h *house) {
		watcher := h.online(romeo)
		c, stream := h.sleeps(juliet, "<presence/>")
		watcher.clear()
		for range 5 {
			c.end()
			time.Sleep(4 * time.Minute)
			c = h.resume(juliet, stream)
			time.Sleep(time.Minute / 2)
		}
		c.end()
		time.Sleep(5*time.Minute - time.Second)
		watcher.want()
		time.Sleep(2 * time.Second)
		watcher.want("<show>away</show>")
	})
}

// TestGoodbyeOnce: who was told that a session isn't there isn't told again when it ends;
// who saw it as away is.
func TestGoodbyeOnce(t *testing.T) {
	for policy, want := range map[string][]string{Unavailable: nil, Away: {"type='unavailable'"}} {
		inBubble(t, policy, func(t *testing.T, h *house) {
			watcher := h.online(romeo)
			c, _ := h.sleeps(juliet, "<presence/>")
			c.end()
			time.Sleep(6 * time.Minute)
			watcher.clear()
			time.Sleep(24 * time.Hour)
			watcher.want(want...)
			if n := h.records(); n != 0 || c.State() != sessionmgr.Destroyed {
				t.Errorf("%s: %d records, state %v", policy, n, c.State())
			}
		})
	}
}

// TestTimeGoesOnAfterACrash: neither is the time of the earlier process forgotten,
// nor does the downtime count. After a crash up to clockEvery is lost.
func TestTimeGoesOnAfterACrash(t *testing.T) {
	inBubble(t, Away, func(t *testing.T, h *house) {
		o := h.h.o
		c, _ := h.sleeps(juliet, "<presence/>")
		c.end()
		time.Sleep(2 * time.Minute)
		h = h.crash(time.Hour, o)
		time.Sleep(time.Minute)
		h = h.crash(time.Hour, o)
		watcher := h.online(romeo)
		watcher.clear()
		time.Sleep(2*time.Minute - time.Second)
		watcher.want()
		time.Sleep(2*clockEvery + 2*time.Second)
		watcher.want("from='juliet@example.com/balcony' & <show>away</show>")
		h = h.crash(time.Hour, o)
		watcher = h.bind(romeo)
		watcher.send("<presence/>")
		watcher.want("from='romeo@example.net/orchard'", "from='juliet@example.com/balcony' & <show>away</show>")
		time.Sleep(time.Hour)
		watcher.want()
	})
}

// TestTimeIsExactAfterAStop, as there is a moment to write it down.
func TestTimeIsExactAfterAStop(t *testing.T) {
	inBubble(t, Away, func(t *testing.T, h *house) {
		c, _ := h.sleeps(juliet, "<presence/>")
		live, _ := h.sleeps("juliet@example.com/phone", "<presence/>")
		c.end()
		time.Sleep(2*time.Minute + time.Second)
		if err := h.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		h.store.Close()
		h = h.crash(time.Hour, h.h.o)
		watcher := h.online(romeo)
		watcher.clear()
		time.Sleep(3*time.Minute - 2*time.Second)
		watcher.want()
		time.Sleep(2 * time.Second)
		watcher.want("from='juliet@example.com/balcony' & <show>away</show>")
		time.Sleep(2*time.Minute + time.Second) // the one that had a link
		watcher.want("from='" + live.JID().String() + "' & <show>away</show>")
	})
}

// TestAnotherPolicyAfterTheRestart: what holds is the setting of now.
func TestAnotherPolicyAfterTheRestart(t *testing.T) {
	inBubble(t, Unavailable, func(t *testing.T, h *house) {
		c, stream := h.sleeps(juliet, "<presence/>")
		c.end()
		time.Sleep(6 * time.Minute)
		for _, policy := range []string{Away, Unavailable, Stay} {
			h = h.crash(time.Second, Options{Hibernating: policy, HibernatingAfter: time.Minute})
			watcher := h.bind(romeo)
			watcher.send("<presence/>")
			switch policy {
			case Away:
				watcher.want("", "from='juliet@example.com/balcony' & <show>away</show>")
			case Unavailable:
				watcher.want("")
			case Stay:
				watcher.want("", "from='juliet@example.com/balcony' & />")
				h.resume(juliet, stream)
				watcher.want()
			}
		}
		if n := h.records(); n != 0 {
			t.Errorf("%d records are left", n)
		}
	})
}

// TestDirectedWhileAway: who got directed presence and is no contact is told, and
// gets what it was sent again; beyond what is kept mere presence.
func TestDirectedWhileAway(t *testing.T) {
	for policy, told := range map[string]string{Away: "<status>hi</status><show>away</show>", Unavailable: "type='unavailable'"} {
		inBubble(t, policy, func(t *testing.T, h *house) {
			paris := h.bind("paris@example.net/street")
			tybalt := h.bind("tybalt@example.net/street")
			watcher := h.online(romeo)
			c, stream := h.sleeps(juliet, "<presence/>")
			watcher.clear()
			c.send("<presence to='paris@example.net/street'><show>chat</show><status>hi</status></presence>")
			c.send("<presence to='tybalt@example.net/street'><status>" + strings.Repeat("x", keptDirected) + "</status></presence>")
			c.send("<presence to='romeo@example.net'><status>hi</status></presence>")
			paris.want("hi")
			tybalt.want("xxx")
			watcher.want("hi")
			c.end()
			time.Sleep(6 * time.Minute)
			watcher.want("to='romeo@example.net'") // once
			paris.want("from='juliet@example.com/balcony' & to='paris@example.net/street' & " + told)
			if policy == Away {
				tybalt.want("<show>away</show>")
			} else {
				tybalt.want(told)
			}
			if h.h.Directed(c.JID(), paris.JID()) == (policy == Unavailable) {
				t.Errorf("%s: wrong who may know of it", policy)
			}
			h.resume(juliet, stream)
			watcher.want("")
			paris.want("<show>chat</show><status>hi</status>")
			tybalt.want("from='juliet@example.com/balcony' & />")
		})
	}
}

// TestResumedAsTheTimeEnds: whichever comes first, in the end contacts see the
// session's own presence, and what came last they are told once.
func TestResumedAsTheTimeEnds(t *testing.T) {
	for _, policy := range []string{Away, Unavailable} {
		h := newHouse(t, Options{Hibernating: policy, HibernatingAfter: time.Hour})
		h.subscribe("romeo@example.net", "juliet@example.com")
		watcher := h.online(romeo)
		c, stream := h.sleeps(juliet, "<presence><show>dnd</show></presence>")
		watcher.clear()
		for round := range 50 {
			c.end()
			since, is := c.Gone()
			if !is {
				t.Fatal("it doesn't hibernate")
			}
			var wg sync.WaitGroup
			wg.Go(func() { h.h.due(c.Session, since) })
			next := h.resume(juliet, stream)
			wg.Wait()
			if got := watcher.got(); len(got) > 0 && !strings.Contains(got[len(got)-1], "<show>dnd</show>") {
				t.Fatalf("round %d: the last of\n%s\nis wrong", round, strings.Join(got, "\n"))
			}
			if n := h.records(); n != 0 {
				t.Fatalf("round %d: %d records are left", round, n)
			}
			if h.h.seen(c.Session) != c.Presence() {
				t.Fatalf("round %d: it is seen as %v", round, h.h.seen(c.Session))
			}
			c = next
		}
	}
}

// TestDirectedOfTheUnavailable: so does who only got directed presence of a session
// that isn't available.
func TestDirectedOfTheUnavailable(t *testing.T) {
	for _, policy := range []string{Away, Unavailable} {
		h := newHouse(t, Options{Hibernating: policy, HibernatingAfter: time.Hour})
		paris := h.bind("paris@example.net/street")
		c, stream := h.sleeps(juliet, "<presence to='paris@example.net/street'><status>hi</status></presence>")
		paris.want("<status>hi</status>")
		for round := range 50 {
			c.end()
			since, _ := c.Gone()
			var wg sync.WaitGroup
			wg.Go(func() { h.h.due(c.Session, since) })
			next := h.resume(juliet, stream)
			wg.Wait()
			got := paris.got()
			if n := len(got); n > 0 && (!strings.Contains(got[n-1], "<status>hi</status>") || strings.Contains(got[n-1], "away")) {
				t.Fatalf("%s, round %d: the last of\n%s\nis wrong", policy, round, strings.Join(got, "\n"))
			}
			c = next
		}
	}
}

func TestAwayRecord(t *testing.T) {
	at := time.Unix(1000, 5)
	for _, r := range []awayRecord{{gone: at}, {gone: at, spent: time.Minute}, {gone: at, masked: true}} {
		got, err := readAway(r.marshal())
		if err != nil || !got.gone.Equal(r.gone) || got.spent != r.spent || got.masked != r.masked {
			t.Errorf("%+v became %+v, %v", r, got, err)
		}
	}
	for _, b := range []string{"", "\x01", strings.Repeat("\x01", 17), "\x02" + strings.Repeat("\x00", 17)} {
		if _, err := readAway([]byte(b)); err == nil {
			t.Errorf("%x was read", b)
		}
	}
	r := awayRecord{gone: at, spent: time.Minute}
	for last, want := range map[time.Time]time.Duration{{}: time.Minute, at.Add(-time.Hour): time.Minute, at.Add(time.Second): time.Minute + time.Second} {
		if got := r.until(last); got != want {
			t.Errorf("last seen %v: %v, want %v", last, got, want)
		}
	}
}
