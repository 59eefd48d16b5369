package pebble

import (
	"fmt"
	"testing"

	"weir/storage"
	"weir/storage/storagetest"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestConformance(t *testing.T) {
	for _, d := range []Durability{Disk, Process} {
		t.Run(fmt.Sprint("memory/", d), func(t *testing.T) {
			storagetest.Run(t, func(t *testing.T) storagetest.Open {
				return opener(Options{Dir: "data/store", FS: vfs.NewMem(), Durability: d, MemTable: 256 << 10})
			})
		})
		t.Run(fmt.Sprint("folder/", d), func(t *testing.T) {
			storagetest.Run(t, func(t *testing.T) storagetest.Open {
				return opener(Options{Dir: t.TempDir() + "/new/store", Durability: d})
			})
		})
	}
}

// opener opens the same store each time.
func opener(o Options) storagetest.Open {
	return func(t *testing.T) storage.Store {
		t.Helper()
		return open(t, o)
	}
}

// open opens a store or fails the test.
func open(t testing.TB, o Options) *Store {
	t.Helper()
	st, err := Open(o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return st
}
