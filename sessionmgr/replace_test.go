package sessionmgr

import (
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/jid"
	"weir/policy"
	"weir/storage/pebble"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// fight has clients bind one after the other, each ms after the one before has
// lost its session, and returns how long each had to wait.
func (h *house) fight(n int, after time.Duration, dress func(i int, c *client) string) (waits []time.Duration) {
	for i := range n {
		time.Sleep(after)
		c := h.connect(juliet)
		resource := dress(i, c)
		begun := time.Now()
		if err := h.Bind(context.Background(), c.Session, resource, func(jid.JID) {}); err != nil {
			h.t.Fatal(err)
		}
		waits = append(waits, time.Since(begun))
	}
	return waits
}

// TestReplacingLoop: two clients that replace each other are slowed, more each
// time, and the log says what to do; after a while of peace all is forgotten.
func TestReplacingLoop(t *testing.T) {
	from := func(c *client, ip string) {
		c.SetInfo(LinkInfo{Transport: "test", Remote: netip.AddrPortFrom(netip.MustParseAddr(ip), 5000)})
	}
	sameName := func(_ int, c *client) string { from(c, "192.0.2.1"); return "home" }
	turns := func(i int) string { return string('a' + rune(i%2)) }
	for _, x := range []struct {
		what   string
		rule   string
		after  time.Duration
		dress  func(int, *client) string
		slowed bool
		advice string
	}{
		{"one name for two", "", time.Second, sameName, true, "different resources"},
		{"one name, not in a hurry", "", 2 * time.Minute, sameName, false, ""},
		{"one name, and their waiting doesn't make it peace", "", loopLife - 5*time.Second, sameName, true, "different resources"},
		{"one place for two", "single", time.Second, func(i int, _ *client) string { return turns(i) }, true, "weir policy set"},
		{"two who don't mind", "open", time.Second, func(i int, _ *client) string { return turns(i) + time.Now().String() }, false, ""},
		{"a copied installation", "per-device", time.Second, func(i int, c *client) string {
			from(c, "192.0.2."+string('1'+rune(i%2)))
			c.SetDevice(Device{ID: "1"})
			return turns(i)
		}, true, "same id"},
		{"a phone that loses its connection", "per-device", time.Second, func(i int, c *client) string {
			from(c, "192.0.2.1")
			c.SetDevice(Device{ID: "1"})
			return turns(i)
		}, false, ""},
	} {
		t.Run(x.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				h := newHouse(t, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)); o.MaxSessions = 100 })
				if x.rule != "" {
					h.rules(x.rule)
				}
				waits := h.fight(16, x.after, x.dress)
				for i, w := range waits {
					want := time.Duration(0)
					if x.slowed && i >= loopTurns {
						want = min(loopWait<<(i-loopTurns), loopMost)
					}
					if w != want {
						t.Errorf("the bind %d waited for %v, want %v", i, w, want)
					}
				}
				if n := strings.Count(log.String(), "replace each other"); (n == 1) != x.slowed || n > 1 {
					t.Errorf("said %d times in the log", n)
				}
				if !strings.Contains(log.String(), x.advice) {
					t.Errorf("no advice with %q:\n%s", x.advice, &log)
				}
				time.Sleep(2 * loopLife)
				if w := h.fight(1, 0, x.dress)[0]; w != 0 {
					t.Errorf("after peace one waited for %v", w)
				}
			})
		})
	}
}

// TestLoopLooksAgain: who was slowed looks again whom it replaces; who gives up
// meanwhile replaces nobody.
func TestLoopLooksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.rules("single")
		h.fight(9, time.Second, func(i int, _ *client) string { return "x" })
		last := h.ByAccount(jid.MustParse(juliet))[0]
		tr, _ := seat("y").trial()
		if o, _ := h.Try(tr); o.Wait != loopMost.Seconds() {
			t.Errorf("it is said to wait for %v seconds", o.Wait)
		}

		c := h.connect(juliet)
		result := make(chan error, 1)
		go func() { result <- h.Bind(context.Background(), c.Session, "y", func(jid.JID) {}) }()
		time.Sleep(time.Second)
		h.Closed(c.Session, c, Cause{LinkLost, "no patience"})
		if err := <-result; err == nil || last.State() != Bound {
			t.Errorf("%v, %s", err, last.State())
		}

		c = h.connect(juliet)
		go func() { result <- h.Bind(context.Background(), c.Session, "y", func(jid.JID) {}) }()
		time.Sleep(time.Second)
		set, err := policy.Parse(policy.Options{Rules: []string{"open"}})
		if err != nil {
			t.Fatal(err)
		}
		h.SetPolicies(set, "a test")
		if err := <-result; err != nil || last.State() != Bound || c.State() != Bound {
			t.Errorf("%v, %s, %s", err, last.State(), c.State())
		}
	})
}

