package presence

import (
	"context"
	"strings"
	"testing"

	"weir/hook"
	"weir/jid"
	"weir/roster"
	"weir/sessionmgr"
)

// verona is the cast of RFC 6121 §4.1: juliet has romeo, mercutio and benvolio
// as subscribers; nurse isn't one.
func verona(t testing.TB) *house {
	h := newHouse(t, Options{})
	for _, j := range []string{"romeo@example.net", "mercutio@example.com", "benvolio@example.net"} {
		h.subscribe(j, "juliet@example.com")
	}
	h.subscribe("juliet@example.com", "romeo@example.net")
	return h
}

// TestInitialPresence: RFC 6121 §4.2.2 and RFC 6121 §4.2.3.
func TestInitialPresence(t *testing.T) {
	h := verona(t)
	orchard, garden := h.online("romeo@example.net/orchard"), h.online("romeo@example.net/garden")
	mercutio, nurse := h.online("mercutio@example.com/m"), h.online("nurse@example.com/n")
	chamber := h.online("juliet@example.com/chamber")
	asleep := h.bind("benvolio@example.net/b")
	orchard.clear()
	garden.clear()
	mercutio.clear()

	balcony := h.bind("juliet@example.com/balcony")
	balcony.send("<presence id='p1' xml:lang='en'><show>dnd</show><x xmlns='urn:x'/></presence>")
	const stamped = "from='juliet@example.com/balcony' & id='p1' & <show>dnd</show><x xmlns='urn:x'/>"
	orchard.want("to='romeo@example.net' & " + stamped)
	garden.want("to='romeo@example.net' & " + stamped)
	mercutio.want("to='mercutio@example.com' & " + stamped)
	chamber.want("to='juliet@example.com' & " + stamped)
	// The newcomer: its own presence, its other resource, and for its probes the
	// resources of whom it is subscribed to.
	balcony.want("to='juliet@example.com' & "+stamped, "from='juliet@example.com/chamber' to='juliet@example.com'",
		"from='romeo@example.net/orchard' to='juliet@example.com'", "from='romeo@example.net/garden' to='juliet@example.com'")
	nurse.want()
	asleep.want() // connected, not available
}

// TestSubsequentPresence: RFC 6121 §4.4.2; no probes, no answers.
func TestSubsequentPresence(t *testing.T) {
	h := verona(t)
	romeo := h.online("romeo@example.net/orchard")
	balcony, chamber := h.online("juliet@example.com/balcony"), h.online("juliet@example.com/chamber")
	romeo.clear()
	balcony.clear()
	chamber.clear()
	balcony.send("<presence><show>away</show><priority>-7</priority></presence>")
	const away = "from='juliet@example.com/balcony' & <show>away</show><priority>-7</priority>"
	romeo.want(away + " & to='romeo@example.net'")
	chamber.want(away)
	balcony.want(away)
	if balcony.Priority() != -7 {
		t.Errorf("priority %d", balcony.Priority())
	}
}

// TestUnavailable: RFC 6121 §4.5.2 and RFC 6121 §4.5.3, and initial presence again
// afterwards.
func TestUnavailable(t *testing.T) {
	h := verona(t)
	romeo := h.online("romeo@example.net/orchard")
	balcony, chamber := h.online("juliet@example.com/balcony"), h.online("juliet@example.com/chamber")
	romeo.clear()
	balcony.clear()
	chamber.clear()
	balcony.send("<presence type='unavailable'><status>going on vacation</status></presence>")
	const gone = "from='juliet@example.com/balcony' & type='unavailable' & <status>going on vacation</status>"
	romeo.want(gone + " & to='romeo@example.net'")
	chamber.want(gone + " & to='juliet@example.com'")
	balcony.want(gone + " & to='juliet@example.com'")
	if balcony.Available() {
		t.Error("still available")
	}
	balcony.send("<presence type='unavailable'/>") // once more: nobody thinks otherwise
	balcony.end()
	romeo.want()
	chamber.want()
	balcony.want()

	balcony = h.bind("juliet@example.com/balcony")
	balcony.send("<presence/>")
	balcony.send("<presence type='unavailable'/>")
	romeo.clear()
	balcony.clear()
	balcony.send("<presence/>")
	romeo.want("from='juliet@example.com/balcony'")
	if got := balcony.got(); len(got) != 3 {
		t.Errorf("a new presence session learns about contacts again: %q", got)
	}
}

