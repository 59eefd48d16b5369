package sessionmgr

import (
	"fmt"
	"strings"
	"testing"

	"weir/stanza"
)

// TestForgedStanzaIDIsTakenOut: nobody but the server speaks for an archive of
// ours (XEP-0359 §3), and what others say of theirs passes.
func TestForgedStanzaIDIsTakenOut(t *testing.T) {
	const body, delay = "<body>x</body>", "<delay xmlns='urn:xmpp:delay' from='verona.lit' stamp='2002-01-01T00:00:00Z'/>"
	id := func(by string) string { return "<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='" + by + "'/>" }
	h := newHouse(t)
	romeo, juliet := h.online("romeo@verona.lit/orchard", 0), h.online("juliet@verona.lit/balcony", 0)
	for _, c := range []struct {
		ids  string
		kept int
	}{
		{"", 0},
		{id("juliet@verona.lit"), 0},
		{id("JULIET@Verona.LIT"), 0},
		{id("juliet@verona.lit/balcony"), 0},
		{id("romeo@verona.lit"), 0},
		{id("verona.lit"), 0},
		{id("nurse@verona.lit") + id("juliet@verona.lit"), 0},
		{id(""), 0},
		{id("@"), 0},
		{"<stanza-id xmlns='urn:xmpp:sid:0' id='1'/>", 0},
		{id("room@far.away"), 1},
		{id("room@far.away") + id("juliet@verona.lit") + delay, 1},
		{"<stanza-id xmlns='urn:else' id='1' by='juliet@verona.lit'/>", 1},
		{"<origin-id xmlns='urn:xmpp:sid:0' id='1' by='juliet@verona.lit'/>", 1}, // XEP-0359 §2.2: preserved
		{"<x xmlns='urn:x'>" + id("juliet@verona.lit") + "</x>", 1},              // not of this stanza
	} {
		romeo.send("<message to='juliet@verona.lit'>" + c.ids + body + "</message>")
		h.settle()
		got := juliet.got()
		if len(got) != 1 || strings.Count(got[0], "-id ") != c.kept || !strings.Contains(got[0], body) || strings.Contains(got[0], "<delay") {
			t.Errorf("%s: got %v, want %d of them", c.ids, got, c.kept)
		}
	}
}

func BenchmarkUnforged(b *testing.B) {
	const body = "<body>x</body><active xmlns='http://jabber.org/protocol/chatstates'/><origin-id xmlns='urn:xmpp:sid:0' id='1'/>"
	m := &Manager{domains: map[string]bool{"verona.lit": true}}
	for _, c := range []struct{ name, extra string }{
		{"none", ""}, {"others", "<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='room@far.away'/>"},
		{"forged", "<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='juliet@verona.lit'/>"},
	} {
		st, err := stanza.Parse([]byte(fmt.Sprintf("<message>%s%s</message>", body, c.extra)))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = m.unforged(st)
			}
		})
	}
}
