package presence

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/jid"
	"weir/sessionmgr"
	"weir/storage"
)

// told resumes romeo's session and returns what he is told, in order of the senders.
func told(t *testing.T, h *house, full, stream string) (all []string) {
	t.Helper()
	again := h.resume(full, stream)
	synctest.Wait() // it catches up on a goroutine of its own
	for _, x := range again.got() {
		st := strings.Split(x, "'")
		all = append(all, st[1])
		if strings.Contains(x, "unavailable") {
			all[len(all)-1] += " gone"
		}
	}
	slices.Sort(all)
	return all
}

// traced counts the traces in the store.
func (h *house) traced() (n int) {
	h.t.Helper()
	h.settle()
	err := h.h.traces.records.Table().Accounts(context.Background(), h.store, "", func(account string) bool {
		h.h.traces.records.All(context.Background(), account, func(string, []byte) bool { n++; return true })
		return true
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// TestGoneOverACrash: who resumes after a crash is told of each resource that was
// available when it looked last and isn't, also beside one that is.
func TestGoneOverACrash(t *testing.T) {
	for _, c := range []struct {
		name  string
		leave func(h *house, balcony *client)
		want  []string // beside the chamber
	}{
		{"by the crash", func(*house, *client) {}, []string{"juliet@example.com/balcony gone"}},
		{"before it", func(_ *house, c *client) { c.end() }, []string{"juliet@example.com/balcony gone"}},
		{"and said so itself", func(_ *house, c *client) { c.send("<presence type='unavailable'/>") }, []string{"juliet@example.com/balcony gone"}},
		{"and another came in its place", func(h *house, c *client) { c.end(); h.sleeps(juliet, "<presence/>") }, []string{juliet}},
		{"after a restart more", func(h *house, c *client) { c.end(); *h = *h.crash(time.Minute, Options{}) }, []string{"juliet@example.com/balcony gone"}},
		{"and one that nobody saw", func(h *house, c *client) { h.bind("juliet@example.com/street") }, []string{"juliet@example.com/balcony gone"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, Options{})
				h.subscribe("romeo@example.net", "juliet@example.com")
				romeo, stream := h.sleeps(romeo, "<presence/>")
				h.sleeps("juliet@example.com/chamber", "<presence/>")
				balcony := h.online(juliet)
				romeo.end()
				c.leave(h, balcony)
				h = h.crash(time.Minute, Options{})
				want := append(c.want, "juliet@example.com/chamber")
				if got := told(t, h, romeo.JID().String(), stream); !slices.Equal(got, want) {
					t.Errorf("romeo is told %q, want %q", got, want)
				}
			})
		})
	}
}

// TestAllGoneOverACrash: where nobody is left of a contact, the account itself is
// said to be gone too; and an account learns of its own resources.
func TestAllGoneOverACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Options{})
		h.subscribe("romeo@example.net", "juliet@example.com")
		sleeper, stream := h.sleeps(romeo, "<presence/>")
		h.online("romeo@example.net/street")
		h.online(juliet)
		h.online("nurse@example.com/chamber") // a stranger
		sleeper.end()
		h = h.crash(time.Minute, Options{})
		want := []string{"juliet@example.com gone", "juliet@example.com/balcony gone", "romeo@example.net/street gone"}
		if got := told(t, h, romeo, stream); !slices.Equal(got, want) {
			t.Errorf("romeo is told %q, want %q", got, want)
		}
	})
}

// TestGoneIsNotToldToTheBlocked: who is blocked by a contact isn't told which
// resources that had (XEP-0191 §3.3).
func TestGoneIsNotToldToTheBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Options{})
		h.subscribe("romeo@example.net", "juliet@example.com")
		sleeper, stream := h.sleeps(romeo, "<presence/>")
		h.online(juliet)
		sleeper.end()
		h = h.crash(time.Minute, Options{})
		h.HandleBlocklists(func(_ context.Context, account jid.JID) (*sessionmgr.Blocklist, error) {
			return sessionmgr.NewBlocklist(account, []jid.JID{jid.MustParse("romeo@example.net")}), nil
		})
		if got, want := told(t, h, romeo, stream), []string{"juliet@example.com gone"}; !slices.Equal(got, want) {
			t.Errorf("romeo is told %q, want %q", got, want)
		}
	})
}

// TestMissedWhileAway: more presence than is kept comes for a session that
// hibernates. When it is resumed its client knows nevertheless who is here.
func TestMissedWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Options{})
		h.subscribe("romeo@example.net", "juliet@example.com")
		sleeper, stream := h.sleeps(romeo, "<presence/>")
		balcony := h.online(juliet)
		sleeper.end()
		long := strings.Repeat("x", 10<<10)
		for i := range 13 {
			h.online(fmt.Sprintf("juliet@example.com/r%02d", i)).send("<presence><status>" + long + "</status></presence>")
		}
		balcony.end()
		last := map[string]string{}
		again := h.resume(romeo, stream)
		synctest.Wait()
		for _, x := range again.got() {
			last[strings.Split(x, "'")[1]] = x
		}
		for i := range 13 {
			if full := fmt.Sprintf("juliet@example.com/r%02d", i); !strings.Contains(last[full], long) {
				t.Errorf("%s shows something else than romeo knows", full)
			}
		}
		if !strings.Contains(last[juliet], "unavailable") {
			t.Error("the balcony is empty, and romeo doesn't know")
		}
	})
}

