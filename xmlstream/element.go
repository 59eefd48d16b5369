package xmlstream

import "sync"

// work is the memory of a scanner inside of an element. An idle stream has
// none: it comes from works when an element begins and goes back when its token
// is no longer valid. All places are offsets, since the caller may move the
// bytes between two calls of Next.
type work struct {
	limits Limits
	scope  *scope // what the stream header binds; nil while reading it
	err    *Error

	pos    int  // everything before it was checked
	search int  // inside of an incomplete tag: where to go on looking for its end
	again  int  // … and how long it has to be before it is tried again early
	quote  byte // … and the quote that is open there
	cdata  bool // pos is inside of a CDATA section

	odd      bool // the element isn't canonical
	text     bool // it has character data directly inside
	elements int

	top     tag   // the top-level element's start tag
	open    []tag // the elements that are open
	binds   []binding
	attrs   []attr // first those of the top-level element, then those of the tag at hand
	kids    []kid
	scratch []byte // attribute values whose references are resolved
	sorted  []attr

	attrOut  []Attr
	childOut []Child
}

// tag is a start tag: where its name is, and what it changed.
type tag struct {
	start, name, local, nameEnd int // offsets of '<', prefix, local name, and behind it
	end                         int // behind the '>'
	binds                       int // how many namespaces were bound outside of it
	attrs                       int // top-level element: how many attributes it has
	space                       ref // top-level element: its namespace
}

// kid is a child of the top-level element.
type kid struct {
	space          ref
	local, nameEnd int
	start, end     int
}

// works holds the memory of scanners at rest. Nothing in it survives from one
// user to the next but capacity.
var works = sync.Pool{New: func() any {
	return &work{
		open:    make([]tag, 0, 8),
		binds:   make([]binding, 0, 8),
		attrs:   make([]attr, 0, 16),
		kids:    make([]kid, 0, 8),
		scratch: make([]byte, 0, 128),
	}
}}

// begin makes w ready for the next element.
func (w *work) begin(l Limits, sc *scope) {
	clear(w.attrOut)  // they point into the caller's buffer,
	clear(w.childOut) // which the pool must not keep alive
	w.limits, w.scope, w.err = l, sc, nil
	w.pos, w.search, w.again, w.quote, w.cdata = 0, 0, 0, 0, false
	w.odd, w.text, w.elements = false, false, 0
	w.top = tag{}
	w.open, w.binds, w.attrs = w.open[:0], w.binds[:0], w.attrs[:0]
	w.kids, w.scratch, w.sorted = w.kids[:0], w.scratch[:0], w.sorted[:0]
	w.attrOut, w.childOut = w.attrOut[:0], w.childOut[:0]
}

// Capacities above these are not kept for the next element.
const (
	keepScratch = 8 << 10
	keepRecords = 512
)

// release gives w back.
func (w *work) release() {
	w.begin(Limits{}, nil)
	if cap(w.scratch) > keepScratch || cap(w.attrs) > keepRecords || cap(w.kids) > keepRecords {
		return
	}
	works.Put(w)
}

// run goes on inside of the top-level element that begins at buf[0] and returns
// the offset behind it, needMore or failed.
func (w *work) run(buf []byte) int {
	if w.search > 0 && !w.tagEnds(buf) {
		return needMore
	}
	i := w.pos
	for {
		if w.cdata {
			if i = w.cdataSection(buf, i); i < 0 {
				return i
			}
		}
		if i >= len(buf) {
			w.pos = i
			return needMore
		}
		if buf[i] != '<' {
			if i = w.charData(buf, i); i < 0 {
				return i
			}
			continue
		}
		j := w.markup(buf, i)
		if j == needMore {
			w.pos = i
			w.awaitTag(buf)
		}
		if j < 0 {
			return j
		}
		if i = j; len(w.open) == 0 {
			return i
		}
	}
}

// markup reads what begins with the '<' at i.
func (w *work) markup(buf []byte, i int) int {
	if i+1 >= len(buf) {
		return needMore
	}
	switch buf[i+1] {
	case '/':
		return w.endTag(buf, i)
	case '!':
		return w.cdataStart(buf, i)
	case '?':
		return w.instruction(buf, i)
	}
	return w.startTag(buf, i)
}

// awaitTag begins the search for the end of the incomplete tag at w.pos, so
// that a tag which comes in many pieces is read once, when it is there.
func (w *work) awaitTag(buf []byte) {
	if w.search == 0 {
		w.search, w.quote, w.again = w.pos+1, 0, 64
		w.tagEnds(buf)
	}
}

