package carbons_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir/modules/carbons"
	"weir/sessionmgr"
	"weir/sessionmgr/sessiontest"
)

func Example() {
	h := sessiontest.New()
	defer h.Close()
	carbons.New(h.Manager)
	juliet, phone := h.Online("juliet@verona.lit/balcony"), h.Bind("juliet@verona.lit/phone")
	romeo := h.Online("romeo@verona.lit/orchard")
	fmt.Println(phone.Ask("<iq type='set' id='1'><enable xmlns='urn:xmpp:carbons:2'/></iq>"))
	juliet.Send("<message to='romeo@verona.lit' type='chat'><body>hi</body></message>")
	for _, xml := range append(romeo.Got(), phone.Got()...) {
		fmt.Println(strings.ReplaceAll(xml, "><", ">\n<"))
	}
	// Output:
	// <iq to='juliet@verona.lit/phone' id='1' type='result'/>
	// <message from='juliet@verona.lit/balcony' to='romeo@verona.lit' type='chat'>
	// <body>hi</body>
	// </message>
	// <message from='juliet@verona.lit' to='juliet@verona.lit/phone' type='chat'>
	// <sent xmlns='urn:xmpp:carbons:2'>
	// <forwarded xmlns='urn:xmpp:forward:0'>
	// <message xmlns='jabber:client' from='juliet@verona.lit/balcony' to='romeo@verona.lit' type='chat'>
	// <body>hi</body>
	// </message>
	// </forwarded>
	// </sent>
	// </message>
}

// TestRequests: again is no error, each request counts, and none is for another
// (XEP-0280 §10.1).
func TestRequests(t *testing.T) {
	h := sessiontest.New()
	defer h.Close()
	carbons.New(h.Manager)
	c := h.Online("juliet@verona.lit/balcony")
	h.Online("romeo@verona.lit/orchard")
	for _, step := range []struct {
		to, typ, local, answer string
		on                     bool
	}{
		{"", "set", "disable", "type='result'", false},
		{"", "set", "enable", "type='result'", true},
		{"", "set", "enable", "type='result'", true},
		{"", "get", "enable", "service-unavailable", true},
		{"", "set", "toggle", "service-unavailable", true},
		{" to='romeo@verona.lit'", "set", "disable", "service-unavailable", true},
		{" to='juliet@verona.lit'", "set", "disable", "type='result'", false},
		{"", "set", "disable", "type='result'", false},
	} {
		got := c.Ask("<iq type='" + step.typ + "' id='1'" + step.to + "><" + step.local + " xmlns='urn:xmpp:carbons:2'/></iq>")
		if !strings.Contains(got, step.answer) || c.Carbons() != step.on {
			t.Errorf("%+v: %s, copies are on: %v", step, got, c.Carbons())
		}
	}
	if !slices.Contains(h.Features(sessionmgr.OnServer), carbons.NS) {
		t.Error("the feature isn't announced")
	}
}
