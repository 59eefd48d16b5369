package sessionmgr

import (
	"context"
	"errors"

	"weir/hook"
	"weir/jid"
	"weir/stanza"

	"mellium.im/xmpp/stream"
)

// Bind gives a session in state c2s_unbound a resource and moves it to c2s (RFC
// 6120 §7). asked may be ""; the server then makes one. answered is called with
// the full JID before anything else can reach the session: the stream appends
// the result there. Bind reads storage (the roster): call it off the reader
// goroutine while input is paused. An error is a stanza.Error.
func (m *Manager) Bind(ctx context.Context, s *Session, asked string, answered func(jid.JID)) error {
	account := s.JID()
	if s.State() != Unbound {
		return stanza.NotAllowed() // RFC 6120 §7.1: one resource a stream
	}
	ev := PreBind{Session: s, Account: account, Resource: asked}
	if err := m.Hooks.PreBind.Run(ctx, &ev); err != nil {
		return m.bindError(s, err)
	}
	resource := ev.Resource
	if resource == "" {
		resource = randomName(10)
	}
	full, err := account.WithResource(resource)
	if err != nil {
		return stanza.BadRequest("that can't be a resource: " + err.Error()) // RFC 6120 §7.7.2.1
	}
	for {
		old, err := m.tryBind(s, full, answered)
		switch {
		case err != nil:
			return err
		case old == nil:
			m.metrics.bound.Inc()
			m.ran(s, m.Hooks.Bound.Run(ctx, s))
			s.Log().Info("session bound", "jid", full)
			return nil
		case m.o.Conflict == ConflictRefuse:
			return stanza.Conflict() // RFC 6120 §7.7.2.2
		case m.o.Conflict == ConflictRename:
			if full, err = account.WithResource(randomName(10)); err != nil {
				return m.bindError(s, err)
			}
		default:
			m.Kick(old, Cause{Replaced, "by session " + s.id}, &stream.Error{Err: "conflict"})
		}
	}
}

// tryBind puts the session into the registry unless the resource is taken: it
// then returns who has it. In the pipeline's order, so that nothing is delivered
// between the registration and the answer.
func (m *Manager) tryBind(s *Session, full jid.JID, answered func(jid.JID)) (holder *Session, err error) {
	bare := full.Bare()
	m.inOrder(func() {
		sessions := m.registry.bound(bare)
		if holder = find(sessions, full); holder != nil {
			return
		}
		if len(sessions) >= m.o.MaxSessions {
			err = stanza.ResourceConstraint("this account has as many sessions as it may have") // RFC 6120 §7.6.2.1
			return
		}
		s.mu.Lock()
		if s.state != Unbound {
			s.mu.Unlock()
			err = stanza.NotAllowed()
			return
		}
		s.state, s.full = Bound, full
		s.mu.Unlock()
		m.registry.insert(bare, s)
		answered(full)
	})
	if holder == nil && err == nil && s.State() == Destroyed {
		// Ended while it was being registered: the end may have come too early to
		// find it there.
		m.registry.remove(bare, s)
		return nil, stanza.NotAllowed()
	}
	return holder, err
}

// bindError turns what PreBind returned into what the client gets.
func (m *Manager) bindError(s *Session, err error) error {
	var panicked *hook.PanicError
	if errors.As(err, &panicked) {
		m.ran(s, err)
	}
	return m.handlingError(s.Context(), err)
}
