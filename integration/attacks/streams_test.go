package attacks

import (
	"strings"
	"testing"

	"weir/integration/testserver"
)

// attackStreams attacks the rules of streams: headers, namespaces, order.
func attackStreams(t *testing.T, h *house) {
	for _, a := range []struct{ name, header, want string }{
		{"another's host", strings.Replace(header, "localhost", "example.org", 1), "stream host-unknown"},
		{"no to", strings.Replace(header, "to='localhost'", "", 1), "stream improper-addressing|stream host-unknown"},
		{"an account in to", strings.Replace(header, "localhost", "victim@localhost", 1), "stream improper-addressing|stream host-unknown"},
		{"a resource in to", strings.Replace(header, "localhost", "localhost/x", 1), "stream improper-addressing|stream host-unknown"},
		{"a server stream", strings.Replace(header, "jabber:client", "jabber:server", 1), "stream invalid-namespace"},
		{"a component stream", strings.Replace(header, "jabber:client", "jabber:component:accept", 1), "stream invalid-namespace"},
		{"another stream namespace", strings.Replace(header, "http://etherx.jabber.org/streams", "http://example.org/streams", 1), "stream invalid-namespace"},
		{"another root", "<?xml version='1.0'?><html/>", "stream bad-format|stream invalid-namespace"},
		{"another prefix", strings.ReplaceAll(header, "stream:", "strom:"), "stream bad-namespace-prefix|stream invalid-namespace|stream not-well-formed"},
		{"a version of the future", strings.Replace(header, "version='1.0' xmlns", "version='2.0' xmlns", 1), "stream unsupported-version"},
		{"a version that is none", strings.Replace(header, "version='1.0' xmlns", "version='one' xmlns", 1), "stream unsupported-version"},
		{"a host of 5,000 bytes", strings.Replace(header, "localhost", strings.Repeat("a", 5000), 1), "stream improper-addressing|stream host-unknown"},
		{"a header of 1 MiB", strings.Replace(header, "to=", "x='"+strings.Repeat("a", 1<<20)+"' to=", 1), "stream policy-violation"},
		{"a thousand attributes", strings.Replace(header, "to=", attributes(1000)+" to=", 1), "stream policy-violation"},
	} {
		t.Run("header/"+a.name, func(t *testing.T) {
			h.dial(t, testserver.Insecure).send(a.header).expectEnd(a.want)
		})
	}
	t.Run("another host at the restart", func(t *testing.T) { // CVE-2018-10847
		w := h.opened(t, testserver.Insecure)
		w.expect(w.respondTo(newExchange("attacker", "attacker-password")), "success")
		w.send(strings.Replace(header, "localhost", "127.0.0.1", 1)).expectEnd("stream host-unknown|stream not-authorized")
	})
	t.Run("another's address at the restart", func(t *testing.T) {
		w := h.opened(t, testserver.Insecure)
		w.expect(w.respondTo(newExchange("attacker", "attacker-password")), "success")
		w.send(strings.Replace(header, "to=", "from='victim@localhost' to=", 1)).expectEnd("stream invalid-from")
	})
	t.Run("another's address before login under TLS", func(t *testing.T) {
		w := h.dial(t, testserver.Direct).send(strings.Replace(header, "to=", "from='victim@localhost' to=", 1))
		w.find("<stream:features")
		e := w.respondTo(newExchange("attacker", "attacker-password"))
		if v := verdict(t, e); v != "stream invalid-from" && v != "sasl invalid-authzid" && v != "sasl not-authorized" {
			t.Errorf("logged in as somebody else than the header says: %s", e)
		}
	})
	for _, a := range []struct{ name, bytes, want string }{
		{"a message before login", "<message to='victim@localhost'><body>x</body></message>", "stream not-authorized"},
		{"presence before login", "<presence/>", "stream not-authorized"},
		{"a request before login", "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>", "stream not-authorized"},
		{"a bind before login", bindIQ("b", "x"), "stream not-authorized"},
		{"a roster get before login", "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>", "stream not-authorized"},
		{"an unknown element before login", "<query xmlns='jabber:iq:roster'/>", "stream unsupported-stanza-type|stream not-authorized"},
		{"a second header", header, "stream not-well-formed|stream bad-format|stream unsupported-stanza-type|stream restricted-xml|stream not-authorized"},
		{"dialback", "<db:result xmlns:db='jabber:server:dialback' from='a' to='localhost'>x</db:result>", "stream unsupported-stanza-type|stream not-authorized"},
		{"a component's handshake", "<handshake>00</handshake>", "stream unsupported-stanza-type|stream not-authorized"},
		{"legacy login", "<iq type='set' id='1'><query xmlns='jabber:iq:auth'><username>victim</username></query></iq>", "stream not-authorized"},
		{"registration", "<iq type='set' id='1'><query xmlns='jabber:iq:register'><username>victim</username><password>x</password></query></iq>", "stream not-authorized"},
		{"compression (xmppbomb)", "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>", "stream unsupported-stanza-type"},
		{"8 KiB and more before login", "<message><body>" + strings.Repeat("x", 9000), "stream policy-violation"},
		{"33 elements before login", "<message>" + strings.Repeat("<a/>", 33), "stream policy-violation"},
		{"9 levels before login", "<a>" + strings.Repeat("<a>", 9), "stream policy-violation"},
		{"65 attributes before login", "<a " + attributes(65) + "/>", "stream policy-violation"},
		{"a name of 5,000 bytes", "<" + strings.Repeat("a", 5000) + "/>", "stream policy-violation"},
	} {
		t.Run(a.name, func(t *testing.T) {
			h.opened(t, testserver.Insecure).send(a.bytes).expectEnd(a.want)
		})
	}
	t.Run("only TLS is offered where it is required", func(t *testing.T) {
		w := h.dial(t, testserver.C2S)
		features := w.reopen()
		if !strings.Contains(features, "<required/>") || strings.Contains(features, "<mechanism>") {
			t.Errorf("features: %s", features)
		}
		w.expect(w.auth("PLAIN", "\x00victim\x00victim-password"), "sasl encryption-required")
		w.expect(w.auth("SCRAM-SHA-256", "n,,n=victim,r=abcdefgh"), "sasl encryption-required")
	})
	t.Run("no password in the clear", func(t *testing.T) {
		w := h.opened(t, testserver.Insecure)
		w.expect(w.auth("PLAIN", "\x00victim\x00victim-password"), "sasl encryption-required|sasl invalid-mechanism")
	})
}