// tagEnds reports whether the incomplete tag at w.pos should be tried again:
// its end is there, or a '<', which no tag contains. A tag that has doubled in
// size is tried before its end is there, so that what is wrong in it is found
// early; this costs no more than reading it twice.
func (w *work) tagEnds(buf []byte) bool {
	if w.pos+1 < len(buf) && (buf[w.pos+1] == '!' || buf[w.pos+1] == '?') {
		w.search = 0 // a few bytes decide
		return true
	}
	for i := w.search; i < len(buf); i++ {
		switch c := buf[i]; {
		case c == '<', c == '>' && w.quote == 0:
			w.search = 0
			return true
		case c == w.quote:
			w.quote = 0
		case w.quote == 0 && (c == '"' || c == '\''):
			w.quote = c
		}
	}
	w.search = len(buf)
	if size := len(buf) - w.pos; size >= w.again {
		w.again = 2 * size
		return true
	}
	return false
}

// charData checks character data from i on and returns the offset of the next
// '<' or the end of the bytes.
func (w *work) charData(buf []byte, i int) int {
	start := i
	for {
		for i+8 <= len(buf) {
			if m := textStop(load8(buf, i)); m != 0 {
				i += firstMark(m)
				break
			}
			i += 8
		}
		for i < len(buf) && class[buf[i]]&classText != 0 {
			i++
		}
		if i >= len(buf) || buf[i] == '<' {
			break
		}
		var j int
		if buf[i] >= 0x80 {
			j = w.runes(buf, i)
		} else {
			j = w.oddText(buf, i)
		}
		if j < 0 {
			w.noteText(buf[start:i])
			return j
		}
		i = j
	}
	w.noteText(buf[start:i])
	return i
}

// oddText checks one character of character data that isn't plain.
func (w *work) oddText(buf []byte, i int) int {
	switch buf[i] {
	case '\t', '\n':
		return i + 1
	case '\r':
		w.odd = true
		return i + 1
	case '&':
		w.text = w.text || len(w.open) == 1
		return w.reference(buf, i)
	case ']':
		if i+1 < len(buf) && buf[i+1] != ']' || i+2 < len(buf) && buf[i+2] != '>' {
			return i + 1
		}
		if i+2 < len(buf) {
			return w.malformed(i, "']]>' in character data")
		}
		w.noteText(buf[i:])
		w.pos = i
		return needMore
	}
	return w.malformed(i, "character that XML does not allow")
}

// noteText notes whether b, character data, counts as text of the top-level
// element.
func (w *work) noteText(b []byte) {
	if w.text || len(w.open) != 1 {
		return
	}
	for _, c := range b {
		if !isSpace(c) {
			w.text = true
			return
		}
	}
}

// cdataStart reads the beginning of a CDATA section, which is the only thing
// that may follow "<!" (RFC 6120 §11.1).
func (w *work) cdataStart(buf []byte, i int) int {
	const begin = "<![CDATA["
	n := min(len(buf)-i, len(begin))
	switch {
	case string(buf[i:i+n]) != begin[:n]:
		return w.fail(i, condRestrictedXML, "comment or document type declaration")
	case len(w.open) == 0 && n > len("<!"): // it is text like any other, in a place where none belongs
		return w.fail(i, condBadFormat, "character data outside of an element")
	}
	if n < len(begin) {
		return needMore
	}
	w.cdata, w.odd = true, true
	return i + n
}

// cdataSection goes on inside of a CDATA section and returns the offset behind
// its end.
func (w *work) cdataSection(buf []byte, i int) int {
	for i < len(buf) {
		switch c := buf[i]; {
		case c == ']':
			if i+1 < len(buf) && buf[i+1] != ']' || i+2 < len(buf) && buf[i+2] != '>' {
				w.noteText(buf[i : i+1])
				i++
			} else if i+2 < len(buf) {
				w.cdata = false
				return i + 3
			} else {
				w.pos = i
				return needMore
			}
		case c >= 0x80:
			w.noteText(buf[i : i+1])
			if i = w.runes(buf, i); i < 0 {
				return i
			}
		case c < 0x20 && !isSpace(c):
			return w.malformed(i, "character that XML does not allow")
		default:
			w.noteText(buf[i : i+1])
			i++
		}
	}
	w.pos = i
	return needMore
}
