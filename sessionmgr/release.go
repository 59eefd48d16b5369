package sessionmgr

import (
	"errors"
	"time"

	"weir/storage"
)

// release lets out what waited for a batch.
func (p *pipeline) release(b *batch, err error) {
	p.flying = nil
	p.released = b.no
	p.m.committed(err)
	for _, l := range b.logs {
		l.durable = l.last // nothing was sealed since
	}
	p.tell(b, err)
	if errors.Is(err, storage.ErrFull) {
		p.again(b)
	}
	p.pushing, p.releasing = false, true
	for i := range b.items {
		it := &b.items[i]
		switch {
		case err != nil && p.unseal(it):
			p.guarded(it, func(it *item) { p.failed(it, err) })
		case p.pushing && !it.log && p.putOff(it):
		default:
			p.guarded(it, p.deliverAll)
		}
	}
	p.releasing, p.delayed = false, nil
	if len(p.front) > 0 {
		p.open.items = append(p.front, p.open.items...)
		p.front = nil
	}
	for _, l := range b.logs {
		p.m.ledgers.release(l)
	}
	p.account(-b.entries, -b.bytes)
	p.reuse(b)
}

// reuse keeps the memory of a batch for one to come. When none has come for a moment
// it is dropped: quiet costs nothing.
func (p *pipeline) reuse(b *batch) {
	b.reset()
	p.spares = append(p.spares, b)
	if !p.tidying && !b.light() {
		p.tidying = true
		p.tidy(p.next)
	}
}

// tidy drops the batches that are kept once none was used since that one.
func (p *pipeline) tidy(last uint64) {
	p.later(func() {
		if p.next != last {
			p.tidy(p.next)
			return
		}
		p.spares, p.tidying = nil, false
	})
}

// unused returns an empty batch.
func (p *pipeline) unused() (b *batch) {
	n := len(p.spares)
	if n == 0 {
		return new(batch)
	}
	b, p.spares[n-1] = p.spares[n-1], nil
	p.spares = p.spares[:n-1]
	return b
}

// again has the next batch do what this one could not, besides its items.
func (p *pipeline) again(b *batch) {
	p.hidden = append(b.hidden, p.hidden...)
	for l := range b.ledgers {
		p.m.ledgers.pin(l)
		p.unsaved = append(p.unsaved, l)
	}
	if len(p.hidden) > 0 || len(p.unsaved) > 0 {
		p.later(func() { p.openBatch() })
	}
}

// later runs fn with the token in a moment.
func (p *pipeline) later(fn func()) { p.in(lingerTime, fn) }

// in runs fn with the token after a while.
func (p *pipeline) in(d time.Duration, fn func()) {
	m := p.m
	time.AfterFunc(d, func() {
		if !m.quiet.Load() {
			m.pipe.run(fn)
			m.FlushTouched()
		}
	})
}

// unseal takes back what was foreseen of an item whose batch failed: its numbers
// counted on stanzas that aren't delivered now. It reports whether the item is
// one of those that needed the batch.
func (p *pipeline) unseal(it *item) bool {
	it.one.live = false
	for i := range it.Out {
		it.Out[i].live = false
	}
	it.carbons.each(func(d *Delivery) { d.live = false })
	return it.durable()
}

// durable reports whether the item has something that is written with its batch.
func (it *item) durable() bool {
	return it.log || it.rec || it.prepare != nil || len(it.Writes.Ops) > 0 || it.chunk != nil && it.chunk.s.sm != nil
}

// tell publishes what a batch made durable of its sessions' numbers, before
// anything of it is delivered.
func (p *pipeline) tell(b *batch, err error) {
	for _, r := range b.records {
		a, w := r.s.sm, r.s.window.Load()
		if a == nil {
			continue
		}
		if err != nil {
			a.recorded = a.durable
			a.snap = a.snap || r.snap
			p.dirty(r.s)
			if w != nil && w.wanted.Load() != 0 { // the answer is then what it was before
				w.wanted.Store(wantAck | uint64(a.durable))
			}
		} else {
			a.durable = r.h
			a.maps = a.maps[r.maps:]
			if w != nil {
				w.handled.Store(r.h)
			}
		}
		if w == nil {
			continue
		}
		if _, asked := w.answerable(a.durable); asked || a.durable-a.pressed >= ackEvery {
			a.pressed = a.durable
			p.drain(r.s)
		}
	}
}

// after runs fn in the session's order: behind everything that it waits for.
func (p *pipeline) after(s *Session, fn func()) {
	p.number(&item{Entry: Entry{From: s}, fn: fn})
}

// pushed notes that something of a session has come to wait for a later batch.
func (p *pipeline) pushed(s *Session) {
	if s != nil && s.pendingBatch > p.released {
		s.pushed, p.pushing = s.pendingBatch, true
	}
}

// putOff moves an item on to the batch that something earlier of its sender has
// come to wait for while the items before it were released, or that something for one
// of its receivers was moved to: a session on a resource comes after the one before
// it. What has its number in this batch goes out now: those behind it count on that.
func (p *pipeline) putOff(it *item) bool {
	if it.owe != nil {
		return false
	}
	no := p.delay(it)
	if it.From != nil {
		no = max(no, it.From.pushed)
	}
	if no <= p.released {
		return false
	}
	if to := it.one.To; to != nil && it.routed && to.lost && keptOffline(it.one.Stanza) {
		return false // it follows that into the log, and needs no commit more
	}
	it.Writes = storage.Batch{} // they are durable
	p.deliverNumbered(it)
	p.wait(p.batch(no), it)
	if p.delayed == nil {
		p.delayed = make(map[*Session]uint64)
	}
	it.receivers(func(s *Session) { p.delayed[s] = no })
	return true
}

// delay returns the batch to which something for a receiver of the item was moved, 0
// for none.
func (p *pipeline) delay(it *item) (no uint64) {
	if p.delayed != nil {
		it.receivers(func(s *Session) { no = max(no, p.delayed[s]) })
	}
	return no
}

// receivers calls fn for the sessions that stanzas of the item without a number are for.
func (it *item) receivers(fn func(*Session)) {
	if it.one.To != nil && !it.one.live {
		fn(it.one.To)
	}
	for i := range it.Out {
		if !it.Out[i].live {
			fn(it.Out[i].To)
		}
	}
	it.carbons.each(func(d *Delivery) {
		if !d.live {
			fn(d.To)
		}
	})
}

// deliverNumbered delivers those stanzas of an item that have numbers, and takes
// them out of it.
func (p *pipeline) deliverNumbered(it *item) {
	it.Out = p.takeNumbered(it, it.Out)
	if it.one.live {
		p.deliverFollowed(it, &it.one)
		it.one = Delivery{}
	}
	if c := it.carbons; c != nil {
		c.wrap(false, false, 0)
		it.carbons = &carbons{message: c.message, to: p.takeNumbered(it, c.to), from: p.takeNumbered(it, c.from)}
	}
}

// takeNumbered delivers those of a list that have numbers, and returns the others.
func (p *pipeline) takeNumbered(it *item, list []Delivery) (rest []Delivery) {
	for i := range list { // which is its maker's
		if d := &list[i]; d.live {
			p.deliverFollowed(it, d)
		} else {
			rest = append(rest, *d)
		}
	}
	return rest
}

// deliverFollowed delivers one stanza of an item before the others.
func (p *pipeline) deliverFollowed(it *item, d *Delivery) {
	if it.follow != nil && !d.copy {
		d.To.follow(following{t: it.follow, st: d.Stanza})
	}
	p.deliverOne(it, d, nil)
}
