package mam

import (
	"context"
	"math"
	"slices"
	"time"

	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
)

const (
	// maxScan is how many messages are looked at for one page that has something
	// to show already; the client goes on from there.
	maxScan = 50_000
	// slack is how far the time in an id and the time of its message may be apart:
	// ids run ahead of the clock for a moment after a crash or when it steps back.
	slack = 10 * time.Second
)

// newest is above each id.
const newest = math.MaxUint64

// horizon is where times stop to be ids: they would overflow.
var horizon = time.Date(2500, 1, 1, 0, 0, 0, 0, time.UTC)

// page is what was found.
type page struct {
	results     []*stanza.Stanza // in the order in which they are sent
	first, last uint64           // of the page in the order of the archive, whichever way it is sent
	complete    bool             // there is nothing of the set in the direction of the page
	count       int              // of the whole set; -1 unless it is known
	index       int              // of first in the set; -1 unless it is known
}

// collector fills a page from a walk.
type collector struct {
	q      *query
	s      *sessionmgr.Session
	bytes  int // room for results
	counts int // how many messages are looked at for the count; 0: the walk isn't one of the whole set

	ids      []uint64
	results  []*stanza.Stanza
	looked   int
	matched  int
	more     bool // some didn't fit
	cut      bool // the walk ended before the set did
	finished bool // the walk saw all that it was to see
}

// find returns the page that is asked for. gone says that nobody waits for it.
func (mod *Module) find(ctx context.Context, s *sessionmgr.Session, q *query) (p *page, gone bool, err error) {
	defer mod.read()()
	for _, id := range q.mentioned() {
		if _, there, err := mod.get(ctx, q.account, id); err != nil {
			return nil, false, err
		} else if !there {
			return nil, false, notFound()
		}
	}
	lo, hi := mod.set(q)
	c := &collector{q: q, s: s, bytes: mod.o.PageBytes, finished: true}
	if !q.positioned() || q.max == 0 {
		c.counts = mod.o.CountScan
	}
	if q.max > 0 { // XEP-0059 §2.7: the count is of the whole set
		for _, id := range q.from {
			lo = max(lo, id)
		}
		for _, id := range q.to {
			hi = min(hi, id)
		}
	}
	if err := mod.walk(ctx, q, lo, hi, c.see); err != nil {
		return nil, false, err
	}
	if c.stale() {
		return nil, true, nil
	}
	return c.page(), false, nil
}

// get looks for one message.
func (mod *Module) get(ctx context.Context, account jid.JID, id uint64) (a Archived, there bool, err error) {
	if id == 0 {
		return a, false, nil
	}
	err = mod.archive.Archived(ctx, account, id-1, func(next Archived) bool {
		if next.ID == id {
			a, there = next, true
		}
		return false
	})
	return a, there, err
}

// set returns between which ids the messages of the set lie, both exclusive.
func (mod *Module) set(q *query) (lo, hi uint64) {
	hi = newest
	if !q.start.IsZero() {
		if at := mod.idAt(q.start.Add(-slack)); at > 0 {
			lo = at - 1
		}
	}
	if !q.end.IsZero() {
		hi = mod.idAt(q.end.Add(slack))
	}
	for _, id := range q.after {
		lo = max(lo, id)
	}
	for _, id := range q.before {
		hi = min(hi, id)
	}
	return lo, hi
}

func (mod *Module) idAt(t time.Time) uint64 {
	if t.After(horizon) {
		return newest
	}
	return mod.archive.FirstArchivedAt(t)
}

// walk calls fn for the messages between two ids, in the direction of the page,
// until it returns false.
func (mod *Module) walk(ctx context.Context, q *query, lo, hi uint64, fn func(*Archived) bool) error {
	switch {
	case lo >= hi:
		return nil
	case q.ids != nil:
		return mod.walkIDs(ctx, q, lo, hi, fn)
	case q.backward:
		return mod.archive.ArchivedBefore(ctx, q.account, hi, func(a Archived) bool { return a.ID > lo && fn(&a) })
	}
	return mod.archive.Archived(ctx, q.account, lo, func(a Archived) bool { return a.ID < hi && fn(&a) })
}

func (mod *Module) walkIDs(ctx context.Context, q *query, lo, hi uint64, fn func(*Archived) bool) error {
	ids := slices.Clone(q.ids)
	if q.backward {
		slices.Reverse(ids)
	}
	for _, id := range ids {
		if id <= lo || id >= hi {
			continue
		}
		a, there, err := mod.get(ctx, q.account, id)
		if err != nil {
			return err
		}
		if there && !fn(&a) { // else it was trimmed a moment ago
			return nil
		}
	}
	return nil
}

// see looks at one message and says whether to go on.
func (c *collector) see(a *Archived) bool {
	if c.looked++; c.looked%256 == 0 && c.stale() {
		return false
	}
	if c.q.matches(a) {
		c.matched++
		c.take(a)
	}
	counting := c.looked < c.counts
	switch {
	case c.more:
		c.finished = counting
		return counting
	case c.looked >= maxScan && len(c.results) > 0, c.q.max == 0 && !counting:
		c.cut, c.finished = true, false
		return false
	}
	return true
}

// take puts a message on the page, if it fits.
func (c *collector) take(a *Archived) {
	if c.more || len(c.results) >= c.q.max {
		c.more = true
		return
	}
	st := c.q.result(a, c.s.JID())
	if c.bytes -= st.Size(); c.bytes < 0 && len(c.results) > 0 {
		c.more = true
		return
	}
	c.ids = append(c.ids, a.ID)
	c.results = append(c.results, st)
}

// stale reports whether the session has ended.
func (c *collector) stale() bool { return c.s.State() == sessionmgr.Destroyed }

// page returns what was collected.
func (c *collector) page() *page {
	p := &page{results: c.results, complete: !c.more && !c.cut, count: -1, index: -1}
	if c.q.backward != c.q.flip { // collected the other way round than sent
		slices.Reverse(p.results)
	}
	if n := len(c.ids); n > 0 {
		p.first, p.last = min(c.ids[0], c.ids[n-1]), max(c.ids[0], c.ids[n-1])
	}
	if c.finished && c.counts > 0 {
		p.count, p.index = c.matched, 0
		if c.q.backward {
			p.index = c.matched - len(c.ids)
		}
	}
	return p
}
