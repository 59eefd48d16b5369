package xmlstream

import (
	"strings"
	"testing"
	"unsafe"
)

// TestLimits checks each limit at its edge, in pieces and at once.
func TestLimits(t *testing.T) {
	const hello = "<s:s xmlns='d' xmlns:s='http://etherx.jabber.org/streams'>"
	nested := func(n int) string { return strings.Repeat("<a>", n) + strings.Repeat("</a>", n) }
	var prefixes, prefixes62, attrs strings.Builder
	for i := range 63 {
		p := " xmlns:p" + string(rune('0'+i)) + "='n'"
		if i == 12 { // ':' and what follows it is no name
			p = " xmlns:x='n'"
		}
		p = strings.ReplaceAll(p, "p"+string(rune('0'+i)), "p"+string(rune('a'+i/26))+string(rune('a'+i%26)))
		prefixes.WriteString(p)
		if i < 62 {
			prefixes62.WriteString(p)
		}
		attrs.WriteString(" " + string(rune('a'+i/26)) + string(rune('a'+i%26)) + "=''")
	}
	long := strings.Repeat("n", MaxName)
	for _, c := range []struct {
		name      string
		l         Limits
		good, bad string
		want      string // what the refusal names
	}{
		{"bytes", Limits{Bytes: 64}, "<a>" + strings.Repeat("x", 57) + "</a>", "<a>" + strings.Repeat("x", 58) + "</a>", "stanza larger than 64 bytes"},
		{"bytes of an open tag", Limits{Bytes: 64}, "<a b='" + strings.Repeat("x", 55) + "'/>", "<a b='" + strings.Repeat("x", 60), "stanza larger than 64 bytes"},
		{"bytes of text", Limits{Bytes: 64}, "<a/>", "<a>" + strings.Repeat("x", 61), "stanza larger than 64 bytes"},
		{"bytes of CDATA", Limits{Bytes: 64}, "<a/>", "<a><![CDATA[" + strings.Repeat("]", 60), "stanza larger than 64 bytes"},
		{"elements", Limits{Elements: 3}, "<a><b/><c/></a>", "<a><b/><c/><d/></a>", "more elements than 3"},
		{"depth", Limits{Depth: 3}, nested(3), nested(4), "deeper than 3 levels"},
		{"hard depth", Limits{}, nested(256), nested(257), "deeper than 256 levels"},
		{"attributes", Limits{Attrs: 2}, "<a b='' xmlns='x'/>", "<a b='' c='' xmlns='x'/>", "more than 2 attributes"},
		{"attributes inside", Limits{Attrs: 2}, "<a><b b='' c=''/></a>", "<a><b b='' c='' d=''/></a>", "more than 2 attributes"},
		{"attributes of an open tag", Limits{Attrs: 20}, "<a/>", "<a" + attrs.String(), "more than 20 attributes"},
		{"no limit of attributes", Limits{}, "<a" + attrs.String() + "/>", "", ""},
		{"prefixes", Limits{}, "<a" + prefixes62.String() + "/>", "<a" + prefixes.String() + "/>", "more than 64 prefixes"},
		{"prefixes inside", Limits{}, "<a><b" + prefixes62.String() + "/><b" + prefixes62.String() + "/></a>", "<a" + prefixes62.String() + "><b xmlns:q='q'/></a>", "more than 64 prefixes"},
		{"name", Limits{}, "<" + long + "/>", "<" + long + "n/>", "name longer than 256 bytes"},
		{"name of an attribute", Limits{}, "<a " + long + "=''/>", "<a n" + long + "=''/>", "name longer than 256 bytes"},
		{"name that has no end", Limits{}, "<a/>", "<" + long + long, "name longer than 256 bytes"},
		{"namespace", Limits{}, "<a xmlns='" + long + "'/>", "<a xmlns='" + long + "n'/>", "namespace name longer than 256 bytes"},
	} {
		for _, chunk := range []int{1 << 20, 1, 13} {
			if got, err := scanAfter(hello, c.good, c.l, chunk); err != nil || len(got) != 2 {
				t.Errorf("%s, in pieces of %d: %q, %v", c.name, chunk, got, err)
			}
			if c.bad == "" {
				continue
			}
			_, err := scanAfter(hello, c.bad, c.l, chunk)
			if condition(err) != "policy-violation" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, in pieces of %d: %v; want %q", c.name, chunk, err, c.want)
			}
		}
	}
}

// scanAfter scans hello without limits, then wire with l.
func scanAfter(hello, wire string, l Limits, chunk int) ([]string, error) {
	got, err := scan(hello, Limits{}, chunk)
	if err != nil {
		return got, err
	}
	var s Scanner
	if _, _, err = s.Next([]byte(hello)); err != nil {
		return got, err
	}
	s.SetLimits(l)
	for end := 0; end < len(wire); {
		end = min(end+chunk, len(wire))
		tok, n, err := s.Next([]byte(wire[:end]))
		if err != nil {
			return got, err
		}
		if tok.Kind == Element {
			got = append(got, describe(&tok))
			wire, end = wire[n:], 0
		}
	}
	return got, nil
}

