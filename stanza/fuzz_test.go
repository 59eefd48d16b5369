package stanza

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"weir/jid"
	"weir/xmlstream"
)

var seeds = []string{
	message, several,
	`<message xmlns='jabber:client' to="Romeo@Example.net/a&amp;b" type='nonsense'><body>&lt;&#x41;]]&gt;</body></message>`,
	`<message xmlns:p='urn:p' p:q='r' q='&#10;"' xml:space='preserve'><p:a p:b='c'><d/></p:a><far:x far:y=''/></message>`,
	`<c:message xmlns:c='jabber:client' xmlns='urn:d' to='a@b'><c:body><![CDATA[<&]]></c:body><x/></c:message>`,
	"<presence id=''>\t<show>away</show>\r\n<priority>1</priority><x xmlns='' a='\n\t'/> text &#13;</presence>",
	`<iq id='&lt;' type='get' xml:lang='de'><query xmlns='jabber:iq:roster' ver=''/></iq>`,
	`<iq id='1' type='result'/>`, `<presence type='available'/>`, `<message to='@'><body/></message>`,
	`<message><far:a xmlns:far='urn:near'><far:b/></far:a><far:c/></message>`,
}

// streamed puts a stanza onto a stream, as its receiver's parser sees it. The
// sender's stream binds one prefix more than the receiver's.
func streamed(stanza []byte, sender bool) []byte {
	more := ""
	if sender {
		more = " xmlns:far='urn:far'"
	}
	return fmt.Appendf(nil, "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'%s>%s</stream:stream>", more, stanza)
}

// element is what encoding/xml says about one.
type element struct {
	name  xml.Name
	attrs []string // sorted
	inner []string // start tags, end tags and character data
}

// meaning reads the one element of a document at that depth (1 is below the root).
func meaning(doc []byte, depth int) (e element, err error) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	for open := 0; ; {
		tok, err := d.Token()
		if err == io.EOF {
			return e, nil
		}
		if err != nil {
			return e, err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if open == depth {
				e.name, e.attrs = tok.Name, attributes(tok.Attr)
			} else if open > depth {
				e.inner = append(e.inner, fmt.Sprintf("<%q %q", tok.Name, attributes(tok.Attr)))
			}
			open++
		case xml.EndElement:
			open--
			if open > depth {
				e.inner = append(e.inner, fmt.Sprintf(">%q", tok.Name))
			}
		case xml.CharData:
			if n := len(e.inner); open > depth && n > 0 && strings.HasPrefix(e.inner[n-1], "=") {
				e.inner[n-1] += string(tok)
			} else if open > depth && len(tok) > 0 {
				e.inner = append(e.inner, "="+string(tok))
			}
		default:
			return e, fmt.Errorf("there is a %T", tok)
		}
	}
}

// attributes says what attributes mean, without the declarations of namespaces.
func attributes(attrs []xml.Attr) (list []string) {
	// encoding/xml doesn't normalise white space, so it can't tell what was literal.
	white := strings.NewReplacer("\t", " ", "\n", " ", "\r", " ")
	for _, a := range attrs {
		if a.Name.Space != "xmlns" && a.Name != (xml.Name{Local: "xmlns"}) {
			list = append(list, fmt.Sprintf("%q=%s", a.Name, white.Replace(a.Value)))
		}
	}
	slices.Sort(list)
	return list
}

// stamped brings what the input says to what the output should say: from is the
// sender's, to normalised, the type valid, and an empty language is none.
func stamped(e element, s *Stanza) element {
	attrs := slices.DeleteFunc(slices.Clone(e.attrs), func(a string) bool {
		for _, name := range []string{"from", "to", "type", "id"} {
			if strings.HasPrefix(a, fmt.Sprintf("%q=", xml.Name{Local: name})) {
				return true
			}
		}
		return a == fmt.Sprintf("%q=", xml.Name{Space: nsXML, Local: "lang"})
	})
	white := strings.NewReplacer("\t", " ", "\n", " ", "\r", " ")
	add := func(name, value string) {
		if value != "" {
			attrs = append(attrs, fmt.Sprintf("%q=%s", xml.Name{Local: name}, white.Replace(value)))
		}
	}
	add("from", juliet.String())
	add("to", s.To.String())
	add("id", s.ID)
	if !s.bare {
		add("type", s.Type)
	}
	slices.Sort(attrs)
	e.attrs = attrs
	return e
}

