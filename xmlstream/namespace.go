package xmlstream

import "bytes"

// Namespaces that are bound by definition (Namespaces in XML 1.0, section 3),
// and those of an ordinary client stream.
const (
	nsXML    = "http://www.w3.org/XML/1998/namespace"
	nsXMLNS  = "http://www.w3.org/2000/xmlns/"
	nsStream = "http://etherx.jabber.org/streams"
	nsClient = "jabber:client"
)

// ref is a piece of text that is remembered by its place.
type ref struct {
	off, end int
	in       place
}

// place says what the offsets of a ref count in.
type place uint8

const (
	inBuf     place = iota // the buffer given to Next
	inScratch              // work.scratch
	inScope                // scope.text
	inXML                  // nsXML, whole
)

// xmlSpace is nsXML as bytes; it is never written.
var xmlSpace = []byte(nsXML)

// bytes returns the text of r; nil for the zero ref.
func (w *work) bytes(buf []byte, r ref) []byte {
	if r.off == r.end && r.in != inXML {
		return nil
	}
	switch r.in {
	case inScratch:
		return w.scratch[r.off:r.end:r.end]
	case inScope:
		return w.scope.text[r.off:r.end:r.end]
	case inXML:
		return xmlSpace
	}
	return buf[r.off:r.end:r.end]
}

// binding is a namespace declaration in scope. The default namespace has an
// empty prefix; an empty space undoes a default namespace.
type binding struct{ prefix, space ref }

// scope is what a stream header declared. It is never written once made, so
// that streams can share one.
type scope struct {
	text  []byte    // backs the refs, all of them inScope
	binds []binding // at most MaxPrefixes
	root  string    // name of the header as it was written, for the closing tag
	space string    // default namespace
}

// usual is the scope of nearly every client stream: it costs them no memory.
var usual = &scope{
	text: []byte("stream" + nsStream + nsClient),
	binds: []binding{
		{space: ref{len("stream" + nsStream), len("stream" + nsStream + nsClient), inScope}},
		{prefix: ref{0, len("stream"), inScope}, space: ref{len("stream"), len("stream" + nsStream), inScope}},
	},
	root:  "stream:stream",
	space: nsClient,
}

// prefix and uri return the parts of a binding of sc.
func (sc *scope) prefix(b *binding) []byte { return sc.text[b.prefix.off:b.prefix.end] }
func (sc *scope) uri(b *binding) []byte    { return sc.text[b.space.off:b.space.end] }

// lookup returns the namespace bound to prefix, also whether it is bound.
func (sc *scope) lookup(prefix []byte) (ref, bool) {
	for i := range sc.binds {
		if b := &sc.binds[i]; string(sc.prefix(b)) == string(prefix) {
			return b.space, true
		}
	}
	return ref{}, false
}

// makeScope keeps what the header in w declared.
func makeScope(w *work, buf []byte) *scope {
	sc := &scope{root: string(buf[w.top.name:w.top.nameEnd])}
	if sc.root == usual.root && w.declaresUsual(buf) {
		return usual
	}
	add := func(b []byte) ref {
		sc.text = append(sc.text, b...)
		return ref{len(sc.text) - len(b), len(sc.text), inScope}
	}
	for i := range w.binds {
		prefix, space := w.bytes(buf, w.binds[i].prefix), w.bytes(buf, w.binds[i].space)
		if len(prefix) == 0 {
			sc.space = string(space)
		}
		sc.binds = append(sc.binds, binding{prefix: add(prefix), space: add(space)})
	}
	sc.text = bytes.Clone(sc.text)
	return sc
}

// declaresUsual reports whether the header in w declares what usual has and no
// more. (A default and a stream prefix are two different declarations, since no
// declaration may stand twice.)
func (w *work) declaresUsual(buf []byte) bool {
	for i := range w.binds {
		prefix, space := w.bytes(buf, w.binds[i].prefix), w.bytes(buf, w.binds[i].space)
		if !(len(prefix) == 0 && string(space) == nsClient) &&
			!(string(prefix) == "stream" && string(space) == nsStream) {
			return false
		}
	}
	return len(w.binds) == len(usual.binds)
}

// lookup returns the namespace that prefix is bound to here; an empty prefix
// asks for the default namespace, which is always bound, to nothing at least.
// inHeader says that only the stream header binds it.
func (w *work) lookup(buf []byte, prefix []byte) (space ref, inHeader, ok bool) {
	for i := len(w.binds) - 1; i >= 0; i-- {
		b := &w.binds[i]
		if b.prefix.end-b.prefix.off == len(prefix) && string(w.bytes(buf, b.prefix)) == string(prefix) {
			return b.space, false, true
		}
	}
	if w.scope != nil {
		if space, ok = w.scope.lookup(prefix); ok {
			return space, true, true
		}
	}
	if string(prefix) == "xml" {
		return ref{in: inXML}, false, true
	}
	return ref{}, false, len(prefix) == 0
}

// declare takes a namespace declaration: a is an attribute named xmlns or with
// the prefix xmlns. It returns 0 or failed.
func (w *work) declare(buf []byte, a *attr) int {
	var prefix ref
	if a.local != a.name {
		prefix = ref{a.local, a.nameEnd, inBuf}
	}
	name, space := w.bytes(buf, prefix), w.bytes(buf, a.value)
	switch {
	case string(name) == "xmlns":
		return w.malformed(a.name, "declaration of the prefix xmlns")
	case string(name) == "xml" || string(space) == nsXML:
		if string(name) == "xml" && string(space) == nsXML {
			return 0 // allowed, and says nothing new
		}
		return w.malformed(a.name, "prefix xml and its namespace belong together")
	case string(space) == nsXMLNS:
		return w.malformed(a.name, "declaration of the namespace of declarations")
	case len(space) == 0 && len(name) > 0:
		return w.malformed(a.name, "prefix declared for no namespace")
	case len(space) > MaxNamespace:
		return w.over(a.name, "namespace name longer than", MaxNamespace, "bytes")
	case !plausibleURI(space):
		return w.fail(a.name, condPolicyViolation, "namespace name that is no URI")
	}
	if len(name) > 0 && w.prefixes() >= MaxPrefixes {
		return w.over(a.name, "more than", MaxPrefixes, "prefixes in scope")
	}
	w.binds = append(w.binds, binding{prefix: prefix, space: a.value})
	return 0
}

// prefixes returns how many prefixes are declared here. (Declarations of the
// default namespace are bounded by the depth.)
func (w *work) prefixes() int {
	n := 0
	if w.scope != nil {
		n = len(w.scope.binds)
	}
	if n+len(w.binds) < MaxPrefixes {
		return 0
	}
	for i := range w.binds {
		if p := w.binds[i].prefix; p.off != p.end {
			n++
		}
	}
	return n
}

// plausibleURI reports whether b has none of the ASCII characters that no URI
// or IRI has. Parsers glue namespace and local name together with such a
// character ('\n', ' ', '}', '|'), so that a name which has it itself could pass for
// another one (CVE-2022-25236).
func plausibleURI(b []byte) bool {
	for _, c := range b {
		if class[c]&classNoURI != 0 {
			return false
		}
	}
	return true
}
