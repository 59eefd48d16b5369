package stanza

import "weir/xmlstream"

// WithChild returns a variant with one more child, given as well-formed XML
// that declares every namespace it uses (a delay stamp, say). What is not
// well-formed is not added, so that no handler can break the receiver's stream.
func (s *Stanza) WithChild(xml []byte) *Stanza {
	old := s.content()
	inner := make([]byte, 0, len(old.inner)+len(old.tail)+len(xml))
	inner = append(append(append(inner, old.inner...), old.tail...), xml...)
	v, err := s.withInner(inner)
	if err != nil {
		return s
	}
	return v
}

// Without returns a variant without the children (ns, local) for which drop
// says so; s itself if there is none.
func (s *Stanza) Without(drop func(ns, local string) bool) *Stanza {
	old := s.content()
	all := old.inner + old.tail // copied only where there is a tail
	var inner []byte
	from, dropped := 0, false
	for i := range old.kids {
		k := &old.kids[i]
		if drop(k.space, k.local) {
			inner = append(inner, all[from:k.start]...)
			from, dropped = int(k.end), true
		}
	}
	if !dropped {
		return s
	}
	v, err := s.withInner(append(inner, all[from:]...))
	if err != nil { // never: parts of what is well-formed are
		return s
	}
	return v
}

// withInner returns a variant with other inner bytes, which are checked here.
func (s *Stanza) withInner(inner []byte) (*Stanza, error) {
	w := &whole{Stanza: *s}
	w.c = &w.content
	if len(inner) > 0 {
		var sc xmlstream.Scanner
		defer sc.Release()
		tok, err := scan(&sc, wrap(s.Kind, inner))
		if err != nil {
			return nil, err
		}
		var keep [kept][]byte
		if _, err = w.fill(s.Kind, &tok, &keep); err != nil {
			return nil, err
		}
	}
	w.other = s.content().other
	return &w.Stanza, nil
}
