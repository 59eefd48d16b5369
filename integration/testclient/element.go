package testclient

import (
	"encoding/xml"
	"fmt"
	"io"
	"sort"
	"strings"
)

// Namespaces that the client itself has to know.
const (
	nsClient  = "jabber:client"
	nsStreams = "http://etherx.jabber.org/streams"
	nsTLS     = "urn:ietf:params:xml:ns:xmpp-tls"
	nsSASL    = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsBind    = "urn:ietf:params:xml:ns:xmpp-bind"
	nsAcks    = "urn:xmpp:sm:3"
	nsXML     = "http://www.w3.org/XML/1998/namespace"
)

// Element is one XML element with everything inside it.
type Element struct {
	Name     xml.Name
	Attr     []xml.Attr // without namespace declarations
	Children []*Element
	Text     string // all character data directly inside, in one piece
}

// Get returns the value of an attribute without a namespace, "" if there is none.
func (e *Element) Get(name string) string {
	for _, a := range e.Attr {
		if a.Name.Space == "" && a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// Child returns the first child with a name, in any namespace if space is "";
// nil if there is none.
func (e *Element) Child(space, local string) *Element {
	if e == nil {
		return nil
	}
	for _, c := range e.Children {
		if c.Name.Local == local && (space == "" || c.Name.Space == space) {
			return c
		}
	}
	return nil
}

// String returns the element as XML in one fixed form, for messages.
func (e *Element) String() string {
	if e == nil {
		return "(nothing)"
	}
	var b strings.Builder
	e.write(&b, nsClient)
	return b.String()
}

func (e *Element) write(b *strings.Builder, space string) {
	b.WriteString("<" + e.Name.Local)
	if e.Name.Space != space {
		fmt.Fprintf(b, " xmlns='%s'", escape(e.Name.Space))
	}
	attrs := append([]xml.Attr(nil), e.Attr...)
	sort.SliceStable(attrs, func(i, j int) bool { return attrs[i].Name.Local < attrs[j].Name.Local })
	for _, a := range attrs {
		name := a.Name.Local
		switch a.Name.Space {
		case "":
		case nsXML:
			name = "xml:" + name
		default:
			name = "{" + a.Name.Space + "}" + name
		}
		fmt.Fprintf(b, " %s='%s'", name, escape(a.Value))
	}
	if len(e.Children) == 0 && e.Text == "" {
		b.WriteString("/>")
		return
	}
	b.WriteString(">" + escape(e.Text))
	for _, c := range e.Children {
		c.write(b, e.Name.Space)
	}
	b.WriteString("</" + e.Name.Local + ">")
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder doesn't fail
	return b.String()
}

// ReadElement reads the rest of the element that start begins: for clients that do
// without the rest of this package.
func ReadElement(d *xml.Decoder, start xml.StartElement) (*Element, error) {
	e := &Element{Name: start.Name, Attr: plainAttrs(start.Attr)}
	for {
		tok, err := d.Token()
		if err != nil {
			return e, err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			c, err := ReadElement(d, tok)
			e.Children = append(e.Children, c)
			if err != nil {
				return e, err
			}
		case xml.CharData:
			e.Text += string(tok)
		case xml.EndElement:
			return e, nil
		default:
			return e, fmt.Errorf("testclient: a %T inside a stanza (RFC 6120 §11.1)", tok)
		}
	}
}

// plainAttrs drops the namespace declarations, which the decoder has applied already.
func plainAttrs(in []xml.Attr) []xml.Attr {
	var out []xml.Attr
	for _, a := range in {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue
		}
		out = append(out, a)
	}
	return out
}

// Parse reads elements as they would stand inside a client stream: the default
// namespace is jabber:client and the prefix stream is known.
func Parse(s string) ([]*Element, error) {
	d := xml.NewDecoder(strings.NewReader(
		"<stream:stream xmlns='" + nsClient + "' xmlns:stream='" + nsStreams + "'>" + s + "</stream:stream>"))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	var out []*Element
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("testclient: %w in %s", err, s)
		}
		if start, ok := tok.(xml.StartElement); ok {
			e, err := ReadElement(d, start)
			if err != nil {
				return nil, fmt.Errorf("testclient: %w in %s", err, s)
			}
			out = append(out, e)
		}
	}
}
