package storagetest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"weir/storage"
)

func testAtomic(t *testing.T, open Open) {
	st := opened(t, open)
	m := storage.NewMap(st, "m")
	const accounts = 8
	var stop atomic.Bool
	var readers sync.WaitGroup
	for range 2 {
		readers.Add(1)
		go func() {
			defer readers.Done()
			for !stop.Load() {
				var got [][]byte
				if err := m.All(t.Context(), "a", func(_ string, rec []byte) bool {
					got = append(got, append([]byte{}, rec...))
					return true
				}); err != nil {
					t.Errorf("scan: %v", err)
					return
				}
				for _, r := range got {
					if len(got) != accounts || string(r) != string(got[0]) {
						t.Errorf("half a batch is visible: %q", got)
						return
					}
				}
			}
		}()
	}
	for i := range 200 {
		commit(t, st, func(b *storage.Batch) {
			for a := range accounts {
				m.Put(b, "a", fmt.Sprint(a), fmt.Append(nil, i))
			}
		})
	}
	stop.Store(true)
	readers.Wait()
}

func testDoneInOrder(t *testing.T, open Open) {
	st := opened(t, open)
	l := storage.NewLog(st, "l")
	const n = 5000
	var order []int // only the store's goroutine writes it
	calls := make([]atomic.Int32, n)
	finished := make(chan struct{})
	for i := range n {
		var b storage.Batch
		switch {
		case i%101 == 0:
			b.Put(storage.Key{}, nil) // refused
		case i%103 != 0: // else empty
			l.Append(&b, "a", uint64(i+1), []byte("x"))
		}
		st.Commit(&b, func(err error) {
			if want := i%101 == 0; errors.Is(err, storage.ErrInvalid) != want || err == nil == want {
				t.Errorf("batch %d: %v", i, err)
			}
			if i%101 != 0 && i%103 != 0 && i%50 == 0 {
				if _, err := l.Get(t.Context(), "a", uint64(i+1)); err != nil {
					t.Errorf("batch %d can't be read in its done: %v", i, err)
				}
			}
			calls[i].Add(1)
			order = append(order, i)
			if i == n-1 {
				close(finished)
			}
		})
	}
	<-finished
	if err := st.Close(); err != nil { // no call can follow
		t.Errorf("close: %v", err)
	}
	for i := range n {
		if c := calls[i].Load(); c != 1 || order[i] != i {
			t.Fatalf("done %d was called %d times; call %d was of batch %d", i, c, i, order[i])
		}
	}
}

func testDoneMayCommit(t *testing.T, open Open) {
	st := opened(t, open)
	l := storage.NewLog(st, "l")
	finished := make(chan error, 1)
	var next func(i uint64)
	next = func(i uint64) {
		var b storage.Batch
		l.Append(&b, "a", i, nil)
		st.Commit(&b, func(err error) {
			if err != nil || i == 100 {
				finished <- err
				return
			}
			next(i + 1)
		})
	}
	next(1)
	if err := <-finished; err != nil {
		t.Fatal(err)
	}
	if id, _, err := l.Last(t.Context(), "a"); id != 100 || err != nil {
		t.Errorf("last: %d, %v", id, err)
	}
}

func testDonePanic(t *testing.T, open Open) {
	st := opened(t, open)
	kv := storage.NewKeyVal(st, "kv")
	var b storage.Batch
	kv.Set(&b, "a", []byte("1"))
	st.Commit(&b, func(error) { panic("a fault of the caller's") })
	commit(t, st, func(b *storage.Batch) { kv.Set(b, "b", []byte("2")) })
	for _, a := range []string{"a", "b"} {
		if _, err := kv.Get(t.Context(), a); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
}

func testConcurrent(t *testing.T, open Open) {
	st := opened(t, open)
	l, m := storage.NewLog(st, "l"), storage.NewMap(st, "m")
	const writers, each = 8, 200
	var wg sync.WaitGroup
	for w := range writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			account := fmt.Sprint("w", w)
			for i := range uint64(each) {
				var b storage.Batch
				l.Append(&b, account, i+1, fmt.Append(nil, i))
				m.Put(&b, account, "n", binary.BigEndian.AppendUint64(nil, i))
				if err := storage.Commit(t.Context(), st, &b); err != nil {
					t.Errorf("commit: %v", err)
					return
				}
				id, _, err := l.Last(t.Context(), account)
				if err != nil || id != i+1 {
					t.Errorf("%s: last is %d, %v, want %d", account, id, err, i+1)
				}
				if rec, err := m.Get(t.Context(), account, "n"); err != nil || binary.BigEndian.Uint64(rec) != i {
					t.Errorf("%s: %v, %v", account, rec, err)
				}
			}
		}()
	}
	wg.Wait()
}

