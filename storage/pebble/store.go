package pebble

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"weir/storage"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Store is an open folder. It implements storage.Store.
type Store struct {
	// immutable after Open
	dir     string
	log     *slog.Logger
	db      *pebble.DB
	lock    *pebble.Lock
	fence   *fence
	space   *space
	metrics *metrics
	failed  chan struct{} // closed by the first fail
	depth   int           // groupsUnderWay, or what a benchmark wants

	// atomic
	failure atomic.Pointer[error]
	stuck   atomic.Bool // Pebble can't be closed: a goroutine left it in the middle
	pending atomic.Int64

	mu        sync.Mutex
	idle      sync.Cond // signalled when one of the counts and flags below may matter to Close
	queue     []request // guarded by mu, as all below; [head:] waits
	head      int
	underWay  []*group // oldest first
	spare     *group
	filling   bool
	finishing bool
	reading   int
	closing   bool // Commit is refused
	closed    bool // db must not be used
}

// Open opens the store in o.Dir and makes a new one if there is none. The error
// is storage.ErrLocked, storage.ErrFull or storage.ErrFailed (the store is
// damaged) where that is why, and names the folder and what to do.
func Open(o Options) (*Store, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.setDefaults()
	s := &Store{dir: o.Dir, log: o.Log, failed: make(chan struct{}), depth: groupsUnderWay}
	s.idle.L = &s.mu
	s.space = &space{fs: o.FS, dir: o.Dir, minFree: uint64(max(o.MinFree, 0))}
	s.fence = &fence{
		FS: o.FS, process: o.Durability == Process, closing: make(chan struct{}),
		onFault: func(err error) { s.fail(err, false) },
		reserve: s.space.free, onFull: s.space.noteTableFull,
	}
	s.fence.opening.Store(true)
	var err error
	if err = makeDir(o.FS, o.Dir); err != nil {
		return nil, explain(o.Dir, fmt.Errorf("make the folder: %w", err))
	}
	if s.lock, err = lockDir(o.FS, o.Dir); err != nil {
		return nil, err
	}
	if err = inspect(o.FS, o.Dir); err != nil {
		return nil, errors.Join(explain(o.Dir, err), s.lock.Close())
	}
	if err = s.open(o); err != nil {
		close(s.fence.closing)
		if s.stuck.Load() && s.db != nil {
			_ = s.lock.Close() // Pebble's share
		}
		if fault := s.Err(); fault != nil {
			err = fault // the first of all: what came later may be its consequence
		}
		return nil, errors.Join(explain(o.Dir, err), s.lock.Close())
	}
	s.fence.opening.Store(false)
	s.space.start()
	s.metrics = newMetrics(o.Metrics, s)
	return s, nil
}

// open opens the database and brings it to our format.
func (s *Store) open(o Options) error {
	found, err := s.openOnce(o)
	if err == nil && found == 0 {
		// The first log of a new database is made before Pebble's own format is
		// raised, and would be written without what tells damage from a torn end.
		if err = s.db.Close(); err == nil {
			found, err = s.openOnce(o)
		}
	}
	if err == nil && found != formatVersion {
		s.log.Info("storage: migrated the store", "dir", s.dir, "from", found, "to", formatVersion)
	}
	return err
}

func (s *Store) openOnce(o Options) (found int, err error) {
	err, _ = guard(func() (err error) {
		s.db, err = pebble.Open(o.Dir, s.pebbleOptions(o))
		return err
	})
	if err != nil {
		return 0, err
	}
	err, panicked := guard(func() (err error) {
		found, err = bringToFormat(s.db, formatVersion, migrations)
		return err
	})
	if err == nil {
		err = s.Err()
	}
	if err != nil && !panicked && !s.stuck.Load() {
		err = errors.Join(err, s.db.Close())
	}
	return found, err
}

// makeDir makes the folder, for its owner only, so that it survives a power cut.
func makeDir(fsys vfs.FS, dir string) error {
	var parents []string
	for d := dir; ; {
		_, err := fsys.Stat(d)
		if err == nil {
			break
		}
		parent := fsys.PathDir(d)
		if parent == d {
			break
		}
		parents = append(parents, parent)
		d = parent
	}
	if err := fsys.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, p := range parents {
		d, err := fsys.OpenDir(p)
		if err != nil {
			return err
		}
		if err := errors.Join(d.Sync(), d.Close()); err != nil {
			return err
		}
	}
	return nil
}

// lockDir takes the folder for this process.
func lockDir(fsys vfs.FS, dir string) (*pebble.Lock, error) {
	l, err := pebble.LockDirectory(dir, fsys)
	if err == nil {
		return l, nil
	}
	var pe *fs.PathError
	if errors.As(err, &pe) || noSpace(err) {
		return nil, explain(dir, err)
	}
	return nil, fmt.Errorf("pebble: %w: the store in %s is open in another weir; "+
		"ask that one (its control socket is in the data folder), stop it first, or choose another folder (%v)",
		storage.ErrLocked, dir, err)
}

