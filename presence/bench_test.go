package presence

import (
	"fmt"
	"testing"

	"weir/stanza"
)

// crowd is a session with n mutual contacts who are online.
func crowd(b *testing.B, n int) *client {
	h := newHouse(b, Options{})
	for i := range n {
		contact := fmt.Sprintf("contact%d@example.com", i)
		h.subscribe(contact, "juliet@example.com")
		h.subscribe("juliet@example.com", contact)
		h.online(contact + "/x").discard = true
	}
	c := h.online("juliet@example.com/balcony")
	c.discard = true
	return c
}

// BenchmarkBroadcast50 is an update of presence to 50 contacts online, up to the
// links, which throw it away.
func BenchmarkBroadcast50(b *testing.B) {
	c := crowd(b, 50)
	st, err := stanza.Parse([]byte("<presence><show>away</show><priority>5</priority>" +
		"<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='http://psi-im.org' ver='q07IKJEyjvHSyhy//CH0CxmKi8w='/></presence>"))
	if err != nil {
		b.Fatal(err)
	}
	st = st.With(c.JID(), st.To)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.h.h.FromClient(c.Context(), c.Session, st); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLogin50 is initial presence among 50 mutual contacts online, and the
// end of the presence session.
func BenchmarkLogin50(b *testing.B) {
	c := crowd(b, 50)
	available, gone := &stanza.Stanza{Kind: stanza.Presence, From: c.JID()}, goodbye(c.JID())
	b.ReportAllocs()
	for b.Loop() {
		c.h.h.FromClient(c.Context(), c.Session, gone)
		if err := c.h.h.FromClient(c.Context(), c.Session, available); err != nil {
			b.Fatal(err)
		}
	}
}
