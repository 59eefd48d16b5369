package storage_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"weir/storage"

	"pgregory.net/rapid"
)

func TestBatchMerge(t *testing.T) {
	var a, b storage.Batch
	m := storage.NewMap(nil, "m")
	m.Put(&a, "x", "1", []byte("one"))
	m.Put(&b, "x", "2", nil)
	m.Delete(&b, "x", "3")
	sizes := a.Size() + b.Size()
	a.Merge(&b)
	if a.Len() != 3 || b.Len() != 2 || a.Size() != sizes {
		t.Errorf("merged: %d and %d ops, %d bytes of %d", a.Len(), b.Len(), a.Size(), sizes)
	}
	if a.Ops[1].Value == nil || a.Ops[2].Value != nil {
		t.Errorf("an empty record and a deletion: %+v", a.Ops[1:])
	}
	m.Put(&a, "x", "4", nil)
	if b.Len() != 2 {
		t.Error("merging tied the batches together")
	}
}

func TestBatchReset(t *testing.T) {
	var b storage.Batch
	b.Put(storage.Key{Kind: storage.KindMap, Table: "t"}, make([]byte, 100))
	ops := b.Ops
	b.Reset()
	if b.Len() != 0 || b.Size() != 0 || cap(b.Ops) == 0 {
		t.Errorf("after Reset: %d ops, %d bytes, room for %d", b.Len(), b.Size(), cap(b.Ops))
	}
	if ops[0].Value != nil {
		t.Error("Reset holds on to the records")
	}
}

func TestBatchSizeCountsEverything(t *testing.T) {
	var small, large storage.Batch
	small.DeleteRange(storage.Key{Kind: storage.KindMap, Table: "t"}, "")
	large.DeleteRange(storage.Key{Kind: storage.KindMap, Table: "tt", Account: "a", Item: "i"}, "uu")
	large.Ops[0].Value = []byte("v")
	if got := large.Size() - small.Size(); got != 6 {
		t.Errorf("six bytes more count %d", got)
	}
}

func TestDeleteAccountNamesAllRanges(t *testing.T) {
	kv, m, l := storage.NewKeyVal(nil, "kv"), storage.NewMap(nil, "m"), storage.NewLog(nil, "l")
	var b storage.Batch
	storage.DeleteAccount(&b, "juliet", kv.Table(), m.Table(), l.Table())
	want := []storage.Op{
		{Key: storage.Key{Kind: 'k', Table: "kv", Account: "juliet"}},
		{Key: storage.Key{Kind: 'm', Table: "m", Account: "juliet"}, Range: true},
		{Key: storage.Key{Kind: 'l', Table: "l", Account: "juliet"}, Range: true},
	}
	if !slices.EqualFunc(b.Ops, want, func(x, y storage.Op) bool {
		return x.Key == y.Key && x.Range == y.Range && x.Until == "" && x.Value == nil
	}) {
		t.Errorf("got %+v", b.Ops)
	}
}

func TestLogItemsKeepTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Uint64().Draw(t, "a"), rapid.Uint64().Draw(t, "b")
		if (a < b) != (storage.LogItem(a) < storage.LogItem(b)) {
			t.Fatal("another order")
		}
		if id, err := storage.LogID(storage.LogItem(a)); id != a || err != nil {
			t.Fatalf("back: %d, %v", id, err)
		}
	})
	if _, err := storage.LogID("short"); !errors.Is(err, storage.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestKindValid(t *testing.T) {
	for k := range 256 {
		if got, want := storage.Kind(k).Valid(), k == 'k' || k == 'm' || k == 'l'; got != want {
			t.Errorf("%#x: %v", k, got)
		}
	}
}

func TestCommitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &fakeStore{recs: map[string]string{}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := storage.Commit(ctx, st, new(storage.Batch)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		st.settle(1) // the late answer blocks nobody
	})
}

// Example makes a batch over several tables.
func Example() {
	var b storage.Batch
	var st storage.Store // of a driver, see storage/pebble
	friends, archive := storage.NewMap(st, "roster"), storage.NewLog(st, "archive")
	friends.Put(&b, "juliet@example.com", "romeo@example.net", []byte("Romeo"))
	archive.Append(&b, "juliet@example.com", 1, []byte("Good night, good night!"))
	archive.Trim(&b, "romeo@example.net", 1000)
	fmt.Println(b.Len(), "writes, all or none") // storage.Commit(ctx, st, &b)
	// Output: 3 writes, all or none
}
