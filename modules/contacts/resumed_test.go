package contacts

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/roster"
	"weir/sessionmgr"
)

// TestLargeRosterAtAResumption: a client that has to be given its roster anew gets a
// large one in parts, each when it has read the one before; what changes meanwhile is
// what it knows in the end.
func TestLargeRosterAtAResumption(t *testing.T) {
	const many = 1000
	h := newHouse(t, roster.Options{}, Options{})
	c := h.login("juliet@example.com/balcony")
	set := func(i int, what string) {
		c.send(fmt.Sprintf("<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='c%04d@example.com' %s/></query></iq>", i, what))
	}
	for i := range many {
		set(i, "name='"+strings.Repeat("x", 50)+"'")
	}
	set(1, "subscription='remove'")
	h.quiet()
	c.mu.Lock()
	c.busy = 1 << 30 // it reads nothing
	c.mu.Unlock()
	h.module.resumed(t.Context(), sessionmgr.Resumption{Session: c.Session, Restored: true})
	h.settle()
	known := map[string]string{}
	read := func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, x := range c.in {
			if _, item, push := strings.Cut(x, "<item jid='"); push {
				known[item[:5]] = item
			}
		}
		c.in = nil
	}
	if read(); len(known) == 0 || len(known) > many/2 {
		t.Fatalf("%d came at once", len(known))
	}
	set(0, "name='new'")
	set(many-1, "name='new'")
	set(many-2, "subscription='remove'")
	c.mu.Lock()
	c.busy = 0
	c.mu.Unlock()
	for deadline := time.Now().Add(20 * time.Second); len(known) < many; {
		h.Drained(c.Session)
		h.settle()
		if read(); time.Now().After(deadline) {
			t.Fatalf("%d came", len(known))
		}
	}
	for i := range many {
		want := "name='xxx"
		switch i {
		case 0, many - 1:
			want = "name='new'"
		case 1, many - 2:
			want = "subscription='remove'"
		}
		if got := known[fmt.Sprintf("c%04d", i)]; !strings.Contains(got, want) {
			t.Errorf("%d is %q", i, got)
		}
	}
}
