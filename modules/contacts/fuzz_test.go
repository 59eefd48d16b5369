package contacts

import (
	"strings"
	"testing"

	"weir/roster"
	"weir/stanza"
)

// FuzzRosterIQ sends roster IQs with any content: each is answered exactly once,
// and what is then in the roster is within the limits and can be read again.
func FuzzRosterIQ(f *testing.F) {
	for _, s := range []string{
		"<item jid='nurse@example.com' name='Nurse'><group>Servants</group></item>",
		"<item jid='nurse@example.com' subscription='remove'/>",
		"<item jid='a@b/c' ask='subscribe' approved='true'/><item/>",
		"<item jid='&lt;'/>", "", "text", "<x xmlns='urn:x'><item jid='a@b'/></x>",
	} {
		f.Add(true, s)
		f.Add(false, s)
	}
	h := newHouse(f, roster.Options{MaxItems: 20, MaxBytes: 400, MaxName: 50, MaxGroups: 3}, Options{})
	c := h.login(jj + "/balcony")
	f.Fuzz(func(t *testing.T, set bool, inner string) {
		h.t = t
		typ := "get"
		if set {
			typ = "set"
		}
		st, err := stanza.Parse([]byte("<iq type='" + typ + "' id='f'><query xmlns='jabber:iq:roster'>" + inner + "</query></iq>"))
		if err != nil {
			return
		}
		done := make(chan struct{})
		if h.Inbound(c.Session, c, st.With(c.JID(), st.To), func() { close(done) }) {
			<-done
		}
		answers := 0
		for _, x := range c.got() {
			if strings.Contains(x, " id='f' type='result'") || strings.Contains(x, " id='f' type='error'") {
				answers++
			}
			if _, err := stanza.Parse([]byte(x)); err != nil {
				t.Errorf("sent %s: %v", x, err)
			}
		}
		if answers != 1 {
			t.Errorf("%d answers", answers)
		}
		size := 0
		for j := range h.stored(c.JID().Bare()) {
			size += len(j)
		}
		if size > 400 {
			t.Errorf("%d bytes of addresses", size)
		}
	})
}
