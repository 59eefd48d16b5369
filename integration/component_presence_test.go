package integration_test

import (
	"strings"
	"testing"

	"weir/integration/testclient"
)

// TestComponentGone: whoever saw addresses of a component is told that they are gone when its
// connection ends, however that is, and before anything that it sends when it is back.
func TestComponentGone(t *testing.T) {
	s, addr := componentServer(t)
	juliet, romeo := dialLogin(t, s, "juliet"), dialLogin(t, s, "romeo")
	for _, c := range []*testclient.Client{juliet, romeo} {
		if err := c.Send("<presence/>"); err != nil {
			t.Fatal(err)
		}
		if err := c.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.Drain()
	}
	next := func(c *testclient.Client, words ...string) {
		t.Helper()
		e, err := c.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range words {
			if !strings.Contains(e.String(), w) {
				t.Errorf("got %s, want %s", e, w)
			}
		}
	}
	const shows = "<presence from='#verona@irc.localhost/nurse' to='juliet@localhost/x'/>" +
		"<presence from='#verona@irc.localhost/nurse' to='romeo@localhost/x'/>" +
		"<presence from='bot@irc.localhost' to='juliet@localhost'/>" + // all of the account's sessions
		"<presence type='unavailable' from='#verona@irc.localhost/nurse' to='romeo@localhost/x'/>" + // taken back by itself
		"<presence from='#verona@irc.localhost/nurse' to='rosaline@localhost/x'/>" // nobody
	unavailable := func(c *testclient.Client) string {
		t.Helper()
		e, err := c.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(e.String(), "type='unavailable'") {
			t.Fatalf("got %s", e)
		}
		if strings.Contains(e.String(), "from='bot@irc.localhost'") {
			return "bot"
		}
		return "nurse"
	}
	irc := component(t, addr, "irc.localhost")
	for what, end := range map[string]func(){
		"cut":           func() { _ = irc.c.Close() },
		"closed":        func() { irc.send("</stream:stream>") },
		"an error":      func() { irc.send("<message from='else.localhost' to='juliet@localhost'/>") },
		"a second time": func() {}, // the next one comes while this one is there
	} {
		irc.send(shows)
		next(juliet, "nurse", "<presence")
		next(juliet, "bot@irc", "<presence")
		next(romeo, "nurse")
		next(romeo, "type='unavailable'", "nurse")
		end()
		irc = component(t, addr, "irc.localhost")
		irc.send("<presence from='bot@irc.localhost' to='juliet@localhost/x'><status>back</status></presence>" +
			"<presence type='unavailable' from='bot@irc.localhost' to='juliet@localhost/x'/>" +
			"<message from='bot@irc.localhost' to='romeo@localhost/x'><body>back</body></message>")
		if first, second := unavailable(juliet), unavailable(juliet); first == second {
			t.Errorf("%s: %s was told twice", what, first)
		}
		next(juliet, "<status>back</status>")
		next(juliet, "type='unavailable'")
		next(romeo, "<body>back</body>") // it saw nobody at the end
	}
	irc.send(shows)
	next(juliet, "nurse", "<presence")
	s.Stop() // takes nothing back, and isn't held up
	if out := s.Output(); strings.Contains(out, "level=ERROR") || strings.Contains(out, "presence of a component stays") {
		t.Errorf("the log:\n%s", out)
	}
}
