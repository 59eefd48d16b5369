package pebble

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"weir/storage"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Pebble doesn't survive a full disk where it writes its log or its manifest.
// So the disk is never let become full by us: commits stop while MinFree bytes
// are left. For the case that somebody else takes these too, a file of
// reserveSize bytes is kept, and freed for those writes that must not fail.
const (
	reserveName = "RESERVE"
	reserveSize = 8 << 20
	// checkEvery is after how many bytes or how long the free space is looked
	// at again. (One look costs about a microsecond.)
	checkBytes = 1 << 20
	checkEvery = time.Second
	// fullFor is how long the news that a table found no space is believed. Pebble
	// tries again all the time (retryPause) and renews it.
	fullFor = 3 * time.Second
)

// space knows whether there is room for more.
type space struct {
	// immutable
	fs      vfs.FS // the real one, not the fence
	dir     string
	minFree uint64 // 0: no check

	tableFull atomic.Int64 // unix nanoseconds when a table found no space, 0 never

	mu      sync.Mutex // guards the rest
	held    bool       // the reserve is there
	low     bool
	checked time.Time
	written int
}

// path is the reserve's.
func (s *space) path() string { return s.fs.PathJoin(s.dir, reserveName) }

// noteTableFull records that a table could not be written.
func (s *space) noteTableFull() { s.tableFull.Store(time.Now().UnixNano()) }

// check tells whether n more bytes may be written: nil or storage.ErrFull
// (wrapped). Batches that only delete may be written even then, if some says so.
func (s *space) check(n int) (err error, deletes bool) {
	if t := s.tableFull.Load(); t != 0 && time.Since(time.Unix(0, t)) < fullFor {
		return fmt.Errorf("%w: the disk of %s is full", storage.ErrFull, s.dir), false
	}
	if s.minFree == 0 {
		return nil, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written += n
	now := time.Now()
	if !s.low && s.written < checkBytes && now.Sub(s.checked) < checkEvery {
		return nil, true
	}
	s.written, s.checked = 0, now
	return s.look()
}

// look measures; mu is held.
func (s *space) look() (err error, deletes bool) {
	du, err := s.fs.GetDiskUsage(s.dir)
	if err != nil {
		if errors.Is(err, vfs.ErrUnsupported) {
			s.minFree = 0
		}
		return nil, true // it can't be known; the writes themselves will tell
	}
	need := s.minFree
	if s.low {
		need += s.minFree / 8 // so that it doesn't flutter
	}
	if !s.held && du.AvailBytes >= need+reserveSize {
		s.held = s.makeReserve() == nil
	}
	s.low = du.AvailBytes < need
	if !s.low {
		return nil, true
	}
	return fmt.Errorf("%w: %s has %d MiB free and %d MiB are left free on purpose",
		storage.ErrFull, s.dir, du.AvailBytes>>20, s.minFree>>20), du.AvailBytes >= s.minFree/2
}

// makeReserve allocates the reserve's blocks.
func (s *space) makeReserve() error {
	f, err := s.fs.Create(s.path(), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if f.Fd() == vfs.InvalidFd {
		err = fill(f) // a file system in memory
	} else if err = f.Preallocate(0, reserveSize); err != nil {
		err = fill(f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, s.fs.Remove(s.path()))
	}
	return nil
}

// fill writes what can't be allocated otherwise.
func fill(f vfs.File) error {
	for range reserveSize / (64 << 10) {
		if _, err := f.Write(make([]byte, 64<<10)); err != nil {
			return err
		}
	}
	return nil
}

// free gives the reserve back to the disk. It reports false if there is none.
func (s *space) free() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.held {
		return false
	}
	s.held, s.low, s.checked = false, true, time.Time{}
	return s.fs.Remove(s.path()) == nil
}

// start makes the first measurement and the reserve.
func (s *space) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.minFree == 0 {
		return
	}
	if _, err := s.fs.Stat(s.path()); err == nil {
		s.held = true // from last time
	}
	s.checked = time.Now()
	_, _ = s.look()
}
