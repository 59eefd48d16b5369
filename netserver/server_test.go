package netserver

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestPlaces(t *testing.T) {
	s := New(Options{MaxPerAddr: 3, MaxUnauthPerAddr: 2})
	for in, want := range map[string]string{
		"192.0.2.7":            "192.0.2.7",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::",
		"fe80::1%eth0":         "fe80::",
		"127.0.0.1":            "invalid IP",
		"::1":                  "invalid IP",
	} {
		if got := s.place(netip.MustParseAddr(in)); got.String() != want {
			t.Errorf("%s counts as %s, wanted %s", in, got, want)
		}
	}
	p := s.place(netip.MustParseAddr("192.0.2.7"))
	steps := []struct {
		what string
		want bool
	}{{"admit", true}, {"admit", true}, {"admit", false}, {"auth", true}, {"admit", true}, {"auth", true}, {"admit", false}, {"leave", true}, {"admit", true}}
	for i, st := range steps {
		got := true
		switch st.what {
		case "admit":
			got = s.admit(p)
		case "auth":
			s.authenticated(p)
		case "leave":
			s.leave(p, false)
		}
		if got != st.want {
			t.Errorf("step %d: %s %v", i, st.what, got)
		}
	}
	for range 3 {
		s.leave(p, false)
	}
	if len(s.places) != 0 {
		t.Errorf("left over: %v", s.places)
	}
}

func TestLimitLoopback(t *testing.T) {
	s := testServer(t, Options{LimitLoopback: true, MaxUnauthPerAddr: 1})
	r := newRecorder()
	k := dial(t, s, r, false)
	addr := k.tcp.RemoteAddr().String()
	refused, err := net.Dial("tcp", addr)
	must(t, err)
	if _, err := refused.Read(make([]byte, 1)); err == nil {
		t.Error("the second was let in")
	}
	refused.Close()
	k.conn.SetAuthenticated()
	k.conn.SetAuthenticated() // counts once
	second, err := net.Dial("tcp", addr)
	must(t, err)
	<-r.conn
	second.Close()
	<-r.closed
	k.peer.Close()
	<-r.closed
	eventually(t, "no counts left", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.places) == 0
	})
	if s.m.refused.Load() != 1 {
		t.Errorf("%d refused", s.m.refused.Load())
	}
}

func TestNewRefuses(t *testing.T) {
	for name, f := range map[string]func(*Conn) (Handler, error){
		"error": func(*Conn) (Handler, error) { return nil, errors.New("no") },
		"nil":   func(*Conn) (Handler, error) { return nil, nil },
		"panic": func(*Conn) (Handler, error) { panic("no") },
	} {
		s := testServer(t, Options{})
		ours, theirs := net.Pipe()
		s.Serve(ours, Listen{New: f})
		if _, err := theirs.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%s: %v", name, err)
		}
		theirs.Close()
	}
}

// Close within New is no harm: Closed comes after New.
func TestCloseInNew(t *testing.T) {
	s := testServer(t, Options{})
	ours, theirs := net.Pipe()
	defer theirs.Close()
	r := newRecorder()
	why := errors.New("why")
	s.Serve(ours, Listen{New: func(c *Conn) (Handler, error) {
		must(t, c.Append(say("full")))
		c.Close(why, time.Second)
		c.Drain()
		if len(r.closed) != 0 {
			t.Error("Closed before New returned")
		}
		return r, nil
	}})
	b, err := io.ReadAll(theirs)
	must(t, err)
	if string(b) != "full" {
		t.Errorf("got %q", b)
	}
	if err := <-r.closed; err != why {
		t.Errorf("cause %v", err)
	}
}

