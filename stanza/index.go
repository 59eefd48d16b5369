package stanza

import (
	"strings"

	"weir/xmlstream"
)

// child is one child element of a stanza.
type child struct {
	start, end   uint32 // of inner and tail, one behind the other
	space, local string
}

// is reports whether the child has that name; an empty local fits any.
func (k *child) is(ns, local string) bool {
	return (local == "" || k.local == local) && k.space == ns
}

// text returns the bytes of a child.
func (c *content) text(k *child) string {
	if n := uint32(len(c.inner)); k.start >= n && c.tail != "" {
		return c.tail[k.start-n : k.end-n]
	}
	return c.inner[k.start:k.end]
}

// Which strings a stanza keeps beside its inner bytes.
const (
	keepID = iota
	keepLang
	keepTo
	keepOther
	kept
)

// apart is from how many bytes on ID, Lang and To get strings of their own.
// They live on in tables of other packages, and must not keep a large stanza
// in memory there.
const apart = 1024

// take makes the content of a canonical token, and strings of what else is to
// be kept. All of it lies in one string, so this is one allocation, unless the
// stanza is large or has more children than few holds.
func (w *whole) take(tok *xmlstream.Token, keep *[kept][]byte) (out [kept]string) {
	c := &w.content
	inner := tok.Content()
	size := len(inner)
	for _, k := range keep {
		size += len(k)
	}
	c.kids = w.few[:0]
	if len(tok.Children) > fewKids {
		c.kids = make([]child, 0, len(tok.Children))
	}
	for i := range tok.Children {
		k := &tok.Children[i]
		space := namespace(k.Space)
		if space == "" {
			size += len(k.Space)
		}
		c.kids = append(c.kids, child{
			start: uint32(k.Start - tok.Inner), end: uint32(k.End - tok.Inner), space: space,
		})
	}
	var b strings.Builder
	b.Grow(size)
	b.Write(inner)
	for _, k := range keep {
		b.Write(k)
	}
	for i := range c.kids {
		if c.kids[i].space == "" {
			b.Write(tok.Children[i].Space)
		}
	}
	all := b.String()
	c.inner, all = all[:len(inner)], all[len(inner):]
	for i, k := range keep {
		out[i], all = all[:len(k)], all[len(k):]
		if size > apart {
			out[i] = strings.Clone(out[i])
		}
	}
	c.other = out[keepOther]
	for i := range c.kids {
		k := &c.kids[i]
		k.local = localAt(c.inner, int(k.start), len(tok.Children[i].Local))
		if k.space == "" {
			n := len(tok.Children[i].Space)
			k.space, all = all[:n], all[n:]
		}
	}
	return out
}

// fill is take for any token: what isn't canonical is written again first.
func (w *whole) fill(k Kind, tok *xmlstream.Token, keep *[kept][]byte) (out [kept]string, err error) {
	if tok.Canonical {
		return w.take(tok, keep), nil
	}
	inner, err := xmlstream.AppendInner(nil, tok)
	if err != nil {
		return out, err
	}
	var sc xmlstream.Scanner
	defer sc.Release()
	again, err := scan(&sc, wrap(k, inner))
	if err != nil {
		return out, err
	}
	return w.take(&again, keep), nil
}

// localAt returns the local name, of n bytes, of the element at xml[at].
func localAt(xml string, at, n int) string {
	name := xml[at+1:]
	for i := range len(name) {
		switch name[i] {
		case ':':
			return name[i+1 : i+1+n]
		case ' ', '\t', '\n', '\r', '/', '>':
			return name[:n]
		}
	}
	return ""
}

// clientStream is a scanner that has read the header of a client stream. It is
// never used itself: each scan begins with a copy.
var clientStream = func() (sc xmlstream.Scanner) {
	const header = "<stream:stream xmlns='" + NSClient + "' xmlns:stream='http://etherx.jabber.org/streams'>"
	_, _, _ = sc.Next([]byte(header)) // an error stays in sc, and every scan would return it
	sc.Release()
	return sc
}()

// scan makes sc, whose last token must be released, the scanner of a client stream
// and returns the token of element, which must be one well-formed element and
// nothing else.
func scan(sc *xmlstream.Scanner, element []byte) (tok xmlstream.Token, err error) {
	*sc = clientStream
	tok, n, err := sc.Next(element)
	if err == nil && (tok.Kind != xmlstream.Element || n != len(element)) {
		err = errNotOne
	}
	return tok, err
}

// wrap puts inner into an element of that kind.
func wrap(k Kind, inner []byte) []byte {
	name := k.String()
	b := make([]byte, 0, len(inner)+2*len(name)+len("<></>"))
	b = append(append(append(b, '<'), name...), '>')
	b = append(b, inner...)
	return append(append(append(b, "</"...), name...), '>')
}
