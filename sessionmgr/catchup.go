package sessionmgr

import (
	"weir/stanza"
)

// catchUp is the delivery of what an account is owed to one of its sessions.
type catchUp struct {
	l      *ledger
	s      *Session
	waited uint64 // id of the last message that waited for s to come; those behind it are only in order

	// Owned by the pipeline's token holder.
	again  bool // something was owed since the log was looked at
	missed bool // the link didn't take a message
}

// reachable reports whether a session may get messages for its account:
// available with non-negative priority (XEP-0160 §2), on a link that takes them.
// Runs with the token.
func (s *Session) reachable() bool {
	return s.ledger != nil && !s.lost && s.reach.Load() >= 0 && s.State() == Bound
}

// eligible returns a session of the account, other than not, that may get owed
// messages; one that waits for them first. Runs with the token.
func (m *Manager) eligible(l *ledger, not *Session) (found *Session) {
	for _, s := range m.registry.bound(l.account) {
		if s == not || !s.reachable() {
			continue
		}
		if s.behind {
			return s
		}
		if found == nil {
			found = s
		}
	}
	return found
}

// setReach makes a session a receiver of messages, or not. Runs with the token.
func (m *Manager) setReach(s *Session, reach int32) {
	l := s.ledger
	if l == nil || s.State() != Bound { // it ended meanwhile
		s.reach.Store(unreachable)
		return
	}
	was := s.reach.Load()
	s.reach.Store(reach)
	c := l.catching
	switch {
	case reach >= 0 && was < 0 && m.eligible(l, s) == nil:
		switch {
		case c == nil:
			m.startCatchUp(l, s)
		case c.s != s: // that one is gone and has not noticed: s is the next
			s.behind = true
		}
	case reach < 0 && s.behind && (c == nil || c.s != s):
		m.pipe.letGo(s)
	}
}

// leave ends everything that a session takes part in: it can't be found any
// more, and what its link has not written is owed. Runs with the token; again is
// harmless.
func (m *Manager) leave(s *Session) {
	l := s.ledger
	if l == nil {
		return
	}
	m.registry.leave(l.account, s)
	s.reach.Store(unreachable)
	m.pipe.lose(s)
	m.pipe.letGo(s)
	s.ledger = nil
	m.ledgers.release(l)
}

// startCatchUp begins to deliver what the account is owed. Runs with the token.
func (m *Manager) startCatchUp(l *ledger, s *Session) {
	c := &catchUp{l: l, s: s, waited: l.last}
	l.catching = c
	s.behind = true
	m.ledgers.pin(l)
	m.work.Go(func() {
		defer m.ledgers.release(l)
		m.catchUp(c)
	})
}

// catchUp reads the account's log from the cursor on and gives it to the
// session, chunk by chunk, each after the one before has been written; the
// cursor follows.
func (m *Manager) catchUp(c *catchUp) {
	for {
		more, err := m.catchUpChunk(c)
		if err != nil && c.s.State() == Bound {
			c.s.Log().Error("owed messages can't be delivered", "err", err)
		}
		if more && err == nil {
			continue
		}
		if m.caughtUp(c, err != nil) {
			return
		}
	}
}

// catchUpChunk delivers one chunk and moves the cursor behind it. more is false
// when nothing was left, or the session got nothing more.
func (m *Manager) catchUpChunk(c *catchUp) (more bool, err error) {
	link := c.s.Link()
	if link == nil {
		return false, nil
	}
	c.s.waitWritten(link, chunkBytes) // room for a chunk
	var from uint64
	reachable := false
	m.inOrder(func() { from, reachable = c.l.cursor, c.s.reachable() && !c.l.dead })
	if !reachable {
		return false, nil
	}
	out, upTo, size, err := m.readOwed(c, from)
	if err != nil || upTo == from {
		return false, err
	}
	done := make(chan struct{})
	m.pipe.submit(item{Entry: Entry{Out: m.filterOut(out), Done: func(error) { close(done) }}, owed: c})
	<-done
	m.FlushTouched()
	written := c.s.waitWritten(link, 0)
	m.inOrder(func() {
		// Also where the session has ended since: it was written.
		if more = written && !c.missed; more {
			m.moveCursor(c.l, upTo, size)
		}
	})
	m.FlushTouched()
	return more, nil
}

// waitWritten waits until at most some bytes wait in the link, or the session
// ends. It reports whether that few wait.
func (s *Session) waitWritten(link Link, most int) bool {
	for link.Waiting() > most && s.State() == Bound {
		<-s.waitDrained()
	}
	return link.Waiting() <= most
}

// caughtUp ends catching up, unless more came meanwhile: it then returns false.
func (m *Manager) caughtUp(c *catchUp, failed bool) (ended bool) {
	m.inOrder(func() {
		here := c.s.reachable()
		if c.again && here && !failed && !c.l.dead {
			c.again = false
			return
		}
		ended = true
		c.l.catching = nil
		m.pipe.letGo(c.s)
		if here {
			return
		}
		if next := m.eligible(c.l, c.s); next != nil {
			m.startCatchUp(c.l, next)
		}
	})
	m.FlushTouched()
	return ended
}

// held is a message that waits until its session has caught up: one that isn't
// kept, or a copy that others got at once.
type held struct {
	from   *Session
	stanza *stanza.Stanza
	kept   bool
	shared *copies
}

// hold keeps a message for a session back until that has caught up. One for this
// session alone is owed, so that it comes in order; so is what is over the bound.
func (p *pipeline) hold(from *Session, d Delivery, kept bool, shared *copies) {
	s := d.To
	over := s.heldBytes+d.Stanza.Size() > holdBytes
	if over || kept && shared == nil {
		p.miss(from, d, kept, shared)
		return
	}
	s.held = append(s.held, held{from, d.Stanza, kept, shared})
	s.heldBytes += d.Stanza.Size()
}

// letGo delivers what was held back, where the session still gets messages.
func (p *pipeline) letGo(s *Session) {
	all, here := s.held, s.reachable()
	s.behind, s.held, s.heldBytes = false, nil, 0
	for _, h := range all {
		d := Delivery{To: s, Stanza: h.stanza}
		if h.kept && !here { // older ones are owed still: this one comes after them
			p.miss(nil, d, true, h.shared)
			continue
		}
		p.deliverOne(&item{}, d, h.shared)
	}
}

// inOrder runs fn with the token and waits for it. Not to be called with the
// token.
func (m *Manager) inOrder(fn func()) {
	done := make(chan struct{})
	m.pipe.run(func() {
		defer close(done)
		fn()
	})
	<-done
}
