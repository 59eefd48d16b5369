package netserver

import (
	"net"
	"time"
)

// tlsWire is a Conn as the net.Conn that crypto/tls reads and writes. During
// the handshake it blocks as a socket does. Afterwards it never does: reading
// serves what the reader has got and then answers with a temporary error,
// which leaves crypto/tls whole; writing only appends, for an error in the
// midst of a record would break the stream for good.
type tlsWire Conn

// againError says that the socket has no more for now.
type againError struct{}

func (againError) Error() string   { return "netserver: nothing to read for now" }
func (againError) Timeout() bool   { return false }
func (againError) Temporary() bool { return true }

var _ net.Error = againError{}

func isAgain(err error) bool { return err == againError{} }

// Read is called by the holder of the reader token, in crypto/tls.
func (w *tlsWire) Read(p []byte) (int, error) {
	c := (*Conn)(w)
	if c.shaking {
		n, err := c.nc.Read(p)
		c.srv.m.bytesIn.Add(int64(n))
		return n, err
	}
	if len(c.wire) == 0 {
		c.wireDone()
		c.readMore()
	}
	n := copy(p, c.wire)
	c.wire = c.wire[n:]
	if n > 0 {
		return n, nil
	}
	if err := c.rerr; err != nil {
		c.rerr = nil
		return 0, err
	}
	return 0, againError{}
}

// Write is called by the holder of the drain token, and by that of the reader
// token where TLS answers something by itself.
func (w *tlsWire) Write(p []byte) (int, error) {
	c := (*Conn)(w)
	if c.shaking {
		n, err := c.nc.Write(p)
		c.srv.m.bytesOut.Add(int64(n))
		return n, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ct == nil {
		c.ct = c.srv.pools.getOut()
	}
	c.ct.b = append(c.ct.b, p...)
	return len(p), nil
}

// tlsWrote sends what TLS answered by itself while reading (key updates,
// alerts). A peer that makes it answer and doesn't read is cut.
func (c *Conn) tlsWrote() {
	c.mu.Lock()
	n := 0
	if c.ct != nil {
		n = len(c.ct.b)
	}
	c.mu.Unlock()
	switch {
	case n > c.srv.opt.MaxOutput+outKeep:
		c.fail(ErrOutput)
	case n > 0:
		c.Drain()
	}
}

// Close does nothing: the Conn closes its socket.
func (w *tlsWire) Close() error { return nil }

func (w *tlsWire) LocalAddr() net.Addr  { return w.nc.LocalAddr() }
func (w *tlsWire) RemoteAddr() net.Addr { return w.nc.RemoteAddr() }

// The deadlines belong to the Conn.

func (w *tlsWire) SetDeadline(time.Time) error      { return nil }
func (w *tlsWire) SetReadDeadline(time.Time) error  { return nil }
func (w *tlsWire) SetWriteDeadline(time.Time) error { return nil }
