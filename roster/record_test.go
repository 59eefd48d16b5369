package roster

import (
	"errors"
	"reflect"
	"testing"

	"weir/storage"
)

func TestRecords(t *testing.T) {
	for s := range states {
		for _, i := range []*Item{
			{JID: juliet, State: s, Listed: true, changed: 1 << 40},
			{JID: juliet, State: s, Listed: true, Name: "Juliet", Groups: []string{"", "b"}},
			{JID: juliet, State: s, Listed: true, Approved: true},
			{JID: juliet, State: s},
		} {
			got, err := decodeItem(juliet.String(), i.encode())
			if !i.possible() {
				if err == nil {
					t.Errorf("a state outside the table was read: %+v", i)
				}
				continue
			}
			if err != nil || !reflect.DeepEqual(got, i) {
				t.Errorf("read %+v %v, want %+v", got, err, i)
			}
		}
	}
	for _, v := range []version{{epoch: 7, n: 9, deleted: 9}, {epoch: 1}} {
		if got, err := decodeVersion(v.encode()); err != nil || got != v {
			t.Errorf("read %+v %v", got, err)
		}
	}
}

// TestDamagedRecord: a roster that can't be read is an error, never a shorter roster.
func TestDamagedRecord(t *testing.T) {
	st := newStore(t)
	var w storage.Batch
	w.Put(itemKey(romeo, juliet), []byte{recordFormat, flagListed, byte(states), 0, 0, 0})
	w.Put(requestKey(romeo, nurse), []byte("<presence"))
	if err := storage.Commit(t.Context(), st.Store, &w); err != nil {
		t.Fatal(err)
	}
	r := newRosters(t, st, Options{})
	if err := r.Load(t.Context(), romeo); !errors.Is(err, errRecord) {
		t.Errorf("Load: %v", err)
	}
	if _, err := r.Begin(t.Context(), romeo, juliet); !errors.Is(err, errRecord) {
		t.Errorf("Begin: %v", err)
	}
	if err := r.Get(t.Context(), romeo, nil, nil); !errors.Is(err, errRecord) {
		t.Errorf("Get: %v", err)
	}
	if _, err := r.Lookup(t.Context(), romeo, juliet); !errors.Is(err, errRecord) {
		t.Errorf("Lookup: %v", err)
	}
	if _, err := r.Requests(t.Context(), romeo); !errors.Is(err, errRecord) {
		t.Errorf("Requests: %v", err)
	}
	tx := begin(t, r, juliet) // its turn was given back
	tx.Close()
}

func FuzzDecodeItem(f *testing.F) {
	for s := range states {
		f.Add((&Item{JID: juliet, State: s, Listed: true, Name: "Juliet", Groups: []string{"a", "b"}, changed: 300}).encode())
	}
	f.Add((&Item{JID: juliet, State: NonePendingIn}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		i, err := decodeItem(juliet.String(), b)
		if err != nil {
			return
		}
		if !i.possible() {
			t.Fatalf("read %+v", i)
		}
		again, err := decodeItem(juliet.String(), i.encode())
		if err != nil || !reflect.DeepEqual(again, i) {
			t.Fatalf("%+v became %+v, %v", i, again, err)
		}
	})
}

func FuzzDecodeVersion(f *testing.F) {
	f.Add(version{epoch: 5, n: 7, deleted: 2}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := decodeVersion(b)
		if err != nil {
			return
		}
		if n, ok := v.parse(v.token()); !ok || n != v.n {
			t.Fatalf("%+v has the token %s", v, v.token())
		}
	})
}
