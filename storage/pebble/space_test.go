package pebble

import (
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir/storage"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// smallDisk is a file system that says how full it is.
type smallDisk struct {
	vfs.FS
	avail atomic.Uint64
}

func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: d.avail.Load(), TotalBytes: 1 << 40}, nil
}

func commitOne(t *testing.T, st storage.Store, n int) error {
	t.Helper()
	return storage.Commit(t.Context(), st, batchOf(st, n, 1))
}

func TestDiskFullAndFreeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &smallDisk{FS: vfs.NewMem()}
		d.avail.Store(1 << 30)
		st := open(t, Options{Dir: "x", FS: d})
		if err := commitOne(t, st, 1); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Stat("x/" + reserveName); err != nil {
			t.Errorf("no reserve: %v", err)
		}
		d.avail.Store(60 << 20)
		time.Sleep(2 * checkEvery)
		wantError(t, st.Full(), storage.ErrFull, "60 MiB free")
		wantError(t, commitOne(t, st, 2), storage.ErrFull, "60 MiB free", "x")
		wantError(t, commitOne(t, st, 2), storage.ErrFull)
		var b storage.Batch
		storage.NewLog(st, "part0").Trim(&b, "a", 1)
		if err := storage.Commit(t.Context(), st, &b); err != nil {
			t.Errorf("what makes room is refused: %v", err)
		}
		d.avail.Store(20 << 20)
		wantError(t, storage.Commit(t.Context(), st, &b), storage.ErrFull)
		d.avail.Store(65 << 20)
		wantError(t, commitOne(t, st, 2), storage.ErrFull) // no fluttering
		d.avail.Store(80 << 20)
		if err := errors.Join(st.Full(), commitOne(t, st, 3)); err != nil {
			t.Errorf("with space again: %v", err)
		}
		if err := st.Err(); err != nil {
			t.Errorf("the store has failed: %v", err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestReserve: somebody else fills the disk; the log gets the reserve, commits
// answer ErrFull, and later all is well.
func TestReserve(t *testing.T) {
	var full atomic.Bool
	mem := vfs.NewMem()
	d := &smallDisk{}
	d.FS = errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !full.Load() || op.Kind != errorfs.OpFileWrite {
			return nil
		}
		if _, err := mem.Stat("x/" + reserveName); err != nil {
			return nil // it was freed: there is room
		}
		return syscall.ENOSPC
	}))
	d.avail.Store(1 << 30)
	o := Options{Dir: "x", FS: d}
	st := open(t, o)
	full.Store(true)
	d.avail.Store(0)
	if err := commitOne(t, st, 1); err != nil && !errors.Is(err, storage.ErrFull) {
		t.Fatalf("the commit that met the full disk: %v", err)
	}
	wantError(t, commitOne(t, st, 2), storage.ErrFull)
	if _, err := mem.Stat("x/" + reserveName); err == nil {
		t.Error("the reserve was not used")
	}
	full.Store(false)
	d.avail.Store(1 << 30)
	if err := commitOne(t, st, 3); err != nil {
		t.Errorf("with space again: %v", err)
	}
	if _, err := mem.Stat("x/" + reserveName); err != nil {
		t.Errorf("the reserve is not made again: %v", err)
	}
	if err := st.Close(); err != nil {
		t.Error(err)
	}
	st = open(t, o)
	if got := contents(t, st, 1); got[len(got)-1] != 3 {
		t.Errorf("there are %d", got)
	}
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}

// TestTablesFindNoSpace: a quota that the free space doesn't show. Commits answer
// ErrFull instead of waiting for ever, and succeed when there is room again.
func TestTablesFindNoSpace(t *testing.T) {
	var full atomic.Bool
	inj := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && op.Kind == errorfs.OpFileWrite && strings.HasSuffix(op.Path, ".sst") {
			return syscall.EDQUOT
		}
		return nil
	})
	st := open(t, Options{Dir: "x", FS: errorfs.Wrap(vfs.NewMem(), inj), MemTable: 64 << 10})
	full.Store(true)
	n := 1
	for ; ; n++ {
		if err := commitOne(t, st, n); err != nil {
			wantError(t, err, storage.ErrFull)
			break
		}
		if n > 5000 {
			t.Fatal("never full")
		}
		// A flush has to find out before all memtables are full: a commit that is inside
		// Pebble then waits, as nobody could say that it will not be kept.
		time.Sleep(time.Millisecond)
	}
	full.Store(false)
	for commitOne(t, st, n) != nil { // a few seconds
		if err := st.Err(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if got := contents(t, st, 1); len(got) != n {
		t.Errorf("%d are there, want %d", len(got), n)
	}
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}
