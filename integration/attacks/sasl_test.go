package attacks

import (
	"strings"
	"testing"

	"weir/integration/testserver"
)

// attackSASL attacks the form of SASL (RFC 6120 §6.4, RFC 6120 §6.5). After each
// refusal the stream must be good for a login.
func attackSASL(t *testing.T, h *house) {
	const ns = " xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"
	for _, a := range []struct{ name, bytes, want string }{
		{"broken base64", "<auth" + ns + " mechanism='PLAIN'>%%%%</auth>", "incorrect-encoding"},
		{"base64 cut off", "<auth" + ns + " mechanism='PLAIN'>AGE</auth>", "incorrect-encoding"},
		{"line ends in base64", "<auth" + ns + " mechanism='PLAIN'>AGE\nAGE=</auth>", "incorrect-encoding"},
		{"a blank in base64", "<auth" + ns + " mechanism='PLAIN'> AGEA </auth>", "incorrect-encoding"},
		{"= in the middle", "<auth" + ns + " mechanism='PLAIN'>AG=E</auth>", "incorrect-encoding"},
		{"elements in place of text", "<auth" + ns + " mechanism='PLAIN'><x/></auth>", "incorrect-encoding|malformed-request"},
		{"no NUL in PLAIN", saslElement("auth", " mechanism='PLAIN'", "abc"), "malformed-request|not-authorized"},
		{"three NULs in PLAIN", saslElement("auth", " mechanism='PLAIN'", "\x00a\x00b\x00c"), "malformed-request|not-authorized"},
		{"only NULs in PLAIN", saslElement("auth", " mechanism='PLAIN'", "\x00\x00"), "malformed-request|not-authorized"},
		{"broken UTF-8 in PLAIN", saslElement("auth", " mechanism='PLAIN'", "\x00attacker\x00\xff\xfe"), "malformed-request|not-authorized"},
		{"an address in place of a name", saslElement("auth", " mechanism='PLAIN'", "\x00@\x00x"), "malformed-request|not-authorized"},
		{"a long name", saslElement("auth", " mechanism='PLAIN'", "\x00"+strings.Repeat("a", 2000)+"\x00x"), "malformed-request|not-authorized"},
		{"a long password", saslElement("auth", " mechanism='PLAIN'", "\x00attacker\x00"+strings.Repeat("a", 4000)), "malformed-request|not-authorized"},
		{"a mechanism of nobody", saslElement("auth", " mechanism='ROT13'", "x"), "invalid-mechanism"},
		{"no mechanism", saslElement("auth", "", "x"), "invalid-mechanism|malformed-request"},
		{"an empty mechanism", saslElement("auth", " mechanism=''", "x"), "invalid-mechanism|malformed-request"},
		{"a mechanism in small letters", saslElement("auth", " mechanism='plain'", "x"), "invalid-mechanism"},
		{"a mechanism of 5,000 bytes", saslElement("auth", " mechanism='"+strings.Repeat("A", 5000)+"'", "x"), "invalid-mechanism"},
		{"a mechanism that was not offered", saslElement("auth", " mechanism='ANONYMOUS'", ""), "invalid-mechanism"},
		{"EXTERNAL without a certificate", saslElement("auth", " mechanism='EXTERNAL'", "victim@localhost"), "invalid-mechanism"},
		{"an answer that nobody asked for", saslElement("response", "", "x"), "malformed-request|not-authorized"},
		{"abort of nothing", "<abort" + ns + "/>", "aborted|malformed-request"},
	} {
		t.Run(a.name, func(t *testing.T) {
			w := h.opened(t, testserver.Direct)
			w.expect(w.send(a.bytes).next(), "sasl "+strings.ReplaceAll(a.want, "|", "|sasl "))
			w.authenticate("attacker")
		})
	}
	t.Run("abort", func(t *testing.T) {
		w := h.opened(t, testserver.Direct)
		x := w.begin(newExchange("attacker", "attacker-password"))
		w.expect(w.send("<abort"+ns+"/>").next(), "sasl aborted")
		w.expect(w.respond(x.final()), "sasl malformed-request|sasl not-authorized") // RFC 6120 §6.5.1: it is over
		w.authenticate("attacker")
	})
	t.Run("an exchange in an exchange", func(t *testing.T) {
		w := h.opened(t, testserver.Direct)
		w.begin(newExchange("victim", "?"))
		e := w.respondTo(newExchange("attacker", "attacker-password"))
		w.expect(e, "success|sasl malformed-request")
	})
	t.Run("a stanza in an exchange", func(t *testing.T) {
		w := h.opened(t, testserver.Direct)
		w.begin(newExchange("attacker", "attacker-password"))
		w.send("<presence/>").expectEnd("stream not-authorized")
	})
	t.Run("a second login", func(t *testing.T) { // RFC 6120 §6.4.6
		w := h.authed(t, "attacker")
		w.send(saslElement("auth", " mechanism='SCRAM-SHA-256'", "n,,n=victim,r=abcdefgh"))
		w.expectEnd("stream unsupported-stanza-type|stream not-authorized|stream policy-violation")
	})
	t.Run("five wrong passwords", func(t *testing.T) { // RFC 6120 §6.4.5
		w := h.opened(t, testserver.Direct)
		for range 5 {
			w.expect(w.auth("PLAIN", "\x00victim\x00wrong"), "sasl not-authorized")
		}
		w.expectEnd("stream policy-violation|stream not-authorized|end of stream")
	})
	t.Run("a flood of mechanisms", func(t *testing.T) {
		w := h.opened(t, testserver.Direct)
		n := 0
		e := w.auth("ROT13", "x")
		for ; strings.HasPrefix(e, "<failure"); n++ {
			e = w.auth("ROT13", "x")
		}
		w.expect(e, "stream policy-violation")
		if n < 5 || n > 10 {
			t.Errorf("the stream ended after %d attempts", n)
		}
	})
	t.Run("a pipelined flood", func(t *testing.T) {
		w := h.opened(t, testserver.Direct)
		w.send(strings.Repeat(saslElement("auth", " mechanism='PLAIN'", "\x00victim\x00wrong"), 50)).ended()
		if n := strings.Count(w.all(), "<failure"); n != 5 {
			t.Errorf("%d guesses were answered, not 5", n)
		}
	})
}

