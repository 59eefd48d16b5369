package sessionmgr

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"weir/stanza"
)

// Fate is how far a stanza that somebody follows has come.
type Fate uint8

// The fates. A stanza comes to some of the first four, in this order; the end is
// one of those from Written on.
const (
	Queued  Fate = iota // taken: it waits for its turn, for the store or for its receiver
	Kept                // it is in the receiver's log and not lost any more
	Written             // a link has written it: the end where its client doesn't acknowledge
	Acked               // a client has acknowledged it (XEP-0198 §4)
	Left                // it is in the log, and whoever comes next gets it; this process tells no more of it
	Taken               // the server itself has handled it: a request, presence
	Bounced             // its sender was told, or would have been, that it is refused; the error says why
	Dropped             // nobody gets it
)

var fateNames = [...]string{
	Queued: "queued", Kept: "kept", Written: "written", Acked: "acked",
	Left: "left", Taken: "taken", Bounced: "bounced", Dropped: "dropped",
}

// String returns the name of the fate.
func (f Fate) String() string {
	if int(f) < len(fateNames) {
		return fateNames[f]
	}
	return fmt.Sprintf("fate-%d", uint8(f))
}

// progress orders the fates on the way; the others are no step of it.
func (f Fate) progress() int {
	if f <= Acked {
		return int(f)
	}
	return -1
}

// better reports whether f says more of a stanza that went to several sessions
// than another end does: that one of them has it counts.
func (f Fate) better(other Fate) bool {
	rank := [...]int{Acked: 6, Written: 5, Left: 4, Taken: 3, Bounced: 2, Dropped: 1}
	return rank[f] > rank[other]
}

// Report is what is told of a stanza that is followed.
type Report struct {
	Fate  Fate
	Final bool // nothing more comes
	// Session has got it, with Written and Acked.
	Session *Session
	// Err says why it was bounced (a stanza.Error) or dropped, as far as that is known.
	Err error
}

// ErrFollowed says that a Tracker was given twice: it follows one stanza.
var ErrFollowed = errors.New("sessionmgr: that tracker follows a stanza already")

// Tracker follows one stanza: give it to [Manager.SendFollowed],
// [Manager.RouteFollowed] or [Virtual.SendFollowed]. It costs what it holds, and
// nothing where nobody follows; no goroutine waits for it.
//
// A stanza for several sessions has come as far as it has with the one that is
// furthest. It has come to its end when it has with all of them, or when one has
// acknowledged it.
//
// The end comes for sure: with the acknowledgement or the write, at the latest
// with the end of the session (closed, replaced, kicked, not resumed in time), or
// with that of the manager, if its store still answers.
type Tracker struct {
	told func(Report)

	mu   sync.Mutex // guards what is below
	m    *Manager   // nil before it is used
	open int        // parts of the way that have no end yet
	now  Report
	best Report        // of the parts that have one; Queued for none
	wait chan struct{} // closed at the next change; nil if nobody waits
}

// NewTracker makes a Tracker. told, unless nil, is called for each step that the
// stanza makes: not for Queued, with which it begins, and not for steps that it
// has skipped; the last call has Final set.
//
// told runs on a goroutine of the manager with no lock held, after what it tells
// of. The calls of one tracker come in order and one at a time; all trackers share
// that goroutine, so told must not block, and least of all wait for a tracker. It
// may send, kick, and follow others. A panic is counted and logged.
func NewTracker(told func(Report)) *Tracker { return &Tracker{told: told} }

// Report returns how far the stanza has come.
func (t *Tracker) Report() Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now
}

// Wait waits until the stanza has come to at or further, to its end, or ctx ends:
// Wait(ctx, Kept) returns when a message is safe, Wait(ctx, Acked) at its end at
// the latest. It blocks: don't call it from a hook or a handler that must not, nor
// in the order of the receiver's session.
func (t *Tracker) Wait(ctx context.Context, at Fate) (Report, error) {
	for {
		t.mu.Lock()
		now := t.now
		if now.Final || at.progress() >= 0 && now.Fate.progress() >= at.progress() {
			t.mu.Unlock()
			return now, nil
		}
		if t.wait == nil {
			t.wait = make(chan struct{})
		}
		changed := t.wait
		t.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return now, context.Cause(ctx)
		}
	}
}

