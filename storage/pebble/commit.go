package pebble

import (
	"fmt"
	"time"

	"weir/storage"

	"github.com/cockroachdb/pebble/v2"
)

// The way of a batch: Commit queues it. The filler takes what is queued, up to a
// group's bounds, and gives it to Pebble as one batch. The finisher waits for the
// sync of the oldest group and calls the done functions, in order. Both are
// goroutines that exist only while there is work, and both work at the same
// time on different groups: the sync is the timer of the group commit.
const (
	groupOps   = 1000
	groupBytes = 256 << 10
	// groupsUnderWay is how many groups are filled or synced at a time.
	groupsUnderWay = 2
)

// request is one Commit.
type request struct {
	b    *storage.Batch
	done func(error)
	size int
	err  error // set if the batch was refused, else the group's result
}

// group is what is committed by one batch of Pebble's.
type group struct {
	reqs    []request
	size    int
	keys    []byte // scratch
	batch   *pebble.Batch
	began   time.Time
	inside  bool          // guarded by Store.mu: the filler is inside Pebble, done with the requests
	applied chan struct{} // closed by the filler when Pebble has taken the batch
	err     error         // what came of that; read after applied
}

// Commit implements storage.Store.
func (s *Store) Commit(b *storage.Batch, done func(error)) {
	r := request{b: b, done: done, size: b.Size()}
	s.pending.Add(int64(r.size))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		r.err = storage.ErrClosed
	}
	s.queue = append(s.queue, r)
	s.kick()
}

// Pending returns how many bytes were given to Commit and not yet answered.
func (s *Store) Pending() int64 { return s.pending.Load() }

// kick starts the goroutine for the next thing to do. mu is held.
func (s *Store) kick() {
	if len(s.queue) == s.head {
		return
	}
	if s.closed || s.failure.Load() != nil {
		if !s.finishing { // it answers what is queued
			s.finishing = true
			go s.finish()
		}
		return
	}
	if !s.filling && len(s.underWay) < s.depth {
		s.filling = true
		go s.fill()
	}
}

// fill gives groups to Pebble until nothing is queued or enough is under way.
func (s *Store) fill() {
	for {
		s.mu.Lock()
		stop := len(s.queue) == s.head || len(s.underWay) >= s.depth ||
			s.closed || s.failure.Load() != nil
		if stop {
			s.filling = false
			s.kick() // a failure leaves the queue to the finisher
			s.idle.Broadcast()
			s.mu.Unlock()
			return
		}
		g := s.take()
		s.underWay = append(s.underWay, g)
		if !s.finishing {
			s.finishing = true
			go s.finish()
		}
		s.mu.Unlock()
		s.apply(g)
		close(g.applied)
	}
}

// take moves the head of the queue into a group: at least one request, and
// more within the bounds. mu is held.
func (s *Store) take() *group {
	g := s.spare
	s.spare = nil
	if g == nil {
		g = new(group)
	}
	g.applied, g.began = make(chan struct{}), time.Now()
	ops := 0
	for s.head < len(s.queue) {
		r := &s.queue[s.head]
		if len(g.reqs) > 0 && (ops+r.b.Len() > groupOps || g.size+r.size > groupBytes) {
			break
		}
		ops += r.b.Len()
		g.size += r.size
		g.reqs = append(g.reqs, *r)
		*r = request{}
		s.head++
	}
	s.shrinkQueue()
	return g
}

// shrinkQueue drops what was taken once it is the larger part. mu is held.
func (s *Store) shrinkQueue() {
	if s.head < len(s.queue) && s.head < len(s.queue)/2 {
		return
	}
	n := copy(s.queue, s.queue[s.head:])
	clear(s.queue[n:])
	s.queue, s.head = s.queue[:n], 0
}

// apply builds the group's batch and gives it to Pebble, which writes it to its
// log and its memtable and begins the sync.
func (s *Store) apply(g *group) {
	full, deletes := s.space.check(g.size)
	var panicked bool
	g.err, panicked = guard(func() error {
		b := s.db.NewBatchWithSize(roomFor(g.size))
		for i := range g.reqs {
			r := &g.reqs[i]
			if r.err == nil && full != nil && !(deletes && onlyDeletes(r.b)) {
				r.err = full
			}
			if r.err == nil {
				r.err = checkBatch(r.b)
			}
			if r.err != nil {
				continue
			}
			if err := g.write(b, r.b); err != nil {
				return err
			}
		}
		if b.Empty() {
			return b.Close()
		}
		if !s.enter(g) {
			return s.Err()
		}
		g.batch = b
		return s.db.ApplyNoSyncWait(b, pebble.Sync)
	})
	if g.err != nil {
		s.fail(g.err, panicked)
	}
}

