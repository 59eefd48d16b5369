package netserver

import (
	"errors"
	"io"
	"os"
	"slices"
)

// What the reader has to do next.
type step int

const (
	stepRead   step = iota // wait for bytes
	stepPull               // see what TLS holds already
	stepLeft               // call Data with what is left
	stepWoken              // call Data, whatever is left
	stepExpire             // a deadline passed while paused
	stepTLS                // begin the handshake; both tokens are held
	stepFinish             // the end
	stepStop               // suspended: the token is free, end the goroutine
)

// run holds the reader token. Its frames and those of park are all that is on
// the stack of an idle connection: whatever needs more must have returned.
func (c *Conn) run() {
	for {
		switch c.gate() {
		case stepStop:
			return
		case stepFinish:
			c.finish()
			return
		case stepTLS:
			c.upgrade()
			go c.run() // leaves the handshake's large stack behind
			return
		case stepLeft:
			c.deliverLeft()
		case stepWoken:
			c.fresh = false
			c.deliver(nil)
			c.batchEnd()
		case stepExpire:
			c.expire()
		case stepPull:
			c.pump()
		case stepRead:
			if c.park() {
				c.pump()
			} else if c.rerr != nil && c.failedRead() {
				go c.run() // the quiet moment: begin anew with a small stack
				return
			}
		}
	}
}

// gate decides what the reader does next and, where it has to wait for others,
// frees its token.
func (c *Conn) gate() step {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.dead:
		if !c.draining {
			c.draining = true
			return stepFinish
		}
	case c.closing:
		if c.flushed && !c.draining {
			c.draining = true
			return stepFinish
		}
	case c.starttls != nil:
		if !c.draining && !c.waiting() {
			c.draining = true
			return stepTLS
		}
	case c.paused:
		if c.deadline != 0 && c.srv.now() >= c.deadline {
			return stepExpire
		}
		c.watchDeadline()
	case c.redeliver:
		c.redeliver = false
		if c.woken {
			c.woken = false
			return stepWoken
		}
		return stepLeft
	case c.pull:
		c.pull = false
		return stepPull
	default:
		return stepRead
	}
	c.suspended = true
	c.fresh = true
	return stepStop
}

// park waits until there are bytes in wire; false without.
func (c *Conn) park() bool {
	c.rerr, c.nowait = nil, false
	if !c.arm() {
		return false
	}
	if c.raw == nil {
		return c.parkBlocking()
	}
	if err := c.raw.Read(c.readFn); err != nil && c.rerr == nil {
		c.rerr = err
	}
	return len(c.wire) > 0
}

// parkBlocking is park for links which can't tell readiness: it holds a buffer.
func (c *Conn) parkBlocking() bool {
	buf := c.srv.pools.getRead()
	n, err := c.nc.Read(buf[:])
	c.gotBytes(buf, n, err)
	c.dry = true
	return len(c.wire) > 0
}

// tryRead is what the poller calls when the socket may be readable. It runs on
// the reader's goroutine and takes a buffer only for the read itself.
func (c *Conn) tryRead(fd uintptr) bool {
	if c.stop.Load() {
		return true
	}
	buf := c.srv.pools.getRead()
	n, again, err := sysRead(fd, buf[:])
	if again {
		c.srv.pools.putRead(buf)
		c.dry = true
		return c.nowait
	}
	c.gotBytes(buf, n, err)
	c.dry = n < len(buf)
	return true
}

func (c *Conn) gotBytes(buf *readBuffer, n int, err error) {
	if n <= 0 {
		c.srv.pools.putRead(buf)
		if err == nil {
			err = io.EOF
		}
		c.rerr = err
		return
	}
	c.rbuf, c.wire = buf, buf[:n]
	c.rerr = err
	c.srv.m.bytesIn.Add(int64(n))
}

