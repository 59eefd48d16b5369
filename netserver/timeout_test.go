package netserver

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pipe is a link in memory, inside a synctest bubble.
func pipe(t *testing.T, o Options, r *recorder) *link {
	t.Helper()
	s := New(o)
	ours, theirs := net.Pipe()
	s.Serve(ours, Listen{New: r.New})
	k := &link{t: t, srv: s, rec: r, peer: theirs, conn: <-r.conn}
	t.Cleanup(func() {
		theirs.Close()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return k
}

func TestPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		r.onData = echoLines
		k := pipe(t, Options{}, r)
		k.send("hello\n")
		k.expect("hello\n")
		k.conn.Pause()
		go io.WriteString(k.peer, "paused\n")
		synctest.Wait()
		if k.conn.Buffered() != 0 {
			t.Error("Data was called while paused")
		}
		k.conn.Resume()
		k.expect("paused\n")
		must(t, k.conn.Append(say("bye")))
		k.conn.Close(nil, time.Second)
		if got := k.rest(); got != "bye" {
			t.Errorf("got %q", got)
		}
	})
}

func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		start := time.Now()
		var fired []time.Duration
		answer := []time.Duration{60 * time.Second, 60 * time.Second, 0}
		r.onTimeout = func(_ *Conn, deadline bool) time.Duration {
			if deadline {
				t.Error("taken for the absolute deadline")
			}
			fired = append(fired, time.Since(start))
			return answer[len(fired)-1]
		}
		k := pipe(t, Options{}, r)
		k.conn.SetIdle(5 * time.Minute)
		time.Sleep(4 * time.Minute)
		k.send("x")
		time.Sleep(5*time.Minute + 30*time.Second) // fires at 9:00
		k.send("x")                                // 9:30: puts the next off until 14:30
		if err := <-r.closed; err != ErrTimeout {
			t.Errorf("cause %v", err)
		}
		want := []time.Duration{9 * time.Minute, 14*time.Minute + 30*time.Second, 15*time.Minute + 30*time.Second}
		for i, w := range want {
			if i >= len(fired) || fired[i].Round(time.Second) != w {
				t.Fatalf("fired at %v, wanted %v", fired, want)
			}
		}
	})
}

func TestIdlePaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		var fired atomic.Int32
		r.onTimeout = func(*Conn, bool) time.Duration { fired.Add(1); return time.Minute }
		r.onData = func(c *Conn, b []byte) (int, error) { c.Pause(); return len(b), nil }
		k := pipe(t, Options{}, r)
		k.conn.SetIdle(time.Minute)
		k.send("x")
		time.Sleep(10 * time.Minute)
		if fired.Load() != 0 {
			t.Error("a paused reader tripped the idle timer")
		}
		k.conn.Resume()
		time.Sleep(59 * time.Second)
		if fired.Load() != 0 {
			t.Error("the idle time didn't begin anew at Resume")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if fired.Load() != 1 {
			t.Errorf("fired %d times", fired.Load())
		}
	})
}

// Nothing puts the absolute deadline off: no traffic, no pause.
func TestDeadline(t *testing.T) {
	for _, paused := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRecorder()
			start := time.Now()
			r.onTimeout = func(_ *Conn, deadline bool) time.Duration {
				if !deadline {
					t.Error("taken for the idle time")
				}
				return 0
			}
			if paused {
				r.onData = func(c *Conn, b []byte) (int, error) { c.Pause(); return len(b), nil }
			}
			k := pipe(t, Options{}, r)
			k.conn.SetDeadline(time.Now().Add(30 * time.Second))
			k.conn.SetIdle(time.Minute)
			var traffic sync.WaitGroup
			traffic.Go(func() {
				for {
					if _, err := io.WriteString(k.peer, "x"); err != nil {
						return
					}
					time.Sleep(time.Second)
				}
			})
			defer traffic.Wait()
			if err := <-r.closed; err != ErrTimeout {
				t.Errorf("cause %v", err)
			}
			if d := time.Since(start).Round(time.Second); d != 30*time.Second {
				t.Errorf("after %v", d)
			}
		})
	}
}

func TestDeadlineRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		var fired atomic.Int32
		r.onTimeout = func(c *Conn, deadline bool) time.Duration {
			if fired.Add(1) == 1 {
				c.SetDeadline(time.Time{}) // wins over what is returned
			}
			return time.Second
		}
		k := pipe(t, Options{}, r)
		k.conn.SetDeadline(time.Now().Add(time.Second))
		k.conn.SetDeadline(time.Time{})
		time.Sleep(time.Minute)
		if fired.Load() != 0 {
			t.Error("a removed deadline fired")
		}
		k.conn.SetDeadline(time.Now().Add(time.Second))
		time.Sleep(time.Minute)
		if fired.Load() != 1 {
			t.Errorf("fired %d times", fired.Load())
		}
	})
}

func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		start := time.Now()
		k := pipe(t, Options{StallTimeout: 30 * time.Second}, r)
		must(t, k.conn.Append(say("0123456789")))
		k.conn.Drain()
		for range 5 { // slow, but it reads
			time.Sleep(20 * time.Second)
			k.expectAny(2)
			must(t, k.conn.Append(say("01")))
			k.conn.Drain()
		}
		if err := <-r.closed; err != ErrStalled {
			t.Errorf("cause %v", err)
		}
		// A link that doesn't tell readiness knows progress by the window only.
		if d := time.Since(start); d < 130*time.Second || d > 160*time.Second {
			t.Errorf("stalled after %v", d)
		}
		if k.srv.m.stalls.Load() != 1 {
			t.Error("not counted")
		}
	})
}

func (k *link) expectAny(n int) {
	k.t.Helper()
	if _, err := io.ReadFull(k.peer, make([]byte, n)); err != nil {
		k.t.Fatal(err)
	}
}

func TestHandshakeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{HandshakeTimeout: 10 * time.Second})
		start := time.Now()
		ours, theirs := net.Pipe()
		defer theirs.Close()
		s.Serve(ours, Listen{TLS: testCert(t).server(true), New: func(*Conn) (Handler, error) {
			t.Error("New was called")
			return nil, errors.New("no")
		}})
		if _, err := theirs.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("read: %v", err)
		}
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("after %v", d)
		}
		must(t, s.Shutdown(t.Context()))
	})
}

func TestStartTLSFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		var got error
		r.onData = func(c *Conn, b []byte) (int, error) {
			must(t, c.Append(say("proceed")))
			c.StartTLS(testCert(t).server(false), func(err error) { got = err })
			return len(b), nil
		}
		k := pipe(t, Options{}, r)
		k.send("starttls")
		k.expect("proceed")
		err := <-r.closed // after the handshake's time
		if got == nil || !errors.Is(err, ErrHandshake) {
			t.Errorf("done got %v, Closed %v", got, err)
		}
	})
}
