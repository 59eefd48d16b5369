package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"weir/storage"
)

func testRangeDeletes(t *testing.T, open Open) {
	st := opened(t, open)
	m := storage.NewMap(st, "m")
	key := func(item string) storage.Key {
		return storage.Key{Kind: storage.KindMap, Table: "m", Account: "juliet", Item: item}
	}
	for _, tt := range []struct {
		from, until string
		left        string
	}{
		{"b", "d", "a d e "},
		{"b", "b", "a b c d e "},
		{"d", "b", "a b c d e "},
		{"bb", "c", "a b c d e "},
		{"", "c", "c d e "},
		{"c", "", "a b "},
		{"", "", ""},
		{"f", "", "a b c d e "},
	} {
		commit(t, st, func(b *storage.Batch) {
			for _, k := range []string{"a", "b", "c", "d", "e"} {
				m.Put(b, "juliet", k, nil)
			}
			m.Put(b, "julies", "c", nil)
			m.Put(b, "juliet ", "c", nil)
		})
		commit(t, st, func(b *storage.Batch) { b.DeleteRange(key(tt.from), tt.until) })
		var got string
		if err := m.All(t.Context(), "juliet", func(k string, _ []byte) bool { got += k + " "; return true }); err != nil {
			t.Fatal(err)
		}
		if got != tt.left {
			t.Errorf("[%q, %q) leaves %q, want %q", tt.from, tt.until, got, tt.left)
		}
		for _, a := range []string{"julies", "juliet "} {
			if _, err := m.Get(t.Context(), a, "c"); err != nil {
				t.Errorf("[%q, %q) reached %q: %v", tt.from, tt.until, a, err)
			}
		}
	}
}

