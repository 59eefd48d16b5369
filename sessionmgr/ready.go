package sessionmgr

import (
	"context"
	"errors"
	"time"
)

// Whoever has much for a session that isn't kept (the presence of thousands of
// contacts, say) gives it in parts, each when the session is ready for it.

// Go runs fn on a goroutine that Stop waits for.
func (m *Manager) Go(fn func()) { m.work.Go(fn) }

// Ready waits until at most so many bytes wait to be written to a session, its client
// has acknowledged enough, and it was sent again what it had to be: more of what isn't
// kept can be given to it then. False means that it has no link; where its client
// may come back Resumption.Missed will say that it has missed something. It may wait
// as long as a client reads slowly, so call it on a goroutine of your own.
func (m *Manager) Ready(s *Session, most int) bool {
	if s == nil {
		return false
	}
	for {
		var link Link
		var room chan struct{}
		again := false
		_ = m.behind(context.Background(), s, func() { // what was given to it before
			if link = s.Link(); s.lost || link == nil {
				link = nil
				if s.sm != nil {
					s.sm.missed = true
				}
				return
			}
			if room = s.fullWindow(); room == nil && s.sm != nil && s.sm.redoing {
				again, room = true, s.sm.untilRedone()
			}
		})
		switch {
		case link == nil:
			return false
		case room == nil:
			if s.waitWritten(context.Background(), link, most) {
				return true
			}
			continue // look again which link it has
		case !again:
			m.pipe.run(func() { m.pipe.drain(s) }) // ask
		}
		m.FlushTouched()
		<-room
	}
}

// roomBytes is how little waits to be written where a session has room: a link takes one
// answer of any size then, a whole contact list say.
const roomBytes = 16 << 10

// Room waits until what a session was given before has come to its link, and next to
// nothing waits there to be written; it returns at once where there is no link, or as soon
// as it is lost. So who asks for much and reads slowly is answered as fast as it reads. It
// waits for no acknowledgement: a client that isn't read from can't send one.
func (m *Manager) Room(s *Session) {
	if s == nil {
		return
	}
	var link Link
	_ = m.behind(context.Background(), s, func() { link = s.Link() })
	m.FlushTouched()
	if link != nil {
		s.waitWritten(context.Background(), link, roomBytes)
	}
}

// ErrAway says that a session has no link just now: what is kept waits for its client.
var ErrAway = errors.New("sessionmgr: the session has no connection now")

// Flush has everything written that a session was given: also what waits for its client
// to be active again (XEP-0352), and what it catches up with from the log. It returns
// when that is so; whether the client has it a [Tracker] tells. ErrGone: the session isn't
// bound, or has ended. ErrAway: its link is lost. It waits for the store, and for a client
// that reads slowly as long as ctx goes on.
func (m *Manager) Flush(ctx context.Context, s *Session) error {
	for s.kept() {
		var link Link
		var catching bool
		m.pipe.run(func() { m.pipe.stir(s) })
		err := m.behind(ctx, s, func() {
			if catching = s.behind; !s.lost {
				link = s.Link()
			}
		})
		m.FlushTouched()
		switch {
		case err != nil:
			return err
		case link == nil && s.kept():
			return ErrAway
		case link == nil: // it has ended
		case catching: // it pulls from the log, which nobody tells the end of
			select {
			case <-time.After(drainLook):
			case <-ctx.Done():
			}
		case s.waitWritten(ctx, link, 0):
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return ErrGone
}

// behind is inOrder that comes behind everything that the session waits for. The error
// is that of ctx: then fn may run yet, and nothing that it writes to may be read.
func (m *Manager) behind(ctx context.Context, s *Session, fn func()) error {
	done := make(chan struct{})
	m.pipe.run(func() {
		m.pipe.after(s, func() {
			defer close(done)
			fn()
		})
	})
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// untilRedone returns a channel that is closed when what was sent on an earlier stream
// was sent again, or the link is lost. Runs with the token.
func (a *acks) untilRedone() chan struct{} {
	if a.redone == nil {
		a.redone = make(chan struct{})
	}
	return a.redone
}

// wakeRedone lets go of who waits for that.
func (a *acks) wakeRedone() {
	if a.redone != nil {
		close(a.redone)
		a.redone = nil
	}
}
