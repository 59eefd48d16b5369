package sessionmgr

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"weir/hook"
	"weir/stanza"
)

// Bounds of the pipeline. At a bound the streams whose stanzas come in pause;
// nothing is dropped.
const (
	maxPendingEntries = 4096
	maxPendingBytes   = 16 << 20
)

// pipeline numbers, commits and releases. It is run by whoever finds its token
// free: there is no goroutine of its own and no hand-over.
//
// One batch is with the store at a time; what comes meanwhile is the next. So
// when a batch is sealed everything before it has been released, and the numbers
// that its stanzas get can be written with them.
type pipeline struct {
	m *Manager

	mu      sync.Mutex
	queue   []item
	running bool     // the token is taken
	pending int      // entries that wait for a commit
	bytes   int      // their size
	queued  int      // entries in the queue
	backlog int      // their size
	room    []func() // streams that wait for the bounds

	// What the token holder has taken off the queue and not given a place yet. It
	// alone writes them; for the bounds, as it may be kept from going on for long.
	taken, takenBytes atomic.Int64

	// Owned by the token holder.
	spare     []item
	flying    *batch              // given to the store and not yet released; nil if there is none
	open      *batch              // collects what comes next; nil if there is nothing
	spares    []*batch            // released, for the next to use their memory: there are two at most, as one flies while one is open
	tidying   bool                // they are dropped in a moment, unless one was used by then
	next      uint64              // number of the next batch
	released  uint64              // number of the last batch released
	missed    []Delivery          // reached nobody and aren't kept
	late      []item              // to be owed to accounts whose ledgers have to be read
	lateBusy  bool                // a goroutine reads them
	pushing   bool                // something was put off while a batch is released
	releasing bool                // a batch is being released
	delayed   map[*Session]uint64 // for whom something was put off, and to which batch
	group     uint32              // grows with each entry of several stanzas
	front     []item              // what came to wait meanwhile
	behind    []*Session          // whose records in the store are behind
	lingering []*Session          // to be looked at again in a moment
	asking    []*Session          // whose clients wait for an acknowledgement, in that order
	hidden    []hiddenRecord
	graves    graves
	unsaved   []*ledger  // that a full disk has not taken; in use
	noSpace   fullness   // what the log was told of a full disk
	named     []*Session // scratch: targets of the message being sealed
	aims      []target   // scratch: the same, as its record has them
	rendered  []byte     // scratch: that message
}

// Submit gives an entry to the pipeline and returns; it does not block.
// StanzaOut runs here, for each delivery. What it appends is written when the
// stream or the hook that led here is done; who submits on a goroutine of its
// own calls FlushTouched at its end.
func (m *Manager) Submit(e Entry) {
	m.concealed(&e)
	e.Out = m.filterOut(e.Out)
	it := item{Entry: e}
	if e.Counts {
		from, current := e.From.source(e.Link)
		if !current {
			m.metrics.stale.Inc()
			return
		}
		from.sign(&it)
		if len(e.Out) == 1 && e.Out[0].Stanza.Kind == stanza.Message && e.Out[0].Stanza.IsError() { // it goes the way of all that answer messages
			it.one, it.Out, it.routed = e.Out[0], nil, true
		}
	}
	m.flushOthers(m.pipe.submit(it))
}

// deliver is Submit for one stanza to one session, without writes.
func (m *Manager) deliver(from *source, to *Session, st *stanza.Stanza) {
	if !m.Hooks.StanzaOut.Empty() && !m.mayGoOut(to, st) {
		return
	}
	it := item{one: Delivery{To: to, Stanza: st}, routed: true}
	from.sign(&it)
	m.leads(from, &it)
	m.pipe.submit(it)
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
	if panicked := (*hook.PanicError)(nil); errors.As(err, &panicked) {
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
	entries, bytes := it.burden()
	p.mu.Lock()
	p.queue = append(p.queue, it)
	p.queued += entries
	p.backlog += bytes
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
		p.taken.Store(int64(p.queued))
		p.takenBytes.Store(int64(p.backlog))
		p.queued, p.backlog = 0, 0
		p.mu.Unlock()

		for i := range work {
			entries, bytes := work[i].burden()
			p.guarded(&work[i], p.process)
			p.taken.Add(int64(-entries))
			p.takenBytes.Add(int64(-bytes))
		}
		p.commit()
		p.hand()
		clear(work)

		p.mu.Lock()
		if cap(work) <= 1024 { // a burst's array isn't kept
			p.spare = work
		}
		p.taken.Store(0)
		p.takenBytes.Store(0)
		p.letIn()
	}
	p.running = false
	p.mu.Unlock()
	return others
}

// process gives one item its place in the order.
func (p *pipeline) process(it *item) {
	switch {
	case it.batch != nil:
		p.release(it.batch, it.err)
		return
	case it.trim != nil:
		it.trim.trimTail()
		return
	case it.fn != nil && it.From == nil:
		it.fn()
		return
	case it.fenced && (it.epoch != it.From.epoch || it.From.buried()):
		p.stale(it)
		return
	}
	if it.count && it.From.sm != nil {
		it.From.sm.accepted++
	}
	if it.Still != nil {
		it.Out = it.Still(it.Out)
	}
	p.quieten(it)
	p.number(it)
}

// stale drops an item that comes of a stream which its session has left, or of a
// session that has ended: its client was told how many of its stanzas were
// handled, or asks, and sends the rest again.
func (p *pipeline) stale(it *item) {
	p.m.metrics.stale.Inc()
	it.unfollow(Report{Fate: Dropped, Err: ErrGone})
	if it.owe != nil {
		p.m.ledgers.release(it.owe)
	}
}

