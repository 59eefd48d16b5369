package contacts

import (
	"strings"
	"testing"

	"weir/roster"
	"weir/sessionmgr"
)

// rosterGet asks for the roster and returns the answer with its version masked.
func (c *client) rosterGet(ver string) string {
	c.h.t.Helper()
	c.got()
	c.send("<iq type='get' id='get'><query xmlns='jabber:iq:roster'" + ver + "/></iq>")
	got := c.got()
	if len(got) != 1 {
		c.h.t.Fatalf("roster get: %q", got)
	}
	return got[0]
}

// TestRosterSet: RFC 6121 §2.3 and RFC 6121 §2.4, their examples in order.
func TestRosterSet(t *testing.T) {
	h := newHouse(t, roster.Options{}, Options{})
	balcony, chamber := h.login(jj+"/balcony"), h.login(jj+"/chamber")
	deaf := h.bind(jj + "/deaf")
	for _, tc := range []struct{ set, item string }{
		{"<item jid='nurse@example.com' name='Nurse'><group>Servants</group></item>",
			"<item jid='nurse@example.com' name='Nurse' subscription='none'><group>Servants</group></item>"},
		{"<item jid='romeo@example.net' name='Romeo'><group>Friends</group><group>Lovers</group></item>",
			"<item jid='romeo@example.net' name='Romeo' subscription='none'><group>Friends</group><group>Lovers</group></item>"},
		{"<item jid='romeo@example.net' name='Romeo'><group>Lovers</group></item>",
			"<item jid='romeo@example.net' name='Romeo' subscription='none'><group>Lovers</group></item>"},
		{"<item jid='romeo@example.net' name='Romeo'/>", "<item jid='romeo@example.net' name='Romeo' subscription='none'/>"},
		{"<item jid='romeo@example.net' name='MyRomeo'/>", "<item jid='romeo@example.net' name='MyRomeo' subscription='none'/>"},
		{"<item jid='romeo@example.net' name=''/>", "<item jid='romeo@example.net' subscription='none'/>"},
		{"<item jid='romeo@example.net'/>", "<item jid='romeo@example.net' subscription='none'/>"}, // pushed though the same
		// "the server MUST ignore all values of the 'subscription' attribute other than
		// "remove""; ask and approved are not the client's to set.
		{"<item jid='Romeo@Example.net' subscription='both' ask='subscribe' approved='true' name='&lt;&apos;&#x1F339;'/>",
			"<item jid='romeo@example.net' name='&lt;&apos;🌹' subscription='none'/>"},
	} {
		balcony.send("<iq id='ph1xaz53' type='set'><query xmlns='jabber:iq:roster'>" + tc.set + "</query></iq>")
		balcony.want("<iq to='juliet@example.com/balcony' id='ph1xaz53' type='result'", push(tc.item)+" & to='juliet@example.com/balcony'")
		chamber.want(push(tc.item) + " & to='juliet@example.com/chamber'")
	}
	deaf.want()
	got := balcony.rosterGet("")
	if !strings.Contains(got, "<item jid='nurse@example.com' name='Nurse' subscription='none'><group>Servants</group></item><item jid='romeo@example.net'") {
		t.Errorf("roster is %s", got)
	}
	balcony.send("<iq type='result' id='whatever'/>") // the answer to a push
	balcony.send("<iq type='error' id='whatever'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>")
	balcony.want()
}

// TestRosterSetErrors: RFC 6121 §2.3.3 and RFC 6121 §2.5.3.
func TestRosterSetErrors(t *testing.T) {
	h := newHouse(t, roster.Options{MaxItems: 1}, Options{})
	c := h.login(jj + "/balcony")
	long := strings.Repeat("x", 1024)
	for _, tc := range []struct{ items, want string }{
		{"", "<bad-request"},
		{"<item name='x'/>", "<bad-request"},
		{"<item jid='nurse@example.com'/><item jid='mother@example.com'/>", "type='modify' & <bad-request"},
		{"<item jid='@@'/>", "type='modify' & <jid-malformed"},
		{"<item jid=''/>", "<jid-malformed"},
		{"<item jid='nurse@example.com' name='" + long + "'/>", "type='modify' & <not-acceptable & 1023 bytes"},
		{"<item jid='nurse@example.com'><group>Servants</group><group>Servants</group></item>", "type='modify' & <bad-request"},
		{"<item jid='nurse@example.com'><group></group></item>", "type='modify' & <not-acceptable"},
		{"<item jid='nurse@example.com'><group>" + long + "</group></item>", "type='modify' & <not-acceptable & 1023 bytes"},
		{"<item jid='nurse@example.com' subscription='remove'/>", "type='modify' & <item-not-found"},
		{"<item jid='juliet@example.com'/>", "<not-allowed"},
	} {
		c.send("<iq id='e' type='set'><query xmlns='jabber:iq:roster'>" + tc.items + "</query></iq>")
		c.want("type='error' & id='e' & " + tc.want)
	}
	c.item("jid='nurse@example.com'")
	c.want("type='result'", push("<item jid='nurse@example.com' subscription='none'/>"))
	c.item("jid='mother@example.com'")
	c.want("type='error' & <not-allowed & 1 items")
	c.send("<iq id='e' type='get'><query xmlns='jabber:iq:roster'><item jid='x@y'/></query></iq>")
	c.want("type='error' & <bad-request")
}