// roomFor is how much memory a batch of Pebble's gets for that many bytes: sizes are
// few, so that one that was used before is as a rule large enough.
func roomFor(size int) int {
	switch size += 64; {
	case size <= 4<<10:
		return size
	case size <= groupBytes/8:
		return groupBytes / 8
	}
	return max(size, groupBytes+groupBytes/8)
}

// enter notes that from now on the filler may be stuck in Pebble. It reports
// false if the store has failed and Pebble is not to be entered.
func (s *Store) enter(g *group) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	g.inside = s.failure.Load() == nil
	return g.inside
}

// write adds one batch to Pebble's.
func (g *group) write(to *pebble.Batch, from *storage.Batch) error {
	for i := range from.Ops {
		op := &from.Ops[i]
		g.keys = appendPrefix(g.keys[:0], &op.Key)
		prefix := len(g.keys)
		g.keys = append(g.keys, op.Key.Item...)
		var err error
		switch {
		case !op.Range && op.Value == nil:
			err = to.Delete(g.keys, nil)
		case !op.Range:
			err = to.Set(g.keys, op.Value, nil)
		case op.Until == "":
			n := len(g.keys)
			g.keys = endOf(append(g.keys, g.keys[:prefix]...))
			err = to.DeleteRange(g.keys[:n], g.keys[n:], nil)
		case op.Until > op.Key.Item:
			n := len(g.keys)
			g.keys = append(append(g.keys, g.keys[:prefix]...), op.Until...)
			err = to.DeleteRange(g.keys[:n], g.keys[n:], nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkBatch refuses a batch with a key that can't be.
func checkBatch(b *storage.Batch) error {
	for i := range b.Ops {
		if err := checkKey(&b.Ops[i].Key); err != nil {
			return err
		}
	}
	return nil
}

// onlyDeletes reports whether a batch adds nothing.
func onlyDeletes(b *storage.Batch) bool {
	for i := range b.Ops {
		if !b.Ops[i].Range && b.Ops[i].Value != nil {
			return false
		}
	}
	return true
}

// finish answers the groups under way in order, and what is queued once
// nothing can be committed any more.
func (s *Store) finish() {
	for {
		s.mu.Lock()
		var g *group
		switch {
		case len(s.underWay) > 0:
			g = s.underWay[0]
		case len(s.queue) > s.head && (s.closed || s.failure.Load() != nil):
			reqs, err := append([]request(nil), s.queue[s.head:]...), s.refusal()
			s.head = len(s.queue)
			s.shrinkQueue()
			s.mu.Unlock()
			s.answer(reqs, err)
			continue
		default:
			s.finishing = false
			s.idle.Broadcast()
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()

		err, ours := s.await(g)

		s.mu.Lock()
		n := copy(s.underWay, s.underWay[1:])
		s.underWay[n] = nil
		s.underWay = s.underWay[:n]
		s.kick() // the next group is filled while we answer this one
		s.mu.Unlock()
		s.answer(g.reqs, err)
		if ours {
			s.keepSpare(g)
		}
	}
}

// await waits until the group is durable or has failed. ours is false if the
// filler may still hold the group: after a failure it may be stuck inside Pebble.
func (s *Store) await(g *group) (err error, ours bool) {
	select {
	case <-g.applied:
	case <-s.failed:
		s.mu.Lock()
		inside := g.inside
		s.mu.Unlock()
		if inside {
			return s.Err(), false
		}
		<-g.applied
	}
	if g.err != nil {
		return s.Err(), true
	}
	if g.batch == nil {
		return nil, true
	}
	err, panicked := guard(g.batch.SyncWait)
	if err != nil {
		s.fail(fmt.Errorf("commit: %w", err), panicked)
	}
	// The fence may have seen a failed sync that Pebble has not told us of:
	// nothing is answered nil after a fault.
	if err := s.Err(); err != nil {
		return err, true
	}
	s.metrics.committed(g)
	if err, _ := guard(g.batch.Close); err != nil {
		s.log.Warn("storage: closing a committed batch", "dir", s.dir, "err", err)
	}
	return nil, true
}

// answer calls the done functions with the request's own error, or err.
func (s *Store) answer(reqs []request, err error) {
	for i := range reqs {
		r := reqs[i]
		if r.err == nil {
			r.err = err
		}
		s.pending.Add(-int64(r.size))
		s.call(r.done, r.err)
	}
}

// call runs one done function. A panic in it must not keep the others from their answers.
func (s *Store) call(done func(error), err error) {
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("storage: a commit's callback panicked", "panic", r)
		}
	}()
	done(err)
}

// keepSpare saves a group's memory for the next.
func (s *Store) keepSpare(g *group) {
	if cap(g.keys) > 64<<10 {
		return
	}
	clear(g.reqs)
	*g = group{reqs: g.reqs[:0], keys: g.keys[:0]}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spare = g
}
