package presence

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/storage"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// directedKept counts what is kept of directed presence.
func (h *house) directedKept() (n int) {
	h.t.Helper()
	h.settle()
	for _, account := range []string{"juliet@example.com", "nurse@example.com"} {
		if err := h.h.targets.All(context.Background(), account, func(string, []byte) bool { n++; return true }); err != nil {
			h.t.Fatal(err)
		}
	}
	return n
}

// TestDirectedOverACrash: who was sent directed presence by a stranger hears that it
// ended also where the server was killed in between: at once where the session can't
// come back, else when it ends (RFC 6121 §4.6.3).
func TestDirectedOverACrash(t *testing.T) {
	const nurseFull = "nurse@example.com/n"
	direct := func(c *client) {
		c.send("<presence to='nurse@example.com'><status>hi</status></presence>")
		c.send("<presence to='nurse@example.com/n'/>")
	}
	bare, full := "type='unavailable' & to='nurse@example.com' & from='juliet@example.com/balcony'", "type='unavailable' & to='nurse@example.com/n'"
	for _, c := range []struct {
		name   string
		before func(h *house) (stream string) // what juliet does
		after  func(h *house, stream string)
		first  []string // that nurse hears at her resumption
		then   []string
		kept   int // behind that
	}{
		{"she never comes back", func(h *house) string {
			c, _ := h.sleeps(juliet, "<presence/>")
			direct(c)
			return ""
		}, func(*house, string) { time.Sleep(25 * time.Hour) }, nil, []string{bare, full}, 0},
		{"she comes back and leaves", func(h *house) string {
			c, stream := h.sleeps(juliet, "<presence/>")
			direct(c)
			return stream
		}, func(h *house, stream string) {
			c := h.resume(juliet, stream)
			if !h.h.Directed(c.JID(), jid.MustParse(nurseFull)) {
				t.Error("the session doesn't know to whom it sent presence")
			}
			c.send("<presence type='unavailable'/>")
		}, nil, []string{bare, full}, 0},
		{"she comes back and stays", func(h *house) string {
			c, stream := h.sleeps(juliet, "<presence/>")
			direct(c)
			return stream
		}, func(h *house, stream string) { h.resume(juliet, stream); time.Sleep(time.Hour) }, nil, nil, 2},
		{"she takes it back herself", func(h *house) string {
			c, stream := h.sleeps(juliet, "<presence/>")
			direct(c)
			return stream
		}, func(h *house, stream string) {
			h.resume(juliet, stream).send("<presence to='nurse@example.com' type='unavailable'/>")
		}, nil, []string{bare}, 0},
		{"she had taken it back", func(h *house) string {
			c, _ := h.sleeps(juliet, "<presence/>")
			direct(c)
			c.send("<presence to='nurse@example.com' type='unavailable'/>")
			return ""
		}, func(*house, string) { time.Sleep(25 * time.Hour) }, nil, nil, 0},
		{"she had ended", func(h *house) string {
			c := h.online(juliet)
			direct(c)
			c.end()
			return ""
		}, func(*house, string) { time.Sleep(25 * time.Hour) }, nil, nil, 0},
		{"her session can't be resumed", func(h *house) string {
			direct(h.online(juliet))
			return ""
		}, func(*house, string) {}, []string{full}, nil, 0}, // the newest of a sender is held
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, Options{})
				nurse, stream := h.sleeps(nurseFull, "<presence/>")
				hers := c.before(h)
				nurse.clear()
				nurse.end()
				h = h.crash(time.Minute, Options{})
				nurse = h.resume(nurseFull, stream)
				synctest.Wait()
				nurse.want(c.first...)
				c.after(h, hers)
				synctest.Wait()
				nurse.want(c.then...)
				if n := h.directedKept(); n != c.kept {
					t.Errorf("%d records are kept, want %d", n, c.kept)
				}
			})
		})
	}
}

// TestDirectedAtTheCrash: the server is killed when it is written down that presence was
// taken back, and before anybody was told: they are told by the next process.
func TestDirectedAtTheCrash(t *testing.T) {
	const stay = "<presence to='nurse@example.com/n'/>"
	for name, leave := range map[string]func(*client){
		"she takes it back": func(c *client) { c.send("<presence to='nurse@example.com/n' type='unavailable'/>") },
		"she leaves":        func(c *client) { c.send("<presence type='unavailable'/>") },
	} {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t, Options{})
			nurse, stream := h.sleeps("nurse@example.com/n", "<presence/>")
			c := h.online(juliet)
			c.send(stay)
			nurse.want("<presence & to='nurse@example.com/n'")
			var w storage.Batch
			w.Put(storage.Key{Kind: storage.KindKeyVal, Table: "test", Account: "x"}, nil)
			// While this is released everything else comes into one batch, of which what is
			// submitted first sees what a crash would leave.
			busy, goOn := make(chan struct{}), make(chan struct{})
			go h.Submit(sessionmgr.Entry{Writes: w, Done: func(error) { close(busy); <-goOn }})
			<-busy
			var disk *vfs.MemFS
			h.Submit(sessionmgr.Entry{Writes: w, Done: func(error) { disk = h.disk.CrashClone(vfs.CrashCloneCfg{}) }})
			go leave(c)
			synctest.Wait()
			close(goOn)
			synctest.Wait()
			nurse.want("type='unavailable'")
			next := h.after(disk, time.Minute, Options{})
			again := next.resume("nurse@example.com/n", stream)
			synctest.Wait()
			if got := strings.Join(again.got(), "\n"); !strings.Contains(got, "type='unavailable'") {
				t.Errorf("%s: nurse hears %q", name, got)
			}
		})
	}
}

