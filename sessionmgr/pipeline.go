package sessionmgr

import (
	"sync"

	"weir/stanza"
	"weir/storage"
)

// Bounds of the pipeline. At a bound the streams whose stanzas come in pause;
// nothing is dropped.
const (
	maxPendingEntries = 4096
	maxPendingBytes   = 16 << 20
	maxBatchOps       = 1000
	maxBatchBytes     = 256 << 10
)

// Entry is one unit of the pipeline: what has to be durable, and what is
// delivered once it is. Entries take effect in the order of their Submit calls:
// deliveries of an entry with Writes follow its commit; those of an entry
// without happen at once, unless one of its sessions waits for an earlier one
// (RFC 6120 §10.1: in order for each pair).
type Entry struct {
	From   *Session      // whose inbound stanza this handles; nil for the server's own
	Writes storage.Batch // may be empty
	Out    []Delivery    // in order
	// Failed tells what to deliver instead where the commit failed; nil:
	// nothing. It must not block.
	Failed func(err error) []Delivery
	// Done is called after the release, or the failure. It must not block.
	Done func(err error)
}

// Delivery is one stanza for one session.
type Delivery struct {
	To     *Session
	Stanza *stanza.Stanza
}

// item is what the queue holds: an entry, a single delivery (the common case,
// without a slice), a function to run in order, or the end of a commit.
type item struct {
	Entry
	one    Delivery
	owe    *ledger // one.Stanza goes to this account's log instead
	owed   bool    // deliveries come from the log: they don't wait behind it
	copies bool    // Out is one message for several sessions of an account
	count  bool    // From's stanza is handled once this item is released
	fn     func()
	batch  *batch // committed, with err
	err    error
}

// batch is what one commit makes durable, with everything that waits for it.
type batch struct {
	no     uint64
	writes storage.Batch
	items  []item
	bytes  int
	count  int // durable items among items
}

// pipeline numbers, commits and releases. It is run by whoever finds its token
// free: there is no goroutine of its own and no hand-over.
type pipeline struct {
	m *Manager

	mu      sync.Mutex
	queue   []item
	running bool // the token is taken
	pending int  // durable entries not yet released
	bytes   int
	room    []func() // streams that wait for the bounds

	// Owned by the token holder.
	spare    []item
	flying   []*batch // committed but not yet released, oldest first; the open one last
	open     *batch   // takes writes; nil if there are none
	next     uint64   // number of the next batch
	released uint64   // number of the last batch released
	missed   []Delivery
}

// Submit gives an entry to the pipeline and returns; it does not block.
// StanzaOut runs here, for each delivery.
func (m *Manager) Submit(e Entry) {
	e.Out = m.filterOut(e.Out)
	m.pipe.submit(item{Entry: e})
}

// deliver is Submit for one stanza to one session, without writes.
func (m *Manager) deliver(from, to *Session, st *stanza.Stanza) {
	if !m.Hooks.StanzaOut.Empty() && !m.mayGoOut(to, st) {
		return
	}
	m.pipe.submit(item{Entry: Entry{From: from}, one: Delivery{to, st}})
}

// filterOut asks StanzaOut about each delivery and returns what is left.
func (m *Manager) filterOut(out []Delivery) []Delivery {
	if m.Hooks.StanzaOut.Empty() {
		return out
	}
	kept := make([]Delivery, 0, len(out))
	for _, d := range out {
		if m.mayGoOut(d.To, d.Stanza) {
			kept = append(kept, d)
		}
	}
	return kept
}

func (m *Manager) mayGoOut(to *Session, st *stanza.Stanza) bool {
	ev := StanzaOut{To: to, Stanza: st}
	err := m.Hooks.StanzaOut.Run(to.Context(), &ev)
	if err != nil {
		m.ran(to, err)
	}
	return err == nil
}

// run calls fn in the pipeline's order, perhaps after run has returned, with
// the token held: fn owns what the token owns and must be short.
func (p *pipeline) run(fn func()) { p.submit(item{fn: fn}) }

