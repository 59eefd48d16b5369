package sessionmgr

import "weir/stanza"

// held is a stanza that waits until its session has caught up: one that isn't
// kept, or a copy that others got at once.
type held struct {
	from   *Session
	stanza *stanza.Stanza
	kept   bool
	shared *copies
}

// holding is what waits until a session has caught up, in its order.
type holding struct {
	all   []held
	bytes int
}

func (h *holding) len() int {
	if h == nil {
		return 0
	}
	return len(h.all)
}

func (h *holding) size() int {
	if h == nil {
		return 0
	}
	return h.bytes
}

// takeHeld returns what waits and forgets it.
func (s *Session) takeHeld() (all []held) {
	if s.held != nil {
		all = s.held.all
	}
	s.held = nil
	return all
}

// heldVolatile bounds, in bytes, what waits for a session without a link. All of it
// goes to the next at once, beside a chunk of the log: together less than may wait
// for a connection.
const heldVolatile = 128 << 10

// heldMore is how much more may wait once there is a link again: what the client is
// told because something was over that bound.
const heldMore = 48 << 10

// volatileRoom is how many bytes may wait for a session.
func (s *Session) volatileRoom() int {
	if s.up() {
		return heldVolatile + heldMore
	}
	return heldVolatile
}

// heldIQs is how many IQs wait for a session without a link.
const heldIQs = 100

// hold keeps a message for a session back until that has caught up; what is over
// the bound is owed.
func (p *pipeline) hold(from *Session, d Delivery, kept bool, shared *copies) {
	s := d.To
	over := s.held.size()+d.Stanza.Size() > holdBytes
	if over || kept && shared == nil {
		p.miss(from, d, kept, shared)
		return
	}
	p.keep(s, held{from, d.Stanza, kept, shared})
}

func (p *pipeline) keep(s *Session, h held) {
	if s.held == nil {
		s.held = &holding{}
	}
	s.held.all = append(s.held.all, h)
	s.held.bytes += h.stanza.Size()
}

// keepVolatile keeps what isn't in the log for a session that has no link: the
// newest presence of each sender, some IQs, what is said in rooms, and errors that are in no
// log, as on a full disk. The rest means nothing later.
func (p *pipeline) keepVolatile(s *Session, d *Delivery) {
	st := d.Stanza
	switch {
	case s.ledger == nil || s.State() == Destroyed:
		p.miss(nil, *d, false, nil)
	case st.Kind == stanza.Message && !st.IsError() && !isGroupchat(st) || s.held.size()+st.Size() > s.volatileRoom():
		s.sm.missed = s.sm.missed || st.Kind == stanza.Presence
		p.miss(nil, *d, false, nil)
	case st.Kind == stanza.Message: // an error says what became of one that is acknowledged
		p.keep(s, held{stanza: st})
	case st.Kind == stanza.Presence:
		if !s.held.replace(st) {
			p.keep(s, held{stanza: st})
		}
	case s.held.iqs() >= heldIQs:
		p.miss(nil, *d, false, nil)
	default:
		p.keep(s, held{stanza: st})
	}
}

// plain reports whether a presence tells availability, so that a newer one takes
// its place.
func plain(st *stanza.Stanza) bool { return st.Type == "" || st.Type == "unavailable" }

// replace puts a presence in the place of an older one of the same sender.
func (h *holding) replace(st *stanza.Stanza) bool {
	if h == nil || !plain(st) {
		return false
	}
	for i := range h.all {
		if old := h.all[i].stanza; old.Kind == stanza.Presence && old.From == st.From && plain(old) {
			h.bytes += st.Size() - old.Size()
			h.all[i].stanza = st
			return true
		}
	}
	return false
}

func (h *holding) iqs() (n int) {
	if h == nil {
		return 0
	}
	for i := range h.all {
		if h.all[i].stanza.Kind == stanza.IQ {
			n++
		}
	}
	return n
}

// letGo delivers what was held back, where the session still gets messages.
func (p *pipeline) letGo(s *Session) {
	all, here := s.takeHeld(), s.reachable()
	for _, h := range all {
		d := Delivery{To: s, Stanza: h.stanza}
		if h.kept && !here { // older ones are owed still: this one comes after them
			p.miss(nil, d, true, h.shared)
			continue
		}
		if s.sm != nil { // what waits for a batch has its numbers: this comes after it
			p.number(&item{one: d, routed: h.kept})
			continue
		}
		p.deliverOne(&item{routed: h.kept}, &d, h.shared)
	}
}

// redone lets go of what was held back until all was sent again that an earlier
// stream of the session had. What waits for a batch is newer and has no numbers
// yet, since nothing went out meanwhile: it comes after this.
func (p *pipeline) redone(s *Session) {
	s.sm.redoing = false
	s.sm.wakeRedone()
	p.deliverHeld(s, s.takeHeld())
}

// deliverHeld delivers some of what was held back.
func (p *pipeline) deliverHeld(s *Session, some []held) {
	for _, h := range some {
		d := Delivery{To: s, Stanza: h.stanza}
		if h.kept {
			p.number(&item{one: d, routed: true})
			continue
		}
		p.deliverOne(&item{}, &d, nil)
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
