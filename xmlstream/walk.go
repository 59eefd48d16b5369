package xmlstream

import "bytes"

// Event is what a Walker has come to.
type Event uint8

// The events of a Walker. "<a/>" is a Start and an End.
const (
	Done  Event = iota // nothing is left
	Start              // a start tag: Space, Local, Attr and so on tell about it
	End                // an end tag
	Chars              // a run of character data: Text has it
)

// Walker goes through bytes that a Scanner has accepted before: a token, a
// child, or several elements in a row. It checks nothing again. Over bytes that
// no scanner has seen it ends early or finds nonsense, but doesn't panic.
//
// A Walker is a value that needs no memory of its own as long as names of
// namespaces and attribute values have no references in them and no more than a
// few namespaces are declared. What it returns lies in the bytes it walks, where
// that is possible, and must not be written to.
type Walker struct {
	raw   []byte
	scope *scope // of the stream header, nil if prefixes of that can't appear
	base  []byte // default namespace outside of raw

	pos   int // behind the event at hand
	begin int // where that begins
	depth int
	event Event
	empty bool // the start tag at hand is "<a/>": its End is still due
	cdata bool // the character data at hand is a CDATA section

	name, local, nameEnd int // of the start tag at hand
	space                []byte

	bound int
	few   [6]walkBind
	more  []walkBind
}

// walkBind is a namespace declaration of an element at depth.
type walkBind struct {
	prefix, space []byte
	depth         int
}

// Walk returns a Walker over raw, where defaultNS is the default namespace: a
// child of a canonical token, for instance, or of a stanza. Prefixes that raw
// uses without declaring them have no namespace for it.
func Walk(raw []byte, defaultNS string) Walker {
	w := Walker{raw: raw}
	switch defaultNS {
	case "":
	case usual.space:
		w.base = usual.text[len(usual.text)-len(usual.space):]
	default:
		w.base = []byte(defaultNS)
	}
	return w
}

// Walk returns a Walker whose first event is the Start of the element itself.
// It is valid as long as the token is.
func (t *Token) Walk() Walker {
	w := Walker{raw: t.Raw, scope: t.scope}
	if t.scope != nil {
		if r, ok := t.scope.lookup(nil); ok {
			w.base = t.scope.text[r.off:r.end]
		}
	}
	return w
}

// Next goes on to the next event.
func (w *Walker) Next() Event {
	w.begin = w.pos
	switch {
	case w.empty:
		w.empty = false
		return w.leave()
	case w.pos >= len(w.raw):
		w.event = Done
	case w.raw[w.pos] != '<':
		w.event, w.cdata = Chars, false
		if n := bytes.IndexByte(w.raw[w.pos:], '<'); n >= 0 {
			w.pos += n
		} else {
			w.pos = len(w.raw)
		}
	case bytes.HasPrefix(w.raw[w.pos:], []byte("</")):
		n := bytes.IndexByte(w.raw[w.pos:], '>')
		if n < 0 || w.depth == 0 {
			return w.stop()
		}
		w.pos += n + 1
		return w.leave()
	case bytes.HasPrefix(w.raw[w.pos:], []byte("<![CDATA[")):
		n := bytes.Index(w.raw[w.pos:], []byte("]]>"))
		if n < 0 {
			return w.stop()
		}
		w.event, w.cdata = Chars, true
		w.pos += n + len("]]>")
	default:
		return w.enter()
	}
	return w.event
}

// stop ends the walk.
func (w *Walker) stop() Event {
	w.pos, w.event = len(w.raw), Done
	return Done
}

// leave comes out of an element.
func (w *Walker) leave() Event {
	for w.bound > 0 && w.bind(w.bound-1).depth >= w.depth {
		w.bound--
	}
	w.depth--
	w.event = End
	return End
}

// enter goes into the element whose start tag is at w.pos.
func (w *Walker) enter() Event {
	w.depth++
	w.name = w.pos + 1
	w.local, w.nameEnd = w.qname(w.name)
	i := w.nameEnd
	for {
		a, ok := w.attrAt(&i)
		if !ok {
			break
		}
		if a.decl {
			b := walkBind{space: w.value(&a), depth: w.depth}
			if a.local != a.name {
				b.prefix = w.raw[a.local:a.nameEnd]
			}
			w.push(b)
		}
	}
	w.empty = i < len(w.raw) && w.raw[i] == '/'
	if w.empty {
		i++
	}
	if i >= len(w.raw) || w.raw[i] != '>' {
		w.empty = false
		return w.stop()
	}
	w.pos = i + 1
	w.space = w.lookup(prefixOf(w.raw, w.name, w.local))
	w.event = Start
	return Start
}

func (w *Walker) bind(i int) *walkBind {
	if i < len(w.few) {
		return &w.few[i]
	}
	return &w.more[i-len(w.few)]
}

func (w *Walker) push(b walkBind) {
	if w.bound < len(w.few) {
		w.few[w.bound] = b
	} else {
		w.more = append(w.more[:w.bound-len(w.few)], b)
	}
	w.bound++
}

// lookup returns the namespace bound to prefix, nil if there is none.
func (w *Walker) lookup(prefix []byte) []byte {
	for i := w.bound - 1; i >= 0; i-- {
		if b := w.bind(i); string(b.prefix) == string(prefix) {
			return b.space
		}
	}
	if len(prefix) == 0 {
		return w.base
	}
	if w.scope != nil {
		if r, ok := w.scope.lookup(prefix); ok {
			return w.scope.text[r.off:r.end]
		}
	}
	if string(prefix) == "xml" {
		return xmlSpace
	}
	return nil
}

// qname returns where the local part of the name at i begins and the name ends.
func (w *Walker) qname(i int) (local, end int) {
	local = i
	for ; i < len(w.raw); i++ {
		switch w.raw[i] {
		case ':':
			local = i + 1
		case ' ', '\t', '\n', '\r', '=', '/', '>', '<', '"', '\'':
			return local, i
		}
	}
	return local, i
}

// attrAt reads the attribute behind *i and moves *i behind it, or returns false
// and moves *i to the end of the tag.
func (w *Walker) attrAt(i *int) (a attr, ok bool) {
	raw := w.raw
	j := skipSpace(raw, *i)
	*i = j
	if j >= len(raw) || raw[j] == '>' || raw[j] == '/' {
		return a, false
	}
	a.name = j
	a.local, a.nameEnd = w.qname(j)
	a.decl = string(raw[a.name:a.nameEnd]) == "xmlns" || a.local == a.name+6 && string(raw[a.name:a.local]) == "xmlns:"
	j = skipSpace(raw, a.nameEnd)
	if j >= len(raw) || raw[j] != '=' {
		return a, false
	}
	if j = skipSpace(raw, j+1); j >= len(raw) {
		return a, false
	}
	n := bytes.IndexByte(raw[j+1:], raw[j])
	if n < 0 || raw[j] != '"' && raw[j] != '\'' {
		return a, false
	}
	a.value = ref{off: j + 1, end: j + 1 + n}
	*i = j + n + 2
	return a, true
}

// value returns the meaning of an attribute's value.
func (w *Walker) value(a *attr) []byte {
	raw := w.raw[a.value.off:a.value.end:a.value.end]
	if !bytes.ContainsAny(raw, "&\t\n\r") {
		return raw
	}
	return appendValue(make([]byte, 0, len(raw)), raw)
}
