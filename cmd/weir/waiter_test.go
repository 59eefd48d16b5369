package main

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestWhenIdle holds when a server that nobody uses ends.
func TestWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sessions atomic.Int32
		began := time.Now()
		idle, end := whenIdle(8*time.Minute, func() int { return int(sessions.Load()) })
		time.Sleep(7*time.Minute + time.Second)
		sessions.Store(1)
		time.Sleep(30 * time.Minute)
		sessions.Store(0)
		<-idle
		if took := time.Since(began); took < 45*time.Minute || took > 47*time.Minute {
			t.Errorf("it ended after %v", took)
		}
		end()
		never, end := whenIdle(0, func() int { return 0 })
		time.Sleep(time.Hour)
		select {
		case <-never:
			t.Error("it ended unasked")
		default:
		}
		end()
		_, end = whenIdle(time.Minute, func() int { return 0 })
		end() // the goroutine ends, or this test doesn't
	})
}
