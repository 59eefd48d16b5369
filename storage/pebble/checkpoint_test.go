package pebble

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"weir/storage"
)

// TestCheckpoint copies a store under load, several times: each copy is whole,
// holds all that was answered before, and nothing but the first commits.
func TestCheckpoint(t *testing.T) {
	for _, d := range []Durability{Disk, Process} {
		t.Run(string(d), func(t *testing.T) {
			dir := t.TempDir()
			st := open(t, Options{Dir: filepath.Join(dir, "store"), Durability: d, MemTable: 64 << 10})
			var answered atomic.Int64
			stop, ended := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(ended)
				slots := make(chan struct{}, 30)
				for n := 1; ; n++ {
					select {
					case <-stop:
						return
					case slots <- struct{}{}:
					}
					st.Commit(batchOf(st, n, 2), func(err error) {
						if err != nil {
							t.Errorf("batch %d: %v", n, err)
						}
						answered.Store(int64(n))
						<-slots
					})
				}
			}()
			var copies []Options
			var sure []int
			for i := range 5 {
				for mark := answered.Load(); answered.Load() < mark+200; {
					if st.Err() != nil {
						t.Fatal(st.Err())
					}
					time.Sleep(time.Millisecond)
				}
				copied := Options{Dir: filepath.Join(dir, fmt.Sprint("copy", i)), Durability: d, MinFree: -1}
				copies, sure = append(copies, copied), append(sure, int(answered.Load()))
				if err := st.Checkpoint(copied.Dir); err != nil {
					t.Fatal(err)
				}
			}
			close(stop)
			<-ended
			for i, copied := range copies {
				if r, err := Check(t.Context(), copied); err != nil {
					t.Errorf("check of copy %d: %v %+v", i, err, r)
				}
				wantPrefix(t, copied, sure[i])
			}
			if err := st.Checkpoint(filepath.Join(dir, "copy0")); !errors.Is(err, fs.ErrExist) {
				t.Errorf("into a folder that exists: %v", err)
			}
			if err := st.Close(); err != nil {
				t.Fatal(err)
			}
			if err := st.Checkpoint(filepath.Join(dir, "late")); !errors.Is(err, storage.ErrClosed) {
				t.Errorf("of a closed store: %v", err)
			}
		})
	}
}

// wantPrefix opens a store that must hold the batches 1 to some number, at least sure.
func wantPrefix(t *testing.T, o Options, sure int) {
	t.Helper()
	st := open(t, o)
	got := contents(t, st, 2)
	for i, n := range got {
		if n != i+1 {
			t.Errorf("batch %d is followed by %d", i, n)
			break
		}
	}
	if len(got) < sure {
		t.Errorf("%d batches are there and %d were answered", len(got), sure)
	}
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}
