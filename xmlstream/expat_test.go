//go:build expat

package xmlstream

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// This file asks libexpat, through python3 and nothing but its standard library,
// what it thinks of what we accept. It runs with
//
//	go test -tags expat ./xmlstream
//
// and fails where python3 or its pyexpat is missing: who asks for an oracle
// wants its answer.

// expatProgram answers each line, a JSON string with a document, by a line of
// JSON: the events inside of the root element, or a string with the error.
const expatProgram = `
import json, sys, pyexpat
for line in sys.stdin:
    doc = json.loads(line)
    events, depth = [], 0
    p = pyexpat.ParserCreate('UTF-8', ' ')
    p.ordered_attributes = True
    p.buffer_text = False
    def start(name, attrs):
        global depth
        depth += 1
        if depth > 1: events.append([name, *attrs])
    def end(name):
        global depth
        depth -= 1
        if depth > 0: events.append([])
    def chars(data):
        if depth > 1: events.append(data)
    def refuse(*args): raise ValueError('not for us')
    p.StartElementHandler, p.EndElementHandler, p.CharacterDataHandler = start, end, chars
    p.CommentHandler = p.ProcessingInstructionHandler = p.StartDoctypeDeclHandler = refuse
    try:
        p.Parse(doc.encode('utf-8', 'surrogateescape'), True)
        out = events
    except (pyexpat.ExpatError, ValueError) as e:
        out = str(e)
    print(json.dumps(out), flush=True)
`

// expat is a running oracle.
type expat struct {
	in  io.Writer
	out *bufio.Scanner
}

func startExpat(t testing.TB) *expat {
	cmd := exec.Command("python3", "-c", expatProgram)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal("the expat oracle needs python3: ", err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("expat oracle: %v\n%s", err, complaints.String())
		}
	})
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	e := &expat{in: in, out: lines}
	if got, err := e.tree("<r><a b='c'>d</a></r>"); err != nil || got != `<"" "a" ["\"\" \"b\"=\"c\""]>"d"</>` {
		t.Fatalf("the expat oracle doesn't work: %s, %v\n%s", got, err, complaints.String())
	}
	return e
}

// tree returns the tree that expat finds in the first child of doc's root.
func (e *expat) tree(doc string) (string, error) {
	line, err := json.Marshal(doc)
	if err != nil {
		return "", err
	}
	if _, err := e.in.Write(append(line, '\n')); err != nil {
		return "", err
	}
	if !e.out.Scan() {
		return "", fmt.Errorf("no answer: %w", e.out.Err())
	}
	var refusal string
	if json.Unmarshal(e.out.Bytes(), &refusal) == nil {
		return "", fmt.Errorf("expat: %s", refusal)
	}
	var events []json.RawMessage
	if err := json.Unmarshal(e.out.Bytes(), &events); err != nil {
		return "", err
	}
	var t tree
	for _, event := range events {
		var text string
		if json.Unmarshal(event, &text) == nil {
			t.text.WriteString(text)
			continue
		}
		var tag []string
		if err := json.Unmarshal(event, &tag); err != nil {
			return "", err
		}
		if len(tag) == 0 {
			t.end()
			continue
		}
		var attrs []string
		for i := 1; i+1 < len(tag); i += 2 {
			space, local := expatName(tag[i])
			attrs = append(attrs, attrString(space, local, tag[i+1], false))
		}
		space, local := expatName(tag[0])
		t.start(space, local, attrs)
	}
	t.flush()
	return t.String(), nil
}

// expatName takes namespace and local name apart.
func expatName(name string) (space, local string) {
	if i := strings.LastIndexByte(name, ' '); i >= 0 {
		return name[:i], name[i+1:]
	}
	return "", name
}

// check asks about every element of a stream, as it came and rewritten.
func (e *expat) check(t *testing.T, wire string) (elements int) {
	t.Helper()
	var s Scanner
	var header string
	for buf := []byte(wire); ; {
		tok, n, err := s.Next(buf)
		if err != nil || tok.Kind == More || tok.Kind == Close {
			return elements
		}
		switch tok.Kind {
		case Header:
			if header = string(tok.Raw); strings.HasSuffix(header, "/>") {
				return elements
			}
		case Element:
			elements++
			want := walked(tok.Walk(), false)
			got, err := e.tree(header + string(tok.Raw) + "</" + s.scope.root + ">")
			if err != nil || got != want {
				t.Fatalf("%q under %q\nexpat: %s, %v\nours:  %s", tok.Raw, header, got, err, want)
			}
			again, err := AppendCanonical(nil, &tok)
			if err != nil {
				break
			}
			if got, err = e.tree("<r xmlns='x'>" + string(again) + "</r>"); err != nil || got != want {
				t.Fatalf("%q rewritten as %q\nexpat: %s, %v\nours:  %s", tok.Raw, again, got, err, want)
			}
		}
		buf = buf[n:]
	}
}

func TestExpat(t *testing.T) {
	e := startExpat(t)
	elements := 0
	for _, c := range corpus {
		elements += e.check(t, streamHeader+c.xml)
	}
	for _, doc := range attacks(t) {
		elements += e.check(t, doc)
	}
	for seed := range uint64(2000) {
		elements += e.check(t, generate(seed))
	}
	if elements < 1000 {
		t.Errorf("only %d elements were compared", elements)
	}
	t.Logf("%d elements compared", elements)
}

// FuzzExpat is FuzzScanner with the other oracle.
func FuzzExpat(f *testing.F) {
	for _, doc := range attacks(f) {
		f.Add(doc)
	}
	for seed := range uint64(50) {
		f.Add(generate(seed))
	}
	e := startExpat(f)
	f.Fuzz(func(t *testing.T, wire string) { e.check(t, wire) })
}
