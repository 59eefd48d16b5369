package sessionmgr

import (
	"testing"

	"weir/jid"
)

// TestBlocklistMatches is the order of XEP-0191 §6, and who is never blocked.
func TestBlocklistMatches(t *testing.T) {
	var items []jid.JID
	for _, s := range []string{"romeo@verona.lit", "nurse@verona.lit/kitchen", "mantua.lit", "rooms.verona.lit/x", "juliet@verona.lit/x"} {
		items = append(items, jid.MustParse(s))
	}
	b := NewBlocklist(jid.MustParse("juliet@verona.lit/balcony"), items)
	own := NewBlocklist(jid.MustParse("juliet@verona.lit"), []jid.JID{jid.MustParse("verona.lit")})
	for _, row := range []struct {
		list *Blocklist
		peer string
		want bool
	}{
		{b, "romeo@verona.lit", true}, {b, "romeo@verona.lit/orchard", true}, {b, "romeo@mantua.lit", true},
		{b, "nurse@verona.lit", false}, {b, "nurse@verona.lit/kitchen", true}, {b, "nurse@verona.lit/garden", false},
		{b, "mantua.lit", true}, {b, "mantua.lit/x", true}, {b, "x.mantua.lit", false},
		{b, "rooms.verona.lit/x", true}, {b, "rooms.verona.lit", false}, {b, "rooms.verona.lit/y", false},
		{b, "juliet@verona.lit", false}, {b, "juliet@verona.lit/x", false}, {b, "verona.lit", false},
		{own, "verona.lit", false}, {own, "verona.lit/x", false}, {own, "romeo@verona.lit", true}, {own, "juliet@verona.lit/x", false},
		{nil, "romeo@verona.lit", false},
	} {
		if got := row.list.Has(jid.MustParse(row.peer)); got != row.want {
			t.Errorf("%s: %v", row.peer, got)
		}
	}
	if b.Has(jid.JID{}) || NewBlocklist(jid.MustParse("a@b"), nil) != nil {
		t.Error("no address is blocked, or an empty list is one")
	}
}

// BenchmarkBlocklist is what a stanza pays for it: nothing to speak of without a list.
func BenchmarkBlocklist(b *testing.B) {
	romeo := jid.MustParse("romeo@verona.lit/orchard")
	var s Session
	for _, c := range []struct {
		name string
		list *Blocklist
	}{{"none", nil}, {"one", NewBlocklist(jid.MustParse("juliet@verona.lit"), []jid.JID{jid.MustParse("nurse@verona.lit")})}} {
		b.Run(c.name, func(b *testing.B) {
			s.blocklist.Store(c.list)
			b.ReportAllocs()
			for b.Loop() {
				if s.blocklist.Load().Has(romeo) {
					b.Fatal("blocked")
				}
			}
		})
	}
}
