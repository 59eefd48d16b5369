package sessionmgr

import "testing"

// TestUnseenPriority: the priority of a session that contacts are told isn't
// there gets it messages, and doesn't keep them from others.
func TestUnseenPriority(t *testing.T) {
	rows := []struct {
		unseen, seen  int8
		gotOne, other bool
	}{
		{10, 0, true, true},
		{5, 5, true, true},
		{0, 5, false, true},
		{5, -1, true, false},
		{-1, -2, false, false},
	}
	for _, row := range rows {
		h := newHouse(t)
		romeo := h.online("romeo@verona.lit/orchard", 0)
		balcony := h.online("juliet@verona.lit/balcony", row.unseen)
		balcony.enable() // else it can't hibernate
		phone := h.online("juliet@verona.lit/phone", row.seen)
		balcony.SetUnseen(true)
		romeo.send("<message to='juliet@verona.lit' type='chat'><body>hi</body></message>")
		h.settle()
		for c, got := range map[*client]bool{balcony: row.gotOne, phone: row.other} {
			if n := len(c.got()); n != 0 != got {
				t.Errorf("unseen %d, seen %d: %s got %d messages, want some %v", row.unseen, row.seen, c.JID(), n, got)
			}
		}
		if d := balcony.Describe(); !d.Unseen || !d.Available || phone.Describe().Unseen {
			t.Errorf("described as %+v", d)
		}
	}
}

// TestGone: only a session that hibernates is.
func TestGone(t *testing.T) {
	h := newHouse(t)
	juliet := h.bind("juliet@verona.lit/balcony")
	id := juliet.enable()
	if _, is := juliet.Gone(); is {
		t.Error("it has a link")
	}
	juliet.cut()
	if since, is := juliet.Gone(); !is || since.IsZero() {
		t.Errorf("it has none: %v %v", since, is)
	}
	again := h.mustResume("juliet@verona.lit", id, 0)
	if _, is := again.Gone(); is {
		t.Error("it has a link again")
	}
}
