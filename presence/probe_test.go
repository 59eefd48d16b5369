package presence

import (
	"testing"

	"weir/roster"
	"weir/stanza"
)

// TestProbes is the table of RFC 6121 §4.3.2 and RFC 6121 §4.6.6, a probe sent by
// a client.
func TestProbes(t *testing.T) {
	h := verona(t)
	balcony := h.bind("juliet@example.com/balcony")
	balcony.send("<presence id='pres2'><show>away</show><status>stepped away</status></presence>")
	chamber := h.bind("juliet@example.com/chamber")
	chamber.send("<presence id='pres1'><show>dnd</show></presence>")
	h.bind("juliet@example.com/connected")
	h.subscribe("romeo@example.net", "benvolio@example.net") // offline
	h.bind("tybalt@example.com/t")
	h.events("romeo@example.net", "nurse@example.com", roster.OutSubscribe)
	romeo, stranger := h.online("romeo@example.net/orchard"), h.online("stranger@example.com/s")
	balcony.send("<presence to='stranger@example.com/s'><status>psst</status></presence>")
	h.subscribe("romeo@example.net", "mercutio@example.com")
	mercutio := h.online("mercutio@example.com/m")

	for _, tc := range []struct {
		name, to string
		client   *client
		want     []string
	}{
		{"rule 4: all available resources", "juliet@example.com", romeo, []string{
			"from='juliet@example.com/balcony' to='romeo@example.net/orchard' & id='pres2' & <show>away</show><status>stepped away</status>",
			"from='juliet@example.com/chamber' to='romeo@example.net/orchard' & id='pres1' & <show>dnd</show>"}},
		{"full JID: only that resource, only that it is there", "juliet@example.com/chamber", romeo, []string{
			"<presence from='juliet@example.com/chamber' to='romeo@example.net/orchard' id='pres1'/>"}},
		{"full JID that isn't available", "juliet@example.com/connected", romeo, []string{
			"<presence from='juliet@example.com/connected' to='romeo@example.net/orchard' id='probe1' type='unavailable'/>"}},
		{"rule 3: no available resources", "benvolio@example.net", romeo, []string{
			"<presence from='benvolio@example.net' to='romeo@example.net/orchard' id='probe1' type='unavailable'/>"}},
		{"rule 1: a stranger", "juliet@example.com", stranger, []string{
			"<presence from='juliet@example.com' to='stranger@example.com/s' id='probe1' type='unsubscribed'/>"}},
		{"rule 1: a stranger of somebody offline", "benvolio@example.net", stranger, []string{
			"<presence from='benvolio@example.net' to='stranger@example.com/s' id='probe1' type='unsubscribed'/>"}},
		{"rule 1: a full JID", "juliet@example.com/chamber", stranger, []string{
			"<presence from='juliet@example.com' to='stranger@example.com/s' id='probe1' type='unsubscribed'/>"}},
		{"rule 1: subscribed the other way only", "romeo@example.net", mercutio, []string{"type='unsubscribed'"}},
		{"rule 1: no such account", "nobody@example.com", stranger, []string{
			"<presence from='nobody@example.com' to='stranger@example.com/s' id='probe1' type='unsubscribed'/>"}},
		{"directed presence: mere presence", "juliet@example.com/balcony", stranger, []string{
			"<presence from='juliet@example.com/balcony' to='stranger@example.com/s' id='pres2'/>"}},
		{"a request waits: no answer that looks like a refusal", "nurse@example.com", romeo, nil},
		{"oneself", "romeo@example.net", romeo, []string{"from='romeo@example.net/orchard' to='romeo@example.net/orchard'"}},
		{"a server", "example.com", romeo, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.client.clear()
			tc.client.send("<presence type='probe' id='probe1' to='" + tc.to + "'/>")
			tc.client.want(tc.want...)
		})
	}
}

// TestProbeChangesNothing: no state of a roster moves (RFC 6121 §4.3.2, "MUST NOT
// result in cancellation of a subscription pre-approval").
func TestProbeChangesNothing(t *testing.T) {
	h := newHouse(t, Options{})
	h.events("nurse@example.com", "romeo@example.net", roster.OutSubscribed)
	romeo, nurse := h.online("romeo@example.net/orchard"), h.online("nurse@example.com/n")
	romeo.send("<presence type='probe' to='nurse@example.com'/>")
	romeo.want("type='unsubscribed'")
	if i, ok := h.rosters.Item(nurse.JID().Bare(), romeo.JID().Bare()); !ok || !i.Approved {
		t.Errorf("the pre-approval is %+v", i)
	}
}

// TestToAccount: what comes from outside is delivered and answered by the same rules.
func TestToAccount(t *testing.T) {
	h := verona(t)
	balcony := h.online("juliet@example.com/balcony")
	connected := h.bind("juliet@example.com/connected")
	romeo := h.online("romeo@example.net/orchard")
	balcony.clear()
	romeo.clear()
	for _, tc := range []struct {
		xml                         string
		balcony, connected, orchard []string
	}{
		{"<presence from='far@away.example/x' to='juliet@example.com'/>", []string{"from='far@away.example/x'"}, nil, nil},
		{"<presence from='far@away.example/x' to='juliet@example.com/connected' type='unavailable'/>", nil, []string{"type='unavailable'"}, nil},
		{"<presence from='far@away.example/x' to='nobody@example.com'/>", nil, nil, nil},
		{"<presence from='romeo@example.net' to='juliet@example.com' type='probe'/>", nil, nil, []string{"from='juliet@example.com/balcony' to='romeo@example.net'"}},
		{"<presence from='romeo@example.net/orchard' to='nobody@example.com' type='probe'/>", nil, nil, []string{"type='unsubscribed'"}},
	} {
		st, err := stanza.Parse([]byte(tc.xml))
		if err != nil {
			t.Fatal(err)
		}
		if err := h.h.ToAccount(t.Context(), st); err != nil {
			t.Errorf("%s: %v", tc.xml, err)
		}
		balcony.want(tc.balcony...)
		connected.want(tc.connected...)
		romeo.want(tc.orchard...)
	}
}
