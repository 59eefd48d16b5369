package xmlstream

import "bytes"

// Space returns the namespace of the element whose Start is at hand, empty for
// none.
func (w *Walker) Space() []byte { return w.space }

// Local returns its local name.
func (w *Walker) Local() []byte { return w.raw[w.local:w.nameEnd] }

// Is reports whether it has that namespace and local name.
func (w *Walker) Is(space, local string) bool {
	return string(w.Local()) == local && string(w.space) == space
}

// Depth returns how many elements are open: 1 at the Start of a first one, 0 at
// its End.
func (w *Walker) Depth() int { return w.depth }

// Span returns where the event at hand is in the bytes that are walked.
func (w *Walker) Span() (begin, end int) { return w.begin, w.pos }

// Attr returns the value of the attribute without namespace that is called
// local, of the element whose Start is at hand, or nil and false.
func (w *Walker) Attr(local string) ([]byte, bool) { return w.AttrNS("", local) }

// AttrNS returns the value of an attribute by namespace and local name.
func (w *Walker) AttrNS(space, local string) ([]byte, bool) {
	i := w.nameEnd
	for w.event == Start {
		a, ok := w.attrAt(&i)
		if !ok {
			break
		}
		if !a.decl && string(w.raw[a.local:a.nameEnd]) == local && string(w.attrSpace(&a)) == space {
			return w.value(&a), true
		}
	}
	return nil, false
}

// Attrs calls yield for each attribute of the element whose Start is at hand,
// but not for namespace declarations, until yield returns false.
func (w *Walker) Attrs(yield func(Attr) bool) {
	i := w.nameEnd
	for w.event == Start {
		a, ok := w.attrAt(&i)
		if !ok {
			return
		}
		if !a.decl && !yield(Attr{Space: w.attrSpace(&a), Local: w.raw[a.local:a.nameEnd], Value: w.value(&a)}) {
			return
		}
	}
}

// attrSpace returns the namespace of an attribute: an unprefixed one has none.
func (w *Walker) attrSpace(a *attr) []byte {
	if a.local == a.name {
		return nil
	}
	return w.lookup(a.prefix(w.raw))
}

// Text returns the meaning of the character data at hand.
func (w *Walker) Text() []byte {
	raw := w.chars()
	if bytes.IndexByte(raw, '\r') >= 0 || !w.cdata && bytes.IndexByte(raw, '&') >= 0 {
		return w.AppendText(nil)
	}
	return raw
}

// AppendText appends the meaning of the character data at hand.
func (w *Walker) AppendText(dst []byte) []byte {
	return appendText(dst, w.chars(), !w.cdata)
}

// chars returns the bytes of the character data at hand.
func (w *Walker) chars() []byte {
	switch {
	case w.event != Chars:
		return nil
	case w.cdata:
		return w.raw[w.begin+len("<![CDATA[") : w.pos-len("]]>")]
	}
	return w.raw[w.begin:w.pos:w.pos]
}

// Skip goes on to the End of the element whose Start is at hand.
func (w *Walker) Skip() {
	for outside := w.depth - 1; w.depth > outside && w.Next() != Done; {
	}
}

// ElementText goes on to the End of the element whose Start is at hand and
// returns the character data directly inside of it, without that of its children.
func (w *Walker) ElementText() []byte {
	var text []byte
	inside := w.depth
	for pieces := 0; w.Next() != Done && w.depth >= inside; {
		if w.event != Chars || w.depth > inside {
			continue
		}
		if pieces++; pieces == 1 {
			text = w.Text()
			text = text[:len(text):len(text)]
		} else {
			text = w.AppendText(text)
		}
	}
	return text
}

// Child goes on to the Start of the next child with that name of the element
// that the walker is in, over its siblings; before the first event that is an
// element at the top. It returns false, and has come to the end of the element
// around, if there is none:
//
//	w := tok.Walk()
//	if w.Child(nsClient, "iq") && w.Child(nsBind, "bind") && w.Child(nsBind, "resource") {
//		resource = w.ElementText()
//	}
func (w *Walker) Child(space, local string) bool {
	inside := w.depth
	for w.Next() != Done && w.depth >= inside {
		if w.event != Start {
			continue
		}
		if w.Is(space, local) {
			return true
		}
		w.Skip()
	}
	return false
}

// Text returns the character data directly inside of an element that a Scanner
// has accepted, given with its tags.
func Text(element []byte) []byte {
	w := Walk(element, "")
	if w.Next() != Start {
		return nil
	}
	return w.ElementText()
}

// CharData returns the character data directly inside of the element.
func (t *Token) CharData() []byte { return Text(t.Raw) }

// Content returns the bytes between start tag and end tag, nil for "<a/>".
func (t *Token) Content() []byte {
	if t.Inner >= len(t.Raw) {
		return nil
	}
	end := bytes.LastIndexByte(t.Raw, '<') // an end tag has no other
	return t.Raw[t.Inner:end:end]
}
