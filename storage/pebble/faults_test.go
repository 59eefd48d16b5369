package pebble

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"weir/storage"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// failFrom makes operations fail with err: the n-th that changes something and
// matches, and the count-1 after it.
type failFrom struct {
	match    func(errorfs.Op) bool
	err      error
	n, count int64
	seen     atomic.Int64
	hit      atomic.Int64
}

func (f *failFrom) String() string { return "failFrom" }

func (f *failFrom) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || op.Kind == errorfs.OpFileClose || !f.match(op) {
		return nil
	}
	if i := f.seen.Add(1); i < f.n || i >= f.n+f.count {
		return nil
	}
	f.hit.Add(1)
	return f.err
}

func anyFile(errorfs.Op) bool { return true }

func on(kinds []errorfs.OpKind, suffix string) func(errorfs.Op) bool {
	return func(op errorfs.Op) bool {
		if !strings.Contains(op.Path, suffix) {
			return false
		}
		for _, k := range kinds {
			if op.Kind == k {
				return true
			}
		}
		return false
	}
}

var syncs = []errorfs.OpKind{errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo}

// ride commits batches first to last while faults happen and returns their
// errors. It fails the test if an answer breaks the contract.
func ride(t *testing.T, st *Store, first, last int) (errs []error) {
	t.Helper()
	errs = make([]error, last-first+1)
	for lo := first; lo <= last; lo += 7 { // a few at a time, so that groups have different sizes
		answers := make(chan int, 7)
		hi := min(lo+6, last)
		for n := lo; n <= hi; n++ {
			st.Commit(batchOf(st, n, 2), func(err error) {
				errs[n-first] = err
				answers <- n
			})
		}
		for n := lo; n <= hi; n++ {
			if got := <-answers; got != n {
				t.Fatalf("batch %d was answered in place of %d", got, n)
			}
		}
	}
	failed := false
	for i, err := range errs {
		switch {
		case err == nil && failed:
			t.Fatalf("batch %d was committed after the store had failed", first+i)
		case errors.Is(err, storage.ErrFailed):
			failed = true
		case err != nil && !errors.Is(err, storage.ErrFull):
			t.Fatalf("batch %d: %v", first+i, err)
		}
	}
	if failed != (st.Err() != nil) {
		t.Fatalf("a commit failed: %v, Err: %v", failed, st.Err())
	}
	return errs
}

// verify opens the store without faults: what was answered nil is there.
func verify(t *testing.T, o Options, errs []error) {
	t.Helper()
	st := open(t, o)
	there := map[int]bool{}
	for _, n := range contents(t, st, 2) {
		there[n] = true
	}
	for i, err := range errs {
		if err == nil && !there[i+1] {
			t.Errorf("batch %d was answered nil and is lost", i+1)
		}
		if errors.Is(err, storage.ErrFull) && there[i+1] {
			t.Errorf("batch %d was answered ErrFull and is there", i+1)
		}
	}
	if err := st.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if r, err := Check(t.Context(), o); err != nil {
		t.Errorf("check: %v (%+v)", err, r)
	}
}

// TestFaultAnywhere lets the n-th change of the disk fail, for many n: no
// panic, no exit, no lost answer, nothing lost that was answered nil.
func TestFaultAnywhere(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   error
		count int64
	}{
		{"one EIO", syscall.EIO, 1},
		{"EIO for ever", syscall.EIO, 1 << 40},
		{"one ENOSPC", syscall.ENOSPC, 1},
		{"ENOSPC for a while", syscall.ENOSPC, 12},
		{"ENOSPC for ever", syscall.ENOSPC, 1 << 40},
	} {
		for _, d := range []Durability{Disk, Process} {
			t.Run(fmt.Sprintf("%s/%s", c.name, d), func(t *testing.T) {
				t.Parallel()
				hits := 0
				for n := int64(1); n < 400; n += 1 + n/6 {
					inj := &failFrom{match: anyFile, err: c.err, n: n, count: c.count}
					mem := vfs.NewMem()
					o := Options{Dir: "data/store", FS: errorfs.Wrap(mem, inj), Durability: d, MemTable: 64 << 10}
					clean := o
					clean.FS = mem
					st, err := Open(o)
					if err != nil {
						if full := errors.Is(err, storage.ErrFull); full != errors.Is(c.err, syscall.ENOSPC) {
							t.Errorf("n=%d: open: %v", n, err)
						}
						verify(t, clean, nil)
						continue
					}
					errs := ride(t, st, 1, 300)
					if err := st.Close(); err != nil && !errors.Is(err, storage.ErrFailed) && !errors.Is(err, c.err) {
						t.Errorf("n=%d: close: %v", n, err)
					}
					hits += int(min(inj.hit.Load(), 1))
					verify(t, clean, errs)
				}
				if hits < 3 {
					t.Errorf("only %d runs met the fault after Open", hits)
				}
			})
		}
	}
}

