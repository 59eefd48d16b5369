package netserver

import (
	"fmt"
	"runtime/debug"
	"time"
)

// guard is deferred around every callback: a panic ends this connection only.
func (c *Conn) guard(where string) {
	if r := recover(); r != nil {
		c.srv.m.panics.Add(1)
		c.srv.log.Error("handler panicked", "in", where, "panic", r, "remote", c.remote, "stack", string(debug.Stack()))
		c.fail(fmt.Errorf("%w in %s: %v", ErrPanic, where, r))
	}
}

func (c *Conn) callNew(f func(*Conn) (Handler, error)) (h Handler, err error) {
	defer c.guard("New")
	return f(c)
}

func (c *Conn) callData(b []byte) (taken int, err error) {
	defer c.guard("Data")
	n, err := c.h.Data(c, b)
	if n < 0 || n > len(b) {
		panic(fmt.Sprintf("took %d bytes of %d", n, len(b)))
	}
	return n, err
}

func (c *Conn) callBatchEnd() {
	defer c.guard("BatchEnd")
	c.h.BatchEnd(c)
}

func (c *Conn) callPreDrain(b *buffer) {
	defer c.guard("PreDrain")
	n := len(b.b)
	if r := c.h.PreDrain(c, b.b); len(r) >= n {
		b.b = r
	} else {
		panic("returned less than it was given")
	}
}

func (c *Conn) callDrained() {
	defer c.guard("Drained")
	c.h.Drained(c)
}

func (c *Conn) callReadTimeout(deadline bool) time.Duration {
	defer c.guard("ReadTimeout")
	return c.h.ReadTimeout(c, deadline)
}

func (c *Conn) callClosed(cause error) {
	defer c.guard("Closed")
	c.h.Closed(c, cause)
}
