package integration_test

import (
	"context"
	"fmt"
	"testing"

	"weir/integration/testclient"
)

// TestDirectedPresenceOverAKill kills the server (SIGKILL) when three strangers have
// sent the nurse presence. She hears that each of them left: at once of the one whose
// session can't be resumed, at the end of its time of the one that doesn't come
// back, and of the third when it leaves, having come back.
func TestDirectedPresenceOverAKill(t *testing.T) {
	s := startServer(t)
	nurse := enable(t, s, "nurse")
	expect := func(presence string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if _, err := nurse.ExpectStanza(ctx, presence, nil); err != nil {
			t.Fatal(err)
		}
		nurse.h++
	}
	direct := func(c *testclient.Client, user, resource string) {
		t.Helper()
		if err := c.Send("<presence to='nurse@localhost'/>"); err != nil {
			t.Fatal(err)
		}
		expect(fmt.Sprintf("<presence from='%s@localhost/%s' to='nurse@localhost'/>", user, resource))
	}
	gone := func(user, resource string) {
		t.Helper()
		expect(fmt.Sprintf("<presence from='%s@localhost/%s' to='nurse@localhost' type='unavailable'/>", user, resource))
	}
	direct(enter(t, s, "romeo", "orchard"), "romeo", "orchard")
	brief := enter(t, s, "juliet", "balcony")
	if err := brief.Send("<enable xmlns='" + nsAcks + "' resume='true' max='1'/>"); err != nil {
		t.Fatal(err)
	}
	if _, err := brief.Expect(t.Context(), "<enabled xmlns='"+nsAcks+"' .../>", nil); err != nil {
		t.Fatal(err)
	}
	direct(brief, "juliet", "balcony")
	stays := enable(t, s, "mercutio")
	direct(stays.Client, "mercutio", "phone")

	s.Kill()
	s.Again()
	nurse.resume(t, s, "nurse", testclient.Options{})
	gone("romeo", "orchard")
	gone("juliet", "balcony")
	stays.resume(t, s, "mercutio", testclient.Options{})
	stays.send(t, "<presence type='unavailable'/>")
	gone("mercutio", "phone")

	s.Kill() // nothing is left to tell
	s.Again()
	nurse.resume(t, s, "nurse", testclient.Options{})
	if err := nurse.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, e := range nurse.Drain() {
		if e.Name.Local == "presence" && e.Get("from") != nurse.JID() && e.Get("from") != "nurse@localhost/phone" {
			t.Errorf("she hears again: %s", e)
		}
	}
}
