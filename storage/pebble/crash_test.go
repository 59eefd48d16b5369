package pebble

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"weir/storage"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// batchOf makes batch n of a test: parts records that are there together or not at all.
func batchOf(st storage.Store, n, parts int) *storage.Batch {
	b := new(storage.Batch)
	for p := range parts {
		storage.NewLog(st, fmt.Sprint("part", p)).Append(b, "a", uint64(n), fmt.Appendf(nil, "%d.%d %s", n, p, strings.Repeat("x", n%700)))
	}
	return b
}

// contents returns the numbers of the batches that are there, in order, and fails
// the test if one is there in parts.
func contents(t *testing.T, st storage.Store, parts int) []int {
	t.Helper()
	var whole []int
	for p := range parts {
		var got []int
		err := storage.NewLog(st, fmt.Sprint("part", p)).Scan(t.Context(), "a", 0, func(id uint64, rec []byte) bool {
			if want := fmt.Sprintf("%d.%d %s", id, p, strings.Repeat("x", int(id)%700)); string(rec) != want {
				t.Errorf("batch %d part %d: %.30q", id, p, rec)
			}
			got = append(got, int(id))
			return true
		})
		if err != nil {
			t.Fatalf("scan: %v", err)
		}
		if p == 0 {
			whole = got
		} else if fmt.Sprint(got) != fmt.Sprint(whole) {
			t.Fatalf("part 0 has %d batches, part %d has %d", len(whole), p, len(got))
		}
	}
	return whole
}

// TestPowerCut: with durability disk every batch that was answered nil is there
// whole after a power cut at any moment, every other one whole or not at all.
// With durability process the store opens and holds whole batches, the oldest first.
func TestPowerCut(t *testing.T) {
	for _, d := range []Durability{Disk, Process} {
		for round := range 8 {
			t.Run(fmt.Sprint(d, round), func(t *testing.T) { powerCut(t, d, uint64(round)) })
		}
	}
}

func powerCut(t *testing.T, d Durability, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	mem := vfs.NewCrashableMem()
	const parts = 3
	first, cuts := 1, 0
	var sure int // batches up to this one must be there
	for life := range 4 {
		st := open(t, Options{Dir: "data/store", FS: mem, Durability: d, MemTable: 64 << 10})
		got := contents(t, st, parts)
		for i, n := range got {
			if n != i+1 {
				t.Fatalf("life %d: batch %d is followed by %d", life, i, n)
			}
		}
		if d == Disk && len(got) < sure {
			t.Fatalf("life %d: %d batches are there and %d were answered", life, len(got), sure)
		}
		first, sure = len(got)+1, len(got)
		var mu sync.Mutex
		answered := sure
		last := first + 50 + rng.IntN(1500)
		cutAt := first + rng.IntN(last-first)
		var crashed *vfs.MemFS
		for n := first; n <= last; n++ {
			st.Commit(batchOf(st, n, parts), func(err error) {
				if err != nil {
					t.Errorf("batch %d: %v", n, err)
				}
				mu.Lock()
				defer mu.Unlock()
				answered = n
			})
			if n == cutAt {
				mu.Lock()
				sure = answered // these before the cut; more may follow while it is made
				mu.Unlock()
				crashed = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
				cuts++
			}
		}
		if err := st.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
		mem = crashed
	}
	if cuts != 4 {
		t.Fatalf("%d cuts", cuts)
	}
}

// TestTornTail: whatever of the log's end is missing or overwritten, the store
// opens with the whole batches before it, or says that it is damaged.
func TestTornTail(t *testing.T) {
	for _, d := range []Durability{Disk, Process} {
		rng := rand.New(rand.NewPCG(3, 3))
		for round := range 30 {
			dir := t.TempDir()
			st := open(t, Options{Dir: dir, Durability: d, MinFree: -1})
			const n = 20
			for i := 1; i <= n; i++ {
				if err := storage.Commit(t.Context(), st, batchOf(st, i, 2)); err != nil {
					t.Fatal(err)
				}
			}
			if err := st.Close(); err != nil {
				t.Fatal(err)
			}
			tear(t, dir, rng)
			st, err := Open(Options{Dir: dir, Durability: d, MinFree: -1})
			if err != nil {
				if !errors.Is(err, storage.ErrFailed) || !strings.Contains(err.Error(), dir) {
					t.Fatalf("round %d: %v", round, err)
				}
				if d == Process {
					t.Fatalf("round %d: a torn log is no damage with durability process: %v", round, err)
				}
				if _, err := Check(context.Background(), Options{Dir: dir}); !errors.Is(err, storage.ErrFailed) {
					t.Errorf("round %d: check: %v", round, err)
				}
				continue
			}
			for i, b := range contents(t, st, 2) {
				if b != i+1 {
					t.Errorf("round %d: batch %d is followed by %d", round, i, b)
				}
			}
			if err := st.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
