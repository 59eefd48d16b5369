package sessionmgr

import (
	"math"

	"weir/stanza"
)

// tail remembers the messages that were appended to a session's link and may
// not have been written yet: if the link is lost with bytes waiting, they are
// owed. It belongs to the pipeline's token holder. A nil tail is empty.
type tail struct {
	link     Link
	messages []appended
}

// appended is a message of a tail.
type appended struct {
	stanza *stanza.Stanza // nil if it has a record
	shared *copies
	least  int    // bytes that it took at least
	id     uint64 // of its record, 0 if it is in no log
}

// markup is more than what Size counts for markup that may not be written.
const markup = 100

// trimAt is how many messages are remembered before a link that never runs dry
// is asked how much of them still waits.
const trimAt = 32

// before returns the tail to add to, for a link to which nothing was appended
// since.
func (t *tail) before(link Link) *tail {
	if t == nil {
		return &tail{link: link}
	}
	if len(t.messages) > 0 && link.Waiting() == 0 {
		t.forget()
	} else if n := len(t.messages); n >= trimAt && n == cap(t.messages) {
		t.messages = append(t.messages[:0], t.unwritten()...)
	}
	return t
}

func (t *tail) add(st *stanza.Stanza, shared *copies, id uint64) {
	a := appended{shared: shared, least: max(1, st.Size()-markup), id: id}
	if id == 0 {
		a.stanza = st
	}
	t.messages = append(t.messages, a)
}

// trimTail forgets what was appended to the session's link, if that has written
// everything.
func (s *Session) trimTail() {
	if link := s.Link(); s.followed != nil && link != nil && link.Waiting() == 0 {
		s.followWritten()
	}
	written := s.tail == nil || s.tail.link.Waiting() == 0
	if s.tail != nil && written {
		s.tail.forget()
	}
	s.tailed.Store(!written || s.awaitsWrite())
}

// firstUnwritten returns the id of the first message with a record that the link
// may not have written, 0 if there is none.
func (t *tail) firstUnwritten() uint64 {
	for _, a := range t.unwritten() {
		if a.id > 0 {
			return a.id
		}
	}
	return 0
}

func (t *tail) forget() {
	clear(t.messages)
	t.messages = t.messages[:0]
	if cap(t.messages) > trimAt {
		t.messages = nil
	}
}

// unwritten returns the messages that the link has not written, and perhaps
// some before them: bytes are known of the link, and of messages the least that
// they took.
func (t *tail) unwritten() []appended {
	if t == nil {
		return nil
	}
	waiting, behind := t.link.Waiting(), 0
	for i := len(t.messages); i > 0; i-- {
		if behind >= waiting {
			return t.messages[i:]
		}
		behind += t.messages[i-1].least
	}
	return t.messages
}

// lose notes that nothing more gets to a session by its link. What that has not
// written is owed.
func (p *pipeline) lose(s *Session) {
	if s.lost {
		return
	}
	s.lost = true
	if s.followed != nil {
		s.followLost()
	}
	p.leaveUnread(s)
}

// unread is what the sessions of an account without stream management have still
// to pull: it is recorded with the account, since they are not. Runs with the
// token, for a record that is being written.
func (m *Manager) unread(l *ledger) (all []segment) {
	for _, s := range m.registry.bound(l.account) {
		s.noted = s.sm == nil && s.behind && s.queue.after < s.queue.last
		if s.noted {
			all = append(all, segment{tag: s.queue.tag, after: s.queue.after, upTo: math.MaxUint64})
		}
	}
	return all
}

// forgotten has what unread told of a session be recorded anew, now that it is
// over.
func (m *Manager) forgotten(s *Session, l *ledger) {
	if s.noted {
		s.noted = false
		m.saveLedger(l)
	}
}

// leaveUnread has what a session's link has not written be owed. With stream
// management that is what was appended before it was turned on, unless its client
// has acknowledged something that came later.
func (p *pipeline) leaveUnread(s *Session) {
	if s.sm != nil && s.sm.acked != 0 {
		s.tail = nil
	}
	messages := s.tail.unwritten()
	s.tail = nil
	for _, a := range messages {
		switch {
		case a.id > 0: // the session leaves it to its account
			s.queue.after = min(s.queue.after, a.id-1)
		case a.shared.lost():
			p.oweNow(nil, s, a.stanza, s.followMissed(a.stanza))
		}
	}
}