// respondTo goes through a whole exchange and returns the last answer.
func (w *wire) respondTo(x *exchange) string {
	w.t.Helper()
	w.user = x.user
	return w.respond(w.begin(x).final())
}

func attributes(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" a" + string(rune('a'+i%26)) + strings.Repeat("b", i/26) + "='1'")
	}
	return b.String()
}

// attackStartTLS injects bytes where the clear ends (CVE-2011-0411).
func attackStartTLS(t *testing.T, h *house) {
	const starttls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
	for _, a := range []struct{ name, behind string }{
		{"a header", header},
		{"a login", saslElement("auth", " mechanism='PLAIN'", "\x00attacker\x00attacker-password")},
		{"one byte", "<"},
	} {
		t.Run(a.name+" behind starttls", func(t *testing.T) {
			h.opened(t, testserver.C2S).send(starttls + a.behind).expectEnd("stream policy-violation|stream not-well-formed|end of stream")
		})
	}
	t.Run("starttls twice", func(t *testing.T) {
		w := h.opened(t, testserver.C2S).send(starttls)
		w.find("<proceed")
		w.secure()
		w.reopen()
		if e := w.send(starttls).next(); !strings.HasPrefix(e, "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'") {
			t.Errorf("answered by %s", e) // RFC 6120 §5.4.2.2
		}
		w.expect(w.next(), "end of stream")
		w.send("</stream:stream>").ended()
	})
	t.Run("no TLS behind proceed", func(t *testing.T) {
		w := h.opened(t, testserver.C2S).send(starttls)
		w.find("<proceed")
		before := len(w.all())
		go w.read(w.conn)
		w.send(header).ended()
		if strings.Contains(w.all()[before:], "<stream") {
			t.Errorf("a stream went on in the clear: %s", w.tail())
		}
	})
	t.Run("a login begun in the clear doesn't go on under TLS", func(t *testing.T) {
		w := h.opened(t, testserver.Insecure)
		x := w.begin(newExchange("attacker", "attacker-password"))
		w.send(starttls).find("<proceed")
		w.secure()
		w.reopen()
		w.expect(w.respond(x.final()), "sasl malformed-request|sasl not-authorized")
	})
	t.Run("another protocol by ALPN", func(t *testing.T) { // ALPACA
		w := h.dial(t, testserver.C2S)
		w.cut()
		conn, err := dialTLS(h.server.Addr(testserver.Direct), "http/1.1")
		if err == nil {
			conn.Close()
			t.Error("a connection negotiated for HTTP was accepted")
		}
	})
}
