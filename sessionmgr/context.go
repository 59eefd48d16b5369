package sessionmgr

import (
	"context"
	"time"
)

// sessionContext is a context that costs nothing to make: the session itself,
// seen as one.
type sessionContext struct{ s *Session }

// sessionKey is the key under which it answers for itself.
type sessionKey struct{}

// FromContext returns the session that a handler runs for, or (nil, false) in a
// context that has none.
func FromContext(ctx context.Context) (*Session, bool) {
	s, ok := ctx.Value(sessionKey{}).(*Session)
	return s, ok
}

func (c sessionContext) Value(key any) any {
	if key == (sessionKey{}) {
		return c.s
	}
	return nil
}

func (c sessionContext) Deadline() (time.Time, bool) { return time.Time{}, false }

func (c sessionContext) Done() <-chan struct{} { return c.s.doneChan() }

func (c sessionContext) Err() error {
	if c.s.State() == Destroyed {
		return context.Canceled
	}
	return nil
}

// handlingContext is the context of a stanza that was taken: it carries its
// session and doesn't end with it, so that a client may write and go.
type handlingContext struct{ s *Session }

func (c handlingContext) Value(key any) any         { return sessionContext(c).Value(key) }
func (handlingContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (handlingContext) Done() <-chan struct{}       { return nil }
func (handlingContext) Err() error                  { return nil }
