package sessionmgr

// What a session is to get next, of what it was sent before, of what its account is
// owed, and of its own queue.

// plan says what a session is to get next: c is nil where that isn't durable
// yet, over is true where nothing is left. Runs with the token.
func (m *Manager) plan(s *Session, l *ledger) (c *chunk, w want, bound uint64, over bool) {
	a := s.sm
	switch {
	case a != nil && len(a.redo) > 0:
		return s.planRedo(), w, 0, false
	case a != nil && a.redoing:
		m.pipe.redone(s)
		return m.plan(s, l)
	case l.catching == nil && l.owes() && s.reachable() && (a == nil || a.mayClaim(l)):
		m.startOwed(l, s) // that comes before what is the session's own
	}
	return m.planLog(s, l)
}

// planRedo is plan for what was sent on an earlier stream.
func (s *Session) planRedo() *chunk {
	n := min(len(s.sm.redo), chunkCount)
	return &chunk{s: s, epoch: s.epoch, redo: n, refs: append([]sent(nil), s.sm.redo[:n]...)}
}

// planLog is plan for what comes from the log, as if nothing were to be sent again.
func (m *Manager) planLog(s *Session, l *ledger) (c *chunk, w want, bound uint64, over bool) {
	a := s.sm
	c = &chunk{s: s, epoch: s.epoch, plain: a == nil}
	bound = l.durable
	if w = m.owedTo(s, l); w.segs != nil {
		c.owed, c.segs, c.upTo = true, w.segs, max(w.from(), s.claimSent())
		if c.upTo < w.end(^uint64(0)) {
			if c.upTo >= bound {
				return nil, w, 0, false
			}
			w.done = c.upTo
			if a != nil && s.queue.sent < s.queue.untold {
				w.own = segment{tag: s.queue.tag, after: s.queue.sent}
				c.upTo, c.both = min(c.upTo, s.queue.sent), true
			}
			return c, w, bound, false
		}
		if a == nil {
			l.caught(s)
			m.goOn(l) // those who waited for that
		}
	}
	if s.queue.sent >= s.queue.untold {
		return nil, w, 0, true
	}
	c.owed, c.upTo = false, s.queue.sent
	if c.upTo >= bound {
		return nil, w, 0, false
	}
	return c, want{segs: []segment{{tag: s.queue.tag, after: s.queue.after}}}, bound, false
}

// claimSent is up to where the log was looked at for a session's claim.
func (s *Session) claimSent() uint64 {
	if s.sm == nil {
		return 0
	}
	return s.sm.claimSent
}

// owedTo returns what a session gets of what its account is or was owed.
func (m *Manager) owedTo(s *Session, l *ledger) want {
	w := want{owed: true, reader: s.queue.tag}
	if s.fetched != nil {
		w.skip = *s.fetched
	}
	w.ended = append(append(w.ended, l.owed...), l.undecided...)
	w.alive = m.pendingOf(l, s)
	switch {
	case s.sm != nil:
		w.segs = append(w.segs, s.sm.claim...)
	case l.catching == s:
		w.segs = append(w.segs, l.owed...)
		w.segs[0].upTo = max(l.owedLast, l.owed[0].after)
	}
	return w
}

// pendingOf lists what the sessions of an account have still to get, without
// what one of them has taken over. Runs with the token.
func (m *Manager) pendingOf(l *ledger, but *Session) (all []segment) {
	for _, s := range m.registry.bound(l.account) {
		after := s.queue.after
		if s.sm != nil {
			if s != but {
				all = append(all, s.sm.claim...)
			}
		} else if id := s.tail.firstUnwritten(); id > 0 {
			after = min(after, id-1)
		}
		if after < s.queue.last {
			all = append(all, segment{tag: s.queue.tag, after: after})
		}
	}
	return all
}