// TestDirectedSentAgainOverACrash: where contacts see a session otherwise after a while,
// so do those with directed presence, and its own presence again when it is back, as
// it was before the server was killed.
func TestDirectedSentAgainOverACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Options{Hibernating: Away, HibernatingAfter: time.Minute}
		h := newHouse(t, o)
		nurse, stream := h.sleeps("nurse@example.com/n", "<presence/>")
		sleeper, hers := h.sleeps(juliet, "<presence/>")
		sleeper.send("<presence to='nurse@example.com'><status>hi</status></presence>")
		sleeper.send("<presence to='nurse@example.com'><status>ho</status></presence>")
		nurse.clear()
		sleeper.end()
		nurse.end()
		h = h.crash(time.Second, o)
		nurse = h.resume("nurse@example.com/n", stream)
		nurse.want()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		nurse.want("<show>away</show> & <status>ho</status>")
		h.resume(juliet, hers)
		synctest.Wait()
		got := nurse.got()
		if len(got) != 1 {
			t.Fatalf("nurse got %v", got)
		}
		if want := "<status>ho</status></presence>"; len(got[0]) < len(want) || got[0][len(got[0])-len(want):] != want {
			t.Errorf("nurse got %s", got[0])
		}
	})
}

// TestBlockedHearNothingOfDirected: who is blocked isn't told by a restart that
// somebody was there (XEP-0191 §3.3).
func TestBlockedHearNothingOfDirected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Options{})
		nurse, stream := h.sleeps("nurse@example.com/n", "<presence/>")
		h.online(juliet).send("<presence to='nurse@example.com'/>")
		nurse.clear()
		nurse.end()
		h = h.crash(time.Minute, Options{}, func(h *house) { h.blocks("juliet@example.com", "nurse@example.com") })
		h.resume("nurse@example.com/n", stream).want()
	})
}

// rooms is a service that keeps what it is given.
type rooms struct{ in []string }

func (r *rooms) Ready() error { return nil }

func (r *rooms) Deliver(st *stanza.Stanza) error {
	r.in = append(r.in, string(st.AppendTo(nil)))
	return nil
}

// TestServicesHearOfThoseWhoAreGone: a service is told after a while, when it is
// connected again, and by the next process if the server is killed before.
func TestServicesHearOfThoseWhoAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *rooms // of the newest process
		serve := func(h *house) {
			r = new(rooms)
			h.HandleService("rooms.lit", r)
		}
		h := newHouse(t, Options{})
		serve(h)
		h.online(juliet).send("<presence to='verona@rooms.lit/Jule'/>")
		h = h.crash(time.Minute, Options{}, serve)
		h = h.crash(time.Second, Options{}, serve)
		time.Sleep(serviceDelay)
		synctest.Wait()
		if len(r.in) != 1 || !strings.Contains(r.in[0], "to='verona@rooms.lit/Jule' type='unavailable'") {
			t.Errorf("the service got %v", r.in)
		}
		if n := h.directedKept(); n != 0 {
			t.Errorf("%d records are kept", n)
		}
	})
}

// TestDirectedRecords: one that can't be read is told and goes, the others are read.
func TestDirectedRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Options{})
		sleeper, stream := h.sleeps(juliet, "<presence/>")
		var w storage.Batch
		for i, b := range [][]byte{{}, {9, 1, 'x'}, {directedVersion, 200, 1}, {directedVersion, 1, 'x', '<'}} {
			h.h.targets.Put(&w, "juliet@example.com", directedItem(sleeper.ID(), jid.MustParse(fmt.Sprintf("a%d@example.com", i))), b)
		}
		h.h.targets.Put(&w, "juliet@example.com", "x", directedRecord("x", nil))
		if err := storage.Commit(context.Background(), h.store, &w); err != nil {
			t.Fatal(err)
		}
		sleeper.send("<presence to='nurse@example.com/n'/>")
		h = h.crash(time.Minute, Options{})
		c := h.resume(juliet, stream)
		if !h.h.Directed(c.JID(), jid.MustParse("nurse@example.com/n")) {
			t.Error("it is forgotten")
		}
		if n := h.directedKept(); n != 1 {
			t.Errorf("%d records are kept, want 1", n)
		}
	})
}
