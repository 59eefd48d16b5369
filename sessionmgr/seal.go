package sessionmgr

import (
	"fmt"
	"time"

	"weir/jid"
	"weir/stanza"
)

// Sealing a batch: everything before it has been released, so it is known what
// number each stanza of it will get, and that is written with it.

// seal completes the writes of a batch that is about to be committed.
func (p *pipeline) seal(b *batch) {
	for i := range b.items {
		p.guarded(&b.items[i], func(it *item) { p.sealItem(b, it) })
	}
	for _, s := range p.behind {
		if s.sm != nil && s.sm.dirty {
			p.record(b, s)
		}
	}
	clear(p.behind)
	p.behind = p.behind[:0]
	for i := range b.records {
		r := &b.records[i]
		r.h = r.s.sm.sealedIn
		r.s.sm.recorded = r.h
		r.snap, r.maps = p.m.sessions.write(&b.writes, r.s)
	}
	b.hidden, p.hidden = p.hidden, nil
	for _, x := range b.hidden {
		if x.l != nil && !x.l.dead {
			p.m.logs.Delete(&b.writes, x.l.account.String(), x.id)
		}
	}
	for _, l := range p.unsaved {
		b.ledger(l)
	}
	b.logs = append(b.logs, p.unsaved...)
	p.unsaved = nil
	for l := range b.ledgers {
		if l.dead {
			continue
		}
		p.m.ledgers.cursors.Set(&b.writes, l.account.String(), l.encode(p.m.unread(l)...))
	}
}

// sealItem numbers the stanzas of an item.
func (p *pipeline) sealItem(b *batch, it *item) {
	if it.prepare != nil {
		it.prepare(b)
	}
	if it.log = it.log || p.logsAfterAll(it); it.log && it.one.Stanza.IsError() {
		it.log = it.private() // or its session has ended meanwhile, and nobody else is to get it
	}
	if it.log {
		if first, twice := p.sentTwice(b, it); twice {
			p.handledBefore(b, it, first)
		} else if it.away {
			p.sealAway(b, it)
		} else {
			p.sealMessage(b, it)
		}
	}
	b.writes.Ops = append(b.writes.Ops, it.Writes.Ops...)
	if s := it.From; s != nil && s.sm != nil {
		s.sm.begin(b.no)
		if it.count && s.numbered() {
			s.sm.sealedIn++
		}
		if it.rec || it.count && (it.log || len(it.Writes.Ops) > 0) {
			p.record(b, s)
		}
	}
	p.sealDelivery(b, it, &it.one)
	for i := range it.Out {
		p.sealDelivery(b, it, &it.Out[i])
	}
	it.carbons.each(func(d *Delivery) { p.sealDelivery(b, it, d) })
	if it.chunk != nil {
		p.sealChunk(b, it.chunk)
	}
}

// logsAfterAll reports whether a message that was to need no record gets one, because
// its receiver was lost, or fell behind, while it waited for the batch: what is
// sealed after it for the same account comes after it (RFC 6120 §10.1).
func (p *pipeline) logsAfterAll(it *item) bool {
	st := it.message()
	if st == nil || st.Kind != stanza.Message {
		return false
	}
	var to *Session
	here, known, straight := false, false, true
	look := func(d *Delivery) {
		if s := d.To; s != nil {
			to, here, known = s, here || s.up(), known || s.ledger != nil
			straight = straight && !s.behind
		}
	}
	look(&it.one)
	for i := range it.Out {
		look(&it.Out[i])
	}
	it.straight = straight
	switch {
	case to == nil || !keptOffline(st):
		return false
	case here:
		return p.logs(it)
	case !known: // it is owed at once
		it.owe = p.m.ledgers.loaded(to.JID().Bare())
		return it.owe != nil
	}
	return true
}

// record has the batch write a session's record.
func (p *pipeline) record(b *batch, s *Session) {
	a := s.sm
	a.begin(b.no)
	if !a.record && s.ledger != nil && !s.ledger.dead {
		a.record = true
		b.records = append(b.records, recorded{s: s})
	}
}

// sealDelivery numbers a stanza that is not of the log, or whose place there was
// sealed before.
func (p *pipeline) sealDelivery(b *batch, it *item, d *Delivery) {
	s := d.To
	if s == nil || it.log && d.Stanza.Kind == stanza.Message && !d.live {
		return
	}
	if !it.log && !p.goesOut(s, it, d.Stanza) {
		return
	}
	d.live, d.epoch = true, s.epoch
	if a := s.sm; a != nil {
		a.begin(b.no)
		a.sealedOut++
		d.n = a.sealedOut
	}
}