// begin uses the tracker; its first part lasts until over.
func (t *Tracker) begin(m *Manager) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m != nil {
		return ErrFollowed
	}
	t.m, t.open = m, 1
	return nil
}

// part notes that the stanza goes one way more.
func (t *Tracker) part() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open++
}

// reached notes that the stanza has come to a fate on one of its ways.
func (t *Tracker) reached(f Fate, s *Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.now.Final && f.progress() > t.now.Fate.progress() {
		t.tell(Report{Fate: f, Session: s})
	}
}

// note remembers how a part has ended, or would have: Queued for nothing.
func (t *Tracker) note(r Report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.noteNow(r)
}

func (t *Tracker) noteNow(r Report) {
	if r.Fate != Queued && (t.best.Fate == Queued || r.Fate.better(t.best.Fate)) {
		t.best = r
	}
}

// over ends a part. The last one ends the whole, and an acknowledgement does.
func (t *Tracker) over(r Report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.noteNow(r)
	t.open--
	if t.now.Final || t.open > 0 && t.best.Fate != Acked {
		return
	}
	end := t.best
	if end.Fate == Queued {
		end.Fate = Dropped
	}
	end.Final = true
	t.tell(end)
}

// end is over where there is a tracker.
func (t *Tracker) end(r Report) {
	if t != nil {
		t.over(r)
	}
}

// tell publishes a report; mu is held.
func (t *Tracker) tell(r Report) {
	t.now = r
	if t.wait != nil {
		close(t.wait)
		t.wait = nil
	}
	if t.told != nil {
		t.m.reports.add(t.m, t.told, r)
	}
}

// reports has trackers' functions called, one at a time, by a goroutine that is
// there while there is something to tell.
type reports struct {
	mu      sync.Mutex
	queue   []func() // guarded by mu
	running bool     // guarded by mu
}

func (q *reports) add(m *Manager, told func(Report), r Report) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queue = append(q.queue, func() { told(r) })
	if !q.running {
		q.running = true
		m.work.Go(func() { q.run(m) })
	}
}

func (q *reports) run(m *Manager) {
	returned := false
	defer func() {
		m.FlushTouched()
		if !returned { // one of them has ended its goroutine
			m.work.Go(func() { q.run(m) })
		}
	}()
	for {
		q.mu.Lock()
		if len(q.queue) == 0 {
			q.running, q.queue, returned = false, nil, true
			q.mu.Unlock()
			return
		}
		next := q.queue[0]
		q.queue = q.queue[1:]
		q.mu.Unlock()
		m.isolated("what a tracker tells", next)
	}
}

// isolated runs a function of a module. A panic is counted and logged.
func (m *Manager) isolated(what string, fn func()) {
	defer func() {
		if v := recover(); v != nil {
			m.metrics.panics.Inc()
			m.log.Error("handler failed", "err", panicked(what, v))
		}
	}()
	fn()
}

// SendFollowed is [Manager.Send] for a stanza that t follows. ErrGone is the end of
// t too.
func (m *Manager) SendFollowed(s *Session, st *stanza.Stanza, t *Tracker) error {
	defer m.FlushTouched()
	if err := t.begin(m); err != nil {
		return err
	}
	if !s.kept() || m.quiet.Load() {
		t.over(Report{Fate: Dropped, Err: ErrGone})
		return ErrGone
	}
	from := m.track(&source{counted: true}, t)
	m.sendSome(from, addressed(st, s.JID()), []*Session{s})
	m.untrack(from)
	t.over(Report{})
	m.endLate()
	return nil
}

// RouteFollowed is [Manager.Route] for a stanza that t follows. An error of
// routing is the end of t too.
func (m *Manager) RouteFollowed(ctx context.Context, st *stanza.Stanza, t *Tracker) error {
	defer m.FlushTouched()
	if err := t.begin(m); err != nil {
		return err
	}
	from := m.track(&source{counted: true}, t)
	err := m.route(ctx, from, st)
	m.untrack(from)
	switch {
	case err != nil:
		t.over(Report{Fate: Dropped, Err: err})
	case st.Kind == stanza.Presence:
		t.over(Report{Fate: Taken})
	default:
		t.over(Report{})
	}
	m.endLate()
	return err
}
