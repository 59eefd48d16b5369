package netserver

import (
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// batches collects what PreDrain saw.
type batches struct {
	mu  sync.Mutex
	all []string
}

func (b *batches) add(p []byte) {
	b.mu.Lock()
	b.all = append(b.all, string(p))
	b.mu.Unlock()
}

func (b *batches) list() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.all...)
}

func (b *batches) want(t *testing.T, want ...string) {
	t.Helper()
	got := b.list()
	if strings.Join(got, "|") != strings.Join(want, "|") || len(got) != len(want) {
		t.Errorf("PreDrain saw %q, wanted %q", got, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// Once a batch, only with something to write or when asked for, not while held.
func TestPreDrainRule1(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		var seen batches
		r := newRecorder()
		r.onPreDrain = func(_ *Conn, b []byte) []byte { seen.add(b); return b }
		k := dial(t, testServer(t, Options{}), r, secure)
		k.conn.Drain()
		k.conn.Drain()
		seen.want(t)

		must(t, k.conn.Append(say("a")))
		must(t, k.conn.Append(say("b")))
		seen.want(t)
		k.conn.Drain()
		k.expect("ab")
		seen.want(t, "ab")

		k.conn.WantDrain()
		k.conn.Drain()
		k.conn.Drain()
		seen.want(t, "ab", "")

		k.conn.Hold(true)
		must(t, k.conn.Append(say("c")))
		k.conn.WantDrain()
		k.conn.Drain()
		seen.want(t, "ab", "")
		k.conn.Hold(false)
		k.expect("c")
		seen.want(t, "ab", "", "c")
	})
}

// Its bytes come last and ride in the same write.
func TestPreDrainRule2(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		r := newRecorder()
		r.onPreDrain = func(c *Conn, b []byte) []byte {
			if len(b) == 3 {
				must(t, c.Append(say("next"))) // comes after, in a batch of its own
			}
			return append(b, "<r/>"...)
		}
		k := dial(t, testServer(t, Options{}), r, secure)
		must(t, k.conn.Append(say("one")))
		before := k.srv.m.drains.Load()
		k.conn.Drain()
		k.expect("one<r/>")
		if n := k.srv.m.drains.Load() - before; n != 1 {
			t.Errorf("%d writes", n)
		}
		k.conn.Drain()
		k.expect("next<r/>")
	})
}

// No lock is held: others append and drain while it runs, and so may it.
func TestPreDrainRule3(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		r := newRecorder()
		var calls atomic.Int32
		r.onPreDrain = func(c *Conn, b []byte) []byte {
			if calls.Add(1) == 1 {
				done := make(chan struct{})
				go func() {
					must(t, c.Append(say("other")))
					c.Drain()
					c.Buffered()
					c.Hold(false)
					close(done)
				}()
				<-done
				c.Drain()
				c.srv.Connections() // takes the server's lock
			}
			return b
		}
		k := dial(t, testServer(t, Options{}), r, secure)
		must(t, k.conn.Append(say("mine ")))
		k.conn.Drain()
		k.expect("mine other")
	})
}

// What it appends causes no second call.
func TestPreDrainRule4(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		var seen batches
		r := newRecorder()
		r.onPreDrain = func(_ *Conn, b []byte) []byte {
			seen.add(b)
			return append(b, "<a/>"...)
		}
		drained := make(chan struct{}, 10)
		r.onDrained = func(*Conn) { drained <- struct{}{} }
		k := dial(t, testServer(t, Options{}), r, secure)
		must(t, k.conn.Append(say("x")))
		k.conn.Drain()
		k.expect("x<a/>")
		<-drained
		k.conn.WantDrain()
		k.conn.Drain()
		k.expect("<a/>")
		<-drained
		k.conn.Drain()
		seen.want(t, "x", "")
		if len(drained) != 0 {
			t.Error("Drained without anything written")
		}
	})
}

// Room is reserved for it: a full buffer still carries it.
func TestPreDrainRule5(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		r := newRecorder()
		r.onPreDrain = func(_ *Conn, b []byte) []byte { return append(b, "<r/>"...) }
		k := dial(t, testServer(t, Options{MaxOutput: 1000}), r, secure)
		full := strings.Repeat("x", 1000)
		must(t, k.conn.Append(say(full)))
		if err := k.conn.Append(say("y")); err != ErrOutput {
			t.Fatalf("over the limit: %v", err)
		}
		k.conn.Drain()
		k.expect(full + "<r/>")
		eventually(t, "room again", func() bool { return k.conn.Append(say("z")) == nil })
		k.conn.Drain()
		k.expect("z<r/>")
	})
}

// After a write error it isn't called again; Closed is.
func TestPreDrainRule6(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		var calls atomic.Int32
		r := newRecorder()
		r.onPreDrain = func(_ *Conn, b []byte) []byte { calls.Add(1); return b }
		k := dial(t, testServer(t, Options{}), r, secure)
		must(t, k.tcp.SetLinger(0))
		k.conn.Pause() // or the reader would find the reset first
		must(t, k.tcp.Close())
		for k.conn.Append(say("x")) == nil {
			k.conn.Drain()
			time.Sleep(time.Millisecond)
		}
		if err := <-r.closed; err == nil || err == io.EOF || err == ErrClosed {
			t.Errorf("cause %v", err)
		}
		n := calls.Load()
		k.conn.WantDrain()
		k.conn.Drain()
		k.conn.Hold(false)
		if calls.Load() != n {
			t.Error("called after a write error")
		}
		if len(r.closed) != 0 {
			t.Error("Closed twice")
		}
	})
}

// At most one call a flush, however many drain at the same time; so what the
// handler says once a call is there once.
func TestPreDrainRule7(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		var calls, inside atomic.Int32
		r := newRecorder()
		r.onPreDrain = func(_ *Conn, b []byte) []byte {
			if inside.Add(1) != 1 {
				t.Error("called twice at the same time")
			}
			calls.Add(1)
			b = append(b, '!')
			inside.Add(-1)
			return b
		}
		k := dial(t, testServer(t, Options{}), r, secure)
		const workers, each = 8, 200
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for range each {
					must(t, k.conn.Append(say("x")))
					k.conn.Drain()
				}
			})
		}
		counts := map[byte]int{}
		buf := make([]byte, 4096)
		for counts['x'] < workers*each {
			n, err := k.peer.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range buf[:n] {
				counts[b]++
			}
		}
		wg.Wait()
		k.conn.Close(nil, time.Second)
		for _, b := range k.rest() {
			counts[byte(b)]++
		}
		drains := int(k.srv.m.drains.Load())
		if counts['!'] != int(calls.Load()) || drains != counts['!'] {
			t.Errorf("%d marks, %d calls, %d writes", counts['!'], calls.Load(), drains)
		}
	})
}
