package c2s

import (
	"context"
	"strings"
	"testing"

	"weir/xmlstream"
)

// in puts a client into a state: of a server with TLS for Plain and Secured, of
// one without for the others.
func in(t testing.TB, state State, change ...func(*setup)) *client {
	switch state {
	case Plain:
		c := newHouse(t, append(change, withTLS)...).dial()
		c.open()
		return c
	case Secured:
		c := newHouse(t, append(change, withTLS)...).dial()
		c.upgrade()
		c.open()
		return c
	case Authenticated:
		c := newHouse(t, change...).dial()
		c.login("juliet")
		return c
	}
	return newHouse(t, change...).dial().bind("juliet", "balcony")
}

const streamGoesOn = "" // in place of a condition

// What each state does with each element: an answer and, unless the stream goes
// on, the stream error. A name in elements that is not here fails the test.
var stateTable = map[string][4]struct{ answer, condition string }{
	starttls: {
		{"<proceed xmlns='" + nsTLS + "'/>", streamGoesOn},
		{"<failure xmlns='" + nsTLS + "'/></stream:stream>", "-"},
		{"<failure xmlns='" + nsTLS + "'/></stream:stream>", "-"},
		{"<failure xmlns='" + nsTLS + "'/></stream:stream>", "-"},
	},
	"<auth xmlns='" + nsSASL + "' mechanism='PLAIN'/>": {
		{"<failure xmlns='" + nsSASL + "'><encryption-required/>", streamGoesOn},
		{"<challenge xmlns='" + nsSASL + "'></challenge>", streamGoesOn},
		{"", "unsupported-stanza-type"},
		{"", "unsupported-stanza-type"},
	},
	"<response xmlns='" + nsSASL + "'/>": {
		{"<failure xmlns='" + nsSASL + "'><malformed-request/>", streamGoesOn},
		{"<failure xmlns='" + nsSASL + "'><malformed-request/>", streamGoesOn},
		{"", "unsupported-stanza-type"},
		{"", "unsupported-stanza-type"},
	},
	"<abort xmlns='" + nsSASL + "'/>": {
		{"<failure xmlns='" + nsSASL + "'><aborted/></failure>", streamGoesOn},
		{"<failure xmlns='" + nsSASL + "'><aborted/></failure>", streamGoesOn},
		{"", "unsupported-stanza-type"},
		{"", "unsupported-stanza-type"},
	},
	"<authenticate xmlns='" + nsSASL2 + "' mechanism='PLAIN'/>": {
		{"<failure xmlns='" + nsSASL2 + "'><encryption-required xmlns='" + nsSASL + "'/>", streamGoesOn},
		{"<challenge xmlns='" + nsSASL2 + "'></challenge>", streamGoesOn},
		{"", "unsupported-stanza-type"},
		{"", "unsupported-stanza-type"},
	},
	"<response xmlns='" + nsSASL2 + "'/>": {
		{"<failure xmlns='" + nsSASL2 + "'><malformed-request", streamGoesOn},
		{"<failure xmlns='" + nsSASL2 + "'><malformed-request", streamGoesOn},
		{"", "unsupported-stanza-type"},
		{"", "unsupported-stanza-type"},
	},
	"<abort xmlns='" + nsSASL2 + "'/>": {
		{"<failure xmlns='" + nsSASL2 + "'><aborted xmlns='" + nsSASL + "'/></failure>", streamGoesOn},
		{"<failure xmlns='" + nsSASL2 + "'><aborted xmlns='" + nsSASL + "'/></failure>", streamGoesOn},
		{"", "unsupported-stanza-type"},
		{"", "unsupported-stanza-type"},
	},
	"<next xmlns='" + nsSASL2 + "' task='UPGR-SCRAM-SHA-1'/>": {
		{"", "unsupported-stanza-type"},
		{"", "unsupported-stanza-type"},
		{"", "unsupported-stanza-type"},
		{"", "unsupported-stanza-type"},
	},
	"<task-data xmlns='" + nsSASL2 + "'/>": {
		{"", "unsupported-stanza-type"},
		{"", "unsupported-stanza-type"},
		{"", "unsupported-stanza-type"},
		{"", "unsupported-stanza-type"},
	},
	"<message to='juliet@verona.lit' id='1'><body>x</body></message>": {
		{"", "not-authorized"},
		{"", "not-authorized"},
		{"<unexpected-request", streamGoesOn},
		{"", streamGoesOn},
	},
	"<presence/>": {
		{"", "not-authorized"},
		{"", "not-authorized"},
		{"", "not-authorized"},
		{"", streamGoesOn},
	},
	"<iq type='get' id='1' to='verona.lit'><x xmlns='x'/></iq>": {
		{"", "not-authorized"},
		{"", "not-authorized"},
		{"<unexpected-request", streamGoesOn},
		{"<service-unavailable", streamGoesOn},
	},
	"<iq type='get' id='1' to='romeo@verona.lit'><x xmlns='x'/></iq>": {
		{"", "not-authorized"},
		{"", "not-authorized"},
		{"", "not-authorized"},
		{"<service-unavailable", streamGoesOn},
	},
	bindIQ: {
		{"", "not-authorized"},
		{"", "not-authorized"},
		{"<jid>juliet@verona.lit/balcony</jid>", streamGoesOn},
		{"<not-allowed", streamGoesOn},
	},
	"<iq type='set' id='1'><session xmlns='" + nsSession + "'/></iq>": {
		{"", "not-authorized"},
		{"", "not-authorized"},
		{"<unexpected-request", streamGoesOn},
		{"id='1'", streamGoesOn},
	},
	"<stream:error><conflict xmlns='" + nsErrors + "'/></stream:error>": {
		{"</stream:stream>", "-"}, {"</stream:stream>", "-"}, {"</stream:stream>", "-"}, {"</stream:stream>", "-"},
	},
	"<pubsub/>": {
		{"", "unsupported-stanza-type"}, {"", "unsupported-stanza-type"}, {"", "unsupported-stanza-type"}, {"", "unsupported-stanza-type"},
	},
	"<a xmlns='urn:xmpp:sm:3' h='1'/>": {
		{"", "unsupported-stanza-type"}, {"", "unsupported-stanza-type"}, {"", "unsupported-stanza-type"}, {"", "unsupported-stanza-type"},
	},
	"<message xmlns='jabber:server'><body/></message>": {
		{"", "invalid-namespace"}, {"", "invalid-namespace"}, {"", "invalid-namespace"}, {"", "invalid-namespace"},
	},
	"<test xmlns='urn:test'/>": { // a nonza that only bound clients may send
		{"", "not-authorized"},
		{"", "not-authorized"},
		{"", "unsupported-stanza-type"},
		{"<tested xmlns='urn:test'/>", streamGoesOn},
	},
}