// TestRosterOfSomebodyElse: forbidden for those who may know the account, for
// strangers as everything else (RFC 6121 §2.1.5, security warning).
func TestRosterOfSomebodyElse(t *testing.T) {
	p := newPair(t)
	for _, typ := range []string{"get", "set"} {
		p.foo.send("<iq id='ix7s53v2' to='juliet@example.com' type='" + typ + "'><query xmlns='jabber:iq:roster'/></iq>")
		p.foo.want("type='error' & <service-unavailable")
	}
	p.mutual()
	for _, typ := range []string{"get", "set"} {
		p.foo.send("<iq id='ix7s53v2' to='juliet@example.com' type='" + typ + "'><query xmlns='jabber:iq:roster'><item jid='nurse@example.com'/></query></iq>")
		p.foo.want("type='error' & type='auth' & <forbidden")
	}
	p.juliets()
	p.foo.send("<iq id='own' to='romeo@example.net' type='get'><query xmlns='jabber:iq:roster'/></iq>")
	p.foo.want("<iq from='romeo@example.net' to='romeo@example.net/foo' id='own' type='result'")
}

// TestRosterVersions: RFC 6121 §2.6, with pushes of one session leading another on.
func TestRosterVersions(t *testing.T) {
	h := newHouse(t, roster.Options{}, Options{})
	c := h.login(jj + "/balcony")
	for _, j := range []string{"a@x", "b@x", "c@x", "d@x", "e@x"} {
		c.item("jid='" + j + "'")
	}
	full := c.rosterGet(" ver=''")
	_, ver, _ := strings.Cut(full, "ver='")
	ver, _, _ = strings.Cut(ver, "'")
	if strings.Count(full, "<item") != 5 || ver == "" {
		t.Fatalf("bootstrap: %s", full)
	}
	if got := c.rosterGet(" ver='" + ver + "'"); got != "<iq to='juliet@example.com/balcony' id='get' type='result'></iq>" && got != "<iq to='juliet@example.com/balcony' id='get' type='result'/>" {
		t.Errorf("unchanged: %s", got)
	}
	c.item("jid='b@x' name='B'")
	c.item("jid='a@x' name='A'")
	other := h.bind(jj + "/other")
	other.send("<iq type='get' id='v'><query xmlns='jabber:iq:roster' ver='" + ver + "'/></iq>")
	other.want("id='v' type='result'", push("<item jid='b@x' name='B' subscription='none'/>"), push("<item jid='a@x' name='A' subscription='none'/>"))
	if f := string(StreamFeatures()); f != "<ver xmlns='urn:xmpp:features:rosterver'/><sub xmlns='urn:xmpp:features:pre-approval'/>" {
		t.Error(f)
	}
	if got := strings.Join(h.Features(sessionmgr.OnSelf), " "); !strings.Contains(got, roster.NS) {
		t.Errorf("features: %s", got)
	}
}

// TestRemoval: RFC 6121 §2.5.2.
func TestRemoval(t *testing.T) {
	p := newPair(t)
	p.mutual()
	p.foo.send("<iq id='hm4hs97y' type='set'><query xmlns='jabber:iq:roster'><item jid='juliet@example.com' subscription='remove'/></query></iq>")
	removed := push("<item jid='juliet@example.com' subscription='remove'/>")
	p.foo.want("id='hm4hs97y' type='result'", removed,
		"from='juliet@example.com/balcony' & type='unavailable'", "from='juliet@example.com/chamber' & type='unavailable'")
	p.bar.want(removed, "from='juliet@example.com/balcony' & type='unavailable'", "from='juliet@example.com/chamber' & type='unavailable'")
	p.juliets("from='romeo@example.net' & type='unsubscribe'", push("<item jid='romeo@example.net' subscription='to'/>"),
		"from='romeo@example.net/foo' & type='unavailable'", "from='romeo@example.net/bar' & type='unavailable'",
		"from='romeo@example.net' & type='unsubscribed'", push("<item jid='romeo@example.net' subscription='none'/>"))
	p.state(rj, jj, roster.None, roster.None)
	if p.shown(rj, jj).Listed || !p.shown(jj, rj).Listed {
		t.Error("only the one who removed has no item any more")
	}
}

// TestRemovalOfOneWay: rules 1 and 2 of RFC 6121 §2.5.2 each alone, and a request
// that waits.
func TestRemovalOfOneWay(t *testing.T) {
	p := newPair(t)
	p.foo.send("<presence to='juliet@example.com' type='subscribe'/>")
	p.quiet()
	p.foo.item("jid='juliet@example.com' subscription='remove'") // withdraws the request
	p.juliets("type='unsubscribe'")
	p.state(rj, jj, roster.None, roster.None)

	p.foo.send("<presence to='juliet@example.com' type='subscribe'/>")
	p.balcony.item("jid='romeo@example.net' name='R'")
	p.quiet()
	p.balcony.item("jid='romeo@example.net' subscription='remove'") // the request goes on waiting
	p.romeos()
	p.state(rj, jj, roster.NonePendingOut, roster.NonePendingIn)

	p.balcony.send("<presence to='romeo@example.net' type='subscribed'/>")
	p.quiet()
	p.foo.item("jid='juliet@example.com' subscription='remove'") // rule 1
	p.juliets("type='unsubscribe'", push("<item jid='romeo@example.net' subscription='none'/>"))
	p.state(rj, jj, roster.None, roster.None)

	p.foo.send("<presence to='juliet@example.com' type='subscribe'/>")
	p.balcony.send("<presence to='romeo@example.net' type='subscribed'/>")
	p.quiet()
	p.balcony.item("jid='romeo@example.net' subscription='remove'") // rule 2
	p.romeos("from='juliet@example.com/balcony' & type='unavailable'", "from='juliet@example.com/chamber' & type='unavailable'",
		"type='unsubscribed'", push("<item jid='juliet@example.com' subscription='none'/>"))
	p.state(rj, jj, roster.None, roster.None)
}