// TestEveryEndSaysGoodbye: RFC 6121 §4.5.2, "for any reason (either gracefully or
// ungracefully)".
func TestEveryEndSaysGoodbye(t *testing.T) {
	h := verona(t)
	romeo, nurse := h.online("romeo@example.net/orchard"), h.online("nurse@example.com/n")
	chamber := h.online("juliet@example.com/chamber")
	ends := map[string]func(*client){
		"link lost": func(c *client) { c.end() },
		"kicked":    func(c *client) { h.Kick(c.Session, sessionmgr.Cause{Code: sessionmgr.Kicked}, nil) },
		"replaced":  func(*client) { h.bind("juliet@example.com/balcony").end() },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			c := h.online("juliet@example.com/balcony")
			c.send("<presence to='nurse@example.com'/>")
			romeo.clear()
			nurse.clear()
			chamber.clear()
			end(c)
			romeo.want("<presence from='juliet@example.com/balcony' to='romeo@example.net' & type='unavailable'")
			chamber.want("<presence from='juliet@example.com/balcony' to='juliet@example.com' & type='unavailable'")
			nurse.want("<presence from='juliet@example.com/balcony' to='nurse@example.com' & type='unavailable'")
		})
	}
}

// TestPriority: RFC 6121 §4.7.2.3.
func TestPriority(t *testing.T) {
	h := newHouse(t, Options{})
	for _, tc := range []struct {
		xml  string
		want int
		ok   bool
	}{
		{"", 0, true},
		{"<priority>5</priority>", 5, true},
		{"<priority>-128</priority>", -128, true},
		{"<priority> 127\n</priority>", 127, true},
		{"<priority xmlns='jabber:client'>+1</priority>", 1, true},
		{"<priority xmlns='urn:x'>900</priority>", 0, true},
		{"<priority>128</priority>", 0, false},
		{"<priority>-129</priority>", 0, false},
		{"<priority>1.5</priority>", 0, false},
		{"<priority>high</priority>", 0, false},
		{"<priority></priority>", 0, false},
		{"<priority/>", 0, false},
		{"<priority><b>1</b></priority>", 0, false},
		{"<priority>1</priority><priority>1</priority>", 0, false},
	} {
		c := h.bind("juliet@example.com/balcony")
		c.send("<presence id='p'>" + tc.xml + "</presence>")
		if c.Available() != tc.ok || int(c.Priority()) != tc.want {
			t.Errorf("%s: available %v, priority %d", tc.xml, c.Available(), c.Priority())
		}
		if !tc.ok {
			c.want("type='error' & id='p' & <bad-request")
		}
		c.end()
	}
}

// TestInitialHook runs once for each presence session, after the broadcast.
func TestInitialHook(t *testing.T) {
	h := newHouse(t, Options{})
	var seen []string
	h.h.Hooks.Initial.Add("test", hook.Normal, func(_ context.Context, s *sessionmgr.Session) {
		seen = append(seen, s.JID().String())
	})
	c := h.bind("juliet@example.com/balcony")
	c.send("<presence/>")
	c.send("<presence><show>away</show></presence>")
	c.send("<presence to='romeo@example.net'/>")
	if strings.Join(seen, " ") != "juliet@example.com/balcony" {
		t.Errorf("ran for %v", seen)
	}
	c.send("<presence type='unavailable'/>")
	c.send("<presence/>")
	if len(seen) != 2 {
		t.Errorf("ran for %v", seen)
	}
}

// TestBlocking: storage is read only where it can't be helped.
func TestBlocking(t *testing.T) {
	h := verona(t)
	balcony := h.bind("juliet@example.com/balcony")
	h.online("romeo@example.net/orchard")
	for xml, want := range map[string]bool{
		"<presence/>":                                      false,
		"<presence type='unavailable'/>":                   false,
		"<presence to='romeo@example.net'/>":               false,
		"<presence type='probe' to='romeo@example.net'/>":  false,
		"<presence type='probe' to='nobody@example.net'/>": true,
	} {
		if got := h.h.Blocking(balcony.Session, parse(t, xml, balcony.JID())); got != want {
			t.Errorf("%s: %v", xml, got)
		}
	}
	h.events("juliet@example.com", "tybalt@example.com", roster.InSubscribe)
	if !h.h.Blocking(balcony.Session, parse(t, "<presence/>", balcony.JID())) {
		t.Error("requests wait, and are in storage")
	}
}

// TestOptions covers what a user may set.
func TestOptions(t *testing.T) {
	if _, err := New(nil, nil, nil, Options{MaxDirected: -1}); err == nil {
		t.Error("a negative limit was taken")
	}
	if h := newHouse(t, Options{}); h.h.o.MaxDirected != 1000 {
		t.Errorf("defaults %+v", h.h.o)
	}
}

// TestRemoteContactsArePassedOver until there are streams to servers.
func TestRemoteContactsArePassedOver(t *testing.T) {
	h := newHouse(t, Options{})
	h.subscribe("far@away.example", "juliet@example.com")
	h.subscribe("juliet@example.com", "far@away.example")
	c := h.bind("juliet@example.com/balcony")
	c.send("<presence/>")
	c.want("from='juliet@example.com/balcony'")
	c.send("<presence to='far@away.example' type='unavailable'/>")
	c.want()
	if got := h.h.audience(jid.MustParse("juliet@example.com")).contacts; len(got) != 0 {
		t.Errorf("audience %v", got)
	}
}
