package netserver

// busyFactor is how much further than MaxOutput the buffer may grow during a
// write that doesn't wait for the peer.
const busyFactor = 8

// Append lets fn append to the out-buffer, in order of calls. It does not start
// a drain: call Drain when the batch is complete. It returns ErrOutput when the
// limit is passed (what was already appended stays, what fn appended doesn't),
// ErrClosed after Close or the end. Where next to nothing waits (less than a
// sixteenth of the limit) one element of any size is admitted: a long roster is
// no sign of a slow reader. fn runs under the connection's lock: it must only
// append.
func (c *Conn) Append(fn func(dst []byte) []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing || c.dead {
		return ErrClosed
	}
	if c.out == nil {
		c.out = c.srv.pools.getOut()
	}
	n := len(c.out.b)
	b := fn(c.out.b)
	if len(b) < n {
		return nil // nonsense: bytes of others were removed; keep them
	}
	limit := c.srv.opt.MaxOutput
	if c.draining && !c.writing && !c.inShake {
		// Another goroutine is just writing and the kernel takes what it gets:
		// that says nothing about the peer, who can't prolong it either.
		limit *= busyFactor
	}
	if len(b)+c.behind() > limit && n+c.behind() > limit/16 {
		c.srv.m.overflows.Add(1)
		return ErrOutput
	}
	c.out.b = b
	if len(b) == 0 {
		c.srv.pools.putOut(c.out)
		c.out = nil
	}
	return nil
}

// behind returns how many bytes left the out-buffer and are not with the kernel;
// mu is held.
func (c *Conn) behind() int {
	n := c.inflight
	if c.ct != nil {
		n += len(c.ct.b)
	}
	return n
}

// waiting tells whether something isn't with the kernel yet; mu is held.
func (c *Conn) waiting() bool { return c.outLen()+c.behind() > 0 }

func (c *Conn) outLen() int {
	if c.out == nil {
		return 0
	}
	return len(c.out.b)
}

// Buffered returns how many bytes wait: appended, or as ciphertext for the kernel.
// Once the connection has failed it is what was never written, for good.
func (c *Conn) Buffered() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return c.lost
	}
	return c.outLen() + c.behind()
}

// Drain writes what waits, on this goroutine, without blocking. If another
// goroutine is draining, that one takes a further round.
func (c *Conn) Drain() {
	c.mu.Lock()
	c.again = true
	if c.draining || c.dead {
		c.mu.Unlock()
		return
	}
	c.draining = true
	c.mu.Unlock()
	c.drain()
}

// WantDrain asks that the next Drain calls PreDrain even with an empty buffer.
func (c *Conn) WantDrain() {
	c.mu.Lock()
	c.want = true
	c.mu.Unlock()
}

// Hold keeps drains from writing while on. Switching it off makes up for a
// Drain that was asked for meanwhile. Close lifts it.
func (c *Conn) Hold(on bool) {
	c.mu.Lock()
	c.held = on
	if on || !c.again || c.draining || c.dead {
		c.mu.Unlock()
		return
	}
	c.draining = true
	c.mu.Unlock()
	c.drain()
}

// What a holder of the drain token does next.
type round int

const (
	roundStop    round = iota // the token was given back
	roundBatch                // PreDrain and write
	roundWire                 // write ciphertext that came about elsewhere
	roundDrained              // tell the handler
	roundNotify               // say goodbye in TLS
)

// drain holds the drain token until nothing is to be done, or hands it to a
// goroutine that waits for the kernel to take more.
func (c *Conn) drain() {
	for {
		r, batch := c.pick()
		ok := true
		switch r {
		case roundStop:
			return
		case roundDrained:
			c.callDrained()
		case roundWire:
			ok = c.sendCiphertext()
		case roundNotify:
			// A failure shows at the next write.
			_ = c.tlsc.Load().CloseWrite()
			ok = c.sendCiphertext()
		case roundBatch:
			c.callPreDrain(batch)
			ok = c.sendBatch(batch)
		}
		if !ok {
			return
		}
	}
}

// pick decides the next round and takes the batch, or gives the token back.
func (c *Conn) pick() (round, *buffer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inflight = 0
	switch {
	case c.dead, c.flushed:
		return c.release()
	case c.ct != nil:
		return roundWire, nil
	}
	if c.closing || c.again && !c.held {
		c.again = false
		if c.want || c.outLen() > 0 {
			return roundBatch, c.take()
		}
	}
	if c.owed && c.outLen() == 0 {
		c.owed = false
		return roundDrained, nil
	}
	if c.closing && !c.notified && c.tlsc.Load() != nil {
		c.notified = true
		return roundNotify, nil
	}
	if c.closing {
		c.flushed = true
	}
	return c.release()
}

// take swaps the out-buffer away; mu is held.
func (c *Conn) take() *buffer {
	b := c.out
	if b == nil {
		b = c.srv.pools.getOut()
	}
	c.out, c.want = nil, false
	c.inflight = len(b.b)
	return b
}

// release gives the drain token back and wakes a reader that waited for it; mu
// is held.
func (c *Conn) release() (round, *buffer) {
	c.draining = false
	if c.dead || c.flushed || c.starttls != nil && !c.waiting() {
		c.wakeReader()
	}
	return roundStop, nil
}

// sendBatch writes a batch which PreDrain has seen. False: the token is handed on.
func (c *Conn) sendBatch(b *buffer) bool {
	if len(b.b) == 0 {
		c.srv.pools.putOut(b)
		return true
	}
	c.srv.m.drains.Add(1)
	t := c.tlsc.Load()
	if t == nil {
		return c.send(b)
	}
	_, err := t.Write(b.b)
	c.srv.pools.putOut(b)
	if err != nil {
		c.fail(err)
		return true
	}
	return c.sendCiphertext()
}

// sendCiphertext writes what TLS made. False: the token is handed on.
func (c *Conn) sendCiphertext() bool {
	c.mu.Lock()
	b := c.ct
	c.ct = nil
	if b != nil {
		c.inflight = len(b.b)
	}
	c.mu.Unlock()
	if b == nil {
		return true
	}
	return c.send(b)
}