func testReopen(t *testing.T, open Open) {
	kv, m, l := "kv", "m", "l"
	st := open(t)
	commit(t, st, func(b *storage.Batch) {
		storage.NewKeyVal(st, kv).Set(b, "a", []byte("1"))
		storage.NewMap(st, m).Put(b, "a", "k", []byte("2"))
		storage.NewMap(st, m).Put(b, "gone", "k", nil)
		storage.NewLog(st, l).Append(b, "a", 3, []byte("3"))
	})
	commit(t, st, func(b *storage.Batch) { storage.NewMap(st, m).Clear(b, "gone") })
	for range 2 {
		if err := st.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
		st = open(t)
		if rec, err := storage.NewKeyVal(st, kv).Get(t.Context(), "a"); err != nil || string(rec) != "1" {
			t.Errorf("keyval: %q, %v", rec, err)
		}
		if got := all(t, storage.NewMap(st, m), "a", ""); len(got) != 1 || got[0] != "k=2" {
			t.Errorf("map: %q", got)
		}
		if got := all(t, storage.NewMap(st, m), "gone", ""); len(got) != 0 {
			t.Errorf("cleared map: %q", got)
		}
		if id, rec, err := storage.NewLog(st, l).Last(t.Context(), "a"); id != 3 || string(rec) != "3" || err != nil {
			t.Errorf("log: %d %q, %v", id, rec, err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

func testCloseWaits(t *testing.T, open Open) {
	st := open(t)
	l := storage.NewLog(st, "l")
	const n = 500
	var answered atomic.Int32
	for i := range uint64(n) {
		var b storage.Batch
		l.Append(&b, "a", i+1, make([]byte, 1000))
		st.Commit(&b, func(err error) {
			if err != nil {
				t.Errorf("batch %d: %v", i, err)
			}
			answered.Add(1)
		})
	}
	if err := st.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	if got := answered.Load(); got != n {
		t.Errorf("%d of %d batches were answered when Close returned", got, n)
	}
	st = opened(t, open)
	if id, _, err := storage.NewLog(st, "l").Last(t.Context(), "a"); id != n || err != nil {
		t.Errorf("last: %d, %v", id, err)
	}
}

func testAfterClose(t *testing.T, open Open) {
	st := open(t)
	k := storage.Key{Kind: storage.KindMap, Table: "m", Account: "a"}
	if err := st.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	if err := st.Close(); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("close again: %v", err)
	}
	if _, err := st.Get(t.Context(), k); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("get: %v", err)
	}
	if err := st.Scan(t.Context(), k, nil); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("scan: %v", err)
	}
	if err := st.ScanReverse(t.Context(), k, nil); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("reverse scan: %v", err)
	}
	if err := st.Accounts(t.Context(), k.Kind, "m", "", nil); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("accounts: %v", err)
	}
	if err := st.Err(); err != nil {
		t.Errorf("a closed store has not failed: %v", err)
	}
	const n = 100
	var order []int
	finished := make(chan struct{})
	for i := range n {
		var b storage.Batch
		b.Put(k, nil)
		st.Commit(&b, func(err error) {
			if !errors.Is(err, storage.ErrClosed) {
				t.Errorf("commit: %v", err)
			}
			if order = append(order, i); len(order) == n {
				close(finished)
			}
		})
	}
	<-finished
	for i, got := range order {
		if got != i {
			t.Fatalf("answered in the order %d", order)
		}
	}
}

// testModel does random things to a store and to a map in memory.
func testModel(t *testing.T, open Open) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	st := open(t)
	model := newModel()
	for step := range 400 {
		b := new(storage.Batch)
		for range 1 + rng.IntN(6) {
			b.Ops = append(b.Ops, randomOp(rng))
		}
		if err := storage.Commit(t.Context(), st, b); err != nil {
			t.Fatalf("seed %d, step %d: %v", seed, step, err)
		}
		model.apply(b)
		if rng.IntN(100) == 0 {
			if err := st.Close(); err != nil {
				t.Fatalf("seed %d, step %d: close: %v", seed, step, err)
			}
			st = open(t)
		}
		if step%10 == 0 {
			if diff := model.compare(t.Context(), st, rng); diff != "" {
				t.Fatalf("seed %d, step %d: %s", seed, step, diff)
			}
		}
	}
	if err := st.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}
