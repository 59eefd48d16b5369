package integration_test

import (
	"fmt"
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

// TestComponentGoneInACrash: who saw addresses of a component before a crash, and resumes
// behind it, is told that they are gone where the component doesn't come back; where it does,
// of those only that it doesn't show again.
func TestComponentGoneInACrash(t *testing.T) {
	for _, back := range []bool{false, true} {
		t.Run(fmt.Sprintf("back %v", back), func(t *testing.T) {
			s, addr := componentServerWith(t, "return_time = \"2s\"\n")
			irc := component(t, addr, "irc.localhost")
			juliet := enable(t, s, "juliet")
			full := juliet.JID() // which it doesn't hear again when it resumes
			saw := func(all ...string) {
				t.Helper()
				for _, want := range all {
					if got := juliet.sees(t, "irc.localhost"); got != want {
						t.Fatalf("saw %q, want %q", got, want)
					}
				}
			}
			irc.send("<presence from='left@irc.localhost/a' to='" + full + "'/>" +
				"<presence type='unavailable' from='left@irc.localhost/a' to='" + full + "'/>")
			saw("left", "left unavailable")
			irc.send("<presence from='paris@irc.localhost/a' to='rosaline@localhost/x'/>" +
				"<presence from='nurse@irc.localhost/a' to='" + full + "'/><presence from='bot@irc.localhost' to='juliet@localhost'/>")
			saw("nurse", "bot")
			s.Kill()
			s.Again()
			juliet.resume(t, s, "juliet", testclient.Options{})
			if !back {
				one, two := juliet.sees(t, "irc.localhost"), juliet.sees(t, "irc.localhost")
				if one > two {
					one, two = two, one
				}
				if one != "bot unavailable" || two != "nurse unavailable" {
					t.Errorf("saw %q and %q", one, two)
				}
			} else {
				irc = component(t, componentAddr(t, s), "irc.localhost")
				irc.send("<presence from='bot@irc.localhost' to='juliet@localhost'/>")
				saw("bot", "nurse unavailable")
				irc.send("<presence from='nurse@irc.localhost/a' to='" + full + "'/>")
				saw("nurse")
				irc.send("</stream:stream>")
				one, two := juliet.sees(t, "irc.localhost"), juliet.sees(t, "irc.localhost")
				if !strings.Contains(one+two, "bot unavailable") || !strings.Contains(one+two, "nurse unavailable") {
					t.Errorf("saw %q and %q at its end", one, two)
				}
			}
			s.Kill() // nothing is left to take back
			s.Again()
			juliet.resume(t, s, "juliet", testclient.Options{})
			irc = component(t, componentAddr(t, s), "irc.localhost")
			irc.send("<presence from='bot@irc.localhost' to='juliet@localhost'/>")
			saw("bot")
			s.Stop()
			if out := s.Output(); strings.Contains(out, "level=ERROR") {
				t.Errorf("the log:\n%s", out)
			}
		})
	}
}

// sees is the next presence from a domain that a phone gets: whose, and if it is no more.
func (p *phone) sees(t *testing.T, domain string) string {
	t.Helper()
	for {
		e, err := p.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		switch e.Name.Local {
		case "r":
			p.send(t, fmt.Sprintf("<a xmlns='%s' h='%d'/>", nsAcks, p.h))
		case "presence", "iq", "message":
			p.h++
			name, rest, _ := strings.Cut(e.Get("from"), "@")
			if host, _, _ := strings.Cut(rest, "/"); host == domain {
				return strings.TrimSpace(name + " " + e.Get("type"))
			}
		}
	}
}
