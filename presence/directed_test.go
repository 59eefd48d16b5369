package presence

import (
	"fmt"
	"strings"
	"testing"

	"weir/jid"
	"weir/stanza"
)

func parse(t *testing.T, xml string, from jid.JID) *stanza.Stanza {
	t.Helper()
	st, err := stanza.Parse([]byte(xml))
	if err != nil {
		t.Fatal(err)
	}
	return st.With(from, st.To)
}

// TestDirectedPresence: the three cases of RFC 6121 §4.6.3.
func TestDirectedPresence(t *testing.T) {
	h := verona(t)
	romeo := h.online("romeo@example.net/orchard")
	nurse, kitchen := h.online("nurse@example.com/n"), h.bind("nurse@example.com/kitchen")
	balcony := h.online("juliet@example.com/balcony")
	romeo.clear()

	// 1: to a subscriber, it stays one.
	balcony.send("<presence to='romeo@example.net'><show>chat</show></presence>")
	romeo.want("to='romeo@example.net' & <show>chat</show>")
	// 2: to others; they get no broadcast of available presence …
	balcony.send("<presence to='nurse@example.com'><status>hi</status></presence>")
	nurse.want("from='juliet@example.com/balcony' to='nurse@example.com' & <status>hi</status>")
	balcony.send("<presence to='nurse@example.com/kitchen'/>")
	kitchen.want("to='nurse@example.com/kitchen'") // RFC 6121 §8.5.3.1: also a connected resource
	nurse.want()
	balcony.clear()
	balcony.send("<presence><show>away</show></presence>")
	romeo.want("<show>away</show>")
	nurse.want()
	// … but hear that it ended.
	balcony.send("<presence type='unavailable'/>")
	romeo.want("type='unavailable' & to='romeo@example.net'")
	nurse.want("type='unavailable' & to='nurse@example.com'")
	kitchen.want("type='unavailable' & to='nurse@example.com/kitchen'")
	// 3: without initial presence it is as with 2, for subscribers too.
	balcony.send("<presence to='romeo@example.net'/>")
	balcony.send("<presence to='nurse@example.com'/>")
	romeo.want("from='juliet@example.com/balcony'")
	nurse.want("from='juliet@example.com/balcony'")
	if balcony.Available() {
		t.Error("directed presence made the session available")
	}
	balcony.end()
	romeo.want("type='unavailable'")
	nurse.want("type='unavailable'")
}

// TestDirectedUnavailable takes it back: "if the user has not yet sent directed
// unavailable presence to that entity".
func TestDirectedUnavailable(t *testing.T) {
	h := verona(t)
	nurse := h.online("nurse@example.com/n")
	balcony := h.online("juliet@example.com/balcony")
	balcony.send("<presence to='nurse@example.com'/>")
	balcony.send("<presence to='nurse@example.com/n'/>")
	balcony.send("<presence to='nurse@example.com' type='unavailable'><status>bye</status></presence>")
	nurse.want("to='nurse@example.com'", "to='nurse@example.com/n'", "type='unavailable' & <status>bye</status>")
	balcony.end()
	nurse.want()
}

// TestWhoIsToldForgets: "SHOULD remove any entity that sends unavailable presence
// to the user".
func TestWhoIsToldForgets(t *testing.T) {
	h := verona(t)
	nurse := h.online("nurse@example.com/n")
	balcony := h.online("juliet@example.com/balcony")
	balcony.send("<presence to='nurse@example.com/n'/>")
	nurse.send("<presence to='juliet@example.com/balcony'/>")
	nurse.send("<presence to='juliet@example.com/balcony' type='unavailable'/>")
	if h.h.Directed(balcony.JID(), nurse.JID()) {
		t.Error("balcony still counts nurse/n as a target")
	}
}

