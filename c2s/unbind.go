package c2s

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"weir/auth"
	"weir/sessionmgr"

	"mellium.im/xmpp/stream"
)

// unbinding is the wish that a stream goes on without its session.
type unbinding struct {
	sess *sessionmgr.Session
	swap func() *sessionmgr.Session
	done func(over bool)

	begun atomic.Bool // or given up: whoever sets it calls done
}

// Unbind implements sessionmgr.Unbinder: the stream goes back to Authenticated, and
// its client may bind again.
func (s *Stream) Unbind(sess *sessionmgr.Session, swap func() *sessionmgr.Session, done func(over bool)) {
	u := &unbinding{sess: sess, swap: swap, done: done}
	if !s.unbinding.CompareAndSwap(nil, u) { // it is given up already
		go done(true)
		return
	}
	if s.closing.Load() {
		s.keepBound()
		return
	}
	s.conn.Wake() // Data comes, when input isn't paused any more
}

// keepBound has a wish end that comes too late.
func (s *Stream) keepBound() {
	if u := s.unbinding.Load(); u != nil && u.begun.CompareAndSwap(false, true) {
		s.unbinding.Store(nil)
		go u.done(true)
	}
}

// unbind begins what was wished for, in the order of the input; it reports whether it
// did. It is for the reader goroutine.
func (s *Stream) unbind() bool {
	u := s.unbinding.Load()
	if s.closing.Load() || s.State() != Bound || s.Session() != u.sess {
		s.keepBound()
		return false
	}
	if !u.begun.CompareAndSwap(false, true) {
		return false
	}
	s.Work(func(ctx context.Context) {
		s.srv.sm.Settle(ctx, u.sess, s)
		if s.closing.Load() { // a session that its client may resume is kept
			s.unbinding.Store(nil)
			u.done(true)
			return
		}
		words := s.lastWords()
		_ = s.send(func(dst []byte) []byte { return append(dst, words...) })
		next := u.swap()
		if next != nil {
			s.startOver(u.sess, next)
		}
		s.unbinding.Store(nil)
		u.done(false)
	})
	return true
}

// startOver makes the stream one whose client has logged in and not bound. Its account
// may have changed since the old session couldn't be found any more.
func (s *Stream) startOver(old, next *sessionmgr.Session) {
	account := old.JID().Bare()
	s.neg = &negotiation{host: old.Host(), account: account, named: true}
	s.sess.Store(next)
	s.state.Store(uint32(Authenticated))
	s.conn.SetDeadline(time.Now().Add(s.srv.o.BindTimeout))
	a, err := s.srv.auth.Lookup(next.Context(), account)
	switch {
	case err == nil && a.Disabled, errors.Is(err, auth.ErrNoAccount):
		s.srv.sm.Kick(next, sessionmgr.Cause{Code: sessionmgr.AccountGone, Text: "changed as its resource was given up"}, &stream.NotAuthorized)
	case err != nil:
		next.Log().Error("account can't be read", "account", account, "err", err)
	}
}

var _ sessionmgr.Unbinder = (*Stream)(nil)
