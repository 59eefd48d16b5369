package sessionmgr

import "errors"

// Unbinder is a Link whose stream can go on without its session.
type Unbinder interface {
	// Unbind has the stream give s up. When everything that its client sent until then
	// was handled, and nothing more can come, it calls swap, once and on a goroutine that may
	// block. What swap returns is the stream's session from then on, in state
	// c2s_unbound; nil: it keeps the one that it has. done is called at the end; over is
	// true where the stream has another session, or is gone, and swap was not called.
	//
	// It does not block.
	Unbind(s *Session, swap func() *Session, done func(over bool))
}

// ErrKeepsResource says that a session's link doesn't go on without it: that of a
// virtual session, for example.
var ErrKeepsResource = errors.New("sessionmgr: the stream of that session can't go on without it")

// Unbind takes the resource from a bound session and keeps its stream: the session
// ends as unbound, and the stream goes on with a new one, in state c2s_unbound with
// the same account. So contacts see it leave, Unbound and Closed run for it, what it
// has not got is owed, and nobody can resume it; Connected, StreamOpened and
// Authenticated run for the next. Its client may bind a resource as after a login, and
// has as long for it. Nothing tells it so (RFC 6120 has no such thing): that is for the
// application that asks, in a message before.
//
// Unbind doesn't wait, so it may be called from anywhere, in a handler of a stanza of
// the session too: what that answers is sent before. done, unless nil, is called with
// the next session, or with an error: ErrGone where the session has ended first. It
// runs off the reader goroutine of the stream, which waits for it.
//
// An error of Unbind itself means that nothing happens and done isn't called: ErrGone
// if the session isn't bound or has no stream, ErrKeepsResource.
func (m *Manager) Unbind(s *Session, text string, done func(next *Session, err error)) error {
	link := s.Link()
	if link == nil || s.State() != Bound {
		return ErrGone
	}
	stream, ok := link.(Unbinder)
	if !ok {
		return ErrKeepsResource
	}
	var next *Session
	stream.Unbind(s, func() *Session {
		next = m.unbind(s, link, text)
		return next
	}, func(bool) {
		if done == nil {
			return
		}
		var err error
		if next == nil {
			err = ErrGone
		}
		m.isolated("what follows an unbinding", func() { done(next, err) })
	})
	return nil
}

// unbind ends a session and makes the next of its stream, nil where the session has
// ended already.
func (m *Manager) unbind(s *Session, link Link, text string) *Session {
	if !s.attachedTo(link) {
		return nil
	}
	first, was, binding, _ := s.end(Cause{Code: GaveUp, Text: text})
	if !first {
		return nil
	}
	m.ended(s, was, binding)
	s.mu.Lock()
	info, host, device, account := s.traits.with(s.remote), s.host, s.device, s.full.Bare()
	s.mu.Unlock()
	next := m.Open(link, info)
	m.StreamOpened(next, host)
	if device != nil {
		next.SetDevice(*device)
	}
	m.Authenticated(next, account)
	next.mu.Lock()
	next.step("goes on behind session "+s.id, Cause{})
	next.mu.Unlock()
	return next
}
