package sessionmgr

import (
	"time"

	"weir/stanza"
)

// A client whose user looks elsewhere says that it is inactive (XEP-0352). What
// it needn't know at once is then held back, before it gets a number, until
// something comes that it should know, it is active again, too much waits, or
// for too long: then all of it goes out ahead of that, in one write. A session
// without a link, or one that catches up, holds back by rules of its own (hold.go).

// maxRestBytes bounds what waits for an inactive client; Options.InactiveHold
// says for how long.
const maxRestBytes = 32 << 10

// urgency says what becomes of a stanza for a client that is inactive.
type urgency uint8

const (
	urgent    urgency = iota // it goes out, and with it what was held back
	patient                  // it waits; of presence the newest of each sender
	transient                // it means nothing later and is dropped
)

// urgencyOf is the table (XEP-0352 §3); docs/session.md has it in words. What it
// doesn't know is urgent: a client on a phone is woken once too often rather than
// once too seldom. An IQ is, since somebody waits for the answer: a call, for
// example. What is kept is, so nothing that is durable is ever held back here.
func urgencyOf(st *stanza.Stanza) urgency {
	switch {
	case st.Kind == stanza.Presence && plain(st):
		return patient
	case st.Kind == stanza.Message && onlyStates(st):
		return transient
	}
	return urgent
}

// onlyStates reports whether a message tells nothing but that somebody is typing
// (XEP-0085).
func onlyStates(st *stanza.Stanza) bool {
	if st.IsError() || !st.HasChild(nsChatStates, "") {
		return false
	}
	for name := range st.Names() {
		if name.Space != nsHints && weigh(name) != light {
			return false
		}
	}
	return classOf(st) == class{} // unless it is to be stored
}

// SetInactive notes that the client behind a link is inactive, or active again: it
// then gets what was held back, ahead of what it asks for next (XEP-0352 §5.1).
func (m *Manager) SetInactive(s *Session, link Link, inactive bool) {
	m.pipe.run(func() {
		if !s.attachedTo(link) {
			return
		}
		inactive = inactive && m.opts().InactiveHold > 0
		if s.inactive.Store(inactive); !inactive {
			m.pipe.stir(s)
		}
	})
}

// Inactive reports whether the client has said that it is inactive. Nobody but
// an admin may be told (XEP-0352 §6).
func (s *Session) Inactive() bool { return s.inactive.Load() }

// quieten takes out of an item what waits for an inactive client, and has what was
// held back go ahead of the rest. It runs as the item comes in, before its
// stanzas have a place in any order.
func (p *pipeline) quieten(it *item) {
	switch {
	case it.chunk != nil:
		if s := it.chunk.s; s.inactive.Load() {
			p.stir(s)
		}
	case it.one.To != nil && p.rests(it.one.To, it.one.Stanza):
		if it.follow != nil && urgencyOf(it.one.Stanza) == patient {
			it.one.To.follow(following{t: it.follow, st: it.one.Stanza})
		}
		it.one = Delivery{}
	}
	it.Out = p.spared(it.Out, nil)
	if c := it.carbons; c != nil {
		c.to, c.from = p.spared(c.to, c.message), p.spared(c.from, c.message)
	}
}

// spared returns those deliveries that don't wait. They are judged by st if that
// isn't nil: copies are urgent where their message is.
func (p *pipeline) spared(list []Delivery, st *stanza.Stanza) []Delivery {
	var kept []Delivery // nil until one waits: the entry is its maker's
	for i := range list {
		about := st
		if about == nil {
			about = list[i].Stanza
		}
		switch rests := p.rests(list[i].To, about); {
		case rests && kept == nil:
			kept = append(make([]Delivery, 0, len(list)), list[:i]...)
		case !rests && kept != nil:
			kept = append(kept, list[i])
		}
	}
	if kept == nil {
		return list
	}
	return kept
}

// rests reports whether a stanza for a session isn't given to it now.
func (p *pipeline) rests(s *Session, st *stanza.Stanza) bool {
	if !s.inactive.Load() || !s.up() {
		return false
	}
	switch urgencyOf(st) {
	case transient:
		p.m.metrics.rested.Inc()
		return true
	case patient:
		if s.held.replace(st) {
			p.m.metrics.rested.Inc()
			return true
		}
		if s.held.size()+st.Size() <= maxRestBytes {
			p.keep(s, held{stanza: st})
			p.stirLater(s)
			p.m.metrics.rested.Inc()
			return true
		}
	}
	p.stir(s)
	return false
}

// stir gives a session what was held back, unless it gets that in another way.
func (p *pipeline) stir(s *Session) {
	if s.held.len() == 0 || !s.up() || s.behind || s.sm != nil && s.sm.redoing {
		return
	}
	all := s.takeHeld()
	out := make([]Delivery, len(all))
	for i, h := range all {
		out[i] = Delivery{To: s, Stanza: h.stanza}
	}
	p.number(&item{routed: true, Entry: Entry{Out: out}})
}

// stirLater has what waits go out at the latest when it has waited for long.
func (p *pipeline) stirLater(s *Session) {
	if s.resting {
		return
	}
	s.resting = true
	m := p.m
	time.AfterFunc(m.opts().InactiveHold, func() {
		if m.quiet.Load() {
			return
		}
		m.pipe.run(func() {
			if s.resting = false; s.inactive.Load() {
				m.pipe.stir(s)
			}
		})
		m.FlushTouched()
	})
}