// buried reports whether it is written down how far a session with a resumable
// stream came that has ended.
func (s *Session) buried() bool { return s.sm != nil && s.sm.resumable && s.ledger == nil }

// guarded does something with an item. A panic of a link or of a callback takes
// that item and not the token with it, without which nothing would move again.
func (p *pipeline) guarded(it *item, do func(*item)) {
	defer func() {
		if v := recover(); v != nil {
			p.m.metrics.panics.Inc()
			err := panicked("delivering", v)
			p.m.log.Error("a fault in the pipeline", "err", err)
			it.unfollow(Report{Fate: Dropped, Err: err})
		}
	}()
	do(it)
}

// number puts the item behind everything its sessions wait for: into the open
// batch if it has writes, behind the batch that one of its sessions waits for,
// or straight out.
func (p *pipeline) number(it *item) {
	it.log = it.owe != nil || p.logs(it)
	if it.durable() {
		p.wait(p.openBatch(), it)
		return
	}
	if no := p.waitsFor(it); no > p.released {
		p.wait(p.batch(no), it)
		return
	}
	p.deliverAll(it)
}

// logs reports whether an item is a message that goes into a log before it is
// delivered: one that is kept, unless nobody archives it and neither end would
// know the difference.
func (p *pipeline) logs(it *item) bool {
	st := it.message()
	if st == nil || !keptOffline(st) {
		return it.private()
	}
	if it.away {
		return p.logsAway(it, st)
	}
	if s := it.From; s != nil {
		if s.sm != nil || s.ledger != nil && p.m.archives(s.ledger, st.To.Bare()) {
			return true
		}
	}
	if p.mustLog(&it.one, st) {
		return true
	}
	for i := range it.Out {
		if p.mustLog(&it.Out[i], st) {
			return true
		}
	}
	must := false
	it.carbons.each(func(d *Delivery) { must = must || d.To.sm != nil || d.To.behind })
	return must
}

func (p *pipeline) mustLog(d *Delivery, st *stanza.Stanza) bool {
	s := d.To
	if s == nil {
		return false
	}
	return s.sm != nil || s.behind || s.newcomer() > 0 || s.ledger != nil && p.m.archives(s.ledger, st.From.Bare())
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
	if it.chunk != nil {
		no = max(no, it.chunk.s.pendingBatch)
	}
	for _, d := range it.Out {
		no = max(no, d.To.pendingBatch)
	}
	it.carbons.each(func(d *Delivery) { no = max(no, d.To.pendingBatch) })
	return no
}

// wait puts the item behind a batch, and its sessions with it.
func (p *pipeline) wait(b *batch, it *item) {
	if p.releasing { // what comes of that was there before what is in the batch
		p.front = append(p.front, *it)
	} else {
		b.items = append(b.items, *it)
	}
	entries, bytes := it.weight()
	b.entries += entries
	b.bytes += bytes
	p.account(entries, bytes)
	if it.From != nil {
		it.From.waitFor(b.no)
	}
	for _, d := range it.Out {
		d.To.waitFor(b.no)
	}
	if it.one.To != nil {
		it.one.To.waitFor(b.no)
	}
	if it.chunk != nil {
		it.chunk.s.waitFor(b.no)
	}
	it.carbons.each(func(d *Delivery) { d.To.waitFor(b.no) })
}

func (s *Session) waitFor(no uint64) { s.pendingBatch = max(s.pendingBatch, no) }

// batch returns an unreleased batch by its number.
func (p *pipeline) batch(no uint64) *batch {
	if p.flying != nil && p.flying.no == no {
		return p.flying
	}
	return p.open
}

func (p *pipeline) openBatch() *batch {
	if p.open == nil {
		p.next++
		p.open = p.unused()
		p.open.no = p.next
	}
	return p.open
}

// idle reports whether nothing waits for the store. Runs with the token.
func (p *pipeline) idle() bool { return p.flying == nil && p.open == nil }

// commit gives the open batch to the store, if that has none.
func (p *pipeline) commit() {
	b := p.open
	if b == nil || p.flying != nil {
		return
	}
	p.open, p.flying = nil, b
	p.seal(b)
	p.m.metrics.commitSize.Observe(float64(len(b.items)))
	began := time.Now()
	p.m.store.Commit(&b.writes, func(err error) {
		p.m.metrics.commitTime.Observe(time.Since(began).Seconds())
		p.submit(item{batch: b, err: err})
		p.m.flushSoon() // not on the store's goroutine
	})
}

// account keeps the books of the bounds and wakes the streams that waited.
func (p *pipeline) account(entries, bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pending += entries
	p.bytes += bytes
	if entries < 0 {
		p.letIn()
	}
}

// letIn wakes the streams that wait for the bounds, if there is room. mu is held.
func (p *pipeline) letIn() {
	if len(p.room) == 0 || p.full() {
		return
	}
	woken := p.room
	p.room = nil
	p.m.work.Go(func() {
		for _, resume := range woken {
			resume()
		}
	})
}

// full reports whether a bound is reached, by what waits for a commit and by what
// nobody has looked at yet. mu is held.
func (p *pipeline) full() bool {
	return p.pending+p.queued+int(p.taken.Load()) >= maxPendingEntries ||
		p.bytes+p.backlog+int(p.takenBytes.Load()) >= maxPendingBytes
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