// submit queues an item and, if the token is free, takes it and works until the
// queue is empty.
func (p *pipeline) submit(it item) {
	p.mu.Lock()
	p.queue = append(p.queue, it)
	if p.running {
		p.mu.Unlock()
		return
	}
	p.running = true
	for len(p.queue) > 0 {
		work := p.queue
		p.queue = p.spare[:0]
		p.spare = nil
		p.mu.Unlock()

		for i := range work {
			p.process(&work[i])
		}
		p.commit()
		p.hand()
		clear(work)

		p.mu.Lock()
		if cap(work) <= 1024 { // a burst's array isn't kept
			p.spare = work
		}
	}
	p.running = false
	p.mu.Unlock()
}

// process gives one item its place in the order.
func (p *pipeline) process(it *item) {
	switch {
	case it.fn != nil:
		it.fn()
	case it.batch != nil:
		p.release(it.batch, it.err)
	default:
		p.number(it)
	}
}

// counted notes, in order, that one stanza of s was handled: after everything
// that stanza and the ones before it wait for.
func (p *pipeline) counted(s *Session) {
	p.submit(item{Entry: Entry{From: s}, count: true})
}

// number puts the item behind everything its sessions wait for: into the open
// batch if it has writes, behind the batch that one of its sessions waits for,
// or straight out.
func (p *pipeline) number(it *item) {
	p.oweInstead(it)
	if it.owe != nil && !p.writeOwed(it) {
		return
	}
	if len(it.Writes.Ops) > 0 {
		b := p.openBatch()
		b.writes.Ops = append(b.writes.Ops, it.Writes.Ops...)
		b.bytes += it.Writes.Size()
		b.count++
		p.account(1, it.Writes.Size())
		p.wait(b, it)
		if len(b.writes.Ops) >= maxBatchOps || b.bytes >= maxBatchBytes {
			p.commit()
		}
		return
	}
	if no := p.waitsFor(it); no > p.released {
		p.wait(p.flying[no-p.released-1], it)
		return
	}
	p.deliverAll(it)
}

// oweInstead turns a message for a session that still gets what its account is
// owed into one more owed message, so that it comes in order; only where that
// session is its only receiver and the message is kept when nobody is online.
func (p *pipeline) oweInstead(it *item) {
	to := it.one.To
	if to == nil || !to.behind || it.owed || !keptOffline(it.one.Stanza) {
		return
	}
	if l := p.m.ledgers.loaded(to.JID().Bare()); l != nil {
		it.owe = l
	}
}

// waitsFor returns the number of the last batch that one of the item's sessions
// waits for.
func (p *pipeline) waitsFor(it *item) (no uint64) {
	if it.From != nil {
		no = it.From.pendingBatch
	}
	if it.one.To != nil {
		no = max(no, it.one.To.pendingBatch)
	}
	for _, d := range it.Out {
		no = max(no, d.To.pendingBatch)
	}
	return no
}

// wait puts the item behind a batch, and its sessions with it.
func (p *pipeline) wait(b *batch, it *item) {
	b.items = append(b.items, *it)
	if it.From != nil {
		it.From.pendingBatch = b.no
	}
	if it.one.To != nil {
		it.one.To.pendingBatch = b.no
	}
	for _, d := range it.Out {
		d.To.pendingBatch = b.no
	}
}

func (p *pipeline) openBatch() *batch {
	if p.open == nil {
		p.next++
		p.open = &batch{no: p.next}
		p.flying = append(p.flying, p.open)
	}
	return p.open
}

// commit gives the open batch to the store.
func (p *pipeline) commit() {
	b := p.open
	if b == nil {
		return
	}
	p.open = nil
	p.m.store.Commit(&b.writes, func(err error) {
		p.submit(item{batch: b, err: err})
		p.m.work.Go(p.m.FlushTouched) // not on the store's goroutine
	})
}

