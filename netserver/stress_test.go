package netserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"crypto/tls"
)

// Many goroutines append, drain, hold, pause and resume; not a byte is lost or
// out of order in either direction.
func TestStressOrder(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		r := newRecorder()
		r.onPreDrain = func(c *Conn, b []byte) []byte {
			c.Buffered()
			return b
		}
		var in []byte // what Data took
		r.onData = func(c *Conn, b []byte) (int, error) {
			n := 1 + rand.IntN(len(b))
			in = append(in, b[:n]...)
			if n < len(b) || rand.IntN(10) == 0 {
				c.Pause()
				go c.Resume()
			}
			return n, nil
		}
		k := dial(t, testServer(t, Options{MaxOutput: 64 << 10}), r, secure)
		stop := make(chan struct{})
		var noise, work sync.WaitGroup
		for range 3 {
			noise.Go(func() { disturb(k.conn, stop) })
		}
		const writers, each = 4, 2000
		for w := range writers {
			work.Go(func() { appendLines(t, k.conn, w, each) })
		}
		sent := make([]byte, 200_000)
		for i := range sent {
			sent[i] = byte(i % 251)
		}
		work.Go(func() { sendPieces(t, k.peer, sent) })
		checkLines(t, k.peer, writers, each)
		work.Wait()
		close(stop)
		noise.Wait()
		k.conn.Hold(false)
		k.peer.Close()
		if err := <-r.closed; err != io.EOF {
			t.Errorf("cause %v", err)
		}
		if !bytes.Equal(in, sent) {
			t.Errorf("%d bytes came of %d, or in another order", len(in), len(sent))
		}
	})
}

// disturb does what must make no difference.
func disturb(c *Conn, stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(rand.IntN(300)) * time.Microsecond):
		}
		switch rand.IntN(5) {
		case 0:
			c.Hold(true)
			time.Sleep(50 * time.Microsecond)
			c.Hold(false)
		case 1:
			c.WantDrain()
			c.Drain()
		case 2:
			c.Pause()
			c.Resume()
		case 3:
			c.SetIdle(time.Minute)
			c.SetDeadline(time.Now().Add(time.Hour))
		case 4:
			c.Hold(false)
			c.Drain()
		}
	}
}

func appendLines(t *testing.T, c *Conn, w, each int) {
	for i := 0; i < each; {
		err := c.Append(func(dst []byte) []byte { return fmt.Appendf(dst, "%d %d\n", w, i) })
		switch {
		case err == nil:
			i++
			if i%3 == 0 {
				c.Drain()
			}
		case errors.Is(err, ErrOutput):
			time.Sleep(100 * time.Microsecond)
		default:
			t.Error(err)
			return
		}
	}
	c.Drain()
}

func sendPieces(t *testing.T, w io.Writer, b []byte) {
	for len(b) > 0 {
		n := min(len(b), 1+rand.IntN(3000))
		if _, err := w.Write(b[:n]); err != nil {
			t.Error(err)
			return
		}
		b = b[n:]
	}
}

func checkLines(t *testing.T, r io.Reader, writers, each int) {
	next := make([]int, writers)
	for range writers * each {
		var w, i int
		if _, err := fmt.Fscanf(&oneByte{r: r}, "%d %d\n", &w, &i); err != nil {
			t.Fatal(err)
		}
		if i != next[w] {
			t.Fatalf("writer %d: got %d, wanted %d", w, i, next[w])
		}
		next[w]++
	}
}

// oneByte keeps Fscanf from reading ahead.
type oneByte struct{ r io.Reader }

func (o *oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }

// Whoever ends a connection at whatever moment: Closed is called once, last.
func TestStressClose(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		s := testServer(t, Options{MaxOutput: 1 << 20})
		s.quiet = time.Millisecond
		var made, closed, late atomic.Int64
		l := Listen{Addr: "127.0.0.1:0", New: func(c *Conn) (Handler, error) {
			made.Add(1)
			return &mayfly{t: t, closed: &closed, late: &late}, nil
		}}
		if secure {
			l.TLS = testCert(t).server(true)
		}
		addr, err := s.Listen(l)
		must(t, err)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 40 {
					visit(addr.String(), secure)
				}
			})
		}
		wg.Wait()
		eventually(t, "no connections", func() bool { return s.Connections() == 0 })
		if made.Load() != closed.Load() || late.Load() != 0 {
			t.Errorf("%d made, %d closed, %d calls after Closed", made.Load(), closed.Load(), late.Load())
		}
		for i := range s.m.states {
			if n := s.m.states[i].Load(); n != 0 {
				t.Errorf("%d connections left in state %s", n, stageNames[i])
			}
		}
	})
}

