package netserver

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// An idle connection owns no buffer, paused or not.
func TestIdleOwnsNoBuffer(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		r := newRecorder()
		r.onData = echoLines
		k := dial(t, testServer(t, Options{}), r, secure)
		k.send("hello\n")
		k.expect("hello\n")
		k.conn.Pause()
		k.send("wakes the reader\n")
		suspended := func() bool {
			k.conn.mu.Lock()
			defer k.conn.mu.Unlock()
			return k.conn.suspended && !k.conn.draining
		}
		eventually(t, "the reader's end", suspended)
		c := k.conn
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.out != nil || c.ct != nil || c.rbuf != nil || c.wire != nil || c.keep != nil {
			t.Errorf("out %v, ct %v, rbuf %t, keep %q", c.out, c.ct, c.rbuf != nil, c.keep)
		}
	})
}

// What is left of an element takes the room that it needs, not a read's.
func TestLeftoverIsRightSized(t *testing.T) {
	r := newRecorder()
	seen := make(chan struct{}, 100)
	r.onData = func(_ *Conn, b []byte) (int, error) {
		seen <- struct{}{}
		return max(0, len(b)-10), nil
	}
	k := dial(t, testServer(t, Options{}), r, false)
	k.send(string(make([]byte, 5000)))
	<-seen
	k.conn.Pause()
	k.send("x")
	eventually(t, "the reader's end", func() bool {
		k.conn.mu.Lock()
		defer k.conn.mu.Unlock()
		return k.conn.suspended
	})
	if n := cap(k.conn.keep); n < 10 || n > 64 {
		t.Errorf("%d bytes are kept for ten", n)
	}
}

func TestManyConnections(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		s := testServer(t, Options{MaxPerAddr: 10_000})
		s.quiet = 50 * time.Millisecond
		l := Listen{Addr: "127.0.0.1:0", New: func(*Conn) (Handler, error) {
			r := newRecorder()
			r.onData = echoLines
			return r, nil
		}}
		n := 2000
		if secure {
			l.TLS = testCert(t).server(true)
			n = 300 // handshakes are slow under the race detector
		}
		addr, err := s.Listen(l)
		must(t, err)
		peers := make([]*link, n)
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := w; i < n; i += 4 {
					peers[i] = &link{t: t, peer: connect(addr.String(), secure)}
				}
			})
		}
		wg.Wait()
		for range 2 {
			for _, k := range peers {
				if k.peer == nil {
					t.Fatal("a connection failed")
				}
				k.send("hello\n")
			}
			for _, k := range peers {
				k.expect("hello\n")
			}
			time.Sleep(2 * s.quiet)
		}
		for _, k := range peers {
			k.peer.Close()
		}
		eventually(t, "no connections", func() bool { return s.Connections() == 0 })
	})
}

func connect(addr string, secure bool) net.Conn {
	nc, err := net.Dial("tcp", addr)
	if err != nil || !secure {
		return nc
	}
	cert, err := testCerts()
	if err != nil {
		return nil
	}
	return tlsClient(nc, cert)
}

// badListener fails a few times before it is closed.
type badListener struct {
	net.Listener
	at    []time.Time
	times int
}

func (l *badListener) Accept() (net.Conn, error) {
	l.at = append(l.at, time.Now())
	if len(l.at) > l.times {
		return nil, net.ErrClosed
	}
	return nil, errors.New("too many open files")
}

func (l *badListener) Addr() net.Addr { return &net.TCPAddr{} }

func TestAcceptBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		l := &badListener{times: 10}
		s.accepting.Add(1)
		s.accept(l, Listen{})
		if len(l.at) != 11 || s.m.acceptErrors.Load() != 10 {
			t.Fatalf("%d calls", len(l.at))
		}
		if d := l.at[1].Sub(l.at[0]); d != acceptPauseMin {
			t.Errorf("first pause %v", d)
		}
		if d := l.at[10].Sub(l.at[9]); d != acceptPauseMax {
			t.Errorf("last pause %v", d)
		}
	})
}

// The end reaches a peer that is still sending: no reset overtakes it.
func TestLastWordsArrive(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		for range 20 {
			r := newRecorder()
			r.onData = func(c *Conn, b []byte) (int, error) {
				must(t, c.Append(say("policy-violation")))
				return 0, errors.New("too much")
			}
			k := dial(t, testServer(t, Options{}), r, secure)
			go func() {
				for range 20 { // goes on although nobody wants it
					if _, err := k.peer.Write(make([]byte, 5000)); err != nil {
						return
					}
				}
			}()
			b, _ := io.ReadAll(k.peer)
			if string(b) != "policy-violation" {
				t.Fatalf("got %q", b)
			}
			k.peer.Close()
		}
	})
}