// goesOut reports whether a volatile stanza would be appended to the session's
// link now.
func (p *pipeline) goesOut(s *Session, it *item, st *stanza.Stanza) bool {
	if s.sm == nil || s.lost || s.Link() == nil {
		return false // without numbers there is nothing to foresee
	}
	return !s.sm.redoing && !(s.behind && it.routed && st.Kind == stanza.Message)
}

// sealMessage gives a message its place in the log of its receiver, in that of
// its sender, or in both.
func (p *pipeline) sealMessage(b *batch, it *item) {
	m, st := p.m, it.message()
	l := p.logOf(it)
	if l == nil {
		p.refuse(b, it, stanza.ResourceConstraint("the receiver is just leaving; try again"))
		return
	}
	if l.dead {
		p.refuse(b, it, stanza.ServiceUnavailable()) // RFC 6121 §8.5.1
		return
	}
	targets, waits, needs := p.targets(b, it, p.aims[:0])
	if waits && l.waiting+int64(st.Size()) > m.opts().MaxLog {
		p.refuse(b, it, fullError(m.opts().MaxLog))
		return
	}
	owed := len(targets) == 0 // nobody is to get the message itself
	targets, needs = p.copyTargets(b, it.carbons, targets, needs)
	p.aims = targets
	kind := classOf(st)
	peer, from := st.From.Bare(), p.senders(it)
	here := kind.archived && m.archives(l, peer)
	there := kind.archived && from != nil && from != l && !from.dead && m.archives(from, st.To.Bare())
	needs = needs || waits || it.From != nil && it.From.sm != nil
	if !here && !needs { // for its receiver it is as if there were no log
		it.one.live = false
		for i := range it.Out {
			it.Out[i].live = false
		}
		it.carbons.withdraw()
	}
	id := m.ids.Next()
	if here || needs {
		it.id, it.hide = id, !here && p.hides(l, id, owed)
		it.size = p.appendRecord(b, l, id, recordFlags(here, st), targets, st)
		if owed {
			l.owedLast = id
			p.comesFirst(l)
		}
		if waits {
			l.waiting += it.size
			it.waits = true
		}
		if here {
			it.stamp(l.account, id)
		}
	}
	p.sealSent(b, it, from, id, there, st)
	it.carbons.wrap(here, there, id)
	p.doneRendering()
}

// doneRendering has the next message be rendered anew.
func (p *pipeline) doneRendering() {
	p.rendered = p.rendered[:0]
	if cap(p.rendered) > 64<<10 {
		p.rendered = nil
	}
}

// recordFlags are those of a message that was received.
func recordFlags(archived bool, st *stanza.Stanza) byte {
	switch {
	case archived:
		return 0
	case st.IsError():
		return recordHidden | recordPrivate
	}
	return recordHidden
}

// sealSent gives a message its place in the log of its sender: where that
// archives it, and where sessions of the sender get their copies from there.
func (p *pipeline) sealSent(b *batch, it *item, from *ledger, id uint64, archived bool, st *stanza.Stanza) {
	targets, needs := p.aims[:0], false
	p.named = p.named[:0]
	if c := it.carbons; c != nil && from != nil && !from.dead {
		for i := range c.from {
			targets, needs = p.copyTarget(b, &c.from[i], targets, needs)
		}
		p.aims = targets
		if needs || archived {
			c.id, c.hide = id, !archived && p.hides(from, id, false)
		} else {
			c.withdrawSent()
		}
	}
	if needs || archived {
		p.appendRecord(b, from, id, recordOutgoing|recordFlags(archived, st), targets, st)
	}
}

// appendRecord appends a message to a log, for the sessions that are named.
func (p *pipeline) appendRecord(b *batch, l *ledger, id uint64, flags byte, targets []target, st *stanza.Stanza) (size int64) {
	if len(p.rendered) == 0 { // the other log has the same bytes
		p.rendered = st.AppendTo(p.rendered)
	}
	rec := encodeRecord(b.room(encodedLength(targets, p.rendered)), time.Now(), flags, targets, p.rendered)
	size = int64(len(rec))
	p.m.logs.Append(&b.writes, l.account.String(), id, rec)
	p.grew(b, l, id, size)
	for _, s := range p.named {
		if s.queue.after >= s.queue.last { // nothing was left: what is needed of the log begins here
			s.queue.after = max(s.queue.after, id-1)
		}
		s.queue.last = id
	}
	return size
}