func TestHeaderLimits(t *testing.T) {
	for _, c := range []struct{ wire, want string }{
		{"<stream a='" + strings.Repeat("x", 100), "stream header larger than 64 bytes"},
		{"<?xml version='1.0'?>" + strings.Repeat(" ", 100), "stream header larger than 64 bytes"},
		{"<a b='' c='' d='' e='' f=''>", "more than 4 attributes"},
	} {
		for _, chunk := range []int{1 << 20, 1} {
			_, err := scan(c.wire, Limits{Bytes: 64, Attrs: 4}, chunk)
			if condition(err) != "policy-violation" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q in pieces of %d: %v; want %q", c.wire, chunk, err, c.want)
			}
		}
	}
	// Whitespace is no limit's business: it is taken at once.
	if _, err := scan(strings.Repeat(" \r\n\t", 1000)+"<a>"+strings.Repeat(" ", 1000), Limits{Bytes: 64}, 7); err != nil {
		t.Error(err)
	}
}

// TestSetLimits checks that limits change with the next element, not inside of
// one.
func TestSetLimits(t *testing.T) {
	var s Scanner
	if _, _, err := s.Next([]byte("<s>")); err != nil {
		t.Fatal(err)
	}
	wire := []byte("<a>12345678</a>")
	if tok, _, err := s.Next(wire[:4]); tok.Kind != More || err != nil {
		t.Fatal(tok.Kind, err)
	}
	s.SetLimits(Limits{Bytes: 8})
	if tok, _, err := s.Next(wire); tok.Kind != Element || err != nil {
		t.Fatal(tok.Kind, err)
	}
	if _, _, err := s.Next(wire); condition(err) != "policy-violation" {
		t.Fatal(err)
	}
	if _, _, err := s.Next([]byte("<a/>")); condition(err) != "policy-violation" {
		t.Fatal("an error isn't final:", err)
	}
}

// TestLinear counts the bytes that a scanner looks at when a large element comes
// byte by byte: w.search and w.pos never go back, but for a tag that is read
// again at each doubling.
func TestLinear(t *testing.T) {
	const size = 256 << 10
	for name, wire := range map[string]string{
		"value":  "<a b='" + strings.Repeat("x", size) + "'/>",
		"spaces": "<a" + strings.Repeat(" ", size) + "/>",
		"text":   "<a>" + strings.Repeat("x]", size/2) + "</a>",
		"end":    "<a></a" + strings.Repeat(" ", size) + ">",
		"cdata":  "<a><![CDATA[" + strings.Repeat("x]", size/2) + "]]></a>",
	} {
		t.Run(name, func(t *testing.T) {
			var s Scanner
			if _, _, err := s.Next([]byte("<s>")); err != nil {
				t.Fatal(err)
			}
			looked, tries := 0, 0
			buf := []byte(wire)
			for end := 1; end < len(buf); end++ {
				pos, search, again := 0, 0, 0
				if s.work != nil {
					pos, search, again = s.work.pos, s.work.search, s.work.again
				}
				if tok, _, err := s.Next(buf[:end]); tok.Kind != More || err != nil {
					t.Fatal(tok.Kind, err)
				}
				if s.work == nil {
					continue
				}
				looked += end - max(pos, search)
				if s.work.again > again && again > 0 {
					looked += end - pos
					tries++
				}
			}
			if tok, _, err := s.Next(buf); tok.Kind != Element || err != nil {
				t.Fatal(tok.Kind, err)
			}
			if looked > 6*len(wire) || tries > 20 {
				t.Errorf("%d bytes looked at for %d, %d tries", looked, len(wire), tries)
			}
		})
	}
}

// TestIdle checks what a scanner keeps between elements.
func TestIdle(t *testing.T) {
	if size := unsafe.Sizeof(Scanner{}); size > 128 {
		t.Errorf("a Scanner has %d bytes", size)
	}
	var s Scanner
	if _, _, err := s.Next([]byte(streamHeader)); err != nil || s.work == nil {
		t.Fatal(err)
	}
	s.Release()
	if s.work != nil || s.scope != usual {
		t.Error("memory is kept after Release")
	}
	if tok, _, err := s.Next([]byte("<a>")); tok.Kind != More || err != nil || s.work == nil {
		t.Fatal(tok.Kind, err)
	}
	s.Release()
	if s.work == nil {
		t.Error("Release forgot an incomplete element")
	}
	if tok, _, err := s.Next([]byte("<a></a>")); tok.Kind != Element || err != nil {
		t.Fatal(tok.Kind, err)
	}
	if tok, _, err := s.Next(nil); tok.Kind != More || err != nil || s.work != nil {
		t.Error("memory is kept after Next of nothing", tok.Kind, err)
	}
}

// TestAllocations checks that reading an element takes no memory at all. With
// the race detector a sync.Pool forgets what it is given now and then, on purpose.
func TestAllocations(t *testing.T) {
	for _, c := range corpus {
		var s Scanner
		if _, _, err := s.Next([]byte(streamHeader)); err != nil {
			t.Fatal(err)
		}
		buf := []byte(c.xml)
		if n := testing.AllocsPerRun(100, func() {
			for end := min(16, len(buf)); ; end = min(end+64, len(buf)) {
				if tok, _, err := s.Next(buf[:end]); err != nil || tok.Kind == Element {
					break
				}
			}
			s.Release()
		}); n >= 1+forgetful {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}