// explain says in words for an admin why a store can't be opened.
func explain(dir string, err error) error {
	switch {
	case noSpace(err):
		return fmt.Errorf("pebble: %w: the disk has no room to open the store in %s; free some and start again: %v",
			storage.ErrFull, dir, err)
	case damaged(err):
		return fmt.Errorf("pebble: %w: the store in %s is damaged; look with `weir check store`, "+
			"then restore a backup (nothing was changed): %w", storage.ErrFailed, dir, err)
	}
	return fmt.Errorf("pebble: open the store in %s: %w", dir, err)
}

// damaged reports whether Pebble says that what it read is not what it wrote.
func damaged(err error) bool {
	return pebble.IsCorruptionError(err) || errors.Is(err, fs.ErrNotExist)
}

// fail marks the store failed, for good. stuck says that Pebble was left in the middle.
func (s *Store) fail(cause error, stuck bool) {
	if stuck {
		s.stuck.Store(true)
	}
	err := fmt.Errorf("%w: %s: %w", storage.ErrFailed, s.dir, cause)
	first := s.failure.CompareAndSwap(nil, &err)
	// Frozen only after the failure can be seen: whatever is swallowed from now
	// on, its answer is made after a look at Err and is no nil.
	s.fence.shut.Store(true)
	if !first {
		return
	}
	close(s.failed)
	s.log.Error("storage: the store has failed, nothing more is committed; "+
		"check the disk, then restart", "dir", s.dir, "err", cause)
	// kick needs mu, which the caller may hold further up (never a filler or a
	// finisher, but Pebble may call us from anywhere).
	go func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.kick()
		s.idle.Broadcast()
	}()
}

// Err implements storage.Store.
func (s *Store) Err() error {
	if p := s.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// Full returns storage.ErrFull, wrapped, if there is no space at this moment for
// anything new.
func (s *Store) Full() error {
	s.space.mu.Lock()
	s.space.checked = time.Time{} // it is measured now
	s.space.mu.Unlock()
	err, _ := s.space.check(0)
	return err
}

// refusal is what a request gets when nothing is committed any more. mu is held.
func (s *Store) refusal() error {
	if err := s.Err(); err != nil {
		return err
	}
	return storage.ErrClosed
}

// Close implements storage.Store. It must not be called from a done function
// or from within a scan.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return storage.ErrClosed
	}
	s.closing = true
	for s.busy() {
		s.idle.Wait()
	}
	s.closed = true
	s.mu.Unlock()
	s.metrics.unregister()
	close(s.fence.closing)
	if s.stuck.Load() {
		// Some lock of Pebble's is held for ever. The fence keeps what is left of
		// it from writing; the folder is free.
		return errors.Join(s.Err(), s.lock.Close(), s.lock.Close())
	}
	err, _ := guard(s.db.Close)
	if s.Err() != nil {
		err = nil // a consequence
	} else if err != nil {
		err = fmt.Errorf("pebble: close the store in %s: %w", s.dir, err)
	} else if err := writeClosed(s.space.fs, s.dir); err != nil {
		s.log.Warn("storage: the list of files can't be written; the store is whole without it", "dir", s.dir, "err", err)
	}
	return errors.Join(s.Err(), err, s.lock.Close())
}

// busy reports whether Close has to wait. mu is held.
func (s *Store) busy() bool {
	if s.reading > 0 || s.finishing || len(s.underWay) > 0 || len(s.queue) > s.head {
		return true
	}
	if s.filling && s.failure.Load() != nil {
		// A filler without a group under way is stuck in Pebble; its group was answered.
		s.stuck.Store(true)
		return false
	}
	return s.filling
}

// Size returns how many bytes the store takes on disk, about.
func (s *Store) Size() (n uint64, err error) {
	err = s.read(context.Background(), func() error {
		n = s.db.Metrics().DiskSpaceUsage()
		return nil
	})
	return min(n, math.MaxInt64), err
}

// Checkpoint makes a copy of the store in dir, which must not exist, while it
// is in use: all that was answered before the call, and of later commits
// the first few, if any. It takes little time and room on the same disk,
// because tables are linked, not copied. The copy is a store like any other.
func (s *Store) Checkpoint(dir string) error {
	err := s.read(context.Background(), func() error {
		if err := s.Err(); err != nil {
			return err // the disk is frozen, and nothing would be written
		}
		if err := s.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
			return err
		}
		return s.Err()
	})
	if err != nil {
		return fmt.Errorf("pebble: copy the store in %s to %s: %w", s.dir, dir, err)
	}
	return nil
}
