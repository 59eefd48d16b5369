package sessionmgr

import (
	"context"
	"sync"
)

// crew counts the goroutines that work for a manager, so that stopping can wait
// for them. Unlike a WaitGroup it may be given work while somebody waits.
type crew struct {
	mu   sync.Mutex
	n    int
	idle chan struct{} // closed when n falls to 0; nil if nobody waits
}

// Go runs fn on a goroutine of its own.
func (c *crew) Go(fn func()) {
	c.mu.Lock()
	c.n++
	c.mu.Unlock()
	go func() {
		defer c.done()
		fn()
	}()
}

func (c *crew) done() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n--
	if c.n == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}

// busy returns how many are at work.
func (c *crew) busy() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// wait waits for a moment at which nobody is at work, or for the end of ctx.
func (c *crew) wait(ctx context.Context) error {
	c.mu.Lock()
	if c.n == 0 {
		c.mu.Unlock()
		return nil
	}
	if c.idle == nil {
		c.idle = make(chan struct{})
	}
	idle := c.idle
	c.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
