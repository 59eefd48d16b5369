package stanza

import (
	"encoding/xml"
	"iter"
	"strings"

	"weir/xmlstream"
)

// find returns the first child with that name, or nil.
func (s *Stanza) find(ns, local string) *child {
	kids := s.content().kids
	for i := range kids {
		if kids[i].is(ns, local) {
			return &kids[i]
		}
	}
	return nil
}

// Payload returns namespace and name of the first child element, "" if none.
func (s *Stanza) Payload() xmlstream.Name {
	if kids := s.content().kids; len(kids) > 0 {
		return xmlstream.Name{Space: kids[0].space, Local: kids[0].local}
	}
	return xmlstream.Name{}
}

// HasChild reports whether there is such a child, without an allocation. An
// empty local stands for any name of that namespace, here and in Child.
func (s *Stanza) HasChild(ns, local string) bool { return s.find(ns, local) != nil }

// HasBody reports whether the stanza is a message with a body (RFC 6121 §5.2.3).
func (s *Stanza) HasBody() bool { return s.Kind == Message && s.HasChild(NSClient, "body") }

// Child returns the bytes of the first child with that name as a complete
// element (a namespace it inherits is declared on it), or nil. The bytes are the
// caller's.
func (s *Stanza) Child(ns, local string) []byte {
	k := s.find(ns, local)
	if k == nil {
		return nil
	}
	return complete(s.c.text(k))
}

// Names returns the names of the children in order, without an allocation.
func (s *Stanza) Names() iter.Seq[xmlstream.Name] {
	return func(yield func(xmlstream.Name) bool) {
		for _, k := range s.content().kids {
			if !yield(xmlstream.Name{Space: k.space, Local: k.local}) {
				return
			}
		}
	}
}

// Children returns the children in order, each with its name and as Child would
// return it.
func (s *Stanza) Children() iter.Seq2[xmlstream.Name, []byte] {
	return func(yield func(xmlstream.Name, []byte) bool) {
		c := s.content()
		for i := range c.kids {
			k := &c.kids[i]
			if !yield(xmlstream.Name{Space: k.space, Local: k.local}, complete(c.text(k))) {
				return
			}
		}
	}
}

// complete returns a child as an element that needs nothing around it. Being
// canonical it lacks at most the default namespace of the stream.
func complete(xml string) []byte {
	declared, end := startTag(xml)
	if declared {
		return []byte(xml)
	}
	const declaration = " xmlns='" + NSClient + "'"
	b := make([]byte, 0, len(xml)+len(declaration))
	b = append(b, xml[:end]...)
	b = append(b, declaration...)
	return append(b, xml[end:]...)
}

// startTag looks at the start tag of well-formed xml: whether it declares a
// default namespace, and where its name ends.
func startTag(xml string) (declared bool, nameEnd int) {
	nameEnd = strings.IndexAny(xml, " \t\r\n/>")
	rest := xml[nameEnd:]
	for {
		rest = strings.TrimLeft(rest, " \t\r\n")
		if rest[0] == '/' || rest[0] == '>' {
			return false, nameEnd
		}
		eq := strings.IndexByte(rest, '=')
		if strings.TrimRight(rest[:eq], " \t\r\n") == "xmlns" {
			return true, nameEnd
		}
		rest = strings.TrimLeft(rest[eq+1:], " \t\r\n")
		rest = rest[1:][strings.IndexByte(rest[1:], rest[0])+1:]
	}
}

// Text returns the character data directly inside the first child with that
// name (a body, a show, a priority), or "".
func (s *Stanza) Text(ns, local string) string {
	k := s.find(ns, local)
	if k == nil {
		return ""
	}
	return string(xmlstream.Text([]byte(s.c.text(k))))
}

// Decode decodes the first child with that name by encoding/xml into v, which
// is a pointer to one of the field's payload types. An error is an [Error] with
// bad-request.
func (s *Stanza) Decode(ns, local string, v any) error {
	b := s.Child(ns, local)
	if b == nil {
		return BadRequest("there is no <" + local + " xmlns='" + ns + "'/>")
	}
	if err := xml.Unmarshal(b, v); err != nil {
		return BadRequest("malformed <" + local + " xmlns='" + ns + "'/>")
	}
	return nil
}
