package stanza

import (
	"encoding/xml"
	"slices"
	"testing"

	"weir/xmlstream"
)

const several = `<message to='romeo@example.net'> <body>a &lt; b</body>` +
	`<x:y xmlns:x='urn:x'><z/></x:y><q a="xmlns='no'" xmlns = 'urn:q'/>` +
	`<active xmlns='http://jabber.org/protocol/chatstates'/><none xmlns=''/><body xml:lang='cs'>b</body></message>`

func TestChildren(t *testing.T) {
	s := must(t, several)
	want := []struct {
		name xmlstream.Name
		xml  string
	}{
		{xmlstream.Name{Space: NSClient, Local: "body"}, `<body xmlns='jabber:client'>a &lt; b</body>`},
		{xmlstream.Name{Space: "urn:x", Local: "y"}, `<x:y xmlns='jabber:client' xmlns:x='urn:x'><z/></x:y>`},
		{xmlstream.Name{Space: "urn:q", Local: "q"}, `<q a="xmlns='no'" xmlns = 'urn:q'/>`},
		{xmlstream.Name{Space: "http://jabber.org/protocol/chatstates", Local: "active"},
			`<active xmlns='http://jabber.org/protocol/chatstates'/>`},
		{xmlstream.Name{Local: "none"}, `<none xmlns=''/>`},
		{xmlstream.Name{Space: NSClient, Local: "body"}, `<body xmlns='jabber:client' xml:lang='cs'>b</body>`},
	}
	names := slices.Collect(s.Names())
	i := 0
	for name, xml := range s.Children() {
		if i >= len(want) || name != want[i].name || string(xml) != want[i].xml || names[i] != name {
			t.Errorf("child %d is %v %s (Names: %v)", i, name, xml, names[i])
		}
		i++
	}
	if i != len(want) || s.Payload() != want[0].name {
		t.Errorf("%d children, the first is %v", i, s.Payload())
	}
	for range s.Children() {
		break
	}
	for range s.Names() {
		break
	}
	for _, c := range []struct {
		ns, local string
		has       bool
	}{
		{NSClient, "body", true}, {"urn:q", "q", true}, {"urn:x", "y", true}, {"", "none", true},
		{"http://jabber.org/protocol/chatstates", "", true},
		{NSClient, "q", false}, {"urn:q", "body", false}, {"urn:x", "z", false}, {"urn:none", "", false},
	} {
		if s.HasChild(c.ns, c.local) != c.has || (s.Child(c.ns, c.local) != nil) != c.has {
			t.Errorf("HasChild(%q, %q) is not %v", c.ns, c.local, c.has)
		}
	}
	if !s.HasBody() || must(t, `<presence><body>x</body></presence>`).HasBody() || must(t, `<message><body xmlns='x'/></message>`).HasBody() {
		t.Error("HasBody is wrong")
	}
	if p := must(t, `<message/>`).Payload(); p != (xmlstream.Name{}) {
		t.Errorf("no payload is %v", p)
	}
}

func TestChildIsTheCallers(t *testing.T) {
	s := must(t, several)
	before := text(s)
	for _, xml := range s.Children() {
		clear(xml)
	}
	if text(s) != before {
		t.Error("writing to a child changed the stanza")
	}
}

func TestText(t *testing.T) {
	s := must(t, `<presence><show>away</show><priority> 5 </priority><status a='&gt;>'>1 &lt; 2 &amp; "3"</status>`+
		`<n>a<b>c</b>d</n><e/><f></f></presence>`)
	for local, want := range map[string]string{
		"show": "away", "priority": " 5 ", "status": `1 < 2 & "3"`, "n": "ad", "e": "", "f": "", "none": "",
	} {
		if got := s.Text(NSClient, local); got != want {
			t.Errorf("the text of %s is %q, want %q", local, got, want)
		}
	}
}