// senders returns the ledger of the account that an item's message is from, nil
// if that is no account of ours or has just gone.
func (p *pipeline) senders(it *item) *ledger {
	switch {
	case it.From == nil:
		return nil
	case it.From.ledger != nil:
		return it.From.ledger
	}
	l := p.m.ledgers.loaded(it.From.JID().Bare())
	if l != nil { // it stays in use by the batch that it is written with
		p.m.ledgers.release(l)
	}
	return l
}

// grew notes that a log has become longer. Now and then that is recorded.
func (p *pipeline) grew(b *batch, l *ledger, id uint64, size int64) {
	if l.sealed != b.no {
		l.sealed = b.no
		p.m.ledgers.pin(l)
		b.logs = append(b.logs, l)
	}
	l.last = id
	l.size += size
	if l.size-l.written >= ledgerEvery {
		b.ledger(l)
		p.m.trim(l)
	}
}

// ledgerEvery is how many bytes a log grows until that is recorded.
const ledgerEvery = 64 << 10

// stamp has what is delivered carry the id in the receiver's archive (XEP-0359
// §4).
func (it *item) stamp(account jid.JID, id uint64) {
	st := it.message()
	if st == nil {
		return
	}
	stamped := st.WithStanzaID(account, ArchiveID(id))
	it.one.Stanza = stamped
	for i := range it.Out {
		it.Out[i].Stanza = stamped
	}
}

// logOf returns the ledger of the account that an item's message is for, nil if
// it isn't in memory any more. What an ended session was to get becomes owed.
func (p *pipeline) logOf(it *item) *ledger {
	if l := it.reader(); l != nil {
		return l
	}
	to := it.one.To
	if to == nil {
		to = it.Out[0].To
	}
	it.owe = p.m.ledgers.loaded(to.JID().Bare())
	return it.owe
}

// targets decides which sessions a message is for, and which get it at once. It
// waits where one doesn't, and needs a record where one has stream management.
func (p *pipeline) targets(b *batch, it *item, targets []target) (_ []target, waits, needs bool) {
	p.named = p.named[:0]
	one := func(d *Delivery) {
		s := d.To
		if s == nil || s.ledger == nil {
			return // it has ended: whoever comes next gets the message
		}
		t := p.target(b, d)
		waits = waits || !t.live
		needs = needs || s.sm != nil
		targets = append(targets, t)
	}
	one(&it.one)
	for i := range it.Out {
		one(&it.Out[i])
	}
	if len(targets) == 0 {
		waits = true
	}
	return targets, waits, needs
}

// target decides how a session gets a message: at once, with its number, or from
// the log.
func (p *pipeline) target(b *batch, d *Delivery) target {
	s := d.To
	t := target{tag: s.queue.tag, copy: d.copy}
	if s.up() && !s.behind && !p.overrun(s) && !p.slow(s) && !p.early(s) {
		d.live, t.live = true, true
		if a := s.sm; a != nil {
			a.begin(b.no)
			t.n = a.sealedOut + 1 // sealDelivery counts it
		}
	} else if s.sm == nil && !s.noted {
		b.ledger(s.ledger)
	}
	p.named = append(p.named, s)
	return t
}

// up reports whether a session has a link that takes stanzas.
func (s *Session) up() bool { return !s.lost && s.Link() != nil }

// slow has a session pull its messages from the log whose client takes them
// more slowly than they come.
func (p *pipeline) slow(s *Session) bool {
	if s.sm == nil {
		return false
	}
	if link := s.Link(); link != nil { // it may be lost at any moment
		s.behind = link.Waiting() > chunkBytes
	}
	return s.behind
}

// overrun cuts a client off that takes stanzas and never acknowledges one. They
// are in the log, so it costs no more than numbers until then.
func (p *pipeline) overrun(s *Session) bool {
	a := s.sm
	if a == nil || len(a.unacked) < maxUnacked {
		return false
	}
	p.cut(s, fmt.Sprintf("it has not acknowledged the last %d stanzas", maxUnacked))
	return true
}

// refuse makes the item one that delivers an error to its sender instead.
func (p *pipeline) refuse(b *batch, it *item, e stanza.Error) {
	it.notSent()
	if it.owe != nil {
		p.m.ledgers.release(it.owe)
	}
	it.log, it.owe, it.Out, it.copies, it.carbons = false, nil, nil, false, nil
	it.one = p.bounced(it, e)
	if it.log = it.private(); it.log { // an error isn't answered: this ends
		p.sealMessage(b, it)
	}
}