func TestEveryElementInEveryState(t *testing.T) {
	for x, row := range stateTable {
		for i, want := range row {
			state := State(1) << i
			name := strings.NewReplacer("/", "", " ", "_").Replace(x)
			t.Run(stateNames[i]+"/"+name[:min(60, len(name))], func(t *testing.T) {
				t.Parallel()
				c := in(t, state)
				c.h.HandleNonza(Nonza{NS: "urn:test", Local: "test", States: Bound, Handle: answerTest})
				c.send(x)
				if want.answer != "" {
					c.expect(want.answer)
				}
				switch {
				case want.condition == "-":
					c.send("</stream:stream>")
					c.expectEnd()
				case want.condition != streamGoesOn:
					c.expectError(want.condition)
				case state == Bound:
					c.sync()
				case want.answer != "<proceed xmlns='"+nsTLS+"'/>":
					c.send("</stream:stream>")
					c.expect("</stream:stream>")
				}
			})
		}
	}
}

var stateNames = []string{"plain", "secured", "authenticated", "bound"}

func answerTest(_ context.Context, s *Stream, _ *xmlstream.Token) error {
	return s.Send(func(dst []byte) []byte { return append(dst, "<tested xmlns='urn:test'/>"...) })
}

// The table above has all that c2s handles.
func TestStateTableIsComplete(t *testing.T) {
	for name := range elements {
		found := false
		for x := range stateTable {
			found = found || strings.HasPrefix(x, "<"+name.Local+" ") && strings.Contains(x, name.Space) ||
				strings.HasPrefix(x, "<"+name.Local) && name.Space == "jabber:client" ||
				strings.HasPrefix(x, "<stream:"+name.Local) && name.Space == nsStream
		}
		if !found {
			t.Errorf("no row for <%s xmlns='%s'/>", name.Local, name.Space)
		}
	}
}
