package xmlstream

import (
	"bytes"
	"slices"
)

// attr is an attribute of the tag at hand, namespace declarations included.
type attr struct {
	name, local, nameEnd int // as in tag
	value                ref // resolved if the tag is top-level or it is a declaration
	space                ref // set once all declarations of the tag are known
	decl                 bool
}

// prefix returns the prefix of a, empty for none.
func (a *attr) prefix(buf []byte) []byte { return prefixOf(buf, a.name, a.local) }

// prefixOf returns the prefix of a name whose local part begins at local.
func prefixOf(buf []byte, name, local int) []byte {
	if local == name {
		return nil
	}
	return buf[name : local-1]
}

// startTag reads the start tag at i and returns the offset behind it. It changes
// nothing that matters if it returns needMore.
func (w *work) startTag(buf []byte, i int) int {
	t := tag{start: i, binds: len(w.binds)}
	w.attrs = w.attrs[:w.top.attrs]
	if t.name = i + 1; t.name >= len(buf) {
		return needMore
	}
	if t.nameEnd, t.local = w.qname(buf, t.name); t.nameEnd < 0 {
		return t.nameEnd
	}
	end, empty := w.attributes(buf, t.nameEnd)
	if end < 0 {
		w.binds = w.binds[:t.binds]
		return end
	}
	t.end = end
	if w.elements++; w.limits.Elements > 0 && w.elements > w.limits.Elements {
		return w.over(i, "more elements than", w.limits.Elements, "in a stanza")
	}
	if depth := len(w.open) + 1; depth > MaxDepth || w.limits.Depth > 0 && depth > w.limits.Depth {
		return w.over(i, "elements nested deeper than", min(depth-1, MaxDepth), "levels")
	}
	if r := w.resolve(buf, &t); r < 0 {
		return r
	}
	switch len(w.open) {
	case 0:
		w.openTop(buf, &t)
	case 1:
		w.kids = append(w.kids, kid{space: t.space, local: t.local, nameEnd: t.nameEnd, start: i, end: end})
	}
	switch {
	case !empty:
		w.open = append(w.open, t)
	case len(w.open) > 0:
		w.binds = w.binds[:t.binds]
	}
	return end
}

// openTop keeps the start tag of the top-level element.
func (w *work) openTop(buf []byte, t *tag) {
	t.attrs = len(w.attrs)
	w.top = *t
	if t.local != t.name {
		w.odd = true
	}
	for i := range w.binds {
		if p := w.binds[i].prefix; p.off != p.end {
			w.odd = true
		}
	}
}

// attributes reads the attributes of a start tag from behind its name on, and
// its end. It returns the offset behind the '>', and whether it was "/>".
func (w *work) attributes(buf []byte, i int) (end int, empty bool) {
	for i < len(buf) {
		c := buf[i]
		if c == '>' {
			return i + 1, false
		}
		if c == '/' {
			if i+1 >= len(buf) {
				return needMore, false
			}
			if buf[i+1] != '>' {
				return w.malformed(i, "'/' inside of a tag"), false
			}
			return i + 2, true
		}
		if !isSpace(c) {
			return w.malformed(i, "no space before an attribute"), false
		}
		for i++; i < len(buf) && isSpace(buf[i]); i++ {
		}
		if i >= len(buf) {
			break
		}
		if c = buf[i]; c == '>' || c == '/' {
			continue
		}
		if i = w.attribute(buf, i); i < 0 {
			return i, false
		}
	}
	return needMore, false
}

