package sessionmgr

import (
	"errors"

	"weir/stanza"
	"weir/storage"
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
	var shared *copies
	if it.follow != nil {
		p.follows(it)
	}
	switch {
	case it.fn != nil:
		it.fn()
	case it.chunk != nil:
		p.deliverChunk(it.chunk)
	case it.log && it.id > 0:
		p.deliverLogged(it)
	case it.one.To != nil:
		p.deliverOne(it, &it.one, nil)
	}
	if it.copies && len(it.Out) > 1 {
		shared = &copies{left: len(it.Out)}
	}
	if !it.log || it.id == 0 {
		p.deliverEach(it, shared)
	}
	p.deliverCarbons(it)
	if it.follow != nil {
		it.delivered()
	}
	if it.count {
		p.count(it.From)
	}
	if it.Done != nil {
		it.Done(nil)
	}
}

// deliverEach delivers the stanzas of an entry in order. A session that misses
// one misses what follows: half a page of an archive is worse than none.
func (p *pipeline) deliverEach(it *item, shared *copies) {
	if len(it.Out) > 1 {
		p.group++
	}
	var missed *Session
	for i := range it.Out {
		d := &it.Out[i]
		if d.To == missed && d.To.sm != nil && !it.routed {
			p.miss(nil, *d, false, nil)
			continue
		}
		before := len(p.missed)
		p.deliverOne(it, d, shared)
		if len(p.missed) > before {
			missed = d.To
		}
	}
	if len(it.Out) > 1 {
		p.group++
	}
}

// count counts a stanza of s, or has it wait for what has just come of it: a
// message that its receiver missed is handled when it is in the log.
func (p *pipeline) count(s *Session) {
	if s.sm == nil && s.pushed > p.released {
		p.wait(p.batch(s.pushed), &item{Entry: Entry{From: s}, count: true})
		return
	}
	s.counted()
}

// counted notes that a stanza of the session's client was handled.
func (s *Session) counted() {
	s.handled.Add(1)
	if s.numbered() { // else it was sent before <enable/> (XEP-0198 §4)
		s.sm.in++
	}
}

// failed delivers what an item has for the case that it could not be kept. A
// full disk is told to the sender. Where the store itself has failed nobody
// knows what is on the disk: a client with stream management is told nothing,
// and asks again after the restart.
func (p *pipeline) failed(it *item, err error) {
	full := errors.Is(err, storage.ErrFull)
	if it.count && (full || it.From.sm == nil) {
		it.From.counted()
	}
	switch {
	case it.chunk != nil:
		it.chunk.void = true
	case it.log:
		p.logFailed(it, err, full)
	}
	it.unfollow(Report{Fate: Dropped, Err: err}) // unless it was bounced
	if it.Failed != nil {
		for _, d := range it.Failed(err) {
			p.deliverOne(it, &d, nil)
		}
	}
	if it.Done != nil {
		it.Done(err)
	}
}

// logFailed takes a message back that is in no log.
func (p *pipeline) logFailed(it *item, err error, full bool) {
	l := it.owe
	it.notSent()
	if r := it.reader(); r != nil && it.waits {
		r.served(it.size)
	}
	if s := it.one.To; s != nil { // behind perhaps for this one only
		p.m.startPull(s)
	}
	for _, d := range it.Out {
		p.m.startPull(d.To)
	}
	it.carbons.each(func(d *Delivery) { p.m.startPull(d.To) })
	if it.private() {
		if full { // this may be just what it tells, and it is better than nothing
			p.deliverOne(&item{Entry: Entry{From: it.From}}, &it.one, nil)
		}
		return
	}
	if l != nil { // see comesFirst
		p.m.goOn(l)
	}
	if it.away { // its receiver has it, and no answer but its own is true
		return
	}
	if full || it.From == nil || it.From.sm == nil {
		if d := p.bounced(it, storageError(err)); d.To != nil {
			p.deliverOne(&item{Entry: Entry{From: it.From}}, &d, nil)
		}
	}
	if l != nil {
		p.m.ledgers.release(l)
	}
}

// reader returns the ledger of the account that an item's message is for, nil
// where its sessions have all ended since it was sealed.
func (it *item) reader() *ledger {
	if it.owe != nil {
		return it.owe
	}
	if it.one.To != nil {
		return it.one.To.ledger
	}
	for _, d := range it.Out {
		if d.To.ledger != nil {
			return d.To.ledger
		}
	}
	return nil
}

// deliverLogged gives a message that is in its receiver's log to those streams
// that it was numbered for. The others get it from the log.
func (p *pipeline) deliverLogged(it *item) {
	if it.one.To != nil {
		p.deliverKept(&it.one, it.id, it.hide)
	}
	for i := range it.Out {
		p.deliverKept(&it.Out[i], it.id, it.hide)
	}
	if it.owe != nil {
		p.owedKept(it)
	}
}

