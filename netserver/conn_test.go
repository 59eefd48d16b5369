package netserver

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// echoLines takes whole lines and sends them back.
func echoLines(c *Conn, b []byte) (int, error) {
	n := bytes.LastIndexByte(b, '\n') + 1
	if n == 0 {
		return 0, nil
	}
	return n, c.Append(func(dst []byte) []byte { return append(dst, b[:n]...) })
}

func TestEcho(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		r := newRecorder()
		r.onData = echoLines
		k := dial(t, testServer(t, Options{}), r, secure)
		k.send("one\ntwo\nthr")
		k.expect("one\ntwo\n")
		k.send("ee\n")
		k.expect("three\n")
		eventually(t, "an empty out-buffer", func() bool { return k.conn.Buffered() == 0 })
	})
}

func TestBytesOneByOne(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		r := newRecorder()
		r.onData = echoLines
		k := dial(t, testServer(t, Options{}), r, secure)
		text := "fed byte by byte\n"
		for _, b := range []byte(text) {
			k.send(string(b))
		}
		k.expect(text)
	})
}

func TestLargeElement(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		r := newRecorder()
		r.onData = echoLines
		k := dial(t, testServer(t, Options{}), r, secure)
		text := strings.Repeat("0123456789", 20_000) + "\n"
		go io.WriteString(k.peer, text)
		k.expect(text)
	})
}

func TestMaxInput(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		r := newRecorder()
		r.onData = func(*Conn, []byte) (int, error) { return 0, nil }
		k := dial(t, testServer(t, Options{MaxInput: 40_000}), r, secure)
		go io.WriteString(k.peer, strings.Repeat("x", 100_000))
		if err := <-r.closed; err != ErrInput {
			t.Errorf("cause %v", err)
		}
	})
}

func TestPeerEnds(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		r := newRecorder()
		k := dial(t, testServer(t, Options{}), r, secure)
		k.send("last words")
		k.peer.Close()
		if err := <-r.closed; err != io.EOF {
			t.Errorf("cause %v", err)
		}
		if got := r.received(); got != "last words" {
			t.Errorf("received %q", got)
		}
	})
}

func TestDataErrorWritesFirst(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		r := newRecorder()
		bad := errors.New("bad")
		r.onData = func(c *Conn, b []byte) (int, error) {
			if err := c.Append(say("goodbye")); err != nil {
				t.Error(err)
			}
			return len(b), bad
		}
		k := dial(t, testServer(t, Options{}), r, secure)
		k.send("x")
		if got := k.rest(); got != "goodbye" {
			t.Errorf("got %q", got)
		}
		if err := <-r.closed; err != bad {
			t.Errorf("cause %v", err)
		}
		if err := k.conn.Append(say("more")); err != ErrClosed {
			t.Errorf("Append after the end: %v", err)
		}
	})
}

func TestCloseFlushes(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		r := newRecorder()
		k := dial(t, testServer(t, Options{MaxOutput: 8 << 20}), r, secure)
		text := strings.Repeat("z", 6<<20) // more than the kernel takes at once
		if err := k.conn.Append(say(text)); err != nil {
			t.Fatal(err)
		}
		why := errors.New("why")
		k.conn.Close(why, time.Minute)
		k.conn.Close(errors.New("too late to count"), time.Minute)
		if got := k.rest(); got != text {
			t.Errorf("got %d bytes", len(got))
		}
		if err := <-r.closed; err != why {
			t.Errorf("cause %v", err)
		}
	})
}

func TestCloseGraceCuts(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		r := newRecorder()
		k := dial(t, testServer(t, Options{MaxOutput: 32 << 20}), r, secure)
		if err := k.conn.Append(say(strings.Repeat("z", 30<<20))); err != nil {
			t.Fatal(err)
		}
		k.conn.Drain()
		why := errors.New("why")
		k.conn.Close(why, 20*time.Millisecond)
		if err := <-r.closed; err != why {
			t.Errorf("cause %v", err)
		}
	})
}

func TestPauseResume(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		r := newRecorder()
		calls := make(chan string, 100)
		r.onData = func(c *Conn, b []byte) (int, error) {
			n := bytes.IndexByte(b, '\n') + 1
			if n > 0 {
				c.Pause()
				calls <- string(b[:n])
			}
			return n, nil
		}
		k := dial(t, testServer(t, Options{}), r, secure)
		k.send("one\ntwo\n")
		if got := <-calls; got != "one\n" {
			t.Fatalf("got %q", got)
		}
		k.send("three\n")
		k.conn.Resume()
		if got := <-calls; got != "two\n" {
			t.Fatalf("got %q", got)
		}
		k.conn.Resume()
		if got := <-calls; got != "three\n" {
			t.Fatalf("got %q", got)
		}
		k.conn.Close(nil, time.Second)
		if err := <-r.closed; err != ErrClosed {
			t.Errorf("cause of a paused connection's end: %v", err)
		}
	})
}

// TestWake: Data comes once more where nothing was read, with what is left, and where
// the connection is paused when that is over.
func TestWake(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		r := newRecorder()
		calls := make(chan string, 100)
		pause := false
		r.onData = func(c *Conn, b []byte) (int, error) {
			if pause {
				c.Pause()
			}
			pause = false
			calls <- string(b)
			return bytes.IndexByte(b, '\n') + 1, nil
		}
		k := dial(t, testServer(t, Options{}), r, secure)
		want := func(text string) {
			t.Helper()
			if got := <-calls; got != text {
				t.Errorf("Data got %q, want %q", got, text)
			}
		}
		k.send("one\n")
		want("one\n")
		for range 3 {
			k.conn.Wake()
			want("")
		}
		k.send("half")
		want("half")
		k.conn.Wake()
		want("half")
		pause = true
		k.conn.Wake()
		want("half")
		k.conn.Wake()
		k.send(" an hour\n")
		if len(calls) > 0 {
			t.Error("Data was called while the connection was paused")
		}
		k.conn.Resume()
		if got := <-calls; got == "half" {
			want("half an hour\n")
		} else if got != "half an hour\n" {
			t.Errorf("Data got %q", got)
		}
		k.conn.Close(nil, time.Second)
		<-r.closed
		k.conn.Wake() // changes nothing
	})
}

func TestStartTLS(t *testing.T) {
	r := newRecorder()
	done := make(chan error, 1)
	r.onData = func(c *Conn, b []byte) (int, error) {
		if c.TLS() != nil {
			return echoLines(c, b)
		}
		if err := c.Append(say("proceed\n")); err != nil {
			t.Error(err)
		}
		c.StartTLS(testCert(t).server(false), func(err error) { done <- err })
		return len(b), nil
	}
	k := dial(t, testServer(t, Options{}), r, false)
	k.send("starttls\n")
	k.expect("proceed\n")
	k.secure(t)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	k.send("hello\n")
	k.expect("hello\n")
	if k.conn.Certificate() == nil {
		t.Error("the certificate isn't known")
	}
}
