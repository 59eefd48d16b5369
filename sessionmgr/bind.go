package sessionmgr

import (
	"context"
	"errors"
	"time"

	"weir/hook"
	"weir/jid"
	"weir/policy"
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
	if s == nil {
		return stanza.NotAllowed("the session has ended")
	}
	err := m.bind(ctx, s, b, answered)
	if err != nil {
		s.notBound(err)
	}
	return err
}

func (m *Manager) bind(ctx context.Context, s *Session, b *Binding, answered func(jid.JID)) error {
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
	for slowed := time.Duration(0); ; {
		v, err := m.tryBind(s, l, full, b, slowed, answered)
		switch {
		case err != nil:
			return err
		case v.bound:
			m.seeOff(ctx, s, &v)
			if b.Acks != nil {
				m.enabledWith(s, b.Acks)
			}
			return m.nowBound(ctx, s)
		case !v.rename: // it has to wait, and then to look again: much may have changed
			if slowed = m.slows(s, &v); slowed > 0 {
				err = s.rest(ctx, slowed)
			}
		case b.Own: // another client of the account has taken this very name: it keeps it
			full, err = account.WithResource(resource + "-" + randomName()[:4])
		default:
			full, err = account.WithResource(randomName())
		}
		if err != nil {
			return m.bindError(s, err)
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

// tryBind puts the session into the registry, in place of those that have to end for
// it, unless it is refused, the resource is taken, or it has to wait, since slowed is
// 0 and sessions replace each other: the ruling says which of that it is. In the
// pipeline's order, so that nothing comes between the look and the registration
// (XEP-0386 §3.2), and nothing is delivered between that and the answer. The end of
// those sessions and stream management, which begins, are in one commit.
func (m *Manager) tryBind(s *Session, l *ledger, full jid.JID, b *Binding, slowed time.Duration, answered func(jid.JID)) (v ruling, err error) {
	m.inOrder(func() {
		n := newcomer{account: l.account, full: full, own: b.Own, facts: s.facts()}
		n.client.Resource = full.Resource()
		if v = m.judge(m.policies.Load().Set, &n); v.refused != nil {
			err = *v.refused
			return
		}
		turns := s.turnsAfter(&v, slowed)
		if v.rename || turns >= loopTurns && slowed == 0 {
			return
		}
		s.mu.Lock()
		if s.state != Unbound || l.dead {
			s.mu.Unlock()
			err = stanza.NotAllowed()
			return
		}
		s.state, s.full, s.binding, s.turns = Bound, full, true, turns
		s.pass(&s.way.bound)
		link := s.attached
		s.mu.Unlock()
		m.ledgers.pin(l)
		m.oust(s, &v)
		s.carry(l)
		s.ledger = l
		s.queue = queue{tag: m.ids.Next(), after: l.last, sent: l.last, last: l.last, untold: l.last}
		s.carbons.ask(b.Carbons)
		s.carbons.force(v.rule.Kind == policy.Mirror)
		s.inactive.Store(b.Inactive && m.opts().InactiveHold > 0)
		m.registry.insert(l.account, s)
		v.bound = true
		answered(full)
		if b.Acks != nil { // nothing can come in between
			b.Acks.done = make(chan struct{})
			m.enableNow(s, link, b.Acks)
		}
	})
	return v, err
}

// bindError turns what PreBind returned into what the client gets.
func (m *Manager) bindError(s *Session, err error) error {
	var panicked *hook.PanicError
	if errors.As(err, &panicked) {
		m.ran(s, err)
	}
	return m.handlingError(s.Context(), err)
}