func TestPanics(t *testing.T) {
	boom := func() { panic("boom") }
	for name, set := range map[string]func(*recorder){
		"Data":        func(r *recorder) { r.onData = func(*Conn, []byte) (int, error) { boom(); return 0, nil } },
		"BatchEnd":    func(r *recorder) { r.onBatchEnd = func(*Conn) { boom() } },
		"PreDrain":    func(r *recorder) { r.onPreDrain = func(*Conn, []byte) []byte { boom(); return nil } },
		"Drained":     func(r *recorder) { r.onDrained = func(*Conn) { boom() } },
		"ReadTimeout": func(r *recorder) { r.onTimeout = func(*Conn, bool) time.Duration { boom(); return 0 } },
		"took":        func(r *recorder) { r.onData = func(_ *Conn, b []byte) (int, error) { return len(b) + 1, nil } },
		"shortened":   func(r *recorder) { r.onPreDrain = func(_ *Conn, b []byte) []byte { return b[:1] } },
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, secure bool) {
				var log lockedBuffer
				s := testServer(t, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
				r := newRecorder()
				r.onData = echoLines
				set(r)
				k := dial(t, s, r, secure)
				if name == "ReadTimeout" {
					k.conn.SetIdle(time.Millisecond)
				}
				_, _ = io.WriteString(k.peer, "x\n")
				if err := <-r.closed; !errors.Is(err, ErrPanic) {
					t.Errorf("cause %v", err)
				}
				if s.m.panics.Load() != 1 || !strings.Contains(log.String(), "stack=") {
					t.Errorf("%d counted, log: %s", s.m.panics.Load(), log.String())
				}
				other := newRecorder()
				other.onData = echoLines
				k = dial(t, s, other, secure)
				k.send("the others live\n")
				k.expect("the others live\n")
			})
		})
	}
}

// A peer that doesn't read: output is bounded and the stall noticed.
func TestSlowReader(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		s := testServer(t, Options{MaxOutput: 100_000, StallTimeout: 100 * time.Millisecond})
		r := newRecorder()
		k := dial(t, s, r, secure)
		line := strings.Repeat("x", 10_000)
		fill := func() (most int, err error) {
			for err == nil {
				err = k.conn.Append(say(line))
				k.conn.Drain()
				most = max(most, k.conn.Buffered())
			}
			return most, err
		}
		if most, err := fill(); err != ErrOutput || most > busyFactor*100_000+10_000 {
			t.Errorf("%v with %d bytes waiting", err, most)
		}
		for {
			select {
			case err := <-r.closed:
				if err != ErrStalled {
					t.Errorf("cause %v", err)
				}
				return
			case <-time.After(10 * time.Millisecond):
				fill() // the kernel may have found room for all of it meanwhile
			}
		}
	})
}

// What is appended while another goroutine is in the midst of a write is no sign
// of a slow reader; without a drainer the limit holds.
func TestLimitWhileWriting(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		r := newRecorder()
		within, more := make(chan struct{}), make(chan struct{})
		var once sync.Once
		r.onPreDrain = func(_ *Conn, b []byte) []byte {
			once.Do(func() { close(within); <-more })
			return b
		}
		k := dial(t, testServer(t, Options{MaxOutput: 1000}), r, secure)
		must(t, k.conn.Append(say(strings.Repeat("a", 900))))
		go k.conn.Drain()
		<-within
		must(t, k.conn.Append(say(strings.Repeat("b", 3000))))
		if err := k.conn.Append(say(strings.Repeat("c", 8000))); err != ErrOutput {
			t.Errorf("far beyond: %v", err)
		}
		k.conn.Drain()
		close(more)
		k.expect(strings.Repeat("a", 900) + strings.Repeat("b", 3000))
	})
}

// One element is admitted where next to nothing waits.
func TestOneLargeElement(t *testing.T) {
	r := newRecorder()
	k := dial(t, testServer(t, Options{MaxOutput: 1600}), r, false)
	k.conn.Hold(true)
	must(t, k.conn.Append(say(strings.Repeat("a", 100))))
	must(t, k.conn.Append(say(strings.Repeat("b", 5000))))
	if err := k.conn.Append(say("c")); err != ErrOutput {
		t.Errorf("the next one: %v", err)
	}
	if n := k.conn.Buffered(); n != 5100 {
		t.Errorf("%d bytes wait", n)
	}
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	r := newRecorder()
	r.onData = echoLines
	k := dial(t, testServer(t, Options{Metrics: reg}), r, true)
	k.send("hello\n")
	k.expect("hello\n")
	all, err := reg.Gather()
	must(t, err)
	got := map[string]float64{}
	for _, f := range all {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"weir_net_accepted_total": 1, "weir_net_connections tls": 1, "weir_net_connections new": 0,
		"weir_net_tls_handshakes_total ok 1.3": 1, "weir_net_panics_total": 0, "weir_net_refused_total": 0,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %v (%t), wanted %v", name, v, ok, want)
		}
	}
	if got["weir_net_read_bytes_total"] == 0 {
		t.Error("no bytes counted")
	}
}

func TestOptionsValidate(t *testing.T) {
	for _, o := range []Options{{HandshakeTimeout: -1}, {MaxOutput: -1}, {MaxPerAddr: -1}} {
		if o.Validate() == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
	if err := (&Options{}).Validate(); err != nil {
		t.Error(err)
	}
}
