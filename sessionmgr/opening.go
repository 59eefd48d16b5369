package sessionmgr

import "slices"

// What a client has missed is as a rule little, so the first of it goes with the
// resumption itself: it is read before that is made durable, its numbers are sealed in
// the same batch, and it leaves in the same write as the answer. What is more comes in
// chunks of their own (pull.go), each with a commit. docs/decisions/19-one-commit.md
// has why the numbers can't do without one.

// opening is what a session is given with its resumption: first what was sent on
// an earlier stream, then what isn't kept and waited (hold.go), then what its log has.
type opening struct {
	l      *ledger // in use
	again  *chunk  // nil for nothing
	own    *chunk  // nil for nothing, or where it has to wait
	w      want    // of own
	bound  uint64
	room   int64 // of own, in bytes
	looked int   // records of the log, for own
	held   int   // stanzas between them, once it is sealed
}

// openingLooks is how many records of the log are looked at until the client is
// told that it has resumed: most of an account's may be for others.
const openingLooks = 1000

// reads reports whether something has to be read for it.
func (o *opening) reads() bool { return o.again != nil || o.own != nil }

// planOpening says what a session is to get first that was taken over and has no link
// yet. Runs with the token. The ledger is in use until it is released.
func (m *Manager) planOpening(s *Session) *opening {
	o := &opening{l: s.ledger, room: chunkBytes}
	m.ledgers.pin(o.l)
	if len(s.sm.redo) > 0 {
		o.again = s.planRedo()
		o.again.opens = o
		if o.again.redo < len(s.sm.redo) {
			return o
		}
	}
	if reach := s.reach.Load(); o.l.catching != nil || o.l.owes() && (reach >= 0 || reach == unreachable) {
		return o // what is owed comes before what is the session's own, see newcomer.go too
	}
	c, w, bound, over := m.planLog(s, o.l)
	if !over && c != nil {
		o.own, o.w, o.bound, c.opens = c, w, bound, o
	}
	return o
}

// readOpening reads it. What can't be read is left to the pull that comes after,
// which tells so.
func (m *Manager) readOpening(o *opening) {
	if c := o.again; c != nil {
		n := c.redo
		if m.readRedo(o.l, c) != nil {
			o.again, o.own = nil, nil
			return
		}
		if o.room -= c.size; c.redo < n || o.room < chunkBytes/2 {
			o.own = nil
		}
	}
	if o.own != nil && m.readChunk(o.l, o.own, &o.w, o.bound) != nil {
		o.own = nil
	}
	for _, c := range []*chunk{o.again, o.own} {
		if c != nil {
			m.tellOut(c)
		}
	}
}

// sealOpening numbers it. What is held back has its numbers between the two parts:
// it may grow until then, and the rest of it comes behind them.
func (p *pipeline) sealOpening(b *batch, s *Session, o *opening) {
	if o.again != nil {
		p.sealChunk(b, o.again)
	}
	switch {
	case o.own == nil:
	case o.again != nil && o.again.void, s.held.kept(): // those are numbered when they are in the log
		o.own.void = true
	default:
		if o.own.epoch == s.epoch {
			s.sm.begin(b.no)
			o.held = s.held.len()
			s.sm.sealedOut += uint32(o.held)
		}
		p.sealChunk(b, o.own)
	}
}

// deliverOpening gives a session that was just attached what was sealed. It reports
// whether nothing is left; else the session pulls the rest. Runs with the token.
func (m *Manager) deliverOpening(s *Session, o *opening) (caught bool) {
	p, a := &m.pipe, s.sm
	s.pulling = true // here, for the moment
	if o.again != nil {
		p.deliverChunk(o.again)
	}
	if len(a.redo) == 0 && s.up() && !s.held.kept() {
		all, n := s.takeHeld(), 0
		a.redoing = false
		a.wakeRedone()
		if o.own != nil && !o.own.void {
			n = o.held
			p.deliverHeld(s, all[:n])
			p.deliverChunk(o.own)
		}
		p.deliverHeld(s, all[n:])
		caught = m.caughtUp(s, o.l)
	}
	if !caught {
		s.pulling = false
		if left := s.newcomer(); left > 0 {
			p.in(left, func() { m.startPull(s) })
		}
		m.startPull(s)
	}
	return caught
}

// kept reports whether a message is among what waits.
func (h *holding) kept() bool {
	return h != nil && slices.ContainsFunc(h.all, func(x held) bool { return x.kept })
}