func FuzzStanza(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var sc xmlstream.Scanner
		defer sc.Release()
		sc.Reset(xmlstream.Limits{Depth: 64})
		const head = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:far='urn:far'>"
		if _, _, err := sc.Next([]byte(head)); err != nil {
			t.Fatal(err)
		}
		tok, n, err := sc.Next(in)
		if err != nil || tok.Kind != xmlstream.Element {
			return
		}
		s, err := FromToken(&tok, juliet, "")
		if s == nil {
			return
		}
		if err != nil {
			e, ok := AsError(err)
			if r := s.ErrorReply(e); !ok || r != nil {
				sane(t, r)
			}
			return
		}
		before, err := meaning(streamed(in[:n], true), 1)
		if err != nil {
			t.Fatalf("encoding/xml does not read the input: %v\n%s", err, in[:n])
		}
		before = stamped(before, s)
		after := sane(t, s)
		if before.name != after.name || !slices.Equal(before.attrs, after.attrs) || !slices.Equal(before.inner, after.inner) {
			t.Errorf("the meaning changed\n%s\n%q\n%s\n%q", in[:n], before, s.AppendTo(nil), after)
		}
		if r := s.ErrorReply(ServiceUnavailable(string(in))); r != nil {
			sane(t, r)
		}
		sane(t, s.With(jid.JID{}, juliet))
		if s.Kind != IQ { // its number of children matters
			sane(t, s.WithChild(in))
			sane(t, s.WithChild(in[tok.Inner:n]))
			sane(t, s.Without(func(_, local string) bool { return len(local)%2 == 0 }))
		}
	})
}

// sane holds what is true of every stanza that this package makes: encoding/xml
// and Parse read all of it, Parse gives the same stanza, and each child can
// stand alone.
func sane(t *testing.T, s *Stanza) element {
	t.Helper()
	out := s.AppendTo(nil)
	e, err := meaning(streamed(out, false), 1)
	if err != nil {
		t.Fatalf("encoding/xml does not read the output: %v\n%s", err, out)
	}
	var sc xmlstream.Scanner
	defer sc.Release()
	tok, err := scan(&sc, out)
	if err != nil || !tok.Canonical && !strings.Contains(s.content().other, "xmlns:") {
		t.Fatalf("the scanner says %v (canonical: %v) of the output\n%s", err, tok.Canonical, out)
	}
	back, err := Parse(out)
	if err != nil {
		// An error about a stanza without id is the only one that Parse does not take.
		if s.Kind == IQ && s.ID == "" || len(s.ID) > maxAttr {
			return e
		}
		t.Fatalf("Parse: %v\n%s", err, out)
	}
	if again := back.AppendTo(nil); !bytes.Equal(again, out) && tok.Canonical {
		t.Fatalf("Parse and AppendTo make another stanza\n%s\n%s", out, again)
	}
	if back.Kind != s.Kind || back.Type != s.Type || back.ID != s.ID || back.Lang != s.Lang || back.From != s.From || back.To != s.To ||
		!slices.Equal(slices.Collect(back.Names()), slices.Collect(s.Names())) {
		t.Fatalf("Parse gives another stanza\n%s\n%+v\n%+v", out, s, back)
	}
	var children []string
	for name, child := range s.Children() {
		alone, err := meaning(child, 0)
		if err != nil || alone.name.Local != name.Local || alone.name.Space != name.Space {
			t.Fatalf("child %v does not stand alone as %v: %v\n%s", name, alone.name, err, child)
		}
		children = append(children, fmt.Sprintf("<%q %q", alone.name, alone.attrs))
		children = append(children, alone.inner...)
		children = append(children, fmt.Sprintf(">%q", alone.name))
	}
	if inside := e.withoutText(); !slices.Equal(children, inside) {
		t.Fatalf("children alone mean something else\n%s\n%q\n%q", out, children, inside)
	}
	return e
}

// withoutText returns the inner tokens without the text between the children.
func (e element) withoutText() (list []string) {
	depth := 0
	for _, tok := range e.inner {
		switch tok[0] {
		case '<':
			depth++
		case '>':
			depth--
		case '=':
			if depth == 0 {
				continue
			}
		}
		list = append(list, tok)
	}
	return list
}
