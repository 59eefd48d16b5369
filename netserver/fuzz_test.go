package netserver

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"
)

// FuzzInput cuts the peer's bytes anywhere, takes them anyhow, pauses, and asks
// for TLS in the middle: all bytes come in order, and the connection ends.
func FuzzInput(f *testing.F) {
	f.Add([]byte("hello"), []byte{1, 2, 3})
	f.Add([]byte("\x16\x03\x01\x00\x05hello"), []byte{255, 0, 7, 128})
	f.Add(bytes.Repeat([]byte{0x80}, 100), []byte{64, 65, 66})
	f.Fuzz(func(t *testing.T, text, plan []byte) {
		if len(text) > 1<<16 || len(plan) == 0 {
			return
		}
		s := New(Options{HandshakeTimeout: time.Second})
		r := newRecorder()
		var got []byte
		step, secured := 0, false
		r.onData = func(c *Conn, b []byte) (int, error) {
			p := plan[step%len(plan)]
			step++
			n := min(len(b), int(p)%16+1)
			got = append(got, b[:n]...)
			if p >= 128 || n < len(b) {
				c.Pause()
				go c.Resume()
			}
			if p == 255 && n == len(b) {
				secured = true
				c.StartTLS(testCert(t).server(false), nil)
			}
			return n, nil
		}
		ours, theirs := net.Pipe()
		s.Serve(ours, Listen{New: r.New})
		go io.Copy(io.Discard, theirs) // alerts of TLS
		for i, rest := 0, text; len(rest) > 0; i++ {
			n := min(len(rest), int(plan[i%len(plan)])+1)
			if _, err := theirs.Write(rest[:n]); err != nil {
				break // TLS did not like it
			}
			rest = rest[n:]
		}
		theirs.Close()
		<-r.closed
		if !secured && !bytes.Equal(got, text) || !bytes.HasPrefix(text, got) {
			t.Errorf("got %q of %q", got, text)
		}
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