func TestFailedSyncIsFinal(t *testing.T) {
	for _, c := range []struct{ name, file string }{{"log", ".log"}, {"table", ".sst"}, {"manifest", "MANIFEST"}} {
		t.Run(c.name, func(t *testing.T) {
			inj := &failFrom{match: on(syncs, c.file), err: syscall.EIO, n: 1, count: 1}
			toggle := &errorfs.Toggle{Injector: inj}
			mem := vfs.NewMem()
			o := Options{Dir: "store", FS: errorfs.Wrap(mem, toggle), MemTable: 64 << 10}
			st := open(t, o)
			toggle.On()
			errs := ride(t, st, 1, 600)
			if inj.hit.Load() != 1 || st.Err() == nil || !errors.Is(errs[599], storage.ErrFailed) {
				t.Fatalf("%d faults, Err %v, last answer %v", inj.hit.Load(), st.Err(), errs[599])
			}
			if !errors.Is(st.Err(), syscall.EIO) || !strings.Contains(st.Err().Error(), "store") {
				t.Errorf("the error does not tell the cause and the folder: %v", st.Err())
			}
			if errs[0] == nil { // reads go on
				if _, err := storage.NewLog(st, "part0").Get(t.Context(), "a", 1); err != nil {
					t.Errorf("read after the failure: %v", err)
				}
			}
			if err := st.Close(); !errors.Is(err, storage.ErrFailed) {
				t.Errorf("close: %v", err)
			}
			o.FS = mem
			verify(t, o, errs)
		})
	}
}

// TestPanicInside: a panic on the way of a commit or a read is an ErrFailed.
func TestPanicInside(t *testing.T) {
	for _, c := range []struct{ name, file string }{{"log", ".log"}, {"table", ".sst"}} {
		t.Run(c.name, func(t *testing.T) {
			var armed atomic.Bool
			mem := vfs.NewMem()
			inj := errorfs.InjectorFunc(func(op errorfs.Op) error {
				if armed.Load() && strings.HasSuffix(op.Path, c.file) && (op.Kind == errorfs.OpFileWrite && c.file == ".log" || op.Kind == errorfs.OpFileReadAt) {
					panic("the driver's fault")
				}
				return nil
			})
			o := Options{Dir: "store", FS: errorfs.Wrap(mem, inj), MemTable: 64 << 10, CacheBytes: 1}
			st := open(t, o)
			ride(t, st, 1, 600)
			if err := st.Close(); err != nil {
				t.Fatal(err)
			}
			st = open(t, o)
			// A panic within a compaction is Pebble's own, and ends the process.
			for quiet := 0; quiet < 20; quiet++ {
				if st.db.Metrics().Compact.NumInProgress > 0 {
					quiet = 0
				}
				time.Sleep(5 * time.Millisecond)
			}
			armed.Store(true)
			if c.file == ".log" {
				if errs := ride(t, st, 601, 620); !errors.Is(errs[0], storage.ErrFailed) {
					t.Errorf("commit: %v", errs[0])
				}
			} else if _, err := storage.NewLog(st, "part0").Get(t.Context(), "a", 5); !errors.Is(err, storage.ErrFailed) {
				t.Errorf("get: %v", err)
			}
			armed.Store(false)
			if err := st.Close(); !errors.Is(err, storage.ErrFailed) {
				t.Errorf("close: %v", err)
			}
			o.FS = mem
			st = open(t, o)
			if err := st.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}
