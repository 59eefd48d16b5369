package stanza

import (
	"strings"
	"testing"
	"time"

	"weir/jid"
	"weir/xmlstream"
)

// variants are messages of every form that a variant has to cope with.
var variants = []string{
	`<message/>`, `<message to='romeo@example.net' type='groupchat'/>`, message, several,
	`<message><a xmlns='1'/><b xmlns='2'/><c xmlns='3'/><d xmlns='4'/><e xmlns='5'/></message>`,
	`<message xml:lang='cs' x='y'>text only</message>`,
}

// TestWithStanzaID holds that the quick way says what the slow one says.
func TestWithStanzaID(t *testing.T) {
	for _, xml := range variants {
		s := must(t, xml)
		was := string(s.AppendTo(nil))
		for _, id := range []string{"0123456789abcdef", "", `<'&">`} {
			for _, by := range []jid.JID{juliet.Bare(), jid.MustParse("example.com/it's")} {
				got := s.WithStanzaID(by, id)
				want := s.WithChild([]byte("<stanza-id xmlns='urn:xmpp:sid:0' by='" + string(xmlstream.AppendAttr(nil, by.String())) +
					"' id='" + string(xmlstream.AppendAttr(nil, id)) + "'/>"))
				sameStanza(t, got, want)
				sameStanza(t, got.WithStanzaID(romeo.Bare(), "2").Without(func(ns, local string) bool { return local == "stanza-id" }), s)
				sameStanza(t, got.WithChild([]byte("<x xmlns='urn:x'/>")), want.WithChild([]byte("<x xmlns='urn:x'/>")))
				sameStanza(t, got.WithStanzaID(romeo, "2"), want.WithStanzaID(romeo, "2"))
			}
		}
		if now := string(s.AppendTo(nil)); now != was {
			t.Errorf("the stanza itself changed: %s", now)
		}
	}
}

// sameStanza compares what two stanzas write and what their children are.
func sameStanza(t *testing.T, got, want *Stanza) {
	t.Helper()
	g, w := string(got.AppendTo(nil)), string(want.AppendTo(nil))
	if g != w || got.Size() != want.Size() {
		t.Fatalf("got %s (%d)\nwant %s (%d)", g, got.Size(), w, want.Size())
	}
	children := func(s *Stanza) (all []string) {
		for name, xml := range s.Children() {
			if b := s.Child(name.Space, name.Local); b == nil {
				t.Fatalf("%s: no child %v", g, name)
			}
			all = append(all, name.Space+" "+name.Local+" "+string(xml))
		}
		return all
	}
	if g, w := strings.Join(children(got), "\n"), strings.Join(children(want), "\n"); g != w {
		t.Fatalf("children\n%s\nwant\n%s", g, w)
	}
}

// TestForward holds that what carries a stanza is as good as read from a stream,
// and that the stanza inside is the one that went in.
func TestForward(t *testing.T) {
	at := time.Date(2010, 7, 10, 23, 8, 25, 123e6, time.UTC)
	for _, xml := range append(variants, `<presence><show>xa</show></presence>`) {
		for _, s := range []*Stanza{must(t, xml), must(t, xml).WithStanzaID(juliet.Bare(), "1")} {
			e := Envelope{From: juliet.Bare(), To: juliet, NS: "urn:test", Local: "result", Attrs: [][2]string{{"id", "a'b"}}, At: at}
			got := e.Forward(s)
			again, err := Parse(got.AppendTo(nil))
			if err != nil {
				t.Fatalf("%s: %v", got.AppendTo(nil), err)
			}
			sameStanza(t, got, again)
			var r struct {
				ID        string `xml:"id,attr"`
				Forwarded struct {
					Delay struct {
						Stamp string `xml:"stamp,attr"`
					} `xml:"urn:xmpp:delay delay"`
					Inner string `xml:",innerxml"`
				} `xml:"urn:xmpp:forward:0 forwarded"`
			}
			if err := got.Decode("urn:test", "result", &r); err != nil || r.ID != "a'b" || r.Forwarded.Delay.Stamp != "2010-07-10T23:08:25.123Z" {
				t.Errorf("%+v %v", r, err)
			}
			_, inside, _ := strings.Cut(r.Forwarded.Inner, "/>")
			sameStanza(t, must(t, strings.Replace(inside, " xmlns='jabber:client'", "", 1)), s.With(s.From, s.To))
		}
	}
	got := string((&Envelope{To: romeo, Type: "chat", NS: "urn:xmpp:carbons:2", Local: "sent"}).Forward(must(t, `<message/>`)).AppendTo(nil))
	if want := `<message to='romeo@example.net/orchard' type='chat'><sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>` +
		`<message xmlns='jabber:client' from='juliet@example.com/balcony'/></forwarded></sent></message>`; got != want {
		t.Errorf("got %s", got)
	}
}

func BenchmarkWithStanzaID(b *testing.B) {
	s, by := must(b, message), juliet.Bare()
	b.ReportAllocs()
	for b.Loop() {
		sink = s.WithStanzaID(by, "000065f1c2d3e4a5")
	}
}

func BenchmarkWithChildStanzaID(b *testing.B) {
	s := must(b, message)
	id := []byte("<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@example.com' id='000065f1c2d3e4a5'/>")
	b.ReportAllocs()
	for b.Loop() {
		sink = s.WithChild(id)
	}
}

func BenchmarkForward(b *testing.B) {
	s := must(b, message)
	e := Envelope{From: juliet.Bare(), To: juliet, NS: "urn:xmpp:mam:2", Local: "result", Attrs: [][2]string{{"id", "000065f1c2d3e4a5"}}, At: time.Now()}
	b.ReportAllocs()
	for b.Loop() {
		sink = e.Forward(s)
	}
}
