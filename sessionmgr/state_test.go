package sessionmgr

import (
	"reflect"
	"strings"
	"testing"
)

// TestEveryFieldIsDeclared holds Keepings against the struct: a field that is
// added has to say whether it outlives its process.
func TestEveryFieldIsDeclared(t *testing.T) {
	declared := Keepings()
	typ := reflect.TypeFor[Session]()
	for i := range typ.NumField() {
		name := typ.Field(i).Name
		if _, ok := declared[name]; !ok {
			t.Errorf("field %s is declared neither durable nor rebuildable nor volatile", name)
		}
		delete(declared, name)
	}
	for name := range declared {
		t.Errorf("%s is declared and no field", name)
	}
}

func TestSnapshotRoundTrip(t *testing.T) {
	h := newHouse(t)
	c := h.online("juliet@verona.lit/balcony", 5)
	c.SetInterested()
	snap := c.Snapshot()
	b, err := snap.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	back, err := UnmarshalSnapshot(b)
	if err != nil {
		t.Fatal(err)
	}
	if !back.Created.Equal(snap.Created) {
		t.Errorf("created %v, was %v", back.Created, snap.Created)
	}
	back.Created = snap.Created
	if !reflect.DeepEqual(back, snap) || back.Priority != 5 || !back.Interested || !strings.Contains(back.Presence, "<priority>5</priority>") {
		t.Errorf("got %+v, want %+v", back, snap)
	}
}

func TestSnapshotRefusesWhatItCannotRead(t *testing.T) {
	for _, rec := range []string{
		"", "{", `{"v":0}`, `{"v":99,"jid":"a@b/c"}`, `{"v":1,"jid":""}`, `{"v":1,"jid":"@"}`,
		`{"v":1,"jid":"a@b/c","presence":"<presence>"}`, `{"v":1,"jid":"a@b/c","presence":"x"}`,
	} {
		if snap, err := UnmarshalSnapshot([]byte(rec)); err == nil {
			t.Errorf("%s was read as %+v", rec, snap)
		}
	}
}

func TestStatesAndCausesHaveNames(t *testing.T) {
	for s, want := range map[State]string{
		NotOpen: "c2s_unauthed", Unauthed: "c2s_unauthed", Unbound: "c2s_unbound",
		Bound: "c2s", Hibernating: "c2s_hibernating", Destroyed: "c2s_destroyed", 77: "State(77)",
	} {
		if s.String() != want {
			t.Errorf("%d is %s, want %s", s, s, want)
		}
	}
	seen := map[string]bool{}
	for _, c := range CauseCodes() {
		if seen[c.String()] || strings.HasPrefix(c.String(), "cause-") {
			t.Errorf("code %d has the name %s", c, c)
		}
		seen[c.String()] = true
	}
	if got := (Cause{Kicked, "enough"}).String(); got != "kicked: enough" {
		t.Error(got)
	}
}