func testOpsInOrder(t *testing.T, open Open) {
	st := opened(t, open)
	m := storage.NewMap(st, "m")
	commit(t, st, func(b *storage.Batch) {
		m.Put(b, "a", "set, cleared", []byte("1"))
		m.Clear(b, "a")
		m.Put(b, "a", "cleared, set", []byte("2"))
		m.Put(b, "a", "set twice", []byte("3"))
		m.Put(b, "a", "set twice", []byte("4"))
		m.Put(b, "a", "set, deleted", []byte("5"))
		m.Delete(b, "a", "set, deleted")
		m.Delete(b, "a", "deleted, set")
		m.Put(b, "a", "deleted, set", []byte("6"))
	})
	if got, want := all(t, m, "a", ""), []string{"cleared, set=2", "deleted, set=6", "set twice=4"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func testScanStops(t *testing.T, open Open) {
	st := opened(t, open)
	l := storage.NewLog(st, "l")
	commit(t, st, func(b *storage.Batch) {
		for i := range uint64(300) {
			l.Append(b, "a", i+1, nil)
		}
	})
	var got []uint64
	for cursor, pages := uint64(0), 0; pages <= 31; pages++ {
		n := 0
		if err := l.Scan(t.Context(), "a", cursor, func(id uint64, _ []byte) bool {
			got, cursor = append(got, id), id
			n++
			return n < 10
		}); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	if len(got) != 300 || !slices.IsSorted(got) {
		t.Errorf("%d records in pages of ten: %d", len(got), got)
	}
}

func testSnapshot(t *testing.T, open Open) {
	st := opened(t, open)
	m := storage.NewMap(st, "m")
	commit(t, st, func(b *storage.Batch) {
		m.Put(b, "a", "1", []byte("old"))
		m.Put(b, "a", "2", []byte("old"))
	})
	var got []string
	if err := m.All(t.Context(), "a", func(k string, rec []byte) bool {
		if len(got) == 0 {
			commit(t, st, func(b *storage.Batch) {
				m.Put(b, "a", "2", []byte("new"))
				m.Put(b, "a", "3", []byte("new"))
			})
			if r, err := m.Get(t.Context(), "a", "3"); err != nil || string(r) != "new" {
				t.Errorf("read within a scan: %q, %v", r, err)
			}
		}
		got = append(got, k+string(rec))
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"1old", "2old"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func testScanPanic(t *testing.T, open Open) {
	st := opened(t, open)
	m := storage.NewMap(st, "m")
	commit(t, st, func(b *storage.Batch) { m.Put(b, "a", "1", nil) })
	func() {
		defer func() {
			if r := recover(); r != "mine" {
				t.Errorf("recovered %v", r)
			}
		}()
		_ = m.All(t.Context(), "a", func(string, []byte) bool { panic("mine") })
	}()
	if err := st.Err(); err != nil {
		t.Errorf("a panic of the caller's made the store fail: %v", err)
	}
	if _, err := m.Get(t.Context(), "a", "1"); err != nil {
		t.Errorf("get: %v", err)
	}
}

func testCopies(t *testing.T, open Open) {
	st := opened(t, open)
	kv := storage.NewKeyVal(st, "kv")
	rec := []byte("record")
	commit(t, st, func(b *storage.Batch) { kv.Set(b, "a", rec) })
	copy(rec, "XXXXXX") // ours again
	for range 2 {
		got, err := kv.Get(t.Context(), "a")
		if err != nil || string(got) != "record" {
			t.Fatalf("got %q, %v", got, err)
		}
		copy(got, "YYYYYY")
	}
}

func testInvalid(t *testing.T, open Open) {
	st := opened(t, open)
	good := storage.NewMap(st, "m")
	for _, k := range []storage.Key{
		{},
		{Kind: 'x', Table: "t", Account: "a"},
		{Kind: storage.KindMap, Account: "a"},
		{Kind: storage.KindKeyVal, Table: "t", Account: "a", Item: "item"},
	} {
		var b storage.Batch
		good.Put(&b, "a", "in a bad batch", nil)
		b.Put(k, []byte("x"))
		if err := storage.Commit(t.Context(), st, &b); !errors.Is(err, storage.ErrInvalid) {
			t.Errorf("%+v committed: %v", k, err)
		}
		if _, err := st.Get(t.Context(), k); !errors.Is(err, storage.ErrInvalid) {
			t.Errorf("%+v read: %v", k, err)
		}
	}
	if _, err := good.Get(t.Context(), "a", "in a bad batch"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a part of a refused batch is there: %v", err)
	}
	if err := st.Err(); err != nil {
		t.Errorf("the store failed: %v", err)
	}
}

func testEmptyBatch(t *testing.T, open Open) {
	st := opened(t, open)
	commit(t, st, func(*storage.Batch) {})
}

func testBigBatch(t *testing.T, open Open) {
	st := opened(t, open)
	m := storage.NewMap(st, "m")
	rec := bytes.Repeat([]byte("0123456789abcdef"), 64<<10) // 1 MiB
	commit(t, st, func(b *storage.Batch) {
		for i := range 9 {
			m.Put(b, "a", fmt.Sprint("big", i), rec)
		}
		for i := range 5000 {
			m.Put(b, "b", fmt.Sprint("small", i), nil)
		}
	})
	n := 0
	if err := m.All(t.Context(), "a", func(_ string, r []byte) bool {
		if !bytes.Equal(r, rec) {
			t.Errorf("record %d has %d bytes", n, len(r))
		}
		n++
		return true
	}); err != nil || n != 9 {
		t.Errorf("%d records, %v", n, err)
	}
	n = 0
	if err := m.All(t.Context(), "b", func(string, []byte) bool { n++; return true }); err != nil || n != 5000 {
		t.Errorf("%d records, %v", n, err)
	}
}

func testContext(t *testing.T, open Open) {
	st := opened(t, open)
	m := storage.NewMap(st, "m")
	commit(t, st, func(b *storage.Batch) {
		for i := range 1000 {
			m.Put(b, "a", fmt.Sprintf("%04d", i), nil)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err := m.All(ctx, "a", func(string, []byte) bool {
		cancel()
		n++
		return true
	})
	if !errors.Is(err, context.Canceled) || n == 1000 {
		t.Errorf("a scan whose context ended: %v after %d records", err, n)
	}
	if _, err := m.Get(ctx, "a", "0001"); !errors.Is(err, context.Canceled) {
		t.Errorf("get: %v", err)
	}
	if st.Err() != nil {
		t.Errorf("the store failed: %v", st.Err())
	}
}
