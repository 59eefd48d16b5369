package sessionmgr

import (
	"sync"
	"sync/atomic"
)

// crew counts the goroutines that work for a manager, so that stopping can wait
// for them.
type crew struct {
	wg sync.WaitGroup
	n  atomic.Int32
}

// Go runs fn on a goroutine of its own.
func (c *crew) Go(fn func()) {
	c.n.Add(1)
	c.wg.Go(func() {
		defer c.n.Add(-1)
		fn()
	})
}

// busy returns how many are at work.
func (c *crew) busy() int { return int(c.n.Load()) }
