package sessionmgr

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
)

// maxErrands is how many functions may wait for one session.
const maxErrands = 256

// Errors of With and Post.
var (
	ErrReentry = errors.New("sessionmgr: this runs in that session's order already")
	ErrBusy    = errors.New("sessionmgr: too much waits for that session")

	errLeft = errors.New("sessionmgr: a function of a session ended its goroutine")
)

// agenda has functions run for a session, one at a time and in order. It is made
// when it is first needed.
type agenda struct {
	mu      sync.Mutex
	queue   []errand // guarded by mu
	running bool     // guarded by mu: a goroutine works on them
}

// errand is a function that waits, and who is told how it went.
type errand struct {
	ctx  context.Context
	fn   func(context.Context) error
	done func(error)
}

// With runs fn in the order of the session with a public id, and returns what it
// returns: of all that With and Post run for one session, one runs at a time. It
// is an order of its own: stanzas of the session go on meanwhile, and so does
// everybody else.
//
// fn runs on a goroutine of its own with no lock held, so it may block, send, end
// its session or any other, and register handlers. Its context carries the session
// and ends with it, and with ctx. What it must not do is to wait for its own
// order: With for a session whose order the context is in, or from a hook of that
// session, is ErrReentry. (With a context that comes of neither that can't be
// seen, and it would wait until that ends; [Manager.Post] never waits.)
//
// A panic is fn's error. ErrGone: there is no such session, or it has ended before
// fn began. ErrBusy: too many wait. If ctx ends first, With returns its cause, and
// fn doesn't run unless it has begun.
func (m *Manager) With(ctx context.Context, id string, fn func(ctx context.Context) error) error {
	s := m.Get(id)
	if s == nil {
		return ErrGone
	}
	if inOrderOf(ctx, s) {
		return ErrReentry
	}
	done := make(chan error, 1)
	if err := m.post(s, errand{ctx, fn, func(err error) { done <- err }}); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Post is With that doesn't wait: it may be called from anywhere. An error or a
// panic of fn is logged.
func (m *Manager) Post(id string, fn func(ctx context.Context) error) error {
	s := m.Get(id)
	if s == nil {
		return ErrGone
	}
	return m.post(s, errand{m.ctx, fn, func(err error) {
		if err != nil && !errors.Is(err, ErrGone) {
			s.Log().Error("what was to be done for a session failed", "err", err)
		}
	}})
}

// inOrderOf reports whether a context comes of the session's order or of one of
// its hooks, however many others are in between.
func inOrderOf(ctx context.Context, s *Session) bool {
	if now, ok := FromContext(ctx); ok && now == s {
		return true
	}
	return ctx.Value(orderKey{s}) != nil
}

// orderKey is the key under which a context says that it is in a session's order.
type orderKey struct{ s *Session }

// errandContext is that of a function that runs in a session's order, and of a hook of
// a session that another calls: it carries the session, and ends with the caller's.
type errandContext struct {
	context.Context
	s *Session
}

func (c errandContext) Value(key any) any {
	switch key {
	case orderKey{c.s}, sessionKey{}:
		return c.s
	}
	return c.Context.Value(key)
}

// post queues an errand, and has it worked on if nobody does.
func (m *Manager) post(s *Session, e errand) error {
	return m.postUpTo(s, e, maxErrands)
}

// postAlways is post for the few errands of which there is one at a time.
func (m *Manager) postAlways(s *Session, e errand) { _ = m.postUpTo(s, e, math.MaxInt) }

func (m *Manager) postUpTo(s *Session, e errand, most int) error {
	todo := s.agenda.Load()
	if todo == nil {
		s.agenda.CompareAndSwap(nil, new(agenda))
		todo = s.agenda.Load()
	}
	todo.mu.Lock()
	defer todo.mu.Unlock()
	if len(todo.queue) >= most {
		return ErrBusy
	}
	todo.queue = append(todo.queue, e)
	if !todo.running {
		todo.running = true
		m.work.Go(func() { m.doErrands(s, todo) })
	}
	return nil
}

// doErrands runs what waits until nothing does.
func (m *Manager) doErrands(s *Session, todo *agenda) {
	for {
		todo.mu.Lock()
		if len(todo.queue) == 0 {
			todo.running, todo.queue = false, nil
			todo.mu.Unlock()
			return
		}
		e := todo.queue[0]
		todo.queue = todo.queue[1:]
		todo.mu.Unlock()
		m.finishErrand(s, todo, e)
	}
}

// finishErrand runs an errand and tells how it went. One that ends its goroutine
// doesn't take those behind it along.
func (m *Manager) finishErrand(s *Session, todo *agenda, e errand) {
	err, returned := errLeft, false
	defer func() {
		e.done(err)
		m.FlushTouched()
		if !returned { // this goroutine ends
			m.work.Go(func() { m.doErrands(s, todo) })
		}
	}()
	err = m.doErrand(s, e)
	returned = true
}

func (m *Manager) doErrand(s *Session, e errand) (err error) {
	if s.State() == Destroyed {
		return ErrGone
	}
	if e.ctx.Err() != nil {
		return context.Cause(e.ctx)
	}
	ctx, cancel := context.WithCancelCause(e.ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.Context(), func() { cancel(ErrGone) })()
	defer func() {
		if v := recover(); v != nil {
			m.metrics.panics.Inc()
			s.Log().Error("what was to be done for a session panicked", "err", panicked("a function of a session", v))
			err = fmt.Errorf("a function of a session panicked: %v", v)
		}
	}()
	return e.fn(errandContext{ctx, s})
}
