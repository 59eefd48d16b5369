package storage_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/storage"

	"pgregory.net/rapid"
)

// fakeStore keeps key-value records and answers commits only when told, as a
// slow disk would.
type fakeStore struct {
	storage.Store
	mu      sync.Mutex
	recs    map[string]string
	waiting []func() // one for each commit
	full    bool
}

func (f *fakeStore) Get(_ context.Context, k storage.Key) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if v, ok := f.recs[k.Table+"|"+k.Account]; ok {
		return []byte(v), nil
	}
	return nil, storage.ErrNotFound
}

func (f *fakeStore) Commit(b *storage.Batch, done func(error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting = append(f.waiting, func() {
		if f.full {
			done(storage.ErrFull)
			return
		}
		for _, op := range b.Ops {
			f.recs[op.Key.Table+"|"+op.Key.Account] = string(op.Value)
		}
		done(nil)
	})
}

// settle lets the first n commits come to an end.
func (f *fakeStore) settle(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fn := range f.waiting[:n] {
		fn()
	}
	f.waiting = f.waiting[n:]
}

// restart forgets what was not durable: all but the first n commits.
func (f *fakeStore) restart(n int) *fakeStore {
	f.settle(n)
	return &fakeStore{recs: f.recs}
}

func newIDs(t interface{ Fatal(...any) }, st storage.Store) *storage.IDs {
	ids, err := storage.NewIDs(context.Background(), st)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// The property: whatever the clock does and whenever the process dies, an id
// that was used in a durable commit is below all ids made after the restart.
func TestIDsGrowOverRestarts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		st := &fakeStore{recs: map[string]string{}}
		ids := newIDs(t, st)
		var newest uint64        // of this process
		var durable uint64       // of all processes
		use := func(id uint64) { // commits a record with the id
			st.Commit(new(storage.Batch), func(error) { durable = max(durable, id) })
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0: // the process dies; some commits were durable
				st = st.restart(rapid.IntRange(0, len(st.waiting)).Draw(t, "durable commits"))
				ids, newest = newIDs(t, st), 0
			case 1:
				st.settle(rapid.IntRange(0, len(st.waiting)).Draw(t, "settled"))
			case 2: // an id from elsewhere, as if the clock had been ahead
				ids.Saw(newest + rapid.Uint64Range(0, 1<<33).Draw(t, "ahead"))
			default:
				id := ids.Next()
				if id <= newest || id <= durable {
					t.Fatalf("id %d after %d in this process and %d on disk", id, newest, durable)
				}
				newest = id
				use(id)
			}
		}
	})
}

func TestIDsFollowTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &fakeStore{recs: map[string]string{}}
		ids := newIDs(t, st)
		first := ids.Next()
		if got := ids.Time(first); !got.Equal(time.Now()) {
			t.Errorf("the id's time is %v, now is %v", got, time.Now())
		}
		if got := ids.FirstAt(time.Now()); got != first {
			t.Errorf("the first id of this millisecond is %d, made was %d", got, first)
		}
		second := ids.Next()
		if second != first+1 {
			t.Errorf("two ids in a millisecond: %d, %d", first, second)
		}
		time.Sleep(time.Millisecond)
		if got := ids.FirstAt(time.Now().Add(-time.Microsecond)); got <= second {
			t.Errorf("the first id after a fraction of a millisecond: %d", got)
		}
		if third := ids.Next(); third>>20 != second>>20+1 {
			t.Errorf("a millisecond later: %d after %d", third, second)
		}
		// After a kill the ids are ahead of the clock by the block, not more, and the clock catches up.
		st = st.restart(len(st.waiting))
		ids = newIDs(t, st)
		id := ids.Next()
		if ahead := time.Until(ids.Time(id)); ahead < 0 || ahead > 2100*time.Millisecond {
			t.Errorf("after a kill ids are %v ahead", ahead)
		}
		time.Sleep(5 * time.Second)
		if id := ids.Next(); !ids.Time(id).Equal(time.Now()) {
			t.Errorf("five seconds later: %v, now is %v", ids.Time(id), time.Now())
		}
	})
}

func TestIDsAfterCloseAreNotAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &fakeStore{recs: map[string]string{}}
		ids := newIDs(t, st)
		last := ids.Next()
		closed := make(chan error)
		go func() { closed <- ids.Close(t.Context()) }()
		synctest.Wait()
		st.settle(len(st.waiting))
		if err := <-closed; err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
		ids = newIDs(t, st)
		if id := ids.Next(); id <= last || !ids.Time(id).Equal(time.Now()) {
			t.Errorf("after a clean restart: %v, now is %v", ids.Time(id), time.Now())
		}
	})
}

// TestIDsAfterClose: who is late still gets ids that no later process gives again.
func TestIDsAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &fakeStore{recs: map[string]string{}}
		ids := newIDs(t, st)
		ids.Next()
		closed := make(chan error)
		go func() { closed <- ids.Close(t.Context()) }()
		synctest.Wait()
		st.settle(len(st.waiting))
		if err := <-closed; err != nil {
			t.Fatal(err)
		}
		var last uint64
		for range 3 {
			last = ids.Next()
		}
		st.settle(len(st.waiting))
		if next := newIDs(t, st).Next(); next <= last {
			t.Errorf("%x was given after Close, and %x after the restart", last, next)
		}
	})
}

func TestIDsMarksAreRare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &fakeStore{recs: map[string]string{}}
		ids := newIDs(t, st)
		for range 10_000 { // ten seconds
			ids.Next()
			time.Sleep(time.Millisecond)
		}
		if n := len(st.waiting); n < 2 || n > 6 {
			t.Errorf("%d marks in ten seconds", n)
		}
	})
}

func TestIDsMarkIsTriedAgain(t *testing.T) {
	st := &fakeStore{recs: map[string]string{}, full: true}
	ids := newIDs(t, st)
	ids.Next()
	st.settle(1)
	st.full = false
	id := ids.Next()
	if len(st.waiting) != 1 {
		t.Fatalf("after a failed mark: %d commits", len(st.waiting))
	}
	st = st.restart(1)
	if next := newIDs(t, st).Next(); next <= id {
		t.Errorf("%d after %d", next, id)
	}
}

func TestIDsConcurrent(t *testing.T) {
	st := &fakeStore{recs: map[string]string{}}
	ids := newIDs(t, st)
	var mu sync.Mutex
	var got []uint64
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			mine := make([]uint64, 2000)
			for i := range mine {
				mine[i] = ids.Next()
			}
			if !slices.IsSorted(mine) {
				t.Error("one goroutine's ids don't grow")
			}
			mu.Lock()
			defer mu.Unlock()
			got = append(got, mine...)
		}()
	}
	wg.Wait()
	slices.Sort(got)
	if n := len(slices.Compact(got)); n != 8000 {
		t.Errorf("%d different ids of 8000", n)
	}
}

func TestIDsRefuseADamagedMark(t *testing.T) {
	st := &fakeStore{recs: map[string]string{"storage-ids|": "short"}}
	if _, err := storage.NewIDs(t.Context(), st); !errors.Is(err, storage.ErrFailed) {
		t.Errorf("got %v", err)
	}
}
