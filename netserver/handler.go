package netserver

import (
	"crypto/tls"
	"errors"
	"time"
)

// Handler is what a connection calls. Its methods never block: work that has
// to wait is done elsewhere while the connection is paused. Data, BatchEnd,
// ReadTimeout and Closed are called by the holder of the reader token, one at a
// time; PreDrain and Drained by the holder of the drain token, one at a time,
// but perhaps at the same time as Data. A panic in any of them is counted,
// logged and ends this connection only.
type Handler interface {
	// Data hands over what was read and not yet taken, contiguous from the
	// first byte not taken. It returns how many bytes it took; the rest comes
	// again, in front of new bytes. An error closes the connection with it as
	// cause after what was appended has been written. After Pause Data is not
	// called until Resume, which calls it with what is left. b is only valid
	// during the call.
	Data(c *Conn, b []byte) (taken int, err error)
	// BatchEnd is called after Data when the socket has no more for now, and
	// before the reader waits for anything else, such as Resume.
	BatchEnd(c *Conn)
	// PreDrain sees the batch that is about to be written and returns it,
	// possibly with bytes appended: see the seven rules in the package comment.
	PreDrain(c *Conn, batch []byte) []byte
	// Drained is called when everything appended so far is with the kernel.
	Drained(c *Conn)
	// ReadTimeout is called when nothing was read for the idle time, or when
	// the absolute deadline passed. It returns how long to wait from now on;
	// zero or less closes the connection with ErrTimeout as cause. A deadline
	// that it sets itself by SetDeadline wins over what it returns.
	ReadTimeout(c *Conn, deadline bool) time.Duration
	// Closed is the last call. cause is io.EOF where the peer ended the
	// connection in order, else says why.
	Closed(c *Conn, cause error)
}

// Causes of closing that netserver itself has.
var (
	ErrTimeout   = errors.New("netserver: nothing was read in time")
	ErrStalled   = errors.New("netserver: peer doesn't read: no progress in writing")
	ErrOutput    = errors.New("netserver: output limit reached")
	ErrInput     = errors.New("netserver: input limit reached")
	ErrClosed    = errors.New("netserver: connection closed")
	ErrInjection = errors.New("netserver: bytes in the clear behind a request for TLS")
	ErrHandshake = errors.New("netserver: TLS handshake failed")
	ErrPanic     = errors.New("netserver: handler panicked")
)

// Listen describes one listener.
type Listen struct {
	Addr string      // host:port
	TLS  *tls.Config // direct TLS if set
	// New makes the handler of an accepted connection (for direct TLS: after
	// the handshake). An error refuses it.
	New func(*Conn) (Handler, error)
	// Proxied says that connections from Options.Proxies are of others, for whom
	// those are proxies.
	Proxied bool
}
