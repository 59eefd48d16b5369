package attacks

import (
	"strings"
	"testing"
	"unicode/utf16"

	"weir/integration/testserver"
)

// phases of a stream in which XML is attacked, with what turns bytes into an
// attack there.
var phases = []struct {
	name string
	open func(h *house, t testing.TB) *wire
}{
	{"before login", func(h *house, t testing.TB) *wire { return h.opened(t, testserver.Insecure) }},
	{"under TLS", func(h *house, t testing.TB) *wire { return h.opened(t, testserver.Direct) }},
	{"before a resource", func(h *house, t testing.TB) *wire { return h.authed(t, "attacker") }},
	{"bound", func(h *house, t testing.TB) *wire { return h.online(t, "attacker", "xml") }},
}

// inStream are bytes that end every stream, in whatever state it is.
var inStream = []struct{ name, bytes, want string }{
	// RFC 6120 §11.1
	{"a comment", "<!-- x -->", "stream restricted-xml"},
	{"a comment in a stanza", "<message><body>a<!-- x -->b</body></message>", "stream restricted-xml"},
	{"a processing instruction", "<?php echo 1 ?>", "stream restricted-xml"},
	{"a processing instruction in a stanza", "<message><?x y?></message>", "stream restricted-xml"},
	{"an XML declaration in mid-stream", "<?xml version='1.0'?>", "stream restricted-xml|stream not-well-formed"},
	{"a DTD in mid-stream", "<!DOCTYPE x [<!ENTITY a 'b'>]>", "stream restricted-xml"},
	{"an entity declaration", "<!ENTITY a 'b'>", "stream restricted-xml"},
	{"an entity of nobody", "<message><body>&lol9;</body></message>", "stream restricted-xml"},
	{"an entity in an attribute", "<message to='&lol9;'/>", "stream restricted-xml"},
	{"an external entity", "<message><body>&xxe;</body></message>", "stream restricted-xml"},
	{"a parameter entity", "<!ENTITY % p SYSTEM 'file:///etc/passwd'>%p;", "stream restricted-xml"},
	// RFC 6120 §4.9.3.13
	{"wrong nesting", "<a><b></a></b>", "stream not-well-formed"},
	{"an end tag that closes nothing", "</message>", "stream not-well-formed"},
	{"an attribute twice", "<message to='a' to='b'/>", "stream not-well-formed"},
	{"an attribute twice by namespace", "<message xmlns:a='u' xmlns:b='u' a:x='1' b:x='2'/>", "stream not-well-formed"},
	{"an attribute without quotes", "<message to=a/>", "stream not-well-formed"},
	{"no space between attributes", "<message to='a'id='b'/>", "stream not-well-formed"},
	{"< in an attribute", "<message to='<'/>", "stream not-well-formed"},
	{"]]> in text", "<message><body>]]></body></message>", "stream not-well-formed"},
	{"a bare ampersand", "<message><body>a & b</body></message>", "stream not-well-formed|stream restricted-xml"},
	{"text between stanzas", "hello", "stream not-well-formed|stream bad-format"},
	{"CDATA between stanzas", "<![CDATA[hello]]>", "stream not-well-formed|stream bad-format"},
	{"a reference to NUL", "<message><body>&#0;</body></message>", "stream not-well-formed"},
	{"a reference to a control character", "<message><body>&#x1f;</body></message>", "stream not-well-formed"},
	{"a reference to a surrogate", "<message><body>&#xD800;</body></message>", "stream not-well-formed"},
	{"a reference beyond Unicode", "<message><body>&#x110000;</body></message>", "stream not-well-formed"},
	{"a reference of a hundred digits", "<message><body>&#" + strings.Repeat("1", 100) + ";</body></message>", "stream not-well-formed"},
	{"a control character", "<message><body>\x01</body></message>", "stream not-well-formed"},
	{"NUL", "<message>\x00</message>", "stream not-well-formed"},
	{"DEL as a name", "<\x7f/>", "stream not-well-formed"},
	{"U+FFFE", "<message><body>\xef\xbf\xbe</body></message>", "stream not-well-formed"},
	{"a prefix of nobody", "<x:message/>", "stream not-well-formed"},
	{"an attribute's prefix of nobody", "<message x:a='1'/>", "stream not-well-formed"},
	{"a prefix declared in a sibling", "<a xmlns='u'><b xmlns:x='u:x'/><x:c/></a>", "stream not-well-formed"},
	{"a prefix declared empty", "<message xmlns:x=''/>", "stream not-well-formed"},
	{"the prefix xmlns", "<xmlns:message/>", "stream not-well-formed"},
	{"another meaning for xml", "<message xmlns:xml='u:x'/>", "stream not-well-formed"},
	{"another prefix for xml", "<message xmlns:x='http://www.w3.org/XML/1998/namespace'/>", "stream not-well-formed"},
	{"two colons", "<a:b:c xmlns:a='u'/>", "stream not-well-formed"},
	{"a name with a digit in front", "<1a/>", "stream not-well-formed"},
	// RFC 6120 §11.6 and RFC 3629 §3
	{"an overlong slash", "<message><body>\xc0\xaf</body></message>", "stream not-well-formed|stream unsupported-encoding"},
	{"an overlong NUL", "<message><body>\xc0\x80</body></message>", "stream not-well-formed|stream unsupported-encoding"},
	{"an overlong <", "<message><body>\xe0\x80\xbc</body></message>", "stream not-well-formed|stream unsupported-encoding"},
	{"a surrogate in UTF-8", "<message><body>\xed\xa0\x80</body></message>", "stream not-well-formed|stream unsupported-encoding"},
	{"five bytes a character", "<message><body>\xf8\x88\x80\x80\x80</body></message>", "stream not-well-formed|stream unsupported-encoding"},
	{"beyond Unicode in UTF-8", "<message><body>\xf4\x90\x80\x80</body></message>", "stream not-well-formed|stream unsupported-encoding"},
	{"a character cut in two (expat CVE-2022-25235)", "<message \xef='1'/>", "stream not-well-formed|stream unsupported-encoding"},
	{"Latin-1", "<message><body>caf\xe9</body></message>", "stream not-well-formed|stream unsupported-encoding"},
	{"a byte order mark in mid-stream", "\xef\xbb\xbf<message/>", "stream not-well-formed|stream bad-format"},
}