// release lets out what waited for a batch. Batches come back in order.
func (p *pipeline) release(b *batch, err error) {
	p.flying = p.flying[1:]
	p.released = b.no
	if err != nil {
		p.m.commitFailed(err)
	}
	for i := range b.items {
		it := &b.items[i]
		if len(it.Writes.Ops) > 0 && err != nil {
			p.failed(it, err)
			continue
		}
		p.deliverAll(it)
	}
	p.account(-b.count, -b.bytes)
}

// failed delivers what an item has for the case that it could not be kept.
func (p *pipeline) failed(it *item, err error) {
	if it.owe != nil {
		p.owedFailed(it, err)
	}
	if it.Failed != nil {
		for _, d := range it.Failed(err) {
			p.deliverOne(d, false)
		}
	}
	if it.Done != nil {
		it.Done(err)
	}
}

func (p *pipeline) deliverAll(it *item) {
	switch {
	case it.count:
		it.From.handled.Add(1)
	case it.owe != nil:
		p.owedKept(it)
	case it.one.To != nil:
		p.deliverOne(it.one, it.owed)
	}
	if it.copies {
		p.deliverCopies(it.Out)
	} else {
		for _, d := range it.Out {
			p.deliverOne(d, it.owed)
		}
	}
	if it.Done != nil {
		it.Done(nil)
	}
}

// deliverCopies delivers one message to several sessions of an account: it is
// missed only if none of them got it.
func (p *pipeline) deliverCopies(out []Delivery) {
	before := len(p.missed)
	for _, d := range out {
		p.deliverOne(d, false)
	}
	switch missed := len(p.missed) - before; {
	case missed == len(out) && missed > 0:
		p.missed = p.missed[:before+1]
	default:
		p.missed = p.missed[:before]
	}
}

// deliverOne appends a stanza to a session's link. It only appends: drains
// start after the token is dropped.
func (p *pipeline) deliverOne(d Delivery, owed bool) {
	s := d.To
	if s.behind && !owed && d.Stanza.Kind == stanza.Message {
		p.hold(d)
		return
	}
	link := s.Link()
	if link == nil || link.Append(d.Stanza) != nil {
		p.missed = append(p.missed, d)
		return
	}
	s.sent.Add(1)
	p.m.touch(s)
}

// account keeps the books of the bounds and wakes the streams that waited.
func (p *pipeline) account(entries, bytes int) {
	p.mu.Lock()
	p.pending += entries
	p.bytes += bytes
	var woken []func()
	if !p.full() && entries < 0 {
		woken, p.room = p.room, nil
	}
	p.mu.Unlock()
	if len(woken) > 0 {
		p.m.work.Go(func() {
			for _, resume := range woken {
				resume()
			}
		})
	}
}

func (p *pipeline) full() bool {
	return p.pending >= maxPendingEntries || p.bytes >= maxPendingBytes
}

// waitRoom reports whether the pipeline is at a bound; resume is then called
// when it no longer is.
func (p *pipeline) waitRoom(resume func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.full() {
		return false
	}
	p.room = append(p.room, resume)
	return true
}

// hand passes on what could not be delivered, outside the token.
func (p *pipeline) hand() {
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

// touch notes that a session's link has something to write.
func (m *Manager) touch(s *Session) {
	if s.touched.Swap(true) {
		return
	}
	m.touchMu.Lock()
	m.touchedList = append(m.touchedList, s)
	m.touchMu.Unlock()
}

// FlushTouched writes to every link that something was appended to since the
// last call. Streams call it when they have taken all their input; everything
// here that works on a goroutine of its own calls it at its end.
func (m *Manager) FlushTouched() {
	m.touchMu.Lock()
	list := m.touchedList
	m.touchedList = m.touchSpare[:0]
	m.touchSpare = nil
	m.touchMu.Unlock()
	if len(list) == 0 {
		return
	}
	for _, s := range list {
		s.touched.Store(false)
		if link := s.Link(); link != nil {
			link.Flush()
		}
	}
	clear(list)
	m.touchMu.Lock()
	if cap(list) <= 1024 {
		m.touchSpare = list
	}
	m.touchMu.Unlock()
}