// deliverKept gives a message, or a copy, to a session of whose account's log it
// is the record id.
func (p *pipeline) deliverKept(d *Delivery, id uint64, hide bool) {
	s := d.To
	switch {
	case !d.live || d.epoch != s.epoch || !s.up():
		if s.ledger != nil {
			s.queue.untold = max(s.queue.untold, id)
			if !s.behind && s.up() { // what was to be numbered comes from the log after all
				s.behind = true
			}
			p.m.startPull(s)
		}
	case s.numbered():
		if s.sm.out+1 != d.n {
			p.cut(s, "numbers don't fit: a fault of the server")
			return
		}
		if p.appendTo(s, d.Stanza, sent{id: id, hide: hide}) {
			s.queue.sent = id
		}
	default:
		s.beginTail()
		if !p.appendTo(s, d.Stanza, sent{id: id}) {
			p.lose(s)
			return
		}
		s.queue.sent, s.queue.after = id, id // unless the tail says otherwise in the end
		s.tail.add(d.Stanza, nil, id)
	}
}

// deliverOne gives a stanza that is in no log to a session.
func (p *pipeline) deliverOne(it *item, d *Delivery, shared *copies) {
	s := d.To
	kept := it.routed && keptOffline(d.Stanza)
	switch {
	case d.live && d.epoch == s.epoch && s.up(): // it was numbered when its batch was sealed
		if s.numbered() && s.sm.out+1 != d.n {
			p.cut(s, "numbers don't fit: a fault of the server")
			return
		}
		if !p.appendTo(s, d.Stanza, sent{st: d.Stanza}) {
			p.broke(it, d, kept, shared)
		}
	case s.sm != nil && (s.sm.redoing || !s.up()):
		p.keepVolatile(s, d)
	case s.behind && it.routed && d.Stanza.Kind == stanza.Message && !it.overtakes(s):
		p.hold(it.From, *d, kept, shared)
	case s.lost:
		p.miss(it.From, *d, kept, shared)
	case !kept:
		if !p.appendTo(s, d.Stanza, sent{st: d.Stanza}) {
			p.broke(it, d, kept, shared)
		}
	default:
		s.beginTail()
		if !p.appendTo(s, d.Stanza, sent{st: d.Stanza}) {
			p.lose(s)
			p.miss(it.From, *d, kept, shared)
			return
		}
		s.tail.add(d.Stanza, shared, 0)
	}
}

// broke takes care of a stanza that is in no log, under which a session's link broke:
// it waits for the next link, as what comes after it does.
func (p *pipeline) broke(it *item, d *Delivery, kept bool, shared *copies) {
	if s := d.To; !kept && s.sm != nil && s.lost {
		p.keepVolatile(s, d)
		return
	}
	p.miss(it.From, *d, kept, shared)
}

// overtakes reports whether a message goes to a session that is behind only because
// of what was sealed after it, see comesFirst.
func (it *item) overtakes(s *Session) bool {
	return it.straight && s.sm == nil && s.ledger != nil && s.ledger.catching != s
}

// beginTail has the tail look at the link before more is waiting there.
func (s *Session) beginTail() {
	if link := s.Link(); link != nil {
		s.tail = s.tail.before(link)
		s.tailed.Store(true)
	}
}

// numbered reports whether what is appended to the session's link gets a number:
// from <enabled/> on (XEP-0198 §4).
func (s *Session) numbered() bool { return s.sm != nil && !s.enabling }

// appendTo appends a stanza to a session's link and reports whether it is there.
func (p *pipeline) appendTo(s *Session, st *stanza.Stanza, as sent) bool {
	link := s.Link()
	if link == nil || s.lost {
		return false
	}
	// When the store has failed nobody knows what of its last batch is on the disk,
	// and so which numbers the next process will find given.
	if s.numbered() && (p.m.failed.Load() || p.overrun(s)) {
		return false
	}
	if s.followed != nil {
		s.tailed.Store(true) // so that it is looked at when the link has written
	}
	if link.Append(st) != nil {
		if s.numbered() {
			s.lost = true // its numbers end here
		}
		return false
	}
	s.sent.Add(1)
	s.activity.out.add(st)
	p.m.metrics.out.Inc()
	if s.numbered() {
		a := s.sm
		as.group = p.group
		a.push(as)
		s.window.Load().sent.Store(a.out)
		p.linger(s)
		if a.out+reserveNumbers/4-a.reserved < 1<<31 { // a later process has to know
			p.dirty(s)
			p.openBatch()
		}
	}
	if s.followed != nil {
		s.followed.given(s, &as)
	}
	p.m.touch(s)
	return true
}

// miss takes care of a stanza that a session can't get: what is kept is owed,
// with its sender waiting for that; the rest is looked at without the token.
func (p *pipeline) miss(from *Session, d Delivery, kept bool, shared *copies) {
	if d.copy { // the message is where it belongs
		return
	}
	follow := d.To.followMissed(d.Stanza)
	switch {
	case !shared.lost():
		follow.end(Report{})
	case kept:
		p.oweNow(from, d.To, d.Stanza, follow)
	default:
		if follow != nil {
			follow.over(unmet(d.Stanza))
		}
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

// answered reports whether the sender of a stanza that isn't kept is told that nobody
// has it: of a request, and of what is said in a room, which learns from the error who
// isn't there any more (RFC 6121 §8.5.3.2.1).
func answered(st *stanza.Stanza) bool { return st.IsRequest() || isGroupchat(st) }

// missedBy takes care of a stanza that isn't kept and whose session was gone
// when its turn came.
func (m *Manager) missedBy(d Delivery) {
	if answered(d.Stanza) {
		m.bounce(nil, d.Stanza, stanza.ServiceUnavailable())
		return
	}
	m.undelivered(d.Stanza, "")
}