// attackIdentity tries to be somebody else.
func attackIdentity(t *testing.T, h *house) {
	for _, authzid := range []string{"victim@localhost", "victim", "VICTIM@localhost", "victim@localhost/x", "localhost",
		"attacker@localhost/x", "attacker@example.org", "@", "\xff"} {
		t.Run("PLAIN as "+authzid, func(t *testing.T) { // ejabberd issue 4601
			w := h.opened(t, testserver.Direct)
			w.expect(w.auth("PLAIN", authzid+"\x00attacker\x00attacker-password"),
				"sasl invalid-authzid|sasl not-authorized|sasl malformed-request")
			w.authenticate("attacker")
		})
		if strings.Contains(authzid, "\xff") {
			continue
		}
		t.Run("SCRAM as "+authzid, func(t *testing.T) {
			w := h.opened(t, testserver.Direct)
			x := newExchange("attacker", "attacker-password")
			x.gs2 = "n,a=" + authzid + ","
			e := w.auth("SCRAM-SHA-256", x.gs2+x.firstBare())
			if strings.HasPrefix(e, "<challenge") {
				x.serverFirst = w.data(e)
				e = w.respond(x.final())
			}
			w.expect(e, "sasl invalid-authzid|sasl not-authorized|sasl malformed-request")
		})
	}
	t.Run("one's own authzid is fine", func(t *testing.T) {
		w := h.opened(t, testserver.Direct)
		w.expect(w.auth("PLAIN", "attacker@LOCALHOST\x00attacker\x00attacker-password"), "success")
	})
	for _, from := range []string{"victim@localhost", "victim@localhost/home", "localhost", "attacker@localhost/other",
		"attacker@localhost.example", "@", "", "attacker@localhost/id\u200b"} {
		t.Run("from "+from, func(t *testing.T) { // RFC 6120 §8.1.2.1, RFC 6120 §4.9.3.9
			w := h.online(t, "attacker", "id")
			w.send("<message to='victim@localhost' from='" + from + "'><body>x</body></message>").expectEnd("stream invalid-from")
		})
	}
	t.Run("from in another namespace or twice", func(t *testing.T) {
		v, w := h.online(t, "victim", "home"), h.online(t, "attacker", "id")
		w.send("<message to='victim@localhost/home' xmlns:x='u:x' x:from='friend@localhost' id='n1'>" +
			"<from xmlns='u:x'>friend@localhost</from><body>x</body></message>")
		if e := v.find("id='n1'"); !strings.Contains(e, " from='attacker@localhost/id'") {
			t.Errorf("stamped wrongly: %s", e)
		}
	})
	t.Run("an answer to nobody's question", func(t *testing.T) { // CVE-2024-46957
		v, w := h.online(t, "victim", "home"), h.online(t, "attacker", "id")
		w.send("<iq type='result' id='r1' to='victim@localhost/home'><query xmlns='jabber:iq:roster'/></iq>")
		w.send("<iq type='result' id='r2' to='victim@localhost'><query xmlns='jabber:iq:roster'/></iq>")
		w.sync()
		for _, e := range v.sync() {
			if !strings.Contains(e, "id='r1'") || !strings.Contains(e, " from='attacker@localhost/id'") {
				t.Errorf("the victim got %s", e)
			}
		}
	})
	t.Run("a roster push from another", func(t *testing.T) { // CVE-2015-8688
		v, w := h.online(t, "victim", "home"), h.online(t, "attacker", "id")
		v.ask("get", "", "<query xmlns='jabber:iq:roster'/>")
		push := "<query xmlns='jabber:iq:roster'><item jid='attacker@localhost' subscription='both'/></query>"
		w.expect(w.ask("set", "victim@localhost/home", push), "cancel service-unavailable")
		w.expect(w.ask("set", "victim@localhost", push), "cancel service-unavailable|auth forbidden")
		if got := v.sync(); len(got) != 0 {
			t.Errorf("the victim got %s", got)
		}
		if r := v.ask("get", "", "<query xmlns='jabber:iq:roster'/>"); strings.Contains(r, "attacker") {
			t.Errorf("the victim's roster was changed: %s", r)
		}
	})
	t.Run("a subscription in another's name", func(t *testing.T) { // RFC 6121 §3.1.2
		v, w := h.online(t, "victim", "home"), h.online(t, "attacker", "id")
		w.send("<presence type='subscribed' to='victim@localhost'/><presence type='subscribed' to='victim@localhost/home'/>" +
			"<presence type='unsubscribed' to='victim@localhost'/><presence type='unsubscribe' to='victim@localhost'/>")
		w.sync()
		if got := v.sync(); len(got) != 0 {
			t.Errorf("the victim got %s", got)
		}
	})
	t.Run("no pre-approval by oneself", func(t *testing.T) {
		w := h.login(t, "attacker", "id")
		w.expect(w.ask("set", "", "<query xmlns='jabber:iq:roster'><item jid='victim@localhost' subscription='both' ask='subscribe' approved='true'/></query>"), "result|modify bad-request")
		r := w.ask("get", "", "<query xmlns='jabber:iq:roster'/>")
		if strings.Contains(r, "both") || strings.Contains(r, "ask=") || strings.Contains(r, "approved") {
			t.Errorf("the client wrote its own subscription: %s", r) // RFC 6121 §2.1.2.1
		}
		w.ask("set", "", "<query xmlns='jabber:iq:roster'><item jid='victim@localhost' subscription='remove'/></query>")
	})
}
