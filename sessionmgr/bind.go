package sessionmgr

import (
	"context"
	"errors"
	"fmt"

	"weir/hook"
	"weir/jid"
	"weir/stanza"
)

// Binding says how a session is bound.
type Binding struct {
	// Resource is asked for; "" lets the server make one.
	Resource string
	// Own says that Resource was made by the server for the session's device: no
	// other has it, and the device's earlier sessions end (XEP-0386 §3.2).
	Own bool
	// Acks has stream management turned on with the binding, so that the first
	// stanza to the session is number one; nil: it stays off.
	Acks *EnableRequest
	// Carbons and Inactive are what SetCarbons and SetInactive set: from the first
	// stanza on.
	Carbons, Inactive bool
}

// Bind gives a session in state c2s_unbound a resource and moves it to c2s (RFC
// 6120 §7). asked may be ""; the server then makes one. answered is called with
// the full JID before anything else can reach the session: the stream appends
// the result there. Bind reads storage (the roster): call it off the reader
// goroutine while input is paused. An error is a stanza.Error.
func (m *Manager) Bind(ctx context.Context, s *Session, asked string, answered func(jid.JID)) error {
	return m.BindWith(ctx, s, &Binding{Resource: asked}, answered)
}

// BindWith is Bind with more to say about it. What becomes of b.Acks is in there
// when it returns.
func (m *Manager) BindWith(ctx context.Context, s *Session, b *Binding, answered func(jid.JID)) error {
	account := s.JID()
	if s.State() != Unbound {
		return stanza.NotAllowed() // RFC 6120 §7.1: one resource a stream
	}
	if m.draining.Load() {
		return stanza.ResourceConstraint("this server is being emptied; try again later") // RFC 6120 §7.6.2.1
	}
	ev := PreBind{Session: s, Account: account, Resource: b.Resource}
	if err := m.Hooks.PreBind.Run(ctx, &ev); err != nil {
		return m.bindError(s, err)
	}
	resource := ev.Resource
	if resource == "" {
		resource = randomName()
	}
	full, err := account.WithResource(resource)
	if err != nil {
		return stanza.BadRequest("that can't be a resource: " + err.Error()) // RFC 6120 §7.7.2.1
	}
	l, err := m.ledgers.acquire(ctx, account)
	if err != nil {
		return m.bindError(s, err)
	}
	defer m.ledgers.release(l)
	for {
		old, err := m.tryBind(s, l, full, b, answered)
		switch {
		case err != nil:
			return err
		case old == nil:
			if b.Acks != nil {
				m.enabledWith(s, b.Acks)
			}
			return m.nowBound(ctx, s)
		case b.Own && s.sameDevice(old): // also one bound a moment ago: the last one stays
			if err := m.replace(ctx, old, s); err != nil {
				return m.bindError(s, err)
			}
		case b.Own && old.JID() == full:
			// Another client of the account has taken this very name: it keeps it.
			if full, err = account.WithResource(resource + "-" + randomName()[:4]); err != nil {
				return m.bindError(s, err)
			}
		case m.o.Conflict == ConflictRefuse && old.State() != Hibernating: // else it is its own client that lost it
			return stanza.Conflict() // RFC 6120 §7.7.2.2
		case m.o.Conflict == ConflictRename && old.JID() == full:
			if full, err = account.WithResource(randomName()); err != nil {
				return m.bindError(s, err)
			}
		default:
			if err := m.replace(ctx, old, s); err != nil {
				return m.bindError(s, err)
			}
		}
	}
}

// enabledWith waits until it is known whether stream management came with the
// binding.
func (m *Manager) enabledWith(s *Session, r *EnableRequest) {
	<-r.done
	if r.Err != nil {
		r.Err = m.handlingError(s.Context(), r.Err)
		return
	}
	m.metrics.enabled.Inc()
}

// nowBound runs Bound, and the last hooks if the session ended meanwhile.
func (m *Manager) nowBound(ctx context.Context, s *Session) error {
	told := s.State() == Bound
	if told {
		m.metrics.bound.Inc()
		s.Log().Info("session bound", "jid", s.JID())
		m.ran(s, m.Hooks.Bound.Run(ctx, s))
	}
	s.mu.Lock()
	s.binding = false
	ended := s.state == Destroyed
	s.mu.Unlock()
	if !ended {
		return nil
	}
	m.inOrder(func() { m.leave(s) })
	m.farewell(s, told)
	return stanza.NotAllowed("the session has ended")
}

// tryBind puts the session into the registry unless the resource is taken, or the
// device that it was made for has another session: it then returns who has it. In the pipeline's order, so that nothing is delivered
// between the registration and the answer.
func (m *Manager) tryBind(s *Session, l *ledger, full jid.JID, b *Binding, answered func(jid.JID)) (holder *Session, err error) {
	m.inOrder(func() {
		if holder = m.registry.holder(full); holder != nil {
			return
		}
		if b.Own { // here, where no other can come in between (XEP-0386 §3.2)
			if holder = m.ofDevice(l.account, s); holder != nil {
				return
			}
		}
		if n := m.opts().MaxSessions; len(m.registry.bound(l.account)) >= n {
			if holder, _, _ = m.asleep(l.account); holder != nil {
				return // it makes room
			}
			err = stanza.ResourceConstraint(fmt.Sprintf("this account has %d sessions, as many as it may have", n)) // RFC 6120 §7.6.2.1
			return
		}
		s.mu.Lock()
		if s.state != Unbound || l.dead {
			s.mu.Unlock()
			err = stanza.NotAllowed()
			return
		}
		s.state, s.full, s.binding = Bound, full, true
		s.pass(&s.way.bound)
		link := s.attached
		s.mu.Unlock()
		m.ledgers.pin(l)
		s.carry(l)
		s.ledger = l
		s.queue = queue{tag: m.ids.Next(), after: l.last, sent: l.last, last: l.last, untold: l.last}
		s.carbons.Store(b.Carbons)
		s.inactive.Store(b.Inactive && m.opts().InactiveHold > 0)
		m.registry.insert(l.account, s)
		answered(full)
		if b.Acks != nil { // nothing can come in between
			b.Acks.done = make(chan struct{})
			m.enableNow(s, link, b.Acks)
		}
	})
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
