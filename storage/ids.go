package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// IDs makes the ids of log records: strictly growing, over restarts too and if
// the clock steps back, and sortable by time. An id is the Unix time in
// milliseconds in its upper 44 bits and a count in the lower 20.
//
// What was given out is bounded by a mark in the store, set ahead in steps. A
// process that was killed begins above the mark, so its first ids may be up to
// two seconds ahead of the clock; after Close they are not.
type IDs struct {
	store Store
	mark  KeyVal

	last     atomic.Uint64 // the newest id
	reserved atomic.Uint64 // ids up to here are covered by a committed or queued mark

	mu sync.Mutex // held while a mark is queued, so that no id overtakes its mark
}

const (
	idSeqBits = 20
	// idBlock is how far ahead the mark is set: two seconds, or two billion ids.
	idBlock = 2000 << idSeqBits
)

// tableIDs holds the mark, as the record of the account "".
const tableIDs = "storage-ids"

// CheckRecord reports whether a record of this package's own table can be read; nil for
// those of others. It is for those who check a store.
func CheckRecord(table string, rec []byte) error {
	if table == tableIDs && len(rec) != 8 {
		return fmt.Errorf("storage: the mark of the highest id has %d bytes instead of 8", len(rec))
	}
	return nil
}

// NewIDs returns the id source of a store. There must be one only.
func NewIDs(ctx context.Context, st Store) (*IDs, error) {
	s := &IDs{store: st, mark: NewKeyVal(st, tableIDs)}
	rec, err := s.mark.Get(ctx, "")
	switch {
	case errors.Is(err, ErrNotFound):
	case err != nil:
		return nil, fmt.Errorf("storage: read the highest id: %w", err)
	case len(rec) != 8:
		return nil, fmt.Errorf("storage: the mark of the highest id has %d bytes instead of 8: %w", len(rec), ErrFailed)
	default:
		mark := binary.BigEndian.Uint64(rec)
		s.last.Store(mark)
		s.reserved.Store(mark)
	}
	return s, nil
}

// Next returns an id above all that were returned before. It never blocks on the
// disk. A batch that is committed with the id after Next has returned becomes
// durable only together with, or after, a mark that covers the id.
func (s *IDs) Next() uint64 {
	var id uint64
	for {
		last := s.last.Load()
		id = max(last+1, uint64(max(time.Now().UnixMilli(), 0))<<idSeqBits)
		if s.last.CompareAndSwap(last, id) {
			break
		}
	}
	if id > s.reserved.Load() {
		s.reserve(id)
	}
	return id
}

// reserve queues a mark that covers id. Commits become durable in their order, so
// there is no need to wait for it.
func (s *IDs) reserve(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id <= s.reserved.Load() {
		return
	}
	s.queue(id + idBlock)
	s.reserved.Store(id + idBlock)
}

// queue commits a mark. If that fails the next Next tries again: then later
// commits may succeed that this mark doesn't cover.
func (s *IDs) queue(mark uint64) {
	var b Batch
	s.mark.Set(&b, "", binary.BigEndian.AppendUint64(nil, mark))
	s.store.Commit(&b, func(err error) {
		if err != nil {
			s.reserved.Store(0)
		}
	})
}

// Saw tells of an id found in the store, which may have come from elsewhere (a
// restored backup, another node). Later ids are above it.
func (s *IDs) Saw(id uint64) {
	for {
		last := s.last.Load()
		if id <= last || s.last.CompareAndSwap(last, id) {
			return
		}
	}
}

// Time returns when an id was made, to the millisecond.
func (s *IDs) Time(id uint64) time.Time { return time.UnixMilli(int64(id >> idSeqBits)) }

// FirstAt returns the lowest id that can have been made at t or later: where a
// scan by time begins.
func (s *IDs) FirstAt(t time.Time) uint64 {
	ms := t.UnixMilli()
	if t.After(time.UnixMilli(ms)) {
		ms++
	}
	return uint64(max(ms, 0)) << idSeqBits
}

// Close sets the mark to the last id. Should Next be called yet, by somebody whose
// end took longer than the server waits, it sets the mark ahead once more.
func (s *IDs) Close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved.Store(0) // before last is read: an id is covered by it, or finds this
	var b Batch
	s.mark.Set(&b, "", binary.BigEndian.AppendUint64(nil, s.last.Load()))
	return Commit(ctx, s.store, &b)
}