// attribute reads one attribute and returns the offset behind its second quote.
func (w *work) attribute(buf []byte, i int) int {
	a := attr{name: i}
	if a.nameEnd, a.local = w.qname(buf, i); a.nameEnd < 0 {
		return a.nameEnd
	}
	if n := len(w.attrs) - w.top.attrs; w.limits.Attrs > 0 && n >= w.limits.Attrs {
		return w.over(i, "more than", w.limits.Attrs, "attributes of one element")
	}
	i = a.nameEnd
	if buf[i] != '=' {
		if i = skipSpace(buf, i); i < len(buf) && buf[i] != '=' {
			return w.malformed(i, "attribute without a value")
		}
	}
	if i++; i < len(buf) && isSpace(buf[i]) {
		i = skipSpace(buf, i)
	}
	if i >= len(buf) {
		return needMore
	}
	quote := buf[i]
	if quote != '"' && quote != '\'' {
		return w.malformed(i, "attribute value without quotes")
	}
	a.decl = a.nameEnd-a.name >= 5 && string(buf[a.name:a.name+5]) == "xmlns" && (a.local == a.name+6 || a.nameEnd == a.name+5)
	end, plain := w.value(buf, i+1, quote)
	if end < 0 {
		return end
	}
	a.value = ref{i + 1, end, inBuf}
	if !plain && (a.decl || len(w.open) == 0) {
		from := len(w.scratch)
		w.scratch = appendValue(w.scratch, buf[i+1:end])
		a.value = ref{from, len(w.scratch), inScratch}
	}
	if a.decl {
		if r := w.declare(buf, &a); r < 0 {
			return r
		}
	}
	w.attrs = append(w.attrs, a)
	return end + 1
}

func skipSpace(buf []byte, i int) int {
	for i < len(buf) && isSpace(buf[i]) {
		i++
	}
	return i
}

// value checks the attribute value that begins at i and returns the offset of
// its second quote. plain says that it means what stands there.
func (w *work) value(buf []byte, i int, quote byte) (end int, plain bool) {
	quotes := ones * uint64(quote)
	plain = true
	for {
		for i+8 <= len(buf) {
			if m := valueStop(load8(buf, i), quotes); m != 0 {
				i += firstMark(m)
				break
			}
			i += 8
		}
		for i < len(buf) && class[buf[i]]&classValue != 0 {
			i++
		}
		if i >= len(buf) {
			return needMore, false
		}
		switch c := buf[i]; {
		case c == quote:
			return i, plain
		case c == '"', c == '\'':
			i++
		case c >= 0x80:
			i = w.runes(buf, i)
		case c == '&':
			plain = false
			i = w.reference(buf, i)
		case c == '\t', c == '\n', c == '\r':
			plain = false
			w.odd = true
			i++
		case c == '<':
			return w.malformed(i, "'<' in an attribute value"), false
		default:
			return w.malformed(i, "character that XML does not allow"), false
		}
		if i < 0 {
			return i, false
		}
	}
}

// qname reads the qualified name at i. It returns the offset behind it, where
// one more byte is, and that of its local part (i if there is no prefix).
func (w *work) qname(buf []byte, i int) (end, local int) {
	if class[buf[i]]&classFirst == 0 {
		return w.oddName(buf, i)
	}
	j := i + 1
	for j < len(buf) && class[buf[j]]&className != 0 {
		j++
	}
	if j >= len(buf) && j-i <= MaxName {
		return needMore, 0
	}
	if j-i > MaxName || buf[j] == ':' || buf[j] >= 0x80 {
		return w.oddName(buf, i)
	}
	return j, i
}

// resolve finds the namespaces of a tag's names and checks that no attribute
// stands twice. It returns 0 or failed.
func (w *work) resolve(buf []byte, t *tag) int {
	if t.nameEnd-t.local == len("xmlns") && string(buf[t.local:t.nameEnd]) == "xmlns" {
		// encoding/xml takes its name for a declaration.
		return w.fail(t.name, condPolicyViolation, "element named xmlns")
	}
	if t.local != t.name {
		space, inHeader, ok := w.lookup(buf, prefixOf(buf, t.name, t.local))
		if !ok {
			return w.unbound(t.name)
		}
		w.odd = w.odd || inHeader
		t.space = space
	} else if len(w.open) < 2 {
		t.space, _, _ = w.lookup(buf, nil)
	}
	attrs := w.attrs[w.top.attrs:]
	if len(attrs) == 0 {
		return 0
	}
	prefixed := 0
	for i := range attrs {
		a := &attrs[i]
		if a.local == a.name || a.decl {
			continue
		}
		prefixed++
		space, inHeader, ok := w.lookup(buf, a.prefix(buf))
		if !ok {
			return w.unbound(a.name)
		}
		w.odd = w.odd || inHeader
		a.space = space
	}
	return w.unique(buf, attrs, prefixed)
}

