package main

import (
	"context"
	"os"
	"syscall"
	"time"

	"weir"
	"weir/config"
	"weir/sessionmgr"
)

// manner says how a server is run.
type manner struct {
	load func() (config.Config, error) // reads the configuration again
	idle time.Duration                 // without a session, until it stops; 0: it doesn't
}

// waiter waits for what ends a server.
type waiter struct {
	server *weir.Server
	how    manner
	asked  chan time.Duration
}

func newWaiter(s *weir.Server, how manner) *waiter {
	return &waiter{server: s, how: how, asked: make(chan time.Duration, 1)}
}

// ask has the server stop, after draining if that isn't 0. The first request counts.
func (w *waiter) ask(drain time.Duration) {
	select {
	case w.asked <- drain:
	default:
	}
}

// wait returns why the server is to end: a signal, an admin's request, or that nobody
// has been there for long enough.
func (w *waiter) wait(ctx context.Context, signals <-chan os.Signal) string {
	idle, end := whenIdle(w.how.idle, func() int { return w.server.Sessions.Count(sessionmgr.Filter{}) })
	defer end()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx).Error()
		case <-idle:
			return "no session for " + w.how.idle.String()
		case drain := <-w.asked:
			if drain > 0 {
				return "an admin asked for it, " + w.drain(ctx, drain, signals)
			}
			return "an admin asked for it"
		case sig := <-signals:
			if sig != syscall.SIGHUP {
				return sig.String()
			}
			if _, err := w.server.Reload(ctx); err != nil {
				w.server.Log.Error("not all was read again", "err", err)
			}
		}
	}
}

// drain lets sessions get what they were sent, until the time is up or a signal
// says that there is no time.
func (w *waiter) drain(ctx context.Context, most time.Duration, signals <-chan os.Signal) string {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	w.server.Log.Info("draining", "at most", most)
	done := make(chan int, 1)
	go func() { done <- w.server.Drain(ctx) }()
	for {
		select {
		case left := <-done:
			return "drained but for " + plural(left, "session")
		case sig := <-signals:
			if sig != syscall.SIGHUP {
				cancel()
			}
		}
	}
}

// whenIdle closes a channel when count has been 0 for a while, looked at eight times
// in that while. With 0 it never does. end stops the looking.
func whenIdle(d time.Duration, count func() int) (idle <-chan struct{}, end func()) {
	if d <= 0 {
		return nil, func() {}
	}
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		tick := time.NewTicker(max(d/8, time.Millisecond))
		defer tick.Stop()
		since := time.Now()
		for {
			select {
			case now := <-tick.C:
				if count() > 0 {
					since = now
				} else if now.Sub(since) >= d {
					close(done)
					return
				}
			case <-over:
				return
			}
		}
	}()
	return done, func() { close(over) }
}
