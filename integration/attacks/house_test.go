package attacks

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/integration/testserver"
)

// binary is the server under test, built once a run.
var binary = &testserver.Binary{}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := binary.Remove(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// house is one running server with a client of good manners in it.
type house struct {
	server  *testserver.Server
	watcher *watcher
}

// limits are settings of the server by the names of their environment variables.
type limits map[string]string

// open starts a server with limits. Its accounts are victim, attacker, friend
// and watcher, and more as named.
func open(t *testing.T, l limits, accounts ...string) *house {
	t.Helper()
	for name, value := range l {
		t.Setenv(name, value)
	}
	h := &house{server: testserver.Start(t, testserver.Options{Binary: binary,
		Accounts: append([]string{"victim", "attacker", "friend", "watcher"}, accounts...)})}
	t.Cleanup(func() {
		out := h.server.Output()
		for _, bad := range []string{"panic", "level=ERROR"} {
			if i := strings.Index(out, bad); i >= 0 {
				t.Errorf("the server's log has %q: %s", bad, out[i:min(len(out), i+2000)])
			}
		}
	})
	h.watcher = h.watch(t)
	return h
}

// run runs one topic's attacks; afterwards the watcher must still be served.
func (h *house) run(t *testing.T, name string, attack func(t *testing.T, h *house)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Cleanup(func() { h.watcher.served(t) })
		attack(t, h)
	})
}

// watcher pings the server all the time.
type watcher struct {
	mu    sync.Mutex
	pings int
	over  error // what went wrong
	stop  bool
}

// watch logs the watcher in and lets it ping until the test ends.
func (h *house) watch(t *testing.T) *watcher {
	w := h.login(t, "watcher", "tower")
	s, done := &watcher{}, make(chan struct{})
	go func() {
		defer close(done)
		for n := 1; s.ping(w, n); n++ {
			time.Sleep(5 * time.Millisecond)
		}
	}()
	t.Cleanup(func() {
		s.served(t)
		s.mu.Lock()
		s.stop = true
		s.mu.Unlock()
		<-done
	})
	return s
}

// ping sends one ping and waits for its answer; it must not end a test, as it is
// not called from a test's goroutine.
func (s *watcher) ping(w *wire, n int) (goOn bool) {
	id := fmt.Sprintf("watch%d", n)
	w.mu.Lock()
	w.got, w.from = w.got[:0], 0 // it sees a lot
	w.mu.Unlock()
	w.send("<iq type='get' id='" + id + "' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
	timeout := time.After(patience)
	for {
		w.mu.Lock()
		answered, over := strings.Contains(string(w.got), "id='"+id+"'"), w.over
		w.mu.Unlock()
		s.mu.Lock()
		if answered {
			s.pings++
		} else if over != nil {
			s.over = fmt.Errorf("the watcher's connection ended: %w", over)
		}
		goOn = !s.stop && s.over == nil
		s.mu.Unlock()
		if answered || over != nil || !goOn {
			return goOn
		}
		select {
		case <-w.news:
		case <-timeout:
			s.mu.Lock()
			s.over = fmt.Errorf("ping %d of the watcher got no answer", n)
			s.mu.Unlock()
			return false
		}
	}
}

// served fails the test unless the watcher gets one more answer from now on.
func (s *watcher) served(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	before := s.pings
	s.mu.Unlock()
	for {
		s.mu.Lock()
		now, over := s.pings, s.over
		s.mu.Unlock()
		switch {
		case over != nil:
			t.Errorf("others aren't served any more: %v", over)
			return
		case now > before+1: // the first may have been under way
			return
		}
		time.Sleep(time.Millisecond)
	}
}
