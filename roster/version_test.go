package roster

import (
	"fmt"
	"strings"
	"testing"

	"weir/jid"
)

// TestVersions walks through RFC 6121 §2.6.3.
func TestVersions(t *testing.T) {
	st := newStore(t)
	r := newRosters(t, st, Options{})
	empty := get(t, r, romeo, new(string))
	if empty.Unchanged || string(empty.Query()) != "<query xmlns='jabber:iq:roster' ver='0'></query>" {
		t.Errorf("bootstrap: %+v", empty)
	}
	if v := get(t, r, romeo, &empty.Ver); !v.Unchanged || v.Query() != nil || len(v.Pushes) != 0 {
		t.Errorf("empty and unchanged: %+v", v)
	}
	seen := map[string]bool{"0": true}
	for i := range 10 {
		p := set(t, r, st, romeo, Update{JID: jid.MustParse(fmt.Sprintf("c%d@example.com", i))})
		if seen[p.Ver] {
			t.Errorf("version %s twice", p.Ver)
		}
		seen[p.Ver] = true
		if v := get(t, r, romeo, nil); v.Ver != p.Ver {
			t.Errorf("pushed version %s, roster has %s", p.Ver, v.Ver)
		}
	}
	ver := get(t, r, romeo, nil).Ver
	if v := get(t, r, romeo, &ver); !v.Unchanged || len(v.Pushes) != 0 {
		t.Errorf("unchanged: %+v", v)
	}
	if v := get(t, r, romeo, nil); v.Unchanged || len(v.Items) != 10 {
		t.Error("a client without versions gets everything")
	}

	// Interim pushes: only the final result of each item, in order of modification.
	set(t, r, st, romeo, Update{JID: jid.MustParse("c7@example.com"), Name: "first"})
	set(t, r, st, romeo, Update{JID: jid.MustParse("c2@example.com"), Name: "second"})
	set(t, r, st, romeo, Update{JID: jid.MustParse("c7@example.com"), Name: "third"})
	v := get(t, r, romeo, &ver)
	if !v.Unchanged || len(v.Pushes) != 2 || v.Pushes[0].Item.Name != "second" || v.Pushes[1].Item.Name != "third" || v.Pushes[1].Ver != v.Ver {
		t.Errorf("interim pushes: %+v", v)
	}
	if mid := get(t, r, romeo, &v.Pushes[0].Ver); len(mid.Pushes) != 1 || !mid.Unchanged {
		t.Errorf("after the first of them: %+v", mid)
	}
	first := get(t, r, romeo, nil)
	for i := range 10 { // more pushes than the roster is worth
		set(t, r, st, romeo, Update{JID: jid.MustParse(fmt.Sprintf("c%d@example.com", i)), Name: "n"})
	}
	if v := get(t, r, romeo, &first.Ver); v.Unchanged || len(v.Items) != 10 {
		t.Error("the whole roster is shorter than its pushes")
	}
	now := get(t, r, romeo, nil).Ver
	tx := begin(t, r, romeo)
	if _, err := tx.Remove(romeo, jid.MustParse("c1@example.com")); err != nil {
		t.Fatal(err)
	}
	if err := st.commit(tx); err != nil {
		t.Fatal(err)
	}
	if v := get(t, r, romeo, &now); v.Unchanged || len(v.Items) != 9 {
		t.Error("a removal isn't on file, so the whole roster is needed")
	}
	for _, alien := range []string{"x", "ver14", now + "z", strings.Repeat("z", 99), "0"} {
		if v := get(t, r, romeo, &alien); v.Unchanged {
			t.Errorf("version %q is not ours", alien)
		}
	}
}

// TestVersionStays where clients see no difference (RFC 6121 §2.6.3, definition).
func TestVersionStays(t *testing.T) {
	st := newStore(t)
	r := newRosters(t, st, Options{})
	set(t, r, st, romeo, Update{JID: juliet})
	ver := get(t, r, romeo, nil).Ver
	for _, e := range []Event{InSubscribe, InUnsubscribe, InSubscribed, OutUnsubscribed, OutUnsubscribe} {
		if c := apply(t, r, st, romeo, juliet, e); c.Push != nil {
			t.Errorf("%s was pushed", e)
		}
	}
	apply(t, r, st, romeo, nurse, InSubscribe)
	if v := get(t, r, romeo, nil); v.Ver != ver {
		t.Errorf("version went from %s to %s", ver, v.Ver)
	}
	if c := apply(t, r, st, romeo, juliet, OutSubscribed); c.Push == nil || !c.Push.Item.Approved {
		t.Error("a pre-approval is pushed")
	}
	if c := apply(t, r, st, romeo, juliet, OutSubscribed); c.Push != nil {
		t.Error("a second one is not")
	}
	if c := apply(t, r, st, romeo, juliet, OutUnsubscribed); c.Push == nil || c.Push.Item.Approved || c.Pass {
		t.Error("its end is, and isn't routed")
	}
}
