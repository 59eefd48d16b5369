package sessionmgr

import (
	"slices"

	"weir/stanza"
)

// The part of following a stanza that the pipeline does. A session has a list of
// what is followed of that which is on its way to it, nil for nothing; everything
// here runs with the token, and is called only where there is something on the
// list.

// followed lists what somebody follows on its way to one session.
type followed struct{ all []following }

// following is one stanza of the list.
type following struct {
	t  *Tracker
	st *stanza.Stanza // as it is delivered
	id uint64         // of its record; 0 if it is in no log

	given    bool   // to the link of now
	written  bool   // by that
	numbered bool   // with the number n
	n        uint32 // only if numbered
}

// is reports whether what was appended to the link is this stanza.
func (f *following) is(as *sent) bool {
	if f.id > 0 {
		return as.id == f.id
	}
	return as.id == 0 && as.st == f.st
}

// track has t follow the stanza of a source, until turns or untrack.
func (m *Manager) track(o *source, t *Tracker) *source {
	if t != nil {
		o.followed = true
		m.tracked.Store(o, t)
	}
	return o
}

// untrack returns who follows the stanza of a source, nil for nobody, and has it be
// followed no more.
func (m *Manager) untrack(o *source) *Tracker {
	if o == nil || !o.followed {
		return nil
	}
	o.followed = false
	t, _ := m.tracked.LoadAndDelete(o)
	return t.(*Tracker)
}

// leads notes on an item that it is about the stanza that is followed.
func (m *Manager) leads(o *source, it *item) {
	if o == nil || !o.followed {
		return
	}
	t, _ := m.tracked.Load(o)
	it.follow = t.(*Tracker)
	it.follow.part()
}

// turns ends that what comes of a stanza is the stanza itself: an answer is next.
// r is what became of the stanza.
func (m *Manager) turns(o *source, r Report) {
	if t := m.untrack(o); t != nil {
		t.note(r)
	}
}

// refused is turns for a stanza that is answered with an error.
func (m *Manager) refused(o *source, e stanza.Error) {
	if o != nil && o.followed {
		m.turns(o, bounced(e))
	}
}

// handled returns what ends the way of a stanza by its handling.
func (m *Manager) handled(o *source) func() {
	t, _ := m.tracked.Load(o)
	return func() {
		m.untrack(o)
		t.(*Tracker).over(Report{})
	}
}

// bounced is what is told of a stanza that was refused.
func bounced(e stanza.Error) Report { return Report{Fate: Bounced, Err: e} }

// unmet is what is told of a stanza that isn't kept and whose receiver was gone.
func unmet(st *stanza.Stanza) Report {
	if answered(st) {
		return bounced(stanza.ServiceUnavailable())
	}
	return Report{Fate: Dropped, Err: ErrGone}
}

// unfollow ends the item's part of the way, if it has not ended.
func (it *item) unfollow(r Report) {
	it.follow.end(r)
	it.follow = nil
}

// follows puts the stanza of an item, whose turn has come, on the lists of the
// sessions that it is for.
func (p *pipeline) follows(it *item) {
	if it.log && it.id > 0 {
		it.follow.reached(Kept, nil)
	}
	one := func(d *Delivery) {
		switch {
		case d.To == nil:
		case it.log && it.id > 0 && d.To.ledger == nil: // it has ended, and leaves the message to its account
			it.follow.note(Report{Fate: Left})
		default:
			d.To.follow(following{t: it.follow, st: d.Stanza, id: it.id})
		}
	}
	one(&it.one)
	for i := range it.Out {
		one(&it.Out[i])
	}
}

// delivered ends the item's own part of the way.
func (it *item) delivered() {
	if it.owe != nil && it.id > 0 {
		it.unfollow(Report{Fate: Left})
	} else {
		it.unfollow(Report{})
	}
}

func (s *Session) follow(f following) {
	f.t.part()
	if s.followed == nil {
		s.followed = &followed{}
	}
	s.followed.all = append(s.followed.all, f)
}

// given notes that a stanza was appended to the session's link, and with which
// number.
func (l *followed) given(s *Session, as *sent) {
	for i := range l.all {
		if f := &l.all[i]; f.is(as) {
			f.given, f.numbered = true, s.numbered()
			if f.numbered {
				f.n = s.sm.out
			}
			return
		}
	}
}

// again notes that the session's stream is over: what its client has not
// acknowledged goes out once more.
func (l *followed) again() {
	if l == nil {
		return
	}
	for i := range l.all {
		l.all[i].given, l.all[i].written = false, false
	}
}

// endFollowed takes those off the list of which end says how they ended.
func (s *Session) endFollowed(end func(*following) (Report, bool)) {
	if s.followed == nil {
		return
	}
	kept := s.followed.all[:0]
	for i := range s.followed.all {
		f := &s.followed.all[i]
		if r, over := end(f); over {
			f.t.over(r)
		} else {
			kept = append(kept, *f)
		}
	}
	clear(s.followed.all[len(kept):])
	if s.followed.all = kept; len(kept) == 0 {
		s.followed = nil
	}
}

// followWritten tells what the session's link has written: everything.
func (s *Session) followWritten() {
	s.endFollowed(func(f *following) (Report, bool) {
		if f.given && f.numbered {
			f.written = true
			f.t.reached(Written, s)
		}
		return Report{Fate: Written, Session: s}, f.given && !f.numbered
	})
}

// awaitsWrite reports whether something that is followed was given to the link and
// not seen to be written.
func (s *Session) awaitsWrite() bool {
	return s.followed != nil && slices.ContainsFunc(s.followed.all, func(f following) bool {
		return f.given && !f.written
	})
}

// followAcked tells what the client has acknowledged.
func (s *Session) followAcked(h uint32) {
	s.endFollowed(func(f *following) (Report, bool) {
		return Report{Fate: Acked, Session: s}, f.given && f.numbered && int32(h-f.n) >= 0
	})
}

// followMissed takes what is followed of a delivery that its session can't get off
// the list, nil for nothing.
func (s *Session) followMissed(st *stanza.Stanza) (t *Tracker) {
	if s.followed == nil {
		return nil
	}
	s.followed.all = slices.DeleteFunc(s.followed.all, func(f following) bool {
		found := t == nil && f.id == 0 && f.st == st
		if found {
			t = f.t
		}
		return found
	})
	return t
}

// followLost tells what a link has written that takes nothing more. What it may
// not have written is left.
func (s *Session) followLost() {
	s.mu.Lock()
	link := s.attached
	s.mu.Unlock()
	unwritten, all := s.tail.unwritten(), link.Waiting() == 0
	s.endFollowed(func(f *following) (Report, bool) {
		written := f.given && !f.numbered && (all || keptOffline(f.st) && !slices.ContainsFunc(unwritten, func(a appended) bool {
			return f.id > 0 && a.id == f.id || a.stanza != nil && a.stanza == f.st
		}))
		return Report{Fate: Written, Session: s}, written
	})
}

// followEnd tells of what is still on the list that the session has ended.
func (s *Session) followEnd() {
	s.endFollowed(func(f *following) (Report, bool) {
		if f.id > 0 {
			return Report{Fate: Left}, true
		}
		return unmet(f.st), true
	})
}

// endLate ends what has come to be followed while the manager was stopping.
func (m *Manager) endLate() {
	if m.quiet.Load() {
		m.endTrackers()
	}
}

// endTrackers ends what is followed on its way to sessions that are still there
// when the manager stops.
func (m *Manager) endTrackers() {
	m.inOrder(func() {
		m.registry.walk(func(s *Session) bool {
			s.followEnd()
			return true
		})
	})
}
