package attacks

import (
	"fmt"
	"strings"
	"testing"
)

// attackStanzas sends stanzas that are XML but no sense.
func attackStanzas(t *testing.T, h *house) {
	w := h.online(t, "attacker", "odd")
	ping := "<ping xmlns='urn:xmpp:ping'/>"
	for _, a := range []struct{ name, stanza, want string }{ // RFC 6120 §8.2.3, RFC 6120 §8.3.3.8
		{"a request with no id", "<iq type='get' to='localhost'>" + ping + "</iq>", "modify bad-request"},
		{"a request with an empty id", "<iq type='get' id='' to='localhost'>" + ping + "</iq>", "modify bad-request"},
		{"a request with no type", "<iq id='1' to='localhost'>" + ping + "</iq>", "modify bad-request"},
		{"a request of an odd type", "<iq id='1' type='ask' to='localhost'>" + ping + "</iq>", "modify bad-request"},
		{"a type in capitals", "<iq id='1' type='GET' to='localhost'>" + ping + "</iq>", "modify bad-request"},
		{"a request with nothing in it", "<iq id='1' type='get' to='localhost'/>", "modify bad-request"},
		{"a request with two things in it", "<iq id='1' type='get' to='localhost'>" + ping + ping + "</iq>", "modify bad-request"},
		{"a payload of nobody", "<iq id='1' type='get' to='localhost'><x xmlns='u:x'/></iq>", "cancel service-unavailable"},
		{"a payload without a namespace of its own", "<iq id='1' type='get' to='localhost'><x/></iq>", "cancel service-unavailable"},
		{"a payload in no namespace", "<iq id='1' type='get' to='localhost'><x xmlns=''/></iq>", "cancel service-unavailable"},
		{"an id of 5,000 bytes", "<iq id='" + strings.Repeat("i", 5000) + "' type='get' to='localhost'>" + ping + "</iq>", "modify bad-request|result"},
		{"an id that would be markup", "<iq id='&lt;/iq>&apos;&quot;&amp;&#10;' type='get' to='localhost'>" + ping + "</iq>", "result"},
		{"a bind after the bind", bindIQ("1", "again"), "cancel not-allowed|cancel service-unavailable|wait unexpected-request"},
		{"registration of another", "<iq id='1' type='set'><query xmlns='jabber:iq:register'><username>victim</username><password>x</password></query></iq>", "auth not-authorized|modify bad-request"}, // XEP-0077 §3.3: without TLS, or of another name
		{"a stanza to a strange domain", "<message id='1' to='a@example.org'><body>x</body></message>", "cancel remote-server-not-found"},
		{"a message to the server", "<message id='1' to='localhost'><body>x</body></message>", "cancel service-unavailable"},
		{"group chat to an account that isn't there", "<message id='1' type='groupchat' to='friend@localhost'><body>x</body></message>", "cancel service-unavailable"},
		{"an odd presence", "<presence id='1' type='here'/>", "modify bad-request"},
		{"a priority too high", "<presence id='1'><priority>128</priority></presence>", "modify bad-request"},
		{"a priority of words", "<presence id='1'><priority>high</priority></presence>", "modify bad-request"},
		{"a subscription to nobody", "<presence id='1' type='subscribe'/>", "modify bad-request|modify jid-malformed"},
	} {
		t.Run(a.name, func(t *testing.T) {
			w.t = t
			w.expect(w.send(a.stanza).next(), a.want)
		})
	}
	w.t = t
	t.Run("malformed addresses", func(t *testing.T) {
		for _, to := range []string{"@", "@localhost", "localhost/", "a@b@localhost", "a b@localhost", "&quot;@localhost", "a&amp;b@localhost",
			"victim@localhost/", "\u00ad@localhost", "victim@local host", "victim@localhost/\u202e\u0600\ufff9", "victim@-", "victim@[::1",
			strings.Repeat("a", 1024) + "@localhost", "victim@localhost/" + strings.Repeat("r", 1024), "victim@" + strings.Repeat("d", 1024),
			strings.Repeat("\u00df", 600) + "@localhost", "victim@localhost/" + strings.Repeat("x", 100_000)} {
			for _, stanza := range []string{"<message id='m' to='%s'><body>x</body></message>", "<iq id='m' type='get' to='%s'>" + ping + "</iq>",
				"<presence id='m' to='%s'/>"} {
				e := w.send(fmt.Sprintf(stanza, to)).next()
				if v := verdict(t, e); v != "modify jid-malformed" && !strings.Contains(to, "\u202e") {
					t.Errorf("%.60s: %q: %.200s", to, v, e)
				}
			}
		}
	})
	t.Run("what must not be answered", func(t *testing.T) { // RFC 6120 §8.3.1, RFC 6121 §8.5.1
		w.sync()
		for _, s := range []string{
			"<iq type='result' id='x' to='localhost'/>", "<iq type='error' id='x' to='localhost'/>", "<iq type='result' id='x'/>",
			"<iq type='error' id='x' to='nobody@localhost'><error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
			"<message type='error' to='nobody@localhost'><body>x</body></message>", "<message type='error' to='localhost'/>",
			"<message type='error' to='a@example.org'/>", "<presence type='error' to='nobody@localhost'/>", "<presence to='localhost'/>",
			"<presence to='nobody@localhost/x'/>", "<presence type='unavailable' to='x@example.org'/>",
		} {
			w.send(s)
			if got := w.sync(); len(got) != 0 {
				t.Errorf("%s is answered by %s", s, got)
			}
		}
	})
	t.Run("to oneself", func(t *testing.T) {
		w.send("<message id='self1' to='attacker@localhost/odd'><body>x</body></message>").find("id='self1'", "from='attacker@localhost/odd'")
		w.send("<message id='self2' to='attacker@localhost'><body>x</body></message>").find("id='self2'")
		w.send("<message id='self3'><body>x</body></message>").find("id='self3'")
		w.expect(w.ask("get", "attacker@localhost/odd", ping), "iq") // our own request comes to us
		w.send("<presence type='subscribe' to='attacker@localhost'/><presence type='subscribed' to='attacker@localhost/odd'/>")
		w.send("<presence to='attacker@localhost/odd'/><presence type='unavailable' to='attacker@localhost/odd'/>")
		for _, e := range w.sync() {
			if strings.Contains(e, "subscription=") {
				t.Errorf("subscribed to oneself: %s", e)
			}
		}
	})
	for _, a := range []struct{ name, stanza, want string }{
		{"an unknown element", "<x xmlns='u:x'/>", "stream unsupported-stanza-type"},
		{"a stanza of servers", "<message xmlns='jabber:server'/>", "stream invalid-namespace|stream unsupported-stanza-type"},
		{"a stanza in no namespace", "<message xmlns=''/>", "stream invalid-namespace|stream unsupported-stanza-type"},
		{"a stanza with a prefix", "<c:message xmlns:c='jabber:client' to='victim@localhost'/>", "stream bad-namespace-prefix"},
		{"starttls once more", "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "failure|stream unsupported-stanza-type"},
		{"a second header", header, "stream not-well-formed|stream bad-format|stream unsupported-stanza-type|stream restricted-xml"},
		{"features", "<stream:features/>", "stream unsupported-stanza-type"},
		{"257 KiB", "<message to='victim@localhost'><body>" + strings.Repeat("x", 257<<10) + "</body></message>", "stream policy-violation"},
		{"257 KiB in an attribute", "<message to='" + strings.Repeat("x", 257<<10) + "'/>", "stream policy-violation"},
		{"257 KiB in a name", "<message><" + strings.Repeat("x", 257<<10) + "/></message>", "stream policy-violation"},
		{"2,001 elements", "<message>" + strings.Repeat("<a/>", 2001) + "</message>", "stream policy-violation"},
		{"65 levels", "<message>" + strings.Repeat("<a>", 65), "stream policy-violation"},
		{"ten thousand levels", "<message>" + strings.Repeat("<a>", 10_000), "stream policy-violation"},
		{"65 attributes", "<message" + attributes(65) + "/>", "stream policy-violation"},
		{"ten thousand attributes", "<message" + attributes(10_000) + "/>", "stream policy-violation"},
		{"a thousand prefixes", "<message" + strings.ReplaceAll(attributes(1000), " a", " xmlns:a") + "/>", "stream policy-violation"},
		{"prefixes at every level", "<message>" + manyPrefixes + "</message>", "stream policy-violation"},
		{"a namespace with markup", "<message><b xmlns='u:&quot;&gt;&lt;presence/&gt;'/></message>", "stream policy-violation"},
		{"a namespace with a line end", "<message><b xmlns:x='u:&#10;&apos;' x:c='1'/></message>", "stream policy-violation"},
		{"a name of 300 bytes", "<message><" + strings.Repeat("n", 300) + "/></message>", "stream policy-violation"},
	} {
		t.Run(a.name, func(t *testing.T) {
			w := h.login(t, "attacker", "end")
			w.send(a.stanza)
			if a.want[0] == 'f' { // starttls has an answer of its own
				if e := w.next(); verdict(t, e) == "failure" {
					return
				}
			}
			w.expectEnd(a.want)
		})
	}
	t.Run("smuggling", func(t *testing.T) { smuggle(t, h) })
}

var manyPrefixes = func() string {
	var b strings.Builder
	for i := range 60 {
		fmt.Fprintf(&b, "<a xmlns:p%d='u:%d' xmlns:q%d='u:%d'>", i, i, i, i)
	}
	return b.String() + strings.Repeat("</a>", 60)
}()

// smuggle sends stanzas that another parser could read in another way; what
// arrives must be whole, and mean what it meant. That it is well-formed is checked
// for every connection.
func smuggle(t *testing.T, h *house) {
	for _, c := range []struct{ name, header, body, want string }{ // expat CVE-2022-25235, CVE-2022-25236
		{"a prefix of the header", strings.Replace(header, "to=", "xmlns:p='u:p' to=", 1), "<p:b p:c='1'/>", "u:p"},
		{"the prefix stream", header, "<stream:error/>", "http://etherx.jabber.org/streams"},
		{"the default namespace by a prefix", strings.Replace(header, "to=", "xmlns:c='jabber:client' to=", 1), "<c:body>x</c:body>", "<body>x</body>"},
		{"CDATA", header, "<body><![CDATA[</body></message><presence from='victim@localhost'/>]]></body>", "&lt;/body"},
		{"] and ]]&gt;", header, "<body>]] ]]&gt; ]&gt;</body>", "]]&gt;"},
		{"references", header, "<body>&#x3c;/body&#62;&#38;amp;</body>", "&lt;/body"},
		{"carriage returns", header, "<body a='&#13;&#10;'>&#13;</body>", "&#"},
		{"quotes", header, `<body a='"' b="'">x</body>`, "body"},
		{"end tags with space", header, "<body\n>x</body\t>", ">x</body"},
		{"the longest characters", header, "<body>\U0010ffff\u0085\u2028</body>", "\U0010ffff"},
		{"attributes of stanzas", header, "<b xmlns='' to='x' from='y'/>", "<b xmlns=''"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := h.online(t, "victim", "parser")
			w := h.opened(t, "c2s-insecure")
			w.expect(w.respondTo(newExchange("attacker", "attacker-password")), "success")
			w.send(c.header).find("<stream:features")
			w.bind("smuggler")
			w.send("<message id='s1' to='victim@localhost/parser'>" + c.body + "</message><message id='s2' to='victim@localhost/parser'/>")
			if got := w.sync(); len(got) != 0 {
				t.Fatalf("answered by %s", got)
			}
			if got := v.find("id='s1'"); !strings.Contains(got, c.want) || !strings.Contains(got, " from='attacker@localhost/smuggler'") {
				t.Errorf("arrived as %s", got)
			}
			if next := v.next(); !strings.Contains(next, "id='s2'") {
				t.Errorf("something was smuggled: %s", next)
			}
		})
	}
}

