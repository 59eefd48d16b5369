package netserver

import (
	"crypto/tls"
	"fmt"
	"time"
)

// tlsRequest is a StartTLS that has not begun.
type tlsRequest struct {
	cfg  *tls.Config
	done func(error)
}

// StartTLS begins the server's side of a handshake after the waiting output is
// written (so `<proceed/>` goes out in the clear, RFC 6120 §5.4.2.3). Call it
// from Data, which must return with all bytes taken: bytes behind the request
// are an injection and close the connection (RFC 6120 §5.3.3). done is called
// on the reader's side before the next Data, with an error if the handshake
// failed (Closed follows). What is appended meanwhile goes out under TLS.
func (c *Conn) StartTLS(cfg *tls.Config, done func(error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tlsc.Load() != nil || c.starttls != nil {
		return
	}
	c.starttls = &tlsRequest{cfg, done}
	c.setStop()
}

// checkStartTLS follows a call of Data: a request for TLS must be the last thing
// that came in the clear.
func (c *Conn) checkStartTLS() {
	c.mu.Lock()
	asked := c.starttls != nil && !c.closing && !c.dead
	c.mu.Unlock()
	switch {
	case !asked:
	case len(c.keep) > 0:
		c.srv.m.injected.Add(1)
		c.Close(ErrInjection, c.srv.opt.CloseGrace)
	default:
		c.Drain()
	}
}

// upgrade makes the handshake of a StartTLS. Both tokens are held, so nothing
// is written or read beside it.
func (c *Conn) upgrade() {
	c.mu.Lock()
	req := c.starttls
	c.mu.Unlock()
	err := c.handshake(req.cfg)
	c.mu.Lock()
	c.starttls = nil
	c.setStop()
	c.mu.Unlock()
	c.callDone(req.done, err)
	if err != nil {
		c.fail(err)
	}
	c.drain()
}

func (c *Conn) callDone(done func(error), err error) {
	defer c.guard("StartTLS's done")
	if done != nil {
		done(err)
	}
}

// handshake makes a TLS handshake, blocking this goroutine. Both tokens are held.
func (c *Conn) handshake(cfg *tls.Config) error {
	if !c.beginHandshake() {
		return ErrClosed
	}
	c.shaking = true
	t := tls.Server((*tlsWire)(c), c.srv.prepare(cfg))
	err := t.Handshake()
	c.shaking = false
	c.srv.m.handshake(t.ConnectionState(), err)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inShake = false
	if c.dead || c.closing {
		return ErrClosed
	}
	c.armed = 0
	_ = c.nc.SetDeadline(time.Time{}) // a dead socket shows at the next read
	c.lastRead.Store(c.srv.now())
	if err == nil {
		// The client's last flight often comes with its first data, which TLS
		// then holds already: the socket would never tell.
		c.dry, c.pull = false, true
		c.tlsc.Store(t)
		c.srv.m.move(&c.stage, stageTLS)
	}
	return err
}

// beginHandshake sets the time limit of a handshake.
func (c *Conn) beginHandshake() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead || c.closing {
		return false
	}
	c.inShake = true
	until := c.srv.now() + int64(c.srv.opt.HandshakeTimeout)
	return c.nc.SetDeadline(c.srv.at(earlier(c.deadline, until))) == nil
}

// TLS returns the state of TLS, nil without. Its ExportKeyingMaterial is what
// channel bindings of the exporter type are made of.
func (c *Conn) TLS() *tls.ConnectionState {
	t := c.tlsc.Load()
	if t == nil {
		return nil
	}
	st := t.ConnectionState()
	return &st
}

// Certificate returns the certificate this connection was served, or was when the
// session that it resumed began; nil without TLS (RFC 5929 §4 makes a channel
// binding of it).
func (c *Conn) Certificate() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tlsc.Load() == nil {
		return nil
	}
	return c.cert
}
