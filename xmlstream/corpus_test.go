package xmlstream

import "strings"

// streamHeader opens the stream of all tests that need an ordinary one.
const streamHeader = `<?xml version='1.0'?><stream:stream to='example.net' version='1.0' xml:lang='en' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`

// corpus has the six stanzas whose scanning is measured.
var corpus = []struct{ name, xml string }{
	{"message", `<message to='romeo@example.net/orchard' id='b4e8a2c1-7d3f-4f0e' type='chat' xml:lang='en'>` +
		`<body>Art thou not Romeo, and a Montague? Neither, fair saint &amp; if either thee dislike. Adieu!</body>` +
		`<active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/></message>`},
	{"cyrillic", `<message to='romeo@example.net/orchard' id='b4e8a2c1-7d3f' type='chat'>` +
		`<body>Не ты ль Ромео, не Монтекки ль ты? Ни тот, ни этот, если не угодно</body>` +
		`<active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/></message>`},
	{"presence", `<presence id='p1' xml:lang='en'><show>away</show><priority>5</priority>` +
		`<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://example.org/client' ver='QgayPKawpkPSDYmwT/WM94uAlu0='/></presence>`},
	{"ack", `<a xmlns='urn:xmpp:sm:3' h='12345'/>`},
	{"roster", roster(50)},
	{"pretty", "<iq type='set' id='bind_1'>\n  <bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\n    <resource>balcony</resource>\n  </bind>\n</iq>"},
}

// roster is a roster result of n items.
func roster(n int) string {
	var b strings.Builder
	b.WriteString(`<iq to='juliet@example.com/balcony' id='roster1' type='result'><query xmlns='jabber:iq:roster' ver='ver11'>`)
	for i := range n {
		b.WriteString(`<item jid='contact-`)
		b.WriteByte(byte('a' + i%26))
		b.WriteString(`@example.net' name='A Friend' subscription='both'><group>Friends</group></item>`)
	}
	b.WriteString(`</query></iq>`)
	return b.String()
}
