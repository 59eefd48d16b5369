package roster

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir/jid"
	"weir/stanza"
)

func groups(n int) []string {
	var g []string
	for i := range n {
		g = append(g, fmt.Sprint("g", i))
	}
	return g
}

// TestSetErrors are the error cases of RFC 6121 §2.3.3, with the limits of this server.
func TestSetErrors(t *testing.T) {
	long := strings.Repeat("x", 1024)
	for _, tc := range []struct {
		name      string
		u         Update
		condition string // "" is fine
		text      string
	}{
		{"longest name", Update{JID: juliet, Name: long[:1023]}, "", ""},
		{"oversized handle", Update{JID: juliet, Name: long}, "not-acceptable modify", "1023 bytes"},
		{"empty group", Update{JID: juliet, Groups: []string{"a", ""}}, "not-acceptable modify", "empty"},
		{"longest group", Update{JID: juliet, Groups: []string{long[:1023]}}, "", ""},
		{"oversized group name", Update{JID: juliet, Groups: []string{long}}, "not-acceptable modify", "1023 bytes"},
		{"duplicate groups", Update{JID: juliet, Groups: []string{"a", "b", "a"}}, "bad-request modify", "twice"},
		{"most groups", Update{JID: juliet, Groups: groups(32)}, "", ""},
		{"too many groups", Update{JID: juliet, Groups: groups(33)}, "not-acceptable modify", "32 groups"},
		{"oneself", Update{JID: romeo}, "not-allowed cancel", "own contact"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			st := newStore(t)
			r := newRosters(t, st, Options{})
			tx := begin(t, r, romeo)
			defer tx.Close()
			push, err := tx.Set(romeo, tc.u)
			wantRefusal(t, err, tc.condition, tc.text)
			if (push != nil) != (tc.condition == "") {
				t.Errorf("push %+v", push)
			}
		})
	}
}

func wantRefusal(t *testing.T, err error, condition, text string) {
	t.Helper()
	if condition == "" {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	e, ok := stanza.AsError(err)
	if got := fmt.Sprint(e.Condition, " ", e.Type); !ok || got != condition || !strings.Contains(e.Text["en"], text) {
		t.Errorf("refused with %v %q, want %s", got, e.Text["en"], condition)
	}
}

func TestRosterLimits(t *testing.T) {
	st := newStore(t)
	r := newRosters(t, st, Options{MaxItems: 3, MaxBytes: 200})
	for i := range 3 {
		set(t, r, st, romeo, Update{JID: jid.MustParse(fmt.Sprint("c", i, "@x"))})
	}
	tx := begin(t, r, romeo)
	defer tx.Close()
	_, err := tx.Set(romeo, Update{JID: juliet})
	wantRefusal(t, err, "not-allowed cancel", "3 items")
	_, err = tx.Apply(romeo, juliet, OutSubscribe, nil)
	wantRefusal(t, err, "not-allowed cancel", "3 items")
	_, err = tx.Apply(romeo, juliet, OutSubscribed, nil)
	wantRefusal(t, err, "not-allowed cancel", "3 items")
	if _, err := tx.Apply(romeo, juliet, InSubscribe, request(juliet, romeo, "")); err != nil {
		t.Errorf("a request isn't in the roster yet: %v", err)
	}
	_, err = tx.Apply(romeo, juliet, OutSubscribed, nil)
	wantRefusal(t, err, "not-allowed cancel", "3 items")
	c0 := jid.MustParse("c0@x")
	_, err = tx.Set(romeo, Update{JID: c0, Name: strings.Repeat("n", 200)})
	wantRefusal(t, err, "not-allowed cancel", "200 bytes")
	if _, err := tx.Set(romeo, Update{JID: c0, Name: "short"}); err != nil {
		t.Errorf("an item of a full roster can't be changed: %v", err)
	}
	if _, err := tx.Remove(romeo, c0); err != nil {
		t.Error(err)
	}
	if _, err := tx.Set(romeo, Update{JID: juliet}); err != nil {
		t.Errorf("no room after a removal: %v", err)
	}
}

// TestRemove: RFC 6121 §2.5.
func TestRemove(t *testing.T) {
	st := newStore(t)
	r := newRosters(t, st, Options{})
	tx := begin(t, r, romeo)
	_, err := tx.Remove(romeo, juliet)
	wantRefusal(t, err, "item-not-found modify", "")
	tx.Close()
	apply(t, r, st, romeo, juliet, InSubscribe)
	tx = begin(t, r, romeo)
	_, err = tx.Remove(romeo, juliet) // a request that waits is no item
	wantRefusal(t, err, "item-not-found modify", "")
	tx.Close()
	set(t, r, st, romeo, Update{JID: juliet, Name: "J", Groups: []string{"g"}})

	tx = begin(t, r, romeo)
	push, err := tx.Remove(romeo, juliet)
	if err != nil {
		t.Fatal(err)
	}
	if q := string(push.Query()); q != "<query xmlns='jabber:iq:roster' ver='"+push.Ver+"'><item jid='juliet@example.com' subscription='remove'/></query>" {
		t.Errorf("push is %s", q)
	}
	if err := st.commit(tx); err != nil {
		t.Fatal(err)
	}
	v := get(t, r, romeo, nil)
	if len(v.Items) != 0 || !strings.HasSuffix(string(v.Query()), "ver='"+v.Ver+"'></query>") {
		t.Errorf("roster is %s", v.Query())
	}
	if requests, err := r.Requests(t.Context(), romeo); len(requests) != 1 || err != nil {
		t.Errorf("the request was not answered and is gone: %v %v", requests, err)
	}
	if c := apply(t, r, st, romeo, juliet, OutSubscribed); c.Now.State != From || c.Push.Item.Name != "" {
		t.Errorf("approved: %+v", c.Now)
	}
}

func TestErase(t *testing.T) {
	st := newStore(t)
	r := newRosters(t, st, Options{})
	set(t, r, st, romeo, Update{JID: juliet})
	apply(t, r, st, romeo, nurse, InSubscribe)
	old := get(t, r, romeo, nil).Ver
	tx := begin(t, r, romeo)
	if got := tx.Contacts(romeo); !slices.Equal(got, []jid.JID{juliet, nurse}) {
		t.Errorf("contacts %v", got)
	}
	tx.Erase(romeo)
	if err := st.commit(tx); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Rosters{r, newRosters(t, st, Options{})} {
		v := get(t, r, romeo, &old)
		if requests, err := r.Requests(t.Context(), romeo); v.Unchanged || len(v.Items) != 0 || v.Ver != "0" || len(requests) != 0 || err != nil {
			t.Errorf("left over: %+v, %v, %v", v, requests, err)
		}
	}
}

func TestOptions(t *testing.T) {
	if _, err := New(nil, Options{MaxItems: -1}); err == nil {
		t.Error("a negative limit was taken")
	}
	var o Options
	o.setDefaults()
	if want := (Options{2000, 1 << 20, 32, 1023, 1000, 8 << 10, 16 << 20}); o != want {
		t.Errorf("defaults %+v", o)
	}
}
