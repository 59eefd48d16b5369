package sessionmgr

import (
	"errors"
	"fmt"
	"time"

	"weir/jid"
	"weir/storage"

	"mellium.im/xmpp/stream"
)

// hibernates keeps a session whose link is gone for a while, if its client may
// resume it and the cause is one that it can come back from: ok is then true, also
// where it hibernates already or has another link by now. lost is the link that is
// gone, nil for the one that it has.
func (m *Manager) hibernates(s *Session, lost Link, why Cause) (link Link, ok bool) {
	back := false
	switch why.Code {
	case LinkLost, TimedOut, TooSlow, ShuttingDown, StreamFailed, Internal:
		back = true
	}
	s.mu.Lock()
	if s.state == Hibernating || lost != nil && s.attached != lost {
		s.mu.Unlock()
		return nil, true
	}
	if s.state != Bound || !s.resumable || s.binding || !back {
		s.mu.Unlock()
		return nil, false
	}
	link = s.linkNow()
	s.state, s.linked = Hibernating, false
	s.generation++
	s.step("connection lost", why)
	gen, away := s.generation, s.absence.Load()
	away.goneAt.Store(time.Now().UnixNano())
	s.wakeDrained()
	s.mu.Unlock()
	m.pipe.run(func() {
		if s.generationIs(gen) {
			m.pipe.detach(s)
		}
	})
	m.metrics.hibernated.Inc()
	s.Log().Info("session hibernates", "jid", s.JID(), "cause", why.String(), "for", away.keep)
	m.ran(s, m.Hooks.Hibernated.Run(s.Context(), Closing{Session: s, Cause: why}))
	m.limitHibernating(s)
	m.expireAfter(s, away.keep, gen)
	return link, true
}

// detach notes that a session's stream is gone, and has it recorded how far it came: with
// whatever is written next, or in a moment, as for a session with a link. A client
// that is back by then has one commit for both. A crash before that is one before the
// loss of the link.
func (p *pipeline) detach(s *Session) {
	s.lost = true
	s.window.Store(nil)
	a := s.sm
	if a == nil || s.ledger == nil {
		return
	}
	a.wake()
	a.snap = true
	if p.m.stopping.Load() { // there may be no next moment
		p.number(&item{Entry: Entry{From: s}, rec: true})
		return
	}
	p.dirty(s)
}

// expireAfter ends a session that hibernates, unless it was resumed by then.
func (m *Manager) expireAfter(s *Session, keep time.Duration, gen uint32) {
	if m.stopping.Load() {
		return
	}
	t := time.AfterFunc(keep, func() {
		if !s.generationIs(gen) || m.stopping.Load() || m.failed.Load() {
			return
		}
		m.work.Go(func() { m.expire(s, gen, "not resumed within "+keep.String()) })
	})
	s.absence.Load().expiry.Store(t)
}

// expire ends a session that hibernates since it got a generation.
func (m *Manager) expire(s *Session, gen uint32, why string) {
	s.mu.Lock()
	if s.state != Hibernating || s.generation != gen {
		s.mu.Unlock()
		return
	}
	_, was, binding, _ := s.endNow(Cause{Expired, why})
	s.mu.Unlock()
	m.ended(s, was, binding)
}

// hibernating reports whether the session hibernates, and since which generation.
func (s *Session) hibernating() (gen uint32, is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.generation, s.state == Hibernating
}

// limitHibernating ends the sessions of an account that have hibernated longest
// where there are more than may be.
func (m *Manager) limitHibernating(s *Session) {
	for {
		oldest, since, n := m.asleep(s.JID().Bare())
		if n <= m.opts().MaxHibernating || oldest == nil {
			return
		}
		m.expire(oldest, since, fmt.Sprintf("the account has more than %d sessions hibernating", m.opts().MaxHibernating))
	}
}

// asleep returns the session of an account that has hibernated longest, nil for
// none, since which generation it does, and how many do.
func (m *Manager) asleep(account jid.JID) (oldest *Session, since uint32, n int) {
	return asleepOf(m.registry.bound(account))
}

// asleepOf is asleep for some sessions.
func asleepOf(sessions []*Session) (oldest *Session, since uint32, n int) {
	for _, x := range sessions {
		gen, is := x.hibernating()
		if !is {
			continue
		}
		if n++; oldest == nil || x.absence.Load().goneAt.Load() < oldest.absence.Load().goneAt.Load() {
			oldest, since = x, gen
		}
	}
	return oldest, since, n
}

// cut closes the link of a session that can't go on with it; a resumption can.
// Runs with the token.
func (p *pipeline) cut(s *Session, why string) {
	if s.lost {
		return
	}
	s.lost = true
	s.Log().Warn("a stream is cut", "jid", s.JID(), "why", why)
	if link := s.Link(); link != nil {
		e := &stream.Error{Err: "policy-violation"}
		e.Text = append(e.Text, struct{ Lang, Value string }{"en", why})
		p.m.work.Go(func() { link.Close(e) })
	}
}

// bury writes down what a session leaves behind that has ended. Runs with the
// token.
func (p *pipeline) bury(s *Session, l *ledger) {
	p.leaveUnread(s)
	q, a := &s.queue, s.sm
	left := segment{tag: q.tag, after: q.after, upTo: q.last}
	if a == nil {
		if left.upTo > left.after {
			l.leave(left)
			p.m.saveLedger(l)
		} else {
			p.m.forgotten(s, l)
		}
		return
	}
	a.wake()
	s.window.Store(nil)
	for _, x := range append(a.redo, a.unacked...) {
		if x.st != nil && answered(x.st) {
			p.missed = append(p.missed, Delivery{To: s, Stanza: x.st})
		}
	}
	l.leave(a.claim...)
	l.leave(left)
	for _, h := range s.takeHeld() {
		p.missed = append(p.missed, Delivery{To: s, Stanza: h.stanza})
	}
	if l.dead {
		return
	}
	p.m.ledgers.pin(l)
	p.replace(s, l)
}

// replace has the records of a session that has ended be replaced by what is
// remembered of it; again in a moment where the disk is full, or the next process
// would have the session as well as what it has left. Nobody is told of the end
// before that is durable: a crash would bring the session back. The ledger is released.
func (p *pipeline) replace(s *Session, l *ledger) {
	p.number(&item{
		prepare: func(b *batch) {
			if l.dead {
				return
			}
			b.ledger(l)
			if s.sm == nil { // it ended while stream management was turned on, and that failed
				return
			}
			s.sm.begin(b.no)
			now := time.Now()
			p.m.sessions.end(&b.writes, s, l.account, now)
			if s.sm.resumable {
				p.graves.add(l.account, s.queue.tag, now)
			}
			p.graves.sweep(&b.writes, &p.m.sessions, now)
		},
		Entry: Entry{Done: func(err error) {
			if errors.Is(err, storage.ErrFull) {
				p.later(func() { p.replace(s, l) })
				return
			}
			p.m.ledgers.release(l)
		}},
	})
	s.waitFor(p.openBatch().no)
}
