package sessionmgr

import (
	"weir/stanza"
)

// What happens to an item when its turn has come. Everything here runs with the
// pipeline's token, so it only appends; drains start after the token is dropped.

// copies is one message on its way to several sessions of an account: it is
// owed only if the last of them loses it.
type copies struct{ left int }

// lost notes that a session didn't get the message, and reports whether none
// did. A nil c is a message for one session.
func (c *copies) lost() bool {
	if c == nil {
		return true
	}
	c.left--
	return c.left == 0
}

func (p *pipeline) deliverAll(it *item) {
	switch {
	case it.count:
		it.From.handled.Add(1)
	case it.owe != nil:
		p.owedKept(it)
	case it.one.To != nil:
		p.deliverOne(it, it.one, nil)
	}
	var shared *copies
	if it.copies && len(it.Out) > 1 {
		shared = &copies{left: len(it.Out)}
	}
	for _, d := range it.Out {
		p.deliverOne(it, d, shared)
	}
	if it.Done != nil {
		it.Done(nil)
	}
}

// failed delivers what an item has for the case that it could not be kept.
func (p *pipeline) failed(it *item, err error) {
	if it.owe != nil {
		p.owedFailed(it, err)
	}
	if it.Failed != nil {
		for _, d := range it.Failed(err) {
			p.deliverOne(it, d, nil)
		}
	}
	if it.Done != nil {
		it.Done(err)
	}
}

// deliverOne gives a stanza of an item to a session.
func (p *pipeline) deliverOne(it *item, d Delivery, shared *copies) {
	s := d.To
	if it.owed != nil { // it stays in the log until all of its chunk was written
		if s.lost || !p.appendTo(s, d.Stanza) {
			it.owed.missed = true
			p.lose(s)
		}
		return
	}
	kept := keptOffline(d.Stanza)
	switch {
	case s.behind && d.Stanza.Kind == stanza.Message:
		p.hold(it.From, d, kept, shared)
	case s.lost:
		p.miss(it.From, d, kept, shared)
	case !kept:
		if !p.appendTo(s, d.Stanza) {
			p.miss(it.From, d, kept, shared)
		}
	default:
		if link := s.Link(); link != nil {
			s.tail = s.tail.before(link) // looked at before more is waiting
			s.tailed.Store(true)
		}
		if !p.appendTo(s, d.Stanza) {
			p.lose(s)
			p.miss(it.From, d, kept, shared)
			return
		}
		s.tail.add(d.Stanza, shared)
	}
}

// appendTo appends a stanza to a session's link and reports whether it is there.
func (p *pipeline) appendTo(s *Session, st *stanza.Stanza) bool {
	link := s.Link()
	if link == nil || link.Append(st) != nil {
		return false
	}
	s.sent.Add(1)
	p.m.touch(s)
	return true
}

// miss takes care of a stanza that a session can't get: what is kept is owed,
// with its sender waiting for that; the rest is looked at without the token.
func (p *pipeline) miss(from *Session, d Delivery, kept bool, shared *copies) {
	switch {
	case !shared.lost():
	case kept:
		p.oweNow(from, d.To, d.Stanza)
	default:
		p.missed = append(p.missed, d)
	}
}

// hand passes on what could not be delivered, outside the token.
func (p *pipeline) hand() {
	if len(p.late) > 0 && !p.lateBusy {
		p.lateBusy = true
		p.m.work.Go(p.oweLate)
	}
	if len(p.missed) == 0 {
		return
	}
	missed := p.missed
	p.missed = nil
	p.m.work.Go(func() {
		for _, d := range missed {
			p.m.missedBy(d)
		}
		p.m.FlushTouched()
	})
}

// missedBy takes care of a stanza that isn't kept and whose session was gone
// when its turn came: a request is answered.
func (m *Manager) missedBy(d Delivery) {
	if d.Stanza.IsRequest() {
		m.bounce(nil, d.Stanza, stanza.ServiceUnavailable())
		return
	}
	m.undelivered(d.Stanza, "")
}
