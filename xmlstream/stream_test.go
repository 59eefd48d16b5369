package xmlstream

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// TestRestart goes through a login: the stream begins anew on the same scanner,
// inside of one read and with other limits (RFC 6120 §4.3.3).
func TestRestart(t *testing.T) {
	var s Scanner
	s.Reset(Limits{Bytes: 256})
	wire := []byte(streamHeader + "<auth mechanism='PLAIN'>AGE=</auth>" + streamHeader + "<message><body>" + strings.Repeat("x", 300) + "</body></message></stream:stream>")
	var got []string
	for {
		tok, n, err := s.Next(wire)
		if err != nil {
			t.Fatal(err)
		}
		if tok.Kind == More {
			break
		}
		got = append(got, string(tok.Local))
		auth := string(tok.Local) == "auth"
		if m, _ := tok.Attr("mechanism"); auth && (string(m) != "PLAIN" || string(tok.CharData()) != "AGE=" || !tok.Text) {
			t.Errorf("%s %q", m, tok.CharData())
		}
		if wire = wire[n:]; auth {
			s.Reset(Limits{Bytes: 1000})
			if s.ContentNamespace() != "" {
				t.Error("Reset keeps the old header")
			}
		}
	}
	if want := "stream auth stream message "; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(wire) != 0 {
		t.Errorf("%q is left", wire)
	}
}

// TestErrorOffset checks that an error tells where it is.
func TestErrorOffset(t *testing.T) {
	for _, c := range []struct{ good, bad string }{
		{"<a>", "&lol;</a>"},
		{"<a>text ", "\x01</a>"},
		{"<a b='1'", "c='2'/>"},
		{"<a ", "x:b=''/>"},
		{"<a b='", "<'/>"},
		{"<a><b>", "</a>"},
		{"<a>ж", "\xff</a>"},
		{"<a>", "<!-- -->"},
		{"<a b='' ", "b=''/>"},
		{"", "<x:a/>"},
	} {
		var s Scanner
		if _, _, err := s.Next([]byte(streamHeader)); err != nil {
			t.Fatal(err)
		}
		_, n, err := s.Next([]byte(c.good + c.bad))
		var e *Error
		if !errors.As(err, &e) || n != 0 {
			t.Fatalf("%q: %d, %v", c.good+c.bad, n, err)
		}
		if want := len(c.good); e.Offset != want && !(c.bad == "<x:a/>" && e.Offset == 1) {
			t.Errorf("%q: %v at %d, want %d", c.good+c.bad, err, e.Offset, want)
		}
		if got := err.Error(); got != e.Condition+": "+e.Text {
			t.Error(got)
		}
	}
}

// TestManyScanners has scanners that share the pool, each in the middle of an
// element while others go on, from several goroutines.
func TestManyScanners(t *testing.T) {
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			scanners := make([]Scanner, 16)
			for i := range scanners {
				if _, _, err := scanners[i].Next([]byte(streamHeader)); err != nil {
					t.Error(err)
				}
			}
			doc := func(i int) string {
				return fmt.Sprintf("<message id='%d&amp;%d'><x xmlns='urn:%d'/><body>%d</body></message>", g, i, i, i)
			}
			for end := 1; end <= len(doc(0)); end++ {
				for i := range 10 {
					wire := []byte(doc(i))
					tok, n, err := scanners[i].Next(wire[:end])
					if err != nil || (tok.Kind == Element) != (end == len(wire)) {
						t.Error(i, end, tok.Kind, err)
						return
					}
					if tok.Kind != Element {
						continue
					}
					id, _ := tok.Attr("id")
					if n != len(wire) || string(id) != fmt.Sprintf("%d&%d", g, i) || string(tok.Children[0].Space) != fmt.Sprintf("urn:%d", i) {
						t.Errorf("%d: %s", i, describe(&tok))
					}
				}
			}
		})
	}
	wg.Wait()
}

// TestReleased checks that memory given back points nowhere: the pool must not
// keep the buffers of connections alive.
func TestReleased(t *testing.T) {
	var s Scanner
	if _, _, err := s.Next([]byte(streamHeader)); err != nil {
		t.Fatal(err)
	}
	tok, _, err := s.Next([]byte("<a b='c'><d/></a>"))
	if err != nil || tok.Kind != Element {
		t.Fatal(tok.Kind, err)
	}
	w := s.work
	s.Release()
	for _, a := range w.attrOut[:cap(w.attrOut)] {
		if a.Local != nil || a.Value != nil {
			t.Errorf("attribute %s is kept", a.Local)
		}
	}
	for _, c := range w.childOut[:cap(w.childOut)] {
		if c.Local != nil || c.Space != nil {
			t.Errorf("child %s is kept", c.Local)
		}
	}
	if w.scope != nil || w.err != nil {
		t.Error("scope or error is kept")
	}
}

// TestEndOfStream checks what may follow the closing tag.
func TestEndOfStream(t *testing.T) {
	var s Scanner
	wire := []byte(streamHeader + "</stream:stream> \n")
	var kinds []Kind
	for len(wire) > 0 {
		tok, n, err := s.Next(wire)
		if err != nil || n == 0 {
			t.Fatal(tok.Kind, n, err)
		}
		kinds = append(kinds, tok.Kind)
		wire = wire[n:]
	}
	if want := fmt.Sprint([]Kind{Header, Close, Space}); fmt.Sprint(kinds) != want {
		t.Errorf("%v, want %v", kinds, want)
	}
	if tok, _, err := s.Next([]byte("<a/>")); condition(err) != "bad-format" {
		t.Error(tok.Kind, err)
	}
	s.Reset(Limits{})
	if tok, _, err := s.Next([]byte(streamHeader)); tok.Kind != Header || err != nil {
		t.Error("Reset doesn't forget the end:", tok.Kind, err)
	}
}
