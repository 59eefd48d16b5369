package pebble

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"weir/storage"
)

// TestScrub: what was overwritten and deleted before the last start is in no file
// afterwards, and everything else is still there.
func TestScrub(t *testing.T) {
	o := Options{Dir: filepath.Join(t.TempDir(), "store"), MinFree: -1}
	old, other := []byte("an old value of this record"), []byte("a value of another table")
	var st *Store
	t1, t2 := storage.NewKeyVal(nil, "one"), storage.NewKeyVal(nil, "two")
	write := func(fill func(b *storage.Batch)) {
		t.Helper()
		var b storage.Batch
		fill(&b)
		if err := storage.Commit(t.Context(), st, &b); err != nil {
			t.Fatal(err)
		}
	}
	st = open(t, o)
	write(func(b *storage.Batch) {
		t1.Set(b, "a", old)
		t1.Set(b, "b", old)
		t2.Set(b, "a", other)
	})
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	st = open(t, o)
	write(func(b *storage.Batch) {
		t1.Set(b, "a", []byte("new"))
		t1.Delete(b, "b")
	})
	if !inFiles(t, o.Dir, old) {
		t.Fatal("the files have forgotten it by themselves: this test proves nothing")
	}
	if err := st.Scrub(t.Context(), t1.Table()); err != nil {
		t.Fatal(err)
	}
	for table, want := range map[string]string{"one": "new", "two": string(other)} {
		if b, err := storage.NewKeyVal(st, table).Get(t.Context(), "a"); err != nil || string(b) != want {
			t.Errorf("%s has %q, %v", table, b, err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if inFiles(t, o.Dir, old) || !inFiles(t, o.Dir, other) {
		t.Error("the files still have it, or lost another's")
	}
	if err := st.Scrub(t.Context(), t1.Table()); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

// inFiles reports whether a file of a folder has those bytes.
func inFiles(t *testing.T, dir string, what []byte) (has bool) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		has = has || bytes.Contains(b, what)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return has
}
