package netserver

import (
	"io"
	"time"
)

// How long and how much a closed connection is read, so that the kernel doesn't
// answer the peer's last bytes by a reset that overtakes ours.
const (
	lingerTime  = time.Second
	lingerBytes = 256 << 10
)

// Close ends the connection after what waits has been written, or after grace
// at the latest. cause is what Closed gets; the first cause counts. From now on
// Data isn't called and Append refuses.
func (c *Conn) Close(cause error, grace time.Duration) {
	c.mu.Lock()
	if c.dead {
		c.mu.Unlock()
		return
	}
	by := c.srv.now() + int64(max(grace, 0))
	if !c.closing {
		if cause == nil {
			cause = ErrClosed
		}
		c.closing, c.cause, c.closeBy = true, cause, by
		c.setStop()
		c.srv.m.move(&c.stage, stageClosing)
	}
	c.closeBy = min(c.closeBy, by)
	if c.inShake {
		_ = c.nc.SetDeadline(past) // the handshake fails, and the reader ends it
	} else {
		c.kick()
	}
	if c.writing {
		_ = c.nc.SetWriteDeadline(c.srv.at(min(c.closeBy, c.srv.now()+int64(c.srv.opt.StallTimeout))))
	}
	c.mu.Unlock()
	c.Drain()
}

// fail ends the connection at once. If it was closing, it is cut.
func (c *Conn) fail(cause error) {
	c.mu.Lock()
	if c.dead {
		c.mu.Unlock()
		return
	}
	c.dead, c.lost = true, c.outLen()+c.behind()
	if c.cause == nil {
		c.cause = cause
	}
	c.setStop()
	c.srv.m.move(&c.stage, stageClosing)
	if !c.draining {
		c.wakeReader()
	}
	c.mu.Unlock()
	c.nc.Close() // wakes whoever waits in it
}

// finish is the end: both tokens are held, nobody else does anything.
func (c *Conn) finish() {
	c.mu.Lock()
	cause, grace := c.cause, !c.dead
	left := c.closeBy - c.srv.now()
	c.srv.pools.putOut(c.out)
	c.srv.pools.putOut(c.ct)
	c.out, c.ct, c.inflight = nil, nil, 0
	c.dead = true
	if c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()
	c.wireDone()
	c.keep = nil
	half, ok := c.nc.(interface{ CloseWrite() error })
	grace = grace && ok && half.CloseWrite() == nil
	c.callClosed(cause)
	if grace && cause != io.EOF {
		c.linger(time.Duration(left))
	}
	c.nc.Close()
	c.srv.remove(c)
}

// linger reads and forgets until the peer has ended the connection too.
func (c *Conn) linger(left time.Duration) {
	left = min(left, lingerTime)
	if left <= 0 || c.raw == nil || c.nc.SetReadDeadline(time.Now().Add(left)) != nil {
		return
	}
	total := 0
	// How it ended makes no difference.
	_ = c.raw.Read(func(fd uintptr) bool {
		buf := c.srv.pools.getRead() // not held while there is nothing
		defer c.srv.pools.putRead(buf)
		for {
			n, again, err := sysRead(fd, buf[:])
			total += n
			if again {
				return false
			}
			if n == 0 || err != nil || total > lingerBytes {
				return true
			}
		}
	})
}

// cut ends the connection whatever it does, also while it lingers.
func (c *Conn) cut() {
	c.fail(ErrClosed)
	c.nc.Close()
}

var past = time.Unix(1, 0) // a deadline that has passed

// kick makes a parked reader come back; mu is held.
func (c *Conn) kick() {
	if c.armed != 1 {
		c.armed = 1
		_ = c.nc.SetReadDeadline(past)
	}
}
