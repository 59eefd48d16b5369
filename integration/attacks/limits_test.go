package attacks

import (
	"fmt"
	"strings"
	"testing"
)

// TestStoreLimits runs into the limits of what is kept for an account, which are
// set low.
func TestStoreLimits(t *testing.T) {
	accounts := []string{"offline"}
	for i := range 8 {
		accounts = append(accounts, fmt.Sprintf("fan%d", i))
	}
	h := open(t, limits{
		"WEIR_ROSTER_MAX_ITEMS": "20", "WEIR_ROSTER_MAX_BYTES": "8192", "WEIR_ROSTER_MAX_PENDING": "5",
		"WEIR_PRESENCE_MAX_DIRECTED": "5", "WEIR_CONTACTS_REQUESTS_PER_MINUTE": "5", "WEIR_SESSION_MAX_LOG": "20480",
		"WEIR_SESSION_MAX_SESSIONS": "3",
	}, accounts...)
	h.run(t, "roster", attackRoster)
	h.run(t, "subscriptions", attackSubscriptions)
	h.run(t, "directed presence", attackDirected)
	h.run(t, "offline messages", attackOffline)
	h.run(t, "sessions", attackSessions)
}

func rosterItem(jid, attrs, inside string) string {
	return "<query xmlns='jabber:iq:roster'><item jid='" + jid + "'" + attrs + ">" + inside + "</item></query>"
}

func attackRoster(t *testing.T, h *house) {
	w := h.login(t, "attacker", "hoarder")
	for _, a := range []struct{ name, payload, want string }{ // RFC 6121 §2.3.3
		{"no item", "<query xmlns='jabber:iq:roster'/>", "modify bad-request"},
		{"two items", "<query xmlns='jabber:iq:roster'><item jid='a@localhost'/><item jid='b@localhost'/></query>", "modify bad-request"},
		{"no address", "<query xmlns='jabber:iq:roster'><item/></query>", "modify bad-request"},
		{"an empty address", rosterItem("", "", ""), "modify jid-malformed|modify bad-request"},
		{"a malformed address", rosterItem("@", "", ""), "modify jid-malformed"},
		{"a long address", rosterItem(strings.Repeat("a", 1024)+"@localhost", "", ""), "modify jid-malformed"},
		{"a long name", rosterItem("a@localhost", " name='"+strings.Repeat("n", 1024)+"'", ""), "modify not-acceptable"},
		{"a long group", rosterItem("a@localhost", "", "<group>"+strings.Repeat("g", 1024)+"</group>"), "modify not-acceptable"},
		{"an empty group", rosterItem("a@localhost", "", "<group/>"), "modify not-acceptable"},
		{"a group twice", rosterItem("a@localhost", "", "<group>g</group><group>g</group>"), "modify bad-request"},
		{"33 groups", rosterItem("a@localhost", "", groups(33)), "modify not-acceptable"},
		{"removal of what isn't there", rosterItem("nobody@localhost", " subscription='remove'", ""), "modify item-not-found|cancel item-not-found"},
	} {
		t.Run(a.name, func(t *testing.T) {
			w.t = t
			w.expect(w.ask("set", "", a.payload), a.want)
		})
	}
	w.t = t
	for i := range 20 {
		w.expect(w.ask("set", "", rosterItem(fmt.Sprintf("friend%d@example.org", i), "", "")), "result")
	}
	w.expect(w.ask("set", "", rosterItem("one-more@example.org", "", "")), "cancel not-allowed|wait resource-constraint|cancel resource-constraint|modify policy-violation")
	w.expect(w.ask("set", "", rosterItem("friend0@example.org", " name='changed'", "")), "result") // a change is no addition
	w.expect(w.ask("set", "", rosterItem("friend1@example.org", " subscription='remove'", "")), "result")
	w.expect(w.ask("set", "", rosterItem("one-more@example.org", "", "")), "result")
	full := false
	for i := range 20 {
		e := w.ask("set", "", rosterItem(fmt.Sprintf("friend%d@example.org", i), " name='"+strings.Repeat("n", 1000)+"'", ""))
		full = full || strings.Contains(e, "type='error'")
	}
	if !full {
		t.Error("a roster of 20,000 bytes was kept where 8,192 are the limit")
	}
	if r := w.ask("get", "", "<query xmlns='jabber:iq:roster'/>"); len(r) > 16<<10 {
		t.Errorf("the roster has %d bytes", len(r))
	}
}

func groups(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "<group>%d</group>", i)
	}
	return b.String()
}