func TestDecode(t *testing.T) {
	type item struct {
		JID  string `xml:"jid,attr"`
		Name string `xml:"name,attr"`
	}
	var q struct {
		XMLName xml.Name `xml:"jabber:iq:roster query"`
		Items   []item   `xml:"item"`
	}
	s := must(t, `<iq id='1' type='set'><query xmlns='jabber:iq:roster'><item jid='a@b' name='A &amp; B'/></query></iq>`)
	if err := s.Decode("jabber:iq:roster", "query", &q); err != nil || len(q.Items) != 1 || q.Items[0] != (item{"a@b", "A & B"}) {
		t.Errorf("decoded %+v, %v", q, err)
	}
	var b struct {
		XMLName xml.Name `xml:"jabber:client body"`
		Text    string   `xml:",chardata"`
	}
	if err := must(t, message).Decode(NSClient, "body", &b); err != nil || b.Text == "" {
		t.Errorf("decoded %+v, %v: the inherited namespace is missing", b, err)
	}
	var n struct {
		N int `xml:"n,attr"`
	}
	for _, err := range []error{
		s.Decode("jabber:iq:roster", "none", &n),
		must(t, `<message><x xmlns='y' n='z'/></message>`).Decode("y", "x", &n),
	} {
		if e, ok := AsError(err); !ok || e.Condition != "bad-request" {
			t.Errorf("the error is %v", err)
		}
	}
}

func TestMany(t *testing.T) {
	in := []byte(`<message>`)
	for range 40 {
		in = append(in, `<a xmlns='urn:unknown'/><body>x</body>`...)
	}
	in = append(in, `</message>`...)
	s := must(t, string(in))
	if n := len(slices.Collect(s.Names())); n != 80 {
		t.Errorf("%d children", n)
	}
	if _, err := Parse(s.AppendTo(nil)); err != nil {
		t.Error(err)
	}
}

func TestWithChild(t *testing.T) {
	s := must(t, message)
	before := text(s)
	v := s.WithChild([]byte("<a xmlns='urn:a'/>")).WithChild([]byte("<b xmlns='urn:b'/>"))
	if !v.HasChild("urn:a", "a") || !v.HasChild("urn:b", "b") || !v.HasBody() || v.ID != s.ID || v.To != s.To || v.Type != s.Type {
		t.Errorf("got %s", text(v))
	}
	if text(s) != before {
		t.Errorf("the original became %s", text(s))
	}
	for _, bad := range []string{"<a", "</message><message>", "<a></b>", "<!-- x -->", "<p:a/>", "&nbsp;", "\x00", "<a/></message>"} {
		if got := s.WithChild([]byte(bad)); text(got) != before {
			t.Errorf("%q was added: %s", bad, text(got))
		}
	}
	kept := must(t, `<message xmlns:p='urn:p' p:q='r' other='&apos;'/>`).WithChild([]byte("<a xmlns='urn:a'/>"))
	if got := text(kept); got != `<message from='juliet@example.com/balcony' xmlns:a0='urn:p' a0:q='r' other='&apos;'><a xmlns='urn:a'/></message>` {
		t.Errorf("got %s", got)
	}
}

func TestWithout(t *testing.T) {
	s := must(t, several)
	bodies := s.Without(func(ns, local string) bool { return local != "body" })
	if got := text(bodies); got != `<message from='juliet@example.com/balcony' to='romeo@example.net'>`+
		` <body>a &lt; b</body><body xml:lang='cs'>b</body></message>` {
		t.Errorf("got %s", got)
	}
	if s.Without(func(ns, local string) bool { return false }) != s {
		t.Error("nothing to drop gave another stanza")
	}
	none := must(t, message).Without(func(ns, local string) bool { return true })
	if got := text(none); none.HasBody() || got[len(got)-2:] != "/>" {
		t.Errorf("got %s", got)
	}
	if !s.HasChild("urn:q", "q") {
		t.Error("the original changed")
	}
}
