package pebble

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"weir/storage"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// tail commits five batches one by one to a store that isn't closed, and
// returns its folder, the newest log's name, and the log's length after each.
func tail(t *testing.T, d Durability) (f folder, name string, lengths []int) {
	t.Helper()
	mem := vfs.NewMem()
	st := open(t, Options{Dir: "store", FS: mem, Durability: d, MinFree: -1})
	for n := 1; n <= 5; n++ {
		if err := storage.Commit(t.Context(), st, batchOf(st, n, 2)); err != nil {
			t.Fatal(err)
		}
		f = readFolder(t, mem, "store")
		for file := range f {
			if strings.HasSuffix(file, ".log") {
				name = max(name, file)
			}
		}
		lengths = append(lengths, len(f[name]))
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return f, name, lengths
}

// TestTornAtEveryByte cuts the newest log at, and flips, each byte of the last records. The
// batches before are there whole. A flip before what was synced is damage
// with durability disk.
func TestTornAtEveryByte(t *testing.T) {
	for _, d := range []Durability{Disk, Process} {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			f, name, lengths := tail(t, d)
			log := f[name]
			for at := lengths[1]; at < len(log); at++ {
				whole := len(lengths)
				for whole > 0 && lengths[whole-1] > at {
					whole--
				}
				flipped := bytes.Clone(log)
				flipped[at] ^= 0x10
				for what, data := range map[string][]byte{"cut": log[:at:at], "zeros": append(bytes.Clone(log[:at]), make([]byte, len(log)-at)...), "flipped": flipped} {
					if bytes.Equal(data, log) {
						continue
					}
					st, err := Open(Options{Dir: "store", FS: f.with(name, data).fs(t), Durability: d, MinFree: -1})
					// The batch after the harmed one says that this was synced.
					if damage := d == Disk && what == "flipped" && whole < len(lengths)-1; damage != (err != nil) || err != nil && !errors.Is(err, storage.ErrFailed) {
						t.Fatalf("%s at %d of %v: open: %v", what, at, lengths, err)
					}
					if err != nil {
						continue
					}
					if got := contents(t, st, 2); !slices.Equal(got, []int{1, 2, 3, 4, 5}[:whole]) {
						t.Fatalf("%s at %d of %v: there are %d", what, at, lengths, got)
					}
					if err := st.Close(); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

// TestEveryWriteAndSync lets each write find no space and each sync fail, one
// after the other, also for good, of a short life of a store with all kinds of file.
func TestEveryWriteAndSync(t *testing.T) {
	writes := []errorfs.OpKind{errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpFilePreallocate}
	for _, c := range []struct {
		name  string
		kinds []errorfs.OpKind
		err   error
		count int64
	}{
		{"no space once", writes, syscall.ENOSPC, 1},
		{"no space for long", writes, syscall.ENOSPC, 1 << 40},
		{"sync fails", syncs, syscall.EIO, 1},
		{"sync fails for good", syncs, syscall.EIO, 1 << 40},
		{"sync finds no space", syncs, syscall.ENOSPC, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for n := int64(1); ; n++ {
				inj := &failFrom{match: on(c.kinds, ""), err: c.err, n: n, count: c.count}
				mem := vfs.NewMem()
				o := Options{Dir: "store", FS: errorfs.Wrap(mem, inj), MemTable: 64 << 10, MinFree: -1}
				var errs []error
				st, err := Open(o)
				if err == nil {
					errs = ride(t, st, 1, 60)
					if err := st.Close(); err != nil && !errors.Is(err, storage.ErrFailed) && !errors.Is(err, c.err) {
						t.Errorf("n=%d: close: %v", n, err)
					}
				}
				o.FS = mem
				verify(t, o, errs)
				if inj.hit.Load() == 0 || n > 300 {
					if n < 10 {
						t.Error(fmt.Sprint("only ", n, " operations"))
					}
					return
				}
			}
		})
	}
}
