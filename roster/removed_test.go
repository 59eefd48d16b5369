package roster

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"weir/jid"
	"weir/storage"
)

// removals makes and removes an item for each contact.
func removals(t *testing.T, r *Rosters, st *store, contacts ...jid.JID) {
	t.Helper()
	for _, remove := range []bool{false, true} {
		for _, c := range contacts {
			tx, err := r.Begin(t.Context(), romeo)
			if err != nil {
				t.Fatal(err)
			}
			if remove {
				_, err = tx.Remove(romeo, c)
			} else {
				_, err = tx.Set(romeo, Update{JID: c})
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := st.commit(tx); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestRemoved: who was removed is known to the next process too, as long as not too
// much has changed since.
func TestRemoved(t *testing.T) {
	st := newStore(t)
	r := newRosters(t, st, Options{})
	before := time.Now()
	removed := func(since time.Time) []jid.JID {
		t.Helper()
		gone, err := newRosters(t, st, Options{}).Removed(t.Context(), romeo, since)
		if err != nil {
			t.Fatal(err)
		}
		return gone
	}
	removals(t, r, st, juliet, nurse)
	if got := removed(before); !slices.Equal(got, []jid.JID{juliet, nurse}) {
		t.Errorf("removed are %v", got)
	}
	if got := removed(time.Now().Add(time.Minute)); len(got) > 0 {
		t.Errorf("removed in the future are %v", got)
	}
	var many []jid.JID
	for i := range 2 * removedSlots {
		many = append(many, jid.MustParse(fmt.Sprintf("c%d@example.com", i)))
	}
	removals(t, r, st, many...)
	got := removed(before)
	if len(got) != removedSlots || slices.Contains(got, juliet) || !slices.Contains(got, many[len(many)-1]) {
		t.Errorf("%d removals are known, the last is %v", len(got), slices.Contains(got, many[len(many)-1]))
	}
	var w storage.Batch
	w.Put(removedKey(romeo, 0), []byte{9})
	w.Put(removedKey(romeo, 1), append(encodeRemoved(juliet, before), 0))
	if err := storage.Commit(t.Context(), st.Store, &w); err != nil {
		t.Fatal(err)
	}
	if n := len(removed(before)); n != removedSlots-2 {
		t.Errorf("%d removals can be read beside two damaged ones", n)
	}
	tx, err := r.Begin(t.Context(), romeo)
	if err != nil {
		t.Fatal(err)
	}
	tx.Erase(romeo)
	if err := st.commit(tx); err != nil {
		t.Fatal(err)
	}
	if got := removed(before); len(got) > 0 {
		t.Errorf("of a deleted account %d removals are left", len(got))
	}
}
