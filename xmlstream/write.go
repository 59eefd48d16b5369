package xmlstream

import "strconv"

// maxGrowth bounds what rewriting may make of an element: escaping a character
// takes up to six bytes, and a namespace may be named once and used often.
func maxGrowth(tok *Token) int { return 8*len(tok.Raw) + 8<<10 }

// AppendCanonical appends the element that says the same as tok in a form that
// is canonical: no element has a prefix, each declares its namespace where that
// differs from the one around it (the top-level element always), an attribute's
// prefix is declared where it is used, character data is escaped by
// AppendEscaped and values by AppendAttr. An error is an *Error: the result
// would be many times larger than the element.
func AppendCanonical(dst []byte, tok *Token) ([]byte, error) {
	return rewrite(dst, tok, true)
}

// AppendInner appends what stands between the tags of tok, in a form that is
// canonical where tok.Space is the default namespace. For a canonical token
// these are its very bytes (Content). An error is an *Error: the result would
// be many times larger than the element.
func AppendInner(dst []byte, tok *Token) ([]byte, error) {
	if tok.Canonical {
		return append(dst, tok.Content()...), nil
	}
	return rewrite(dst, tok, false)
}

// writer writes an element again.
type writer struct {
	dst      []byte
	walker   Walker
	open     []written
	prefixes []declared
	pending  bool // the '>' of a start tag is still to come
}

// written is an element whose end tag is still to come.
type written struct{ space, local []byte }

// declared is a prefix, by number, that an element at depth declares.
type declared struct {
	space []byte
	depth int
}

func rewrite(dst []byte, tok *Token, whole bool) ([]byte, error) {
	w := writer{dst: dst, walker: tok.Walk()}
	outer := 0
	if !whole {
		w.walker.Next()
		w.open = append(w.open, written{space: w.walker.Space()})
		outer = 1
	}
	limit := len(dst) + maxGrowth(tok)
	for {
		ev := w.walker.Next()
		if ev == Done || ev == End && w.walker.Depth() < outer {
			return w.dst, nil
		}
		switch ev {
		case Start:
			w.close()
			w.startTag()
		case End:
			w.endTag()
		case Chars:
			if text := w.walker.Text(); len(text) > 0 {
				w.close()
				w.dst = AppendEscaped(w.dst, text)
			}
		}
		if len(w.dst) > limit {
			return dst, &Error{
				Condition: condPolicyViolation,
				Text:      "stanza larger than " + strconv.Itoa(limit-len(dst)) + " bytes with its namespaces declared",
			}
		}
	}
}

// close ends a start tag that something follows.
func (w *writer) close() {
	if w.pending {
		w.dst = append(w.dst, '>')
		w.pending = false
	}
}

// startTag writes the start tag at hand but for its end.
func (w *writer) startTag() {
	space, local := w.walker.Space(), w.walker.Local()
	w.dst = append(append(w.dst, '<'), local...)
	if n := len(w.open); n == 0 || string(w.open[n-1].space) != string(space) {
		w.dst = AppendAttr(append(w.dst, " xmlns='"...), space)
		w.dst = append(w.dst, '\'')
	}
	w.open = append(w.open, written{space, local})
	for a := range w.walker.Attrs {
		w.attr(&a)
	}
	w.pending = true
}

// attr writes one attribute, and the declaration of its prefix if need be.
func (w *writer) attr(a *Attr) {
	switch {
	case len(a.Space) == 0:
		w.dst = append(w.dst, ' ')
	case string(a.Space) == nsXML:
		w.dst = append(w.dst, " xml:"...)
	default:
		n := 0
		for n < len(w.prefixes) && string(w.prefixes[n].space) != string(a.Space) {
			n++
		}
		if n == len(w.prefixes) {
			w.prefixes = append(w.prefixes, declared{a.Space, len(w.open)})
			w.dst = strconv.AppendInt(append(w.dst, " xmlns:n"...), int64(n), 10)
			w.dst = AppendAttr(append(w.dst, "='"...), a.Space)
			w.dst = append(w.dst, '\'')
		}
		w.dst = strconv.AppendInt(append(w.dst, " n"...), int64(n), 10)
		w.dst = append(w.dst, ':')
	}
	w.dst = append(w.dst, a.Local...)
	w.dst = AppendAttr(append(w.dst, "='"...), a.Value)
	w.dst = append(w.dst, '\'')
}

// endTag ends the element that was begun last.
func (w *writer) endTag() {
	n := len(w.open) - 1
	if w.pending {
		w.dst = append(w.dst, "/>"...)
		w.pending = false
	} else {
		w.dst = append(append(w.dst, "</"...), w.open[n].local...)
		w.dst = append(w.dst, '>')
	}
	w.open = w.open[:n]
	for k := len(w.prefixes); k > 0 && w.prefixes[k-1].depth > n; k-- {
		w.prefixes = w.prefixes[:k-1]
	}
}
