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

// heldIQs is how many IQs wait for a session without a link.
const heldIQs = 100

// hold keeps a message for a session back until that has caught up; what is over
// the bound is owed.
func (p *pipeline) hold(from *Session, d Delivery, kept bool, shared *copies) {
	s := d.To
	over := s.heldBytes+d.Stanza.Size() > holdBytes
	if over || kept && shared == nil {
		p.miss(from, d, kept, shared)
		return
	}
	p.keep(s, held{from, d.Stanza, kept, shared})
}

func (p *pipeline) keep(s *Session, h held) {
	s.held = append(s.held, h)
	s.heldBytes += h.stanza.Size()
}

// keepVolatile keeps what isn't in the log for a session that has no link: the
// newest presence of each sender and some IQs. The rest means nothing later.
func (p *pipeline) keepVolatile(s *Session, d *Delivery) {
	st := d.Stanza
	switch {
	case s.ledger == nil || s.State() == Destroyed:
		p.miss(nil, *d, false, nil)
	case st.Kind == stanza.Message || s.heldBytes+st.Size() > holdBytes:
		p.miss(nil, *d, false, nil)
	case st.Kind == stanza.Presence:
		for i := range s.held {
			if h := s.held[i].stanza; h.Kind == stanza.Presence && h.From == st.From && plain(h) && plain(st) {
				s.heldBytes += st.Size() - h.Size()
				s.held[i].stanza = st
				return
			}
		}
		p.keep(s, held{stanza: st})
	case s.iqsHeld() >= heldIQs:
		p.miss(nil, *d, false, nil)
	default:
		p.keep(s, held{stanza: st})
	}
}

// plain reports whether a presence tells availability, so that a newer one takes
// its place.
func plain(st *stanza.Stanza) bool { return st.Type == "" || st.Type == "unavailable" }

func (s *Session) iqsHeld() (n int) {
	for i := range s.held {
		if s.held[i].stanza.Kind == stanza.IQ {
			n++
		}
	}
	return n
}

// letGo delivers what was held back, where the session still gets messages.
func (p *pipeline) letGo(s *Session) {
	all, here := s.held, s.reachable()
	s.held, s.heldBytes = nil, 0
	for _, h := range all {
		d := Delivery{To: s, Stanza: h.stanza}
		if h.kept && !here { // older ones are owed still: this one comes after them
			p.miss(nil, d, true, h.shared)
			continue
		}
		p.deliverOne(&item{routed: h.kept}, &d, h.shared)
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
