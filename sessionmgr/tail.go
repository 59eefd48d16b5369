package sessionmgr

import (
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
	stanza *stanza.Stanza
	shared *copies
	least  int // bytes that it took at least
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

func (t *tail) add(st *stanza.Stanza, shared *copies) {
	t.messages = append(t.messages, appended{st, shared, max(1, st.Size()-markup)})
}

// trimTail forgets what was appended to the session's link, if that has written
// everything.
func (s *Session) trimTail() {
	if s.tail != nil && s.tail.link.Waiting() == 0 {
		s.tail.forget()
		s.tailed.Store(false)
	}
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
	messages := s.tail.unwritten()
	s.tail = nil
	for _, a := range messages {
		if a.shared.lost() {
			p.oweNow(nil, s, a.stanza)
		}
	}
}