// TestDirectedLimit: RFC 6121 §4.6.1 keeps a list, which has an end.
func TestDirectedLimit(t *testing.T) {
	h := newHouse(t, Options{MaxDirected: 3})
	c := h.online("juliet@example.com/balcony")
	for i := range 3 {
		c.send(fmt.Sprintf("<presence to='u%d@example.com'/>", i))
	}
	c.send("<presence to='u1@example.com'/>") // known
	c.want()
	c.send("<presence id='x' to='u3@example.com'/>")
	c.want("type='error' & from='u3@example.com' & id='x' & <resource-constraint & type='wait' & 3 directed-presence targets")
	c.send("<presence to='u1@example.com' type='unavailable'/>")
	c.send("<presence to='u3@example.com'/>")
	c.want()
}

// TestDirectedToNobody: nothing tells whether an address exists (RFC 6121 §8.5.1).
func TestDirectedToNobody(t *testing.T) {
	h := verona(t)
	h.bind("nurse@example.com/n") // connected, not available
	c := h.online("juliet@example.com/balcony")
	for _, to := range []string{"nobody@example.com", "nurse@example.com", "nurse@example.com/other", "nobody@example.com/x", "example.com", "benvolio@example.net"} {
		c.send("<presence to='" + to + "'/>")
		c.send("<presence to='" + to + "' type='unavailable'/>")
		c.want()
	}
}

// TestDirected is what the guard of presence asks.
func TestDirected(t *testing.T) {
	h := verona(t)
	balcony, chamber := h.online("juliet@example.com/balcony"), h.online("juliet@example.com/chamber")
	nurseBare, nurse, other := jid.MustParse("nurse@example.com"), jid.MustParse("nurse@example.com/n"), jid.MustParse("nurse@example.com/o")
	if h.h.Directed(balcony.JID(), nurse) {
		t.Error("nothing was sent")
	}
	balcony.send("<presence to='nurse@example.com/n'/>")
	for _, tc := range []struct {
		target, viewer jid.JID
		want           bool
	}{
		{balcony.JID(), nurse, true},
		{balcony.JID().Bare(), nurse, true},
		{chamber.JID(), nurse, false},
		{balcony.JID(), other, false},
		{balcony.JID(), nurseBare, false},
		{jid.MustParse("juliet@example.com/none"), nurse, false},
	} {
		if got := h.h.Directed(tc.target, tc.viewer); got != tc.want {
			t.Errorf("%s to %s: %v", tc.target, tc.viewer, got)
		}
	}
	balcony.send("<presence to='nurse@example.com'/>")
	if !h.h.Directed(balcony.JID(), other) {
		t.Error("sent to the bare JID, so to all its resources")
	}
	balcony.end()
	if h.h.Directed(balcony.JID(), nurse) || h.h.Directed(balcony.JID().Bare(), nurse) {
		t.Error("the session is gone")
	}
}

// TestSubscriptionEndsDirected: RFC 6121 §4.6.1, canceling a subscription takes
// precedence over directed presence.
func TestSubscriptionEndsDirected(t *testing.T) {
	h := verona(t)
	romeo := h.online("romeo@example.net/orchard")
	balcony := h.online("juliet@example.com/balcony")
	connected := h.bind("juliet@example.com/connected")
	connected.send("<presence to='romeo@example.net/orchard'/>")
	balcony.send("<presence to='romeo@example.net'/>")
	out := h.h.Gone(balcony.JID().Bare(), romeo.JID().Bare())
	var who []string
	for _, d := range out {
		if d.To != romeo.Session || d.Stanza.Type != "unavailable" || d.Stanza.To != romeo.JID().Bare() {
			t.Errorf("%s", d.Stanza.AppendTo(nil))
		}
		who = append(who, d.Stanza.From.String())
	}
	if strings.Join(who, " ") != "juliet@example.com/balcony juliet@example.com/connected" {
		t.Errorf("from %v", who)
	}
	if h.h.Directed(balcony.JID(), romeo.JID()) || h.h.Directed(connected.JID(), romeo.JID()) {
		t.Error("directed presence survived")
	}
}