func visit(addr string, secure bool) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	tcp := nc.(*net.TCPConn)
	defer nc.Close()
	if secure {
		cert, err := testCerts()
		if err != nil {
			return
		}
		nc = tls.Client(nc, cert.client())
	}
	for range rand.IntN(20) {
		if _, err := nc.Write(make([]byte, 1+rand.IntN(5000))); err != nil {
			return
		}
		if rand.IntN(3) == 0 {
			_, _ = nc.Read(make([]byte, 1000))
		}
	}
	switch rand.IntN(3) {
	case 0:
		_ = tcp.SetLinger(0) // a reset
	case 1:
		_ = tcp.CloseWrite()
		_, _ = io.Copy(io.Discard, nc)
	}
}

// mayfly is a handler that ends its connection in all ways.
type mayfly struct {
	t            *testing.T
	closed, late *atomic.Int64
	in, out      atomic.Int32
	over         atomic.Bool
}

func (m *mayfly) enter(n *atomic.Int32) {
	if n.Add(1) != 1 {
		m.t.Error("two calls at the same time")
	}
	if m.over.Load() {
		m.late.Add(1)
	}
}

func (m *mayfly) Data(c *Conn, b []byte) (int, error) {
	m.enter(&m.in)
	defer m.in.Add(-1)
	_ = c.Append(func(dst []byte) []byte { return append(dst, b...) })
	switch rand.IntN(30) {
	case 0:
		return 0, errors.New("bad")
	case 1:
		c.Close(nil, time.Duration(rand.IntN(5))*time.Millisecond)
	case 2:
		go c.Close(nil, time.Millisecond)
	case 3:
		panic("on purpose")
	case 4:
		c.Pause()
		go func() { c.Drain(); c.Resume() }()
	case 5:
		c.Pause()
		c.SetDeadline(time.Now().Add(time.Millisecond))
	}
	return rand.IntN(len(b) + 1), nil
}

func (m *mayfly) BatchEnd(c *Conn) {
	m.enter(&m.in)
	defer m.in.Add(-1)
	c.Drain()
}

func (m *mayfly) PreDrain(_ *Conn, b []byte) []byte {
	m.enter(&m.out)
	defer m.out.Add(-1)
	return append(b, '!')
}

func (m *mayfly) Drained(c *Conn) {
	m.enter(&m.out)
	defer m.out.Add(-1)
	if rand.IntN(50) == 0 {
		c.Close(nil, 0)
	}
}

func (m *mayfly) ReadTimeout(*Conn, bool) time.Duration {
	m.enter(&m.in)
	defer m.in.Add(-1)
	return 0
}

func (m *mayfly) Closed(*Conn, error) {
	m.enter(&m.in)
	defer m.in.Add(-1)
	if m.out.Load() != 0 {
		m.t.Error("Closed beside PreDrain or Drained")
	}
	m.over.Store(true)
	m.closed.Add(1)
}

// Shutdown cuts what doesn't end by itself, wherever it is.
func TestShutdownCuts(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		s := New(Options{})
		r := newRecorder()
		k := dial(t, s, r, secure)
		half, err := net.Dial("tcp", k.tcp.RemoteAddr().String()) // with TLS: hangs in its handshake
		must(t, err)
		defer half.Close()
		eventually(t, "both are known", func() bool { return s.Connections() == 2 })
		if !secure {
			<-r.conn
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-r.closed; err != ErrClosed {
			t.Errorf("cause %v", err)
		}
		if _, err := s.Listen(Listen{Addr: "127.0.0.1:0"}); err != ErrClosed {
			t.Errorf("Listen after Shutdown: %v", err)
		}
	})
}
