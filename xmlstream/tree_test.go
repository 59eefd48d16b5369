package xmlstream

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// A tree is what an element means, as a string in which nothing is ambiguous:
// start tags with their sorted attributes, ends, and runs of text.
type tree struct {
	strings.Builder
	text strings.Builder
}

func (t *tree) start(space, local string, attrs []string) {
	t.flush()
	slices.Sort(attrs)
	fmt.Fprintf(t, "<%q %q %q>", space, local, attrs)
}

func (t *tree) end() { t.flush(); t.WriteString("</>") }

func (t *tree) flush() {
	if t.text.Len() > 0 {
		fmt.Fprintf(t, "%q", t.text.String())
		t.text.Reset()
	}
}

// walked returns the tree that a Walker finds. loose forgets the difference
// between a space and other whitespace in values.
func walked(w Walker, loose bool) string {
	var t tree
	for {
		switch w.Next() {
		case Done:
			t.flush()
			return t.String()
		case Start:
			var attrs []string
			for a := range w.Attrs {
				attrs = append(attrs, attrString(string(a.Space), string(a.Local), string(a.Value), loose))
			}
			t.start(string(w.Space()), string(w.Local()), attrs)
		case End:
			t.end()
		case Chars:
			t.text.Write(w.Text())
		}
	}
}

func attrString(space, local, value string, loose bool) string {
	if loose {
		value = strings.NewReplacer("\t", " ", "\n", " ").Replace(value)
	}
	return fmt.Sprintf("%q %q=%q", space, local, value)
}

// decoded returns the tree that encoding/xml finds in the first child of the
// root element of doc. It knows no normalization of values (loose).
func decoded(doc string) (string, error) {
	d := xml.NewDecoder(strings.NewReader(doc))
	var t tree
	depth := 0
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return t.String(), nil
		}
		if err != nil {
			return "", err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if depth++; depth == 1 {
				continue
			}
			var attrs []string
			for _, a := range tok.Attr {
				if a.Name.Space != "xmlns" && (a.Name.Space != "" || a.Name.Local != "xmlns") {
					attrs = append(attrs, attrString(a.Name.Space, a.Name.Local, a.Value, true))
				}
			}
			t.start(tok.Name.Space, tok.Name.Local, attrs)
		case xml.EndElement:
			if depth--; depth > 0 {
				t.end()
			}
		case xml.CharData:
			t.text.Write(tok)
		default:
			if depth > 0 {
				return "", fmt.Errorf("%T", tok)
			}
		}
	}
}

// checkWire checks everything that must hold of any bytes whatever: that they
// mean the same in all pieces, and what checkToken checks of each element.
func checkWire(t *testing.T, wire string, seed uint64) {
	t.Helper()
	// Only a '<' shows for certain that an incomplete tag can't become right.
	probe := wire + "<<"
	for _, l := range []Limits{{}, {Bytes: 300, Elements: 5, Depth: 4, Attrs: 4}} {
		want, wantErr := scan(probe, l, len(probe))
		r := rand.New(rand.NewPCG(seed, 0))
		most := 1 + r.IntN(40)
		got, err := scanWith(probe, l, func() int { return 1 + r.IntN(most) })
		if !same(got, want) || condition(err) != condition(wantErr) {
			t.Fatalf("%q\nin pieces: %q, %v\nwhole: %q, %v", wire, got, err, want, wantErr)
		}
	}
	var s Scanner
	var header string
	for buf := []byte(wire); ; {
		tok, n, err := s.Next(buf)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Condition == "" || e.Text == "" || e.Offset < 0 || e.Offset > len(buf) {
				t.Fatalf("%q: bad error %#v", wire, err)
			}
			return
		}
		switch tok.Kind {
		case More, Close:
			return
		case Header:
			if header = string(tok.Raw); strings.HasSuffix(header, "/>") {
				return
			}
		case Element:
			checkToken(t, header, "</"+s.scope.root+">", &tok)
		}
		buf = buf[n:]
	}
}

// checkToken checks that encoding/xml reads an element as we do, and that what
// we make of it still means the same.
func checkToken(t *testing.T, header, closing string, tok *Token) {
	t.Helper()
	theirs, err := decoded(header + string(tok.Raw) + closing)
	if err != nil {
		t.Fatalf("%q: accepted, but encoding/xml says: %v", tok.Raw, err)
	}
	if ours := walked(tok.Walk(), true); ours != theirs {
		t.Fatalf("%q under %q\nours:   %s\ntheirs: %s", tok.Raw, header, ours, theirs)
	}
	want := walked(tok.Walk(), false)
	again, err := AppendCanonical(nil, tok)
	if err != nil {
		return // too large, which is an answer
	}
	if got := rescan(t, tok.Raw, string(again), false); got != want {
		t.Fatalf("%q rewritten as %q\ngot:  %s\nwant: %s", tok.Raw, again, got, want)
	}
	// The inside under another start tag, as it is or rewritten.
	inner := tok.Content()
	if !tok.Canonical {
		if inner, err = AppendInner(nil, tok); err != nil {
			return
		}
	}
	stamp := "<" + string(tok.Local) + " xmlns='" + string(AppendAttr(nil, tok.Space)) + "'>"
	got := rescan(t, tok.Raw, stamp+string(inner)+"</"+string(tok.Local)+">", true)
	got, want = got[strings.Index(got, "]>"):], want[strings.Index(want, "]>"):]
	if len(tok.Attrs) == 0 && got != want {
		t.Fatalf("%q re-stamped: %q\ngot:  %s\nwant: %s", tok.Raw, inner, got, want)
	}
}

// rescan returns the tree of an element on a stream that binds nothing it could
// lean on. It has to be canonical.
func rescan(t *testing.T, raw []byte, element string, must bool) string {
	t.Helper()
	var s Scanner
	if _, _, err := s.Next([]byte("<x:y xmlns:x='z'>")); err != nil {
		t.Fatal(err)
	}
	tok, n, err := s.Next([]byte(element))
	if err != nil || tok.Kind != Element || n != len(element) {
		t.Fatalf("%q became %q: %v, %v", raw, element, tok.Kind, err)
	}
	for i := range tok.Attrs {
		must = must || len(tok.Attrs[i].Space) == 0 && len(tok.Attrs) == 1
	}
	if must && !tok.Canonical {
		t.Fatalf("%q became %q, which isn't canonical", raw, element)
	}
	return walked(tok.Walk(), false)
}