// TestTracesGo: traces are kept as long as somebody can come back, and not longer.
func TestTracesGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Options{})
		a, b := h.online(juliet), h.online("juliet@example.com/chamber")
		h.bind("juliet@example.com/street") // never available
		a.end()
		b.send("<presence type='unavailable'/>")
		if n := h.traced(); n != 2 {
			t.Errorf("%d traces, want 2", n)
		}
		time.Sleep(24 * time.Hour)
		b.send("<presence/>")
		h.online(juliet).end()
		if n := h.traced(); n != 2 {
			t.Errorf("%d traces after a day, want 2", n)
		}
		time.Sleep(28 * time.Hour)
		if n := h.traced(); n != 1 {
			t.Errorf("%d traces when nobody can come back, want that of the chamber", n)
		}
		if all := h.h.traces.of(jid.MustParse("juliet@example.com")); len(all) > 0 {
			t.Errorf("in memory are %v", all)
		}
	})
}

// TestManyTraces: a client that takes another resource each time leaves a bounded
// number of them.
func TestManyTraces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		h := newHouse(t, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		for i := range maxTraces + 20 {
			h.online(fmt.Sprintf("juliet@example.com/r%d", i)).end()
			time.Sleep(time.Second)
		}
		if n := h.traced(); n != maxTraces {
			t.Errorf("%d traces, want %d", n, maxTraces)
		}
		if n := strings.Count(log.String(), "account=juliet@example.com"); n != 1 {
			t.Errorf("told %d times in the log:\n%s", n, &log)
		}
		h = h.crash(time.Minute, Options{})
		if n := len(h.h.traces.of(jid.MustParse("juliet@example.com"))); n != maxTraces {
			t.Errorf("%d traces after a crash, want %d", n, maxTraces)
		}
		h.online("juliet@example.com/last").end() // the oldest makes room, also after the crash
		of := h.h.traces.of(jid.MustParse("juliet@example.com"))
		if first, last := of[0].full.Resource(), of[len(of)-1].full.Resource(); len(of) != maxTraces || first != "r21" || last != "last" {
			t.Errorf("%d traces from %s to %s", len(of), first, last)
		}
	})
}

// TestTraceComesBack: a resource comes at the moment at which its trace is removed.
func TestTraceComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Options{})
		full := jid.MustParse(juliet)
		h.online(juliet)
		var w storage.Batch
		h.h.traces.records.Delete(&w, full.Bare().String(), full.Resource())
		h.Submit(sessionmgr.Entry{Writes: w})
		if n := h.traced(); n != 0 {
			t.Fatalf("%d traces", n)
		}
		h.h.traces.restore([]jid.JID{full, jid.MustParse("juliet@example.com/other")})
		if n := h.traced(); n != 1 {
			t.Errorf("%d traces, want that of who is here", n)
		}
	})
}

// TestNobodyCameBetween: who comes after a snapshot was read and before it is
// delivered is seen in the end.
func TestNobodyCameBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Options{})
		h.subscribe("romeo@example.net", "juliet@example.com")
		watcher := h.online(romeo)
		h.online(juliet).end()
		snap := h.h.part(t.Context(), h.h.tourOf(watcher.Session, true))
		h.online(juliet)
		watcher.clear()
		h.submit(snap.Out) // late
		h.h.Recheck(&snap)
		watcher.want("from='juliet@example.com/balcony' & unavailable", "from='juliet@example.com' & unavailable", "<presence from='juliet@example.com/balcony' to='romeo@example.net'/>")
		h.h.Recheck(&snap)
		watcher.want()
	})
}

// TestTracesKeepToTheSettings: a longer time for resumptions holds for traces too.
func TestTracesKeepToTheSettings(t *testing.T) {
	h := newHouse(t, Options{})
	for _, keep := range []time.Duration{48 * time.Hour, time.Hour} {
		o := sessionmgr.Options{Domains: []string{"example.com", "example.net"}, Hibernate: keep}
		if err := h.SetOptions(o); err != nil {
			t.Fatal(err)
		}
		h.h.traces.went(jid.MustParse(juliet))
		left := h.h.traces.of(jid.MustParse(juliet).Bare())
		if len(left) != 1 || time.Until(left[0].until).Round(time.Minute) != keep+traceSlack {
			t.Errorf("with %v: %v", keep, left)
		}
	}
}