// atStart are bytes in place of a stream header.
var atStart = []struct{ name, bytes, want string }{
	{"billion laughs", billionLaughs + header, "stream restricted-xml"},
	{"an external DTD", "<?xml version='1.0'?><!DOCTYPE s SYSTEM 'http://127.0.0.1/x.dtd'>" + header, "stream restricted-xml"},
	{"a comment", "<?xml version='1.0'?><!-- x -->" + header, "stream restricted-xml"},
	{"a style sheet", "<?xml version='1.0'?><?xml-stylesheet href='x'?>" + header, "stream restricted-xml"},
	{"UTF-16 with a byte order mark", utf16Text("\ufeff" + header), "stream unsupported-encoding|stream not-well-formed"},
	{"UTF-16 without one", utf16Text(header), "stream unsupported-encoding|stream not-well-formed"},
	{"a byte order mark", "\xef\xbb\xbf" + header, "stream unsupported-encoding|stream not-well-formed"},
	{"another encoding", "<?xml version='1.0' encoding='ISO-8859-1'?>" + header[21:], "stream unsupported-encoding"},
	{"UTF-7", "<?xml version='1.0' encoding='UTF-7'?>" + header[21:], "stream unsupported-encoding"},
	{"XML 1.1", "<?xml version='1.1'?>" + header[21:], "stream not-well-formed|stream unsupported-version|stream restricted-xml"},
	{"two declarations", "<?xml version='1.0'?><?xml version='1.0'?>" + header[21:], "stream restricted-xml|stream not-well-formed"},
	{"HTTP", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "stream not-well-formed|stream bad-format"},
	{"TLS on the wrong port", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "stream not-well-formed|stream bad-format"},
	{"NUL", "\x00", "stream not-well-formed|stream unsupported-encoding"},
	{"an end tag", "</stream:stream>", "stream not-well-formed|stream bad-format"},
}

// billionLaughs would become 10⁹ times "lol".
var billionLaughs = func() string {
	var b strings.Builder
	b.WriteString("<?xml version='1.0'?><!DOCTYPE lolz [<!ENTITY lol0 'lol'>")
	for i := range 9 {
		b.WriteString("<!ENTITY lol" + string(rune('1'+i)) + " '" + strings.Repeat("&lol"+string(rune('0'+i))+";", 10) + "'>")
	}
	b.WriteString("]>")
	return b.String()
}()

func utf16Text(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u>>8), byte(u))
	}
	return string(b)
}

// attackXML sends what is no XML or not the XML of streams.
func attackXML(t *testing.T, h *house) {
	for _, a := range atStart {
		t.Run("at the start/"+a.name, func(t *testing.T) {
			h.dial(t, testserver.Insecure).send(a.bytes).expectEnd(a.want)
		})
	}
	for _, p := range phases {
		t.Run(p.name, func(t *testing.T) {
			for _, a := range inStream {
				t.Run(a.name, func(t *testing.T) {
					p.open(h, t).send(a.bytes).expectEnd(a.want)
				})
			}
		})
	}
}
