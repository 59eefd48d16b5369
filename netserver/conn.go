package netserver

import (
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Conn is one connection. Its methods may be called from any goroutine unless
// they say otherwise; none blocks.
type Conn struct {
	// immutable
	srv     *Server
	nc      net.Conn
	raw     syscall.RawConn // nil: no readiness (in-memory links, other systems)
	readFn  func(fd uintptr) bool
	writeFn func(fd uintptr) bool
	remote  netip.AddrPort

	h Handler // set once by start while it holds both tokens

	// stop tells the reader to come back to the gate; written under mu.
	stop atomic.Bool
	// tlsc is set once, by a holder of both tokens.
	tlsc atomic.Pointer[tls.Conn]

	// reader token
	rbuf    *readBuffer // holds wire; nil when that is empty
	wire    []byte      // read from the socket and not yet taken by TLS
	keep    []byte      // plain bytes that the handler didn't take
	rerr    error       // of the last read
	nowait  bool        // readFn doesn't wait
	dry     bool        // the last read was short: the socket has no more
	pull    bool        // TLS may hold bytes: don't wait for the socket first
	fresh   bool        // this goroutine's stack is still small
	shaking bool        // TLS handshake under way: the wire blocks
	first   bool        // the first bytes may be the header of a proxy that isn't configured

	// lastRead is on the server's clock; written by the reader.
	lastRead atomic.Int64

	// drain token
	wbuf  []byte // what writeFn writes
	wn    int    // how much of it was written
	werr  error
	wwait bool // writeFn waits for room

	mu sync.Mutex
	// guarded by mu
	out       *buffer // appended and not yet taken by a drainer
	ct        *buffer // ciphertext for the kernel
	inflight  int     // bytes of the batch that is being written
	lost      int     // bytes that waited when the connection failed
	draining  bool    // the drain token is taken
	again     bool    // a drain was asked for
	want      bool    // WantDrain
	held      bool
	owed      bool // Drained is to be called
	writing   bool // a goroutine waits for room
	suspended bool // the reader token is free, no goroutine: wake by wakeReader
	leftover  bool // the reader parked while the handler had left bytes
	paused    bool
	redeliver bool // call Data with what is left
	woken     bool // … also if that is nothing
	closing   bool // Close was called
	notified  bool // TLS close_notify was made
	flushed   bool // closing, and all is with the kernel
	dead      bool // no more I/O
	unauth    bool // counts as not authenticated
	inShake   bool // a TLS handshake waits in nc: deadlines interrupt it
	stage     stage
	closeBy   int64
	idle      time.Duration
	idleFrom  int64 // a ReadTimeout was answered at that moment …
	idleUntil int64 // … with this one for the next
	deadline  int64 // absolute; 0: none
	armed     int64 // the read deadline of nc; 0: none, 1: in the past
	timer     *time.Timer
	starttls  *tlsRequest
	cert      *tls.Certificate
	cause     error
}

func (s *Server) newConn(nc net.Conn) *Conn {
	c := &Conn{srv: s, nc: nc, draining: true, unauth: true, fresh: true}
	c.raw = rawConn(nc)
	c.readFn, c.writeFn = c.tryRead, c.tryWrite
	c.remote = addrPort(nc.RemoteAddr())
	c.lastRead.Store(s.now())
	return c
}

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	p := t.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

// start is the first goroutine of a connection. It holds both tokens.
func (c *Conn) start(l Listen) {
	c.first = l.Proxied && l.TLS == nil
	if l.TLS != nil {
		if err := c.handshake(l.TLS); err != nil {
			if l.Proxied {
				c.strangeRecord(err)
			}
			c.srv.log.Debug("TLS handshake failed", "remote", c.remote, "err", err)
			c.abandon()
			return
		}
	}
	h, err := c.callNew(l.New)
	if err != nil || h == nil {
		c.srv.log.Debug("connection refused", "remote", c.remote, "err", err)
		c.abandon()
		return
	}
	c.h = h
	if c.tlsc.Load() == nil {
		c.mu.Lock()
		if c.stage == stageNew {
			c.srv.m.move(&c.stage, stagePlain)
		}
		c.mu.Unlock()
	}
	c.drain()
	go c.run() // leaves this stack behind, which has grown
}

// abandon ends a connection that has no handler yet.
func (c *Conn) abandon() {
	c.mu.Lock()
	c.dead = true
	c.setStop()
	c.mu.Unlock()
	c.nc.Close()
	c.srv.remove(c)
}

// setStop recomputes stop; mu is held.
func (c *Conn) setStop() {
	c.stop.Store(c.paused || c.closing || c.dead || c.starttls != nil)
}

// wakeReader starts the reader again if it is suspended; mu is held.
func (c *Conn) wakeReader() {
	if c.suspended {
		c.suspended = false
		if c.timer != nil {
			c.timer.Stop()
			c.timer = nil
		}
		go c.run()
	}
}

// Pause stops calls of Data; it takes effect when the current one returns.
// While paused nothing is read from the socket, so that the peer feels it.
func (c *Conn) Pause() {
	c.mu.Lock()
	c.paused = true
	c.setStop()
	c.mu.Unlock()
}

// Resume undoes Pause.
func (c *Conn) Resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.paused {
		return
	}
	c.paused = false
	c.redeliver = true
	c.setStop()
	if c.stop.Load() {
		return
	}
	if c.suspended {
		c.wakeReader()
	} else if c.leftover {
		c.kick() // the reader may be parked with bytes that nobody asks for
	}
}

// Wake has Data called once more, with what is left, which may be nothing: for a
// handler that has something to do in the order of its input. While the connection
// is paused that waits for Resume; once it is closing, Data may not come.
func (c *Conn) Wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.redeliver, c.woken = true, true
	switch {
	case c.stop.Load() || c.inShake: // it is looked at afterwards
	case c.suspended:
		c.wakeReader()
	default:
		c.kick() // the reader may be parked
	}
}

// SetAuthenticated takes the connection out of the count of unauthenticated ones.
func (c *Conn) SetAuthenticated() {
	c.mu.Lock()
	was := c.unauth
	c.unauth = false
	c.mu.Unlock()
	if was {
		c.srv.authenticated(c.place())
	}
}

// RemoteAddr returns the peer's address; it is not valid for in-memory links.
func (c *Conn) RemoteAddr() netip.AddrPort { return c.remote }

// LocalAddr returns our end.
func (c *Conn) LocalAddr() netip.AddrPort { return addrPort(c.nc.LocalAddr()) }
