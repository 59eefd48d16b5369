package xmlstream

// Hard bounds that no Limits can lift: what lies beyond is no honest XMPP, and
// some of the scanner's work grows with them.
const (
	MaxDepth     = 256 // nesting of elements, the top-level element included
	MaxPrefixes  = 64  // prefixes declared in scope, with all that the stream header declares
	MaxName      = 256 // bytes of an element's or attribute's name, or of a prefix
	MaxNamespace = 256 // bytes of a namespace name
	MaxBytes     = 1 << 30
)

// Limits bound one top-level element. Zero means no limit, except where the
// hard bounds of this package apply (MaxDepth, MaxPrefixes, MaxName and so on).
// The stream header counts as an element, together with the XML declaration.
type Limits struct {
	Bytes    int // size of the element on the wire
	Elements int // elements in it, itself included
	Depth    int // nesting, itself included
	Attrs    int // attributes of one element, namespace declarations included
}

// Kind says what Next found.
type Kind uint8

// What Next can find.
const (
	More    Kind = iota // nothing complete yet: call again with more bytes
	Space               // whitespace between elements (keep-alive), consumed
	Header              // XML declaration and opening tag of the stream
	Element             // one complete child of the stream
	Close               // the closing tag of the stream
)

// Name is a namespace and a local name.
type Name struct{ Space, Local string }

// Attr is one attribute. Value has its references resolved and its whitespace
// normalized as XML 1.0 demands: a tab or line end that stood there literally is
// a space.
type Attr struct {
	Space []byte // namespace, nil for an attribute without prefix
	Local []byte
	Value []byte
}

// Child is a direct child of an element.
type Child struct {
	Space, Local []byte
	Start, End   int // its bytes are Raw[Start:End]
}

// Token is what Next found. All its slices lie in the buffer given to Next or
// in the scanner's scratch space; they are valid until the next call of Next or
// Release and must not be written to.
type Token struct {
	Kind     Kind
	Space    []byte // namespace of the element, empty for none
	Local    []byte // its local name
	Prefix   []byte // its prefix as it was written, empty for none (RFC 6120 §4.8.5)
	Attrs    []Attr // attributes without namespace declarations
	Raw      []byte // the element's very bytes (Header: the opening tag)
	Inner    int    // Raw[Inner:] is what follows the start tag's '>' ("/>": Inner==len(Raw))
	Children []Child
	// Canonical reports that Raw[Inner:], put behind another start tag with the
	// same local name, no prefix, and Space as its default namespace, means to
	// every parser what the element meant here. It holds exactly if
	//
	//   - the element's own name has no prefix, and its start tag declares no
	//     prefix (it may declare the default namespace: that is Space);
	//   - no name inside uses a prefix that only the stream header binds
	//     (prefix xml is always bound, and fine);
	//   - there is no CDATA section;
	//   - numeric references stand only for tab, line feed, carriage return
	//     and the two quotes, and have at most six characters;
	//   - no carriage return stands anywhere, and no tab or line feed in an
	//     attribute value, since parsers differ in how they normalize them.
	//
	// It follows that each child, taken alone, is complete but for the default
	// namespace. An element that isn't canonical is not wrong: AppendInner and
	// AppendCanonical say it again in a form that is.
	Canonical bool
	Text      bool // there is character data other than whitespace directly inside the element

	scope *scope // what the stream header binds, for Walk and the writer
}

// Attr returns the value of the attribute without namespace that is called
// local, or nil and false.
func (t *Token) Attr(local string) ([]byte, bool) { return t.AttrNS("", local) }

// AttrNS returns the value of an attribute by namespace and local name.
func (t *Token) AttrNS(space, local string) ([]byte, bool) {
	for i := range t.Attrs {
		if a := &t.Attrs[i]; string(a.Local) == local && string(a.Space) == space {
			return a.Value, true
		}
	}
	return nil, false
}

// Is reports whether the element has that namespace and local name.
func (t *Token) Is(space, local string) bool {
	return string(t.Local) == local && string(t.Space) == space
}
