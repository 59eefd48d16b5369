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
	// Counts says that the entry is all that comes of a stanza of From which
	// Inbound has not seen: a refusal. It is then handled with it.
	Counts bool
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
	owe    *ledger  // one.Stanza goes to this account's log instead
	size   int64    // of its record there
	owed   *catchUp // deliveries come from the log: they don't wait behind it
	copies bool     // Out is one message for several sessions of an account
	count  bool     // From's stanza is handled once this item is released
	trim   *Session // its link has written everything
	fn     func()
	batch  *batch // committed, with err
	err    error
}

// weight is what an item that waits counts for at the bounds.
func (it *item) weight() (entries, bytes int) {
	if it.count { // one with each stanza, and small
		return 0, 0
	}
	bytes = it.Writes.Size() + len(it.Out)*16
	for _, st := range []*stanza.Stanza{it.one.Stanza, it.shown()} {
		if st != nil && len(it.Writes.Ops) == 0 {
			bytes += st.Size()
		}
	}
	return 1, bytes
}

// shown is the first stanza of Out, which the others as a rule share.
func (it *item) shown() *stanza.Stanza {
	if len(it.Out) == 0 {
		return nil
	}
	return it.Out[0].Stanza
}

// batch is what one commit makes durable, with everything that waits for it.
type batch struct {
	no     uint64
	writes storage.Batch
	size   int // of writes
	items  []item
	// What items count for at the bounds.
	entries, bytes int
}

// pipeline numbers, commits and releases. It is run by whoever finds its token
// free: there is no goroutine of its own and no hand-over.
type pipeline struct {
	m *Manager

	mu      sync.Mutex
	queue   []item
	running bool     // the token is taken
	pending int      // entries that wait for a commit
	bytes   int      // their size
	room    []func() // streams that wait for the bounds

	// Owned by the token holder.
	spare    []item
	flying   []*batch   // committed but not yet released, oldest first; the open one last
	open     *batch     // takes writes; nil if there are none
	next     uint64     // number of the next batch
	released uint64     // number of the last batch released
	missed   []Delivery // reached nobody and aren't kept
	late     []item     // to be owed to accounts whose ledgers have to be read
	lateBusy bool       // a goroutine reads them
	pushing  bool       // something was put off while a batch is released
}

// Submit gives an entry to the pipeline and returns; it does not block.
// StanzaOut runs here, for each delivery. What it appends is written when the
// stream or the hook that led here is done; who submits on a goroutine of its
// own calls FlushTouched at its end.
func (m *Manager) Submit(e Entry) {
	e.Out = m.filterOut(e.Out)
	m.flushOthers(m.pipe.submit(item{Entry: e}))
	if e.Counts {
		m.pipe.counted(e.From)
	}
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
func (p *pipeline) run(fn func()) { p.m.flushOthers(p.submit(item{fn: fn})) }

// submit queues an item and, if the token is free, takes it and works until the
// queue is empty. Whoever submits calls FlushTouched afterwards, since the items
// of others that came meanwhile were theirs to flush only if they still do; who
// doesn't, looks at others: it reports whether there were such items.
func (p *pipeline) submit(it item) (others bool) {
	p.mu.Lock()
	p.queue = append(p.queue, it)
	if p.running {
		p.mu.Unlock()
		return false
	}
	p.running = true
	for rounds := 1; len(p.queue) > 0; rounds++ {
		others = rounds > 1
		work := p.queue
		p.queue = p.spare[:0]
		p.spare = nil
		p.mu.Unlock()

		for i := range work {
			p.guarded(&work[i], p.process)
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
	return others
}

// process gives one item its place in the order.
func (p *pipeline) process(it *item) {
	switch {
	case it.fn != nil:
		it.fn()
	case it.batch != nil:
		p.release(it.batch, it.err)
	case it.trim != nil:
		it.trim.trimTail()
	default:
		p.oweInstead(it)
		if l := it.owe; l != nil && l.blocked > p.released {
			p.wait(p.batch(l.blocked), it) // a delivery before it may fail and be owed first
			return
		}
		p.number(it)
	}
}

// guarded does something with an item. A panic of a link or of a callback takes
// that item and not the token with it, without which nothing would move again.
func (p *pipeline) guarded(it *item, do func(*item)) {
	defer func() {
		if v := recover(); v != nil {
			p.m.metrics.panics.Inc()
			p.m.log.Error("a fault in the pipeline", "err", panicked("delivering", v))
		}
	}()
	do(it)
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
	if it.owe != nil {
		p.writeOwed(it)
	}
	if len(it.Writes.Ops) > 0 {
		b := p.openBatch()
		b.writes.Ops = append(b.writes.Ops, it.Writes.Ops...)
		b.size += it.Writes.Size()
		p.wait(b, it)
		if len(b.writes.Ops) >= maxBatchOps || b.size >= maxBatchBytes {
			p.commit()
		}
		return
	}
	if no := p.waitsFor(it); no > p.released {
		p.wait(p.batch(no), it)
		return
	}
	p.deliverAll(it)
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
	entries, bytes := it.weight()
	b.entries += entries
	b.bytes += bytes
	p.account(entries, bytes)
	if it.From != nil {
		it.From.waitFor(b.no)
	}
	for _, d := range it.Out {
		d.To.waitFor(b.no)
		it.block(d, b.no)
	}
	if it.one.To != nil {
		it.one.To.waitFor(b.no)
		it.block(it.one, b.no)
	}
}

func (s *Session) waitFor(no uint64) { s.pendingBatch = max(s.pendingBatch, no) }

// block notes that a message waits to be delivered to a session of an account:
// one that is owed to the account must not get into its log before.
func (it *item) block(d Delivery, no uint64) {
	if l := d.To.ledger; l != nil && it.owe == nil && d.Stanza.Kind == stanza.Message {
		l.blocked = max(l.blocked, no)
	}
}

// batch returns an unreleased batch by its number.
func (p *pipeline) batch(no uint64) *batch { return p.flying[no-p.released-1] }

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
	p.flying[0] = nil
	p.flying = p.flying[1:]
	p.released = b.no
	if err != nil {
		p.m.commitFailed(err)
	}
	p.pushing = false
	for i := range b.items {
		it := &b.items[i]
		switch failed := len(it.Writes.Ops) > 0 && err != nil; {
		case failed:
			p.guarded(it, func(it *item) { p.failed(it, err) })
		case it.owe != nil && len(it.Writes.Ops) == 0: // it had to wait for its place in the log
			p.number(it)
			p.pushed(it.From)
		case p.pushing && p.putOff(it):
		default:
			p.guarded(it, p.deliverAll)
		}
	}
	p.account(-b.entries, -b.bytes)
}

// pushed notes that something of a session has come to wait for a later batch.
func (p *pipeline) pushed(s *Session) {
	if s != nil && s.pendingBatch > p.released {
		s.pushed, p.pushing = s.pendingBatch, true
	}
}

// putOff moves an item on to the batch that something earlier of its sender has
// come to wait for while the items before it were released.
func (p *pipeline) putOff(it *item) bool {
	if it.From == nil || it.owe != nil || it.From.pushed <= p.released {
		return false
	}
	if to := it.one.To; to != nil && (to.lost || to.behind) && keptOffline(it.one.Stanza) {
		return false // it follows that into the log, and needs no commit more
	}
	it.Writes = storage.Batch{} // they are durable
	p.wait(p.batch(it.From.pushed), it)
	return true
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