// readMore reads without waiting. wire stays empty if there is nothing.
func (c *Conn) readMore() {
	if c.dry || c.raw == nil || c.stop.Load() || c.rerr != nil {
		return
	}
	c.nowait = true
	if err := c.raw.Read(c.readFn); err != nil && c.rerr == nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.rerr = err
	}
}

// wireDone gives the read buffer back.
func (c *Conn) wireDone() {
	c.srv.pools.putRead(c.rbuf)
	c.rbuf, c.wire = nil, nil
}

// pump hands over what has been read, and all that can be read without waiting.
func (c *Conn) pump() {
	c.fresh = false
	c.lastRead.Store(c.srv.now())
	var called bool
	if c.tlsc.Load() != nil {
		called = c.pumpTLS()
	} else {
		called = c.pumpPlain()
	}
	if called {
		c.batchEnd()
	}
	switch {
	case c.rerr == nil:
	case c.rerr == io.EOF && c.owesData():
		// The end comes after the bytes that are left. It is found again.
		c.rerr, c.pull = nil, true
	default:
		c.failedRead()
	}
}

// owesData tells whether Data is to be called, now or after a Resume, with what
// has been read already.
func (c *Conn) owesData() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.paused || c.redeliver
}

func (c *Conn) pumpPlain() (called bool) {
	for len(c.wire) > 0 {
		c.deliver(c.wire)
		called = true
		if c.dry || c.stop.Load() || c.rerr != nil {
			break
		}
		c.wireDone()
		c.readMore()
	}
	c.wireDone()
	return called
}

// pumpTLS decrypts all that was read before it gives up, so that no ciphertext
// has to be kept while the connection is paused.
func (c *Conn) pumpTLS() (called bool) {
	buf := c.srv.pools.getRead()
	t := c.tlsc.Load()
	var err error
	for err == nil {
		n := 0
		for n < len(buf) && err == nil {
			var k int
			k, err = t.Read(buf[n:])
			n += k
		}
		if n > 0 {
			c.deliver(buf[:n])
			called = true
		}
	}
	c.srv.pools.putRead(buf)
	c.wireDone()
	if !isAgain(err) && c.rerr == nil {
		c.rerr = err
	}
	c.tlsWrote()
	return called
}

// deliver calls Data with what was left and b, and keeps what is left now.
func (c *Conn) deliver(b []byte) {
	owned := len(c.keep) > 0
	if owned {
		c.keep = append(c.keep, b...)
		b = c.keep
	}
	if c.first {
		c.first = false
		c.strangeProxy(b)
	}
	taken, called := 0, !c.stop.Load()
	var err error
	if called {
		taken, err = c.callData(b)
	}
	rest := b[taken:]
	switch {
	case len(rest) == 0:
		c.keep = nil
	case !owned || taken > 0:
		c.keep = slices.Clone(rest) // right-sized
	}
	if err != nil {
		c.Close(err, c.srv.opt.CloseGrace)
	} else if called && len(rest) > c.srv.opt.MaxInput {
		c.Close(ErrInput, c.srv.opt.CloseGrace)
	}
	if c.stop.Load() {
		c.checkStartTLS()
	}
}

// deliverLeft follows a Resume.
func (c *Conn) deliverLeft() {
	c.lastRead.Store(c.srv.now())
	if len(c.keep) == 0 {
		return
	}
	c.fresh = false
	c.deliver(nil)
	c.batchEnd()
}

func (c *Conn) batchEnd() {
	c.mu.Lock()
	over := c.dead || c.closing
	c.mu.Unlock()
	if !over {
		c.callBatchEnd()
	}
}

// failedRead deals with an error of reading; true asks for a fresh goroutine.
func (c *Conn) failedRead() bool {
	err := c.rerr
	c.rerr = nil
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.mu.Lock()
		c.armed = 1
		c.mu.Unlock()
		return c.expire()
	case err == io.EOF:
		c.Close(io.EOF, c.srv.opt.CloseGrace)
	default:
		c.fail(err)
	}
	return false
}