// attackBind asks for bad resources (RFC 6120 §7.7.2).
func attackBind(t *testing.T, h *house) {
	for _, resource := range []string{strings.Repeat("r", 1024), "\u0080", "a\u0001b", "\u200e\ufffd\ue000", strings.Repeat("ж", 600)} {
		if strings.Contains(resource, "\u0001") {
			continue // no XML: see attackXML
		}
		w := h.authed(t, "attacker")
		w.expect(w.send(bindIQ("b1", resource)).next(), "modify bad-request|modify jid-malformed|modify not-acceptable")
		w.bind("good") // RFC 6120 §7.7.3: one may try again
	}
	t.Run("not for ever", func(t *testing.T) {
		w := h.authed(t, "attacker")
		n := 0
		e := w.send(bindIQ("b", "\u0080")).next()
		for ; verdict(t, e) == "modify bad-request"; n++ {
			e = w.send(bindIQ("b", "\u0080")).next()
		}
		w.expect(e, "stream policy-violation")
		if n < 5 || n > 10 {
			t.Errorf("%d tries", n)
		}
	})
	for _, a := range []struct{ name, stanza, want string }{ // RFC 6120 §7.1
		{"a message before a resource", "<message id='1' to='victim@localhost'><body>x</body></message>", "stream not-authorized"},
		{"presence before a resource", "<presence/>", "stream not-authorized"},
		{"a request to another before a resource", "<iq id='1' type='get' to='victim@localhost'><ping xmlns='urn:xmpp:ping'/></iq>", "stream not-authorized"},
		{"a session before a resource", "<iq id='1' type='set'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>", "wait unexpected-request|stream not-authorized"},
		{"a bind for another", "<iq id='1' type='set' to='victim@localhost'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", "stream not-authorized"},
		{"a bind by get", "<iq id='1' type='get'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", "wait unexpected-request|modify bad-request"},
	} {
		t.Run(a.name, func(t *testing.T) {
			w := h.authed(t, "attacker")
			w.expect(w.send(a.stanza).next(), a.want)
		})
	}
	t.Run("another's resource", func(t *testing.T) {
		v := h.online(t, "victim", "phone")
		w := h.login(t, "attacker", "phone")
		w.sync()
		if got := v.sync(); len(got) != 0 {
			t.Errorf("the victim felt it: %s", got)
		}
	})
	t.Run("many at once", func(t *testing.T) { // whoever was replaced is told
		var all []*wire
		for range 10 {
			w := h.authed(t, "attacker")
			w.send(bindIQ("b", "same"))
			all = append(all, w)
		}
		for i, w := range all {
			w.find("id='b'")
			if i < len(all)-1 {
				w.expectEnd("stream conflict")
			} else {
				w.sync()
			}
		}
	})
}
