package events

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Queue is where events wait for one taker. It is bounded: where it is full, the
// oldest makes room for the newest, and the taker is told how many that were by an
// event of the kind [Dropped] in their place. Safe for concurrent use.
type Queue struct {
	limit int
	news  chan struct{} // has room for one: something waits, or the queue is closed

	mu      sync.Mutex
	waiting []Event // guarded by mu, oldest first
	dropped uint64  // guarded by mu, since the last Take
	closed  bool    // guarded by mu
	lost    func(n uint64)
}

// NewQueue makes a queue of a number of events. lost is told of every number of events
// that are dropped, with the lock held: it counts, no more. It may be nil.
func NewQueue(limit int, lost func(n uint64)) *Queue {
	if lost == nil {
		lost = func(uint64) {}
	}
	return &Queue{limit: limit, news: make(chan struct{}, 1), lost: lost}
}

// Put adds an event, and returns those that made room for it. It does not block. After
// Close it does nothing.
func (q *Queue) Put(e Event) (dropped []Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil
	}
	if len(q.waiting) >= q.limit {
		n := len(q.waiting) - q.limit + 1
		dropped = slices.Clone(q.waiting[:n])
		clear(q.waiting[:n])
		q.waiting = q.waiting[n:]
		q.dropped += uint64(n)
		q.lost(uint64(n))
	}
	q.waiting = append(q.waiting, e)
	q.signal()
	return dropped
}

func (q *Queue) signal() {
	select {
	case q.news <- struct{}{}:
	default:
	}
}

// Lost says that events that were taken have got lost behind the queue: they are
// told with those that the queue itself dropped.
func (q *Queue) Lost(some []Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range some {
		if e.Kind == Dropped { // counted already
			q.dropped += e.Count
			continue
		}
		q.dropped++
		q.lost(1)
	}
}

// Take waits for events and removes up to most of them, oldest first. It returns
// none once ctx ends, or the queue is closed and empty.
func (q *Queue) Take(ctx context.Context, most int) []Event {
	for {
		if some, over := q.take(most); len(some) > 0 || over {
			return some
		}
		select {
		case <-q.news:
		case <-ctx.Done():
			return nil
		}
	}
}

func (q *Queue) take(most int) (some []Event, over bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return nil, q.closed
	}
	if q.dropped > 0 {
		some = append(some, Event{Time: time.Now(), Kind: Dropped, Count: q.dropped})
		q.dropped = 0
	}
	n := min(most, len(q.waiting))
	some = append(some, q.waiting[:n]...)
	clear(q.waiting[:n])
	if q.waiting = q.waiting[n:]; len(q.waiting) == 0 {
		q.waiting = nil // what a crowd needed is given back
	} else {
		q.signal()
	}
	return some, false
}

// Len returns how many events wait.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// Close takes no more events; what waits can still be taken.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}