// unbound notes a prefix that nothing declares. RFC 6120 §4.9.3.13 has this
// very mistake as its example.
func (w *work) unbound(off int) int {
	return w.malformed(off, "prefix that is not declared")
}

// fewAttrs is the number of attributes up to which each is compared with each.
const fewAttrs = 12

// unique checks that no attribute stands twice, by its name as it is written or
// by namespace and local name. It returns 0 or failed.
func (w *work) unique(buf []byte, attrs []attr, prefixed int) int {
	if len(attrs) > fewAttrs {
		w.sorted = append(w.sorted[:0], attrs...)
		return w.uniqueSorted(buf, w.sorted)
	}
	for i := 1; i < len(attrs); i++ {
		a := &attrs[i]
		n, c := a.nameEnd-a.name, buf[a.name]
		for j := range i {
			b := &attrs[j]
			if b.nameEnd-b.name == n && buf[b.name] == c &&
				string(buf[a.name:a.nameEnd]) == string(buf[b.name:b.nameEnd]) {
				return w.twice(a)
			}
			if prefixed > 1 && w.compareExpanded(buf, a, b) == 0 {
				return w.twice(a)
			}
		}
	}
	return 0
}

func (w *work) twice(a *attr) int {
	return w.malformed(a.name, "attribute that stands twice")
}

// uniqueSorted is unique for many attributes: it sorts them.
func (w *work) uniqueSorted(buf []byte, attrs []attr) int {
	orders := [...]func(a, b attr) int{
		func(a, b attr) int {
			return bytes.Compare(buf[a.name:a.nameEnd], buf[b.name:b.nameEnd])
		},
		func(a, b attr) int { return w.compareExpanded(buf, &a, &b) },
	}
	for _, order := range orders {
		slices.SortFunc(attrs, order)
		for i := 1; i < len(attrs); i++ {
			if order(attrs[i-1], attrs[i]) == 0 {
				return w.twice(&attrs[i])
			}
		}
	}
	return 0
}

// compareExpanded orders attributes by namespace and local name. Those without a
// prefix, declarations and others are three different kinds.
func (w *work) compareExpanded(buf []byte, a, b *attr) int {
	if d := a.kind() - b.kind(); d != 0 {
		return d
	}
	if d := bytes.Compare(w.bytes(buf, a.space), w.bytes(buf, b.space)); d != 0 {
		return d
	}
	return bytes.Compare(buf[a.local:a.nameEnd], buf[b.local:b.nameEnd])
}

func (a *attr) kind() int {
	switch {
	case a.decl:
		return 2
	case a.local != a.name:
		return 1
	}
	return 0
}

// endTag reads the end tag at i and returns the offset behind it.
func (w *work) endTag(buf []byte, i int) int {
	t := &w.open[len(w.open)-1]
	name := buf[t.name:t.nameEnd]
	j := i + 2 + len(name)
	if j >= len(buf) {
		if !bytes.HasPrefix(name, buf[i+2:]) {
			return w.malformed(i, "end tag of another element")
		}
		return needMore
	}
	if string(buf[i+2:j]) != string(name) {
		return w.malformed(i, "end tag of another element")
	}
	if buf[j] != '>' {
		if j = skipSpace(buf, j); j >= len(buf) {
			return needMore
		}
		if buf[j] != '>' {
			return w.malformed(i, "end tag of another element")
		}
	}
	w.binds = w.binds[:t.binds]
	w.open = w.open[:len(w.open)-1]
	if len(w.open) == 1 {
		w.kids[len(w.kids)-1].end = j + 1
	}
	return j + 1
}
