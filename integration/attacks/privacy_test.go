package attacks

import (
	"regexp"
	"strings"
	"testing"

	"weir/integration/testserver"
)

// nobody is an account that doesn't exist, with a name as long as victim's.
const nobody = "nobody"

// alike removes what may differ between two equal answers.
func alike(s string) string {
	for _, r := range []struct{ find, put string }{
		{`victim|nobody`, "ACCOUNT"}, {`ask\d+`, "ASK"}, {`id='[A-Za-z0-9]+'`, "ID"},
	} {
		s = regexp.MustCompile(r.find).ReplaceAllString(s, r.put)
	}
	return s
}

// compare does the same to an account that exists and to one that doesn't and
// fails unless the answers are alike.
func compare(t *testing.T, what string, try func(account string) string) {
	t.Helper()
	if a, b := alike(try("victim")), alike(try(nobody)); a != b {
		t.Errorf("%s tells who exists:\n%s\n%s", what, a, b)
	}
}

// attackPrivacy asks who exists and who is there. The victim is online, and has
// nothing to do with the attacker.
func attackPrivacy(t *testing.T, h *house) {
	v := h.online(t, "victim", "home")
	v.ask("get", "", "<query xmlns='jabber:iq:roster'/>")
	v.sync()
	t.Run("SASL", func(t *testing.T) { enumerateSASL(t, h) })
	w := h.online(t, "attacker", "spy")
	for _, payload := range []string{"<ping xmlns='urn:xmpp:ping'/>", "<query xmlns='jabber:iq:last'/>", "<query xmlns='jabber:iq:version'/>",
		"<query xmlns='http://jabber.org/protocol/disco#info'/>", "<query xmlns='http://jabber.org/protocol/disco#items'/>",
		"<query xmlns='jabber:iq:roster'/>", "<vCard xmlns='vcard-temp'/>", "<time xmlns='urn:xmpp:time'/>", "<x xmlns='u:nobody'/>"} {
		for _, resource := range []string{"", "/home", "/away"} {
			for _, kind := range []string{"get", "set"} {
				compare(t, kind+" "+payload+" to ACCOUNT"+resource, func(account string) string {
					e := w.ask(kind, account+"@localhost"+resource, payload)
					w.expect(e, "cancel service-unavailable") // RFC 6121 §8.5.1, RFC 6121 §8.5.3.1
					return e
				})
			}
		}
	}
	for _, kind := range []string{"probe", "subscribe", "unsubscribe", "subscribed", "unsubscribed", "unavailable", "error", "odd"} {
		for _, resource := range []string{"", "/home", "/away"} {
			compare(t, "presence "+kind+" to ACCOUNT"+resource, func(account string) string {
				w.send("<presence type='" + kind + "' id='p' to='" + account + "@localhost" + resource + "'/>")
				return strings.Join(w.sync(), "")
			})
		}
	}
	compare(t, "presence", func(account string) string {
		w.send("<presence to='" + account + "@localhost'/>")
		return strings.Join(w.sync(), "")
	})
	for _, kind := range []string{"error", "odd", "headline", "groupchat"} {
		for _, resource := range []string{"", "/away"} {
			// Of chat messages an unknown account may be told (RFC 6121 §8.5.1).
			if kind == "odd" || kind == "headline" || kind == "groupchat" && resource == "" {
				continue
			}
			compare(t, "message "+kind+" to ACCOUNT"+resource, func(account string) string {
				w.send("<message type='" + kind + "' id='m' to='" + account + "@localhost" + resource + "'><body>x</body></message>")
				return strings.Join(w.sync(), "")
			})
		}
	}
	compare(t, "a roster set", func(account string) string {
		return w.ask("set", "", "<query xmlns='jabber:iq:roster'><item jid='"+account+"@localhost'/></query>")
	})
	for _, e := range v.sync() {
		if !strings.HasPrefix(e, "<presence") && !strings.HasPrefix(e, "<message") {
			t.Errorf("a stranger's request reached the victim: %s", e)
		}
	}
	strangersStay(t, h, v)
}

// strangersStay holds that a request for subscription alone opens nothing.
func strangersStay(t *testing.T, h *house, v *wire) {
	w := h.online(t, "friend", "spy")
	w.send("<presence type='subscribe' to='victim@localhost'/>")
	v.find("type='subscribe'", "friend@localhost")
	w.sync()
	w.send("<presence type='probe' to='victim@localhost'/><presence type='probe' to='victim@localhost/home'/>")
	for _, e := range w.sync() {
		if strings.Contains(e, "from='victim@localhost/home'") {
			t.Errorf("a pending request showed presence: %s", e)
		}
	}
	w.expect(w.ask("get", "victim@localhost/home", "<query xmlns='jabber:iq:version'/>"), "cancel service-unavailable")
	w.expect(w.ask("get", "victim@localhost", "<query xmlns='jabber:iq:last'/>"), "cancel service-unavailable")
	v.send("<presence type='subscribed' to='friend@localhost'/>")
	w.find("from='victim@localhost/home'") // now it may
	v.send("<presence type='unsubscribed' to='friend@localhost'/>")
	w.find("from='victim@localhost/home'", "type='unavailable'")
	v.sync()
	w.sync()
	w.expect(w.ask("get", "victim@localhost", "<query xmlns='jabber:iq:last'/>"), "cancel service-unavailable")
	v.send("<presence><show>away</show></presence>")
	v.sync()
	for _, e := range w.sync() {
		if strings.Contains(e, "away") {
			t.Errorf("presence after the end of the subscription: %s", e)
		}
	}
}

// enumerateSASL compares logins of known and unknown users.
func enumerateSASL(t *testing.T, h *house) {
	for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS"} {
		compare(t, mechanism, func(account string) string {
			w := h.opened(t, testserver.Direct)
			gs2 := "n,,"
			if strings.HasSuffix(mechanism, "PLUS") {
				gs2 = "p=tls-exporter,,"
			}
			x := newExchange(account, "wrong-password")
			x.gs2 = gs2
			salts := map[string]bool{}
			var shape string
			for range 2 {
				x.serverFirst = w.data(w.auth(mechanism, x.gs2+x.firstBare()))
				salts[x.attribute("s")] = true
				shape += regexp.MustCompile(`[A-Za-z0-9+/]`).ReplaceAllString(x.attribute("s"), "x") + " i=" + x.attribute("i") + " " +
					regexp.MustCompile(`[^=,]`).ReplaceAllString(x.serverFirst, "")
				if len(gs2) > 3 {
					x.binding = w.exported()
				}
				shape += w.respond("c=" + b64(x.gs2+x.binding) + ",r=" + x.attribute("r") + ",p=" + b64(strings.Repeat("x", 32)))
			}
			if len(salts) != 1 {
				t.Errorf("%s has more than one salt", account)
			}
			return shape
		})
	}
	compare(t, "PLAIN", func(account string) string {
		return h.opened(t, testserver.Direct).auth("PLAIN", "\x00"+account+"\x00wrong")
	})
}