func attackSubscriptions(t *testing.T, h *house) {
	t.Run("rate", func(t *testing.T) {
		w := h.login(t, "friend", "spammer")
		for i := range 5 {
			w.send(fmt.Sprintf("<presence type='subscribe' id='s%d' to='target%d@localhost'/>", i, i))
		}
		for _, e := range w.sync() {
			if strings.Contains(e, "type='error'") {
				t.Errorf("within the rate: %s", e)
			}
		}
		w.send("<presence type='subscribe' id='s6' to='victim@localhost'/>")
		w.expect(w.find("id='s6'"), "wait policy-violation|modify policy-violation|wait resource-constraint")
		w.send("<presence type='subscribe' id='s7' to='nobody@localhost'/>") // the same for whom there isn't
		w.expect(w.find("id='s7'"), "wait policy-violation|modify policy-violation|wait resource-constraint")
	})
	t.Run("size", func(t *testing.T) {
		w := h.login(t, "fan0", "x")
		w.send("<presence type='subscribe' id='big' to='victim@localhost'><status>" + strings.Repeat("x", 9000) + "</status></presence>")
		w.expect(w.find("id='big'"), "modify policy-violation")
	})
	t.Run("pending", func(t *testing.T) {
		for i := range 8 {
			w := h.login(t, fmt.Sprintf("fan%d", i), "x")
			w.send("<presence type='subscribe' id='p' to='victim@localhost'/>")
			for _, e := range w.sync() {
				if strings.Contains(e, "type='error'") {
					t.Errorf("an answer tells that the account exists: %s", e)
				}
			}
		}
		for range 2 { // at every login until they are answered, RFC 6121 §3.1.3
			v := h.login(t, "victim", "home")
			v.send("<presence/>")
			v.sync()
			n := strings.Count(v.all(), "type='subscribe'")
			if n != 5 {
				t.Errorf("%d requests wait for the victim, not 5", n)
			}
			v.cut()
		}
	})
}

func attackDirected(t *testing.T, h *house) {
	w := h.online(t, "attacker", "shouter")
	for i := range 5 {
		w.send(fmt.Sprintf("<presence to='target%d@localhost'/>", i))
	}
	if got := w.sync(); len(got) != 0 {
		t.Errorf("within the limit: %s", got)
	}
	w.send("<presence id='d6' to='victim@localhost'/>")
	w.expect(w.find("id='d6'"), "wait resource-constraint|wait policy-violation")
	w.send("<presence to='target0@localhost'/><presence type='unavailable' to='target1@localhost'/><presence to='victim@localhost'/>")
	if got := w.sync(); len(got) != 0 {
		t.Errorf("there was room again: %s", got)
	}
}

// attackOffline fills the log of an account: what is beyond is bounced, what was
// taken comes, all of it and in order.
func attackOffline(t *testing.T, h *house) {
	w := h.login(t, "attacker", "filler")
	kept := []string{}
	for i := range 40 {
		id := fmt.Sprintf("off%d", i)
		w.send("<message type='chat' id='" + id + "' to='offline@localhost'><body>" + strings.Repeat("x", 1000) + "</body></message>")
		got := w.sync()
		if len(got) == 0 {
			kept = append(kept, id)
			continue
		}
		w.expect(got[0], "wait resource-constraint|cancel service-unavailable")
	}
	if len(kept) < 10 || len(kept) > 20 {
		t.Errorf("%d messages of 1,000 bytes were kept where 20 KiB are the limit", len(kept))
	}
	v := h.login(t, "offline", "home")
	v.send("<presence/>")
	for _, id := range kept {
		v.find("<message", "id='"+id+"'", "<delay ")
	}
	if n := strings.Count(v.all(), "<delay "); n != len(kept) {
		t.Errorf("%d messages came, %d were kept", n, len(kept))
	}
	w.send("<message type='chat' id='again' to='offline@localhost'><body>x</body></message>")
	v.find("id='again'")
}

func attackSessions(t *testing.T, h *house) {
	var all []*wire
	for i := range 3 {
		all = append(all, h.login(t, "attacker", fmt.Sprintf("many%d", i)))
	}
	w := h.authed(t, "attacker")
	w.expect(w.send(bindIQ("b1", "one-more")).next(), "wait resource-constraint") // RFC 6120 §7.6.2.1
	all[0].cut()
	for range 1000 { // the server hears of the cut when it hears of it
		if e := w.send(bindIQ("b", "one-more")).next(); verdict(t, e) == "result" {
			all[1].sync()
			return
		} else if verdict(t, e) != "wait resource-constraint" {
			w = h.authed(t, "attacker")
		}
	}
	t.Error("the session that ended still counts")
}
