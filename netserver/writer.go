package netserver

import (
	"errors"
	"os"
	"time"
)

// send writes b without blocking and owns it. If the kernel doesn't take all, a
// goroutine gets b and the drain token: false.
func (c *Conn) send(b *buffer) bool {
	n := 0
	if c.raw != nil {
		c.wbuf, c.wn, c.werr, c.wwait = b.b, 0, nil, false
		err := c.raw.Write(c.writeFn)
		c.wbuf = nil
		n = c.wn
		if err == nil {
			err = c.werr
		}
		if err != nil {
			c.srv.pools.putOut(b)
			c.fail(err)
			return true
		}
	}
	c.srv.m.bytesOut.Add(int64(n))
	if n == len(b.b) {
		c.sent(b)
		return true
	}
	c.mu.Lock()
	c.writing = true
	c.inflight = len(b.b) - n
	c.mu.Unlock()
	go c.unblock(b, n)
	return false
}

// sent is called when all of b is with the kernel.
func (c *Conn) sent(b *buffer) {
	c.srv.pools.putOut(b)
	c.mu.Lock()
	c.owed = true
	c.mu.Unlock()
}

// tryWrite is what the poller calls when the socket may take bytes.
func (c *Conn) tryWrite(fd uintptr) bool {
	for c.wn < len(c.wbuf) {
		n, again, err := sysWrite(fd, c.wbuf[c.wn:])
		if again {
			// With progress the caller looks at its deadline first.
			return !c.wwait || c.wn > 0
		}
		if err != nil {
			c.werr = err
			return true
		}
		c.wn += n
		if !c.wwait {
			return true // one write; a short one means there is no more room
		}
	}
	return true
}

// unblock writes b from n on, as the peer reads. It holds the drain token and
// goes on draining when done.
func (c *Conn) unblock(b *buffer, n int) {
	if c.raw != nil {
		c.srv.m.blocked.Add(1)
	}
	for n < len(b.b) {
		if !c.armWrite() {
			break
		}
		k, err := c.writeWait(b.b[n:])
		n += k
		c.srv.m.bytesOut.Add(int64(k))
		c.mu.Lock()
		c.inflight = len(b.b) - n
		c.mu.Unlock()
		if err != nil && (k == 0 || !errors.Is(err, os.ErrDeadlineExceeded)) {
			c.failedWrite(err)
			break
		}
	}
	c.mu.Lock()
	c.writing = false
	if !c.dead {
		// Without a deadline again; the answer of a dead socket is of no use.
		_ = c.nc.SetWriteDeadline(time.Time{})
	}
	c.mu.Unlock()
	if n == len(b.b) {
		c.sent(b)
	} else {
		c.srv.pools.putOut(b)
	}
	c.drain()
}

// armWrite sets the moment until which there must be progress.
func (c *Conn) armWrite() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return false
	}
	until := c.srv.now() + int64(c.srv.opt.StallTimeout)
	if c.closing {
		until = min(until, c.closeBy)
	}
	_ = c.nc.SetWriteDeadline(c.srv.at(until))
	return true
}

// writeWait writes b, waiting for room; it may return early with progress.
func (c *Conn) writeWait(b []byte) (int, error) {
	if c.raw == nil {
		return c.nc.Write(b)
	}
	c.wbuf, c.wn, c.werr, c.wwait = b, 0, nil, true
	err := c.raw.Write(c.writeFn)
	c.wbuf = nil
	if err == nil {
		err = c.werr
	}
	return c.wn, err
}

func (c *Conn) failedWrite(err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.srv.m.stalls.Add(1)
		err = ErrStalled
	}
	c.fail(err)
}
