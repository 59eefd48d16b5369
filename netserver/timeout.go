package netserver

import "time"

// quietTime is after how long without input a connection gives back what it
// only needs while busy.
const quietTime = 2 * time.Second

// now is the server's clock: nanoseconds since it was made.
func (s *Server) now() int64 { return int64(time.Since(s.epoch)) + 2 }

func (s *Server) at(t int64) time.Time { return s.epoch.Add(time.Duration(t - 2)) }

// SetIdle sets how long nothing may be read before ReadTimeout; 0: for ever.
// It counts from the last read.
func (c *Conn) SetIdle(d time.Duration) {
	c.mu.Lock()
	c.idle = max(d, 0)
	c.idleFrom = 0
	c.rearm()
	c.mu.Unlock()
}

// SetDeadline sets the absolute moment of a ReadTimeout(deadline) call, which
// no traffic puts off; the zero time removes it.
func (c *Conn) SetDeadline(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = 0
	if !t.IsZero() {
		c.deadline = max(int64(t.Sub(c.srv.epoch))+2, 2)
	}
	if c.suspended && c.paused {
		c.watchDeadline()
		return
	}
	c.rearm()
}

// rearm sets the socket's read deadline if the one that is set would be too late
// for what was just asked; mu is held.
func (c *Conn) rearm() {
	next := c.deadline
	if c.idle > 0 {
		next = earlier(next, c.idleAt())
	}
	if next == 0 || c.suspended || c.inShake || c.dead || c.closing {
		return
	}
	if c.armed == 0 || next < c.armed {
		c.armed = max(next, 2)
		_ = c.nc.SetReadDeadline(c.srv.at(c.armed))
	}
}

// watchDeadline sees to the absolute deadline while the reader is paused and no
// goroutine waits; mu is held.
func (c *Conn) watchDeadline() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	if c.deadline == 0 {
		return
	}
	c.timer = time.AfterFunc(time.Duration(c.deadline-c.srv.now()), func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.paused {
			c.wakeReader()
		}
	})
}

// arm sets the socket's read deadline for parking, only if the one that is set
// would be too late: an early one is cheap, it leads back here. It returns false
// if the reader must not park.
func (c *Conn) arm() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop.Load() || c.redeliver {
		return false
	}
	c.leftover = len(c.keep) > 0
	next := c.nextTimeout()
	switch {
	case next == 0 && c.armed == 1:
		c.armed = 0
		_ = c.nc.SetReadDeadline(time.Time{})
	case next != 0 && (c.armed <= 1 || next < c.armed):
		c.armed = next
		_ = c.nc.SetReadDeadline(c.srv.at(next))
	}
	return true
}

// nextTimeout returns the first moment at which something is to be done if
// nothing is read, 0 for none; mu and the reader token are held.
func (c *Conn) nextTimeout() int64 {
	next := c.deadline
	if c.idle > 0 {
		next = earlier(next, c.idleAt())
	}
	if c.raw != nil && !c.fresh {
		next = earlier(next, c.lastRead.Load()+int64(c.srv.quiet))
	}
	return next
}

func earlier(a, b int64) int64 {
	if a == 0 {
		return b
	}
	return min(a, b)
}

// idleAt returns when the idle time is over; mu is held.
func (c *Conn) idleAt() int64 {
	if c.idleFrom > c.lastRead.Load() {
		return c.idleUntil
	}
	return c.lastRead.Load() + int64(c.idle)
}

// expire looks which time has passed and tells the handler. It returns true if
// the connection has gone quiet and should move to a fresh goroutine.
func (c *Conn) expire() bool {
	c.mu.Lock()
	now := c.srv.now()
	deadline := c.deadline
	over := c.dead || c.closing || c.starttls != nil
	late := deadline != 0 && now >= deadline
	idle := !c.paused && c.idle > 0 && now >= c.idleAt()
	c.mu.Unlock()
	switch {
	case over:
	case late || idle:
		c.fresh = false
		c.timedOut(late, deadline)
	case c.raw != nil && !c.fresh && now >= c.lastRead.Load()+int64(c.srv.quiet):
		c.dropTLSBuffers()
		c.fresh = true
		return true
	}
	return false
}

// timedOut asks the handler how to go on.
func (c *Conn) timedOut(late bool, was int64) {
	d := c.callReadTimeout(late)
	if d <= 0 {
		c.Close(ErrTimeout, c.srv.opt.CloseGrace)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.srv.now()
	if !late {
		c.idleFrom, c.idleUntil = now, now+int64(d)
	} else if c.deadline == was {
		c.deadline = now + int64(d)
	}
}
