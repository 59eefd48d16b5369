//go:build faults && unix

package pebble

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"weir/storage"
)

// TestFaultsOnDemand: the control files do what they say, and the store survives
// it as its contract has it.
func TestFaultsOnDemand(t *testing.T) {
	control := t.TempDir()
	t.Setenv(faultsVariable, control)
	touch := func(name string) {
		if err := os.WriteFile(filepath.Join(control, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{Dir: filepath.Join(t.TempDir(), "store"), MemTable: 64 << 10}
	st := open(t, o)
	errs := ride(t, st, 1, 100)
	touch("enospc")
	full := 0
	for _, err := range ride(t, st, 101, 6000) {
		errs = append(errs, err)
		if errors.Is(err, storage.ErrFull) {
			full++
		}
	}
	if full == 0 || st.Err() != nil {
		t.Fatalf("%d batches found the disk full; the store: %v", full, st.Err())
	}
	if err := os.Remove(filepath.Join(control, "enospc")); err != nil {
		t.Fatal(err)
	}
	next := len(errs) + 1
	for { // the store looks again after a second
		some := ride(t, st, next, next)
		errs, next = append(errs, some...), next+1
		if some[0] == nil {
			break
		}
	}
	touch("fsync")
	after := ride(t, st, next, next+20)
	errs = append(errs, after...)
	if !errors.Is(after[len(after)-1], storage.ErrFailed) {
		t.Errorf("after a failed sync: %v", after[len(after)-1])
	}
	if _, err := os.Stat(filepath.Join(control, "fsync.done")); err != nil {
		t.Error(err)
	}
	if err := st.Close(); !errors.Is(err, storage.ErrFailed) {
		t.Errorf("close: %v", err)
	}
	verify(t, o, errs)
}