// TestReplacingIsOneCommit cuts the power while a client binds again that has a
// session: afterwards there is the old one or the new one, never both or none, and
// what was written to it comes once.
func TestReplacingIsOneCommit(t *testing.T) {
	news := 0
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 3))
		mem := vfs.NewCrashableMem()
		st, err := pebble.Open(pebble.Options{FS: mem, Dir: "data"})
		if err != nil {
			t.Fatal(err)
		}
		store := &commitCounter{Store: st}
		h := newHouseOn(t, store)
		romeo := h.online("romeo@verona.lit/orchard", 0)
		juliet := h.bind("juliet@verona.lit/balcony")
		old := juliet.enable()
		juliet.available(0)
		h.settle()
		romeo.send("<message to='juliet@verona.lit' type='chat'><body>kept</body></message>")
		juliet.want("kept")

		c := h.connect("juliet@verona.lit")
		b := &Binding{Resource: "balcony", Acks: &EnableRequest{Resume: true}}
		before := store.n.Load()
		crash := rng.IntN(2) == 0
		var after *vfs.MemFS
		copyNow := func() { after = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(100), RNG: rng}) }
		if err := h.BindWith(t.Context(), c.Session, b, func(jid.JID) {
			if crash {
				copyNow()
			}
		}); err != nil {
			t.Fatal(err)
		}
		if n := store.n.Load() - before; n != 1 {
			t.Errorf("%d commits", n)
		}
		if !crash {
			copyNow()
		}
		h.Stop(t.Context())
		st.Close()

		if st, err = pebble.Open(pebble.Options{FS: after, Dir: "data"}); err != nil {
			t.Fatal(err)
		}
		again := newHouseOn(t, st)
		if err := again.Restore(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, _, errOld := again.resume("juliet@verona.lit", old, 0)
		if n := len(again.ByAccount(jid.MustParse("juliet@verona.lit"))); n != 1 {
			t.Fatalf("seed %d: there are %d sessions", seed, n)
		}
		if errOld != nil {
			news++
			c := again.mustResume("juliet@verona.lit", b.Acks.Enabled.ID, 0)
			c.available(0)
			c.want("kept")
		} else if !crash {
			t.Errorf("seed %d: the new session is not there, though its client was told", seed)
		}
		again.Stop(t.Context())
		st.Close()
	}
	if news == 0 || news == 20 {
		t.Errorf("in %d of 20 the new session was there: nothing is seen of one or the other", news)
	}
}

// TestReplacingWhoIsEnding: a session that was about to leave gets nothing more once
// another has its place.
func TestReplacingWhoIsEnding(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	old := h.online("juliet@verona.lit/balcony", 0)
	first, was, binding, _ := old.end(Cause{Code: Kicked})
	c, bound := h.connect("juliet@verona.lit"), make(chan error, 1)
	go func() { bound <- h.Bind(context.Background(), c.Session, "balcony", func(jid.JID) {}) }()
	h.until(func() bool { return c.State() == Bound })
	romeo.send("<message to='juliet@verona.lit/balcony' type='chat'><body>for the new one</body></message>")
	if s := h.ByJID(old.JID()); s != c.Session {
		t.Error("the old one can be found by its address")
	}
	if !first {
		t.Fatal("it had ended")
	}
	h.ended(old.Session, was, binding)
	if err := <-bound; err != nil {
		t.Fatal(err)
	}
	c.want("for the new one")
}
