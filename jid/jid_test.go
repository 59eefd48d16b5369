package jid

import (
	"encoding/xml"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	long := strings.Repeat("a", 1023)
	for _, c := range []struct{ in, local, domain, resource string }{
		// RFC 7622 §3.5, table 1
		{"juliet@example.com", "juliet", "example.com", ""},
		{"juliet@example.com/foo", "juliet", "example.com", "foo"},
		{"juliet@example.com/foo bar", "juliet", "example.com", "foo bar"},
		{"juliet@example.com/foo@bar", "juliet", "example.com", "foo@bar"},
		{`foo\20bar@example.com`, `foo\20bar`, "example.com", ""},
		{"fussball@example.com", "fussball", "example.com", ""},
		{"fu\u00dfball@example.com", "fu\u00dfball", "example.com", ""},
		{"\u03c0@example.com", "\u03c0", "example.com", ""},
		{"\u03a3@example.com/foo", "\u03c3", "example.com", "foo"},
		{"\u03c3@example.com/foo", "\u03c3", "example.com", "foo"},
		{"\u03c2@example.com/foo", "\u03c2", "example.com", "foo"},
		{"king@example.com/\u265a", "king", "example.com", "\u265a"},
		{"example.com", "", "example.com", ""},
		{"example.com/foobar", "", "example.com", "foobar"},
		{"a.example.com/b@example.net", "", "a.example.com", "b@example.net"},
		// case, dots, A-labels, widths
		{"Juliet@Example.COM/Balcony", "juliet", "example.com", "Balcony"},
		{"juliet@example.com./x", "juliet", "example.com", "x"},
		{"juliet@example.com\u3002", "juliet", "example.com", ""},
		{"juliet@xn--mnchen-3ya.example", "juliet", "m\u00fcnchen.example", ""},
		{"M\u00dcLLER@M\u00dcNCHEN.example", "m\u00fcller", "m\u00fcnchen.example", ""},
		{"\uff4auliet@\uff45xample.com", "juliet", "example.com", ""},
		{"juliet@example.com/a\u00a0b", "juliet", "example.com", "a b"},
		{"juliet@example.com/e\u0301", "juliet", "example.com", "\u00e9"},
		{"juliet@example.com/a/b", "juliet", "example.com", "a/b"},
		{"juliet@example.com/<&>'\"", "juliet", "example.com", `<&>'"`},
		// The profile takes a space in front (RFC 8265 §4.2.1), though table 2
		// of RFC 7622 §3.5 lists it among the violations.
		{"juliet@example.com/ foo", "juliet", "example.com", " foo"},
		{"juliet@127.0.0.1", "juliet", "127.0.0.1", ""},
		{"juliet@[::1]", "juliet", "[::1]", ""},
		{"juliet@[2001:DB8:0::1]/a", "juliet", "[2001:db8::1]", "a"},
		{"localhost", "", "localhost", ""},
		{long + "@example.com/" + long, long, "example.com", long},
	} {
		j, err := Parse(c.in)
		if err != nil {
			t.Errorf("Parse(%q): %v", c.in, err)
			continue
		}
		if j.Local() != c.local || j.Domain() != c.domain || j.Resource() != c.resource {
			t.Errorf("Parse(%q) = %q %q %q", c.in, j.Local(), j.Domain(), j.Resource())
		}
		check(t, j)
		k, err := New(c.local, c.domain, c.resource)
		if err != nil || k != j {
			t.Errorf("New of the parts of %q = %v, %v", c.in, k, err)
		}
	}
}

// check holds what is true of every address that parsed.
func check(t *testing.T, j JID) {
	t.Helper()
	for _, part := range []string{j.Local(), j.Domain(), j.Resource()} {
		if len(part) > 1023 {
			t.Errorf("%v: a part of %d bytes", j, len(part))
		}
	}
	if again, err := Parse(j.String()); err != nil || again != j {
		t.Errorf("Parse(%q) again = %q, %v", j, again, err)
	}
	if again, err := ParseBytes(j.AppendTo(nil)); err != nil || again != j {
		t.Errorf("ParseBytes(%q) again = %q, %v", j, again, err)
	}
	if again, err := New(j.Local(), j.Domain(), j.Resource()); err != nil || again != j {
		t.Errorf("New of the parts of %q = %q, %v", j, again, err)
	}
	if again, err := j.Bare().WithResource(j.Resource()); err != nil || again != j {
		t.Errorf("%q.Bare().WithResource = %q, %v", j, again, err)
	}
	if j.Mellium().String() != j.String() {
		t.Errorf("%q.Mellium() = %q", j, j.Mellium())
	}
	if j.IsFull() == j.IsBare() || j.IsZero() || !j.Bare().IsBare() || j.Bare().Bare() != j.Bare() {
		t.Errorf("%q is neither full nor bare", j)
	}
	if h, err := Parse(j.Domain()); err != nil || h != j.Host() || h.Local() != "" || h.IsFull() {
		t.Errorf("%q.Host() = %q; its domain parses as %q, %v", j, j.Host(), h, err)
	}
}

func TestParseErrors(t *testing.T) {
	long := strings.Repeat("a", 1024)
	for _, in := range []string{
		// RFC 7622 §3.5, table 2 (but for example 18)
		`"juliet"@example.com`, "foo bar@example.com", "@example.com/", "henry\u2163@example.com",
		"\u265a@example.com", "juliet@", "/foobar",
		"", "@", "/", "@/", "juliet@/foo", "@example.com", "example.com/", "juliet@example.com/",
		"a&b@example.com", "a'b@example.com", "a:b@example.com", "a<b@example.com", "a>b@example.com",
		"a@b@example.com", "juliet@exa mple.com", "juliet@exa_mple.com", "juliet@-example.com",
		"juliet@example..com", "juliet@.example.com", "juliet@example.com..", "juliet@.", ".",
		"juliet@[::1", "juliet@::1", "juliet@[fe80::1%eth0]", "juliet@[1.2.3.4]", "juliet@[]",
		"juliet@example.com/\x00", "juliet@example.com/\n", "juliet@example.com/\xff", "\xff@example.com",
		"juliet@example\xff.com", "juliet@example.com/\ufffe", "juliet@xn--a.example",
		long + "@example.com", "juliet@example.com/" + long, "juliet@" + strings.Repeat("a.", 600) + "a",
		"juliet@example.com/" + strings.Repeat("\u00e9", 512),
		"juliet@example.com/" + strings.Repeat("\u00e9", 4096),
	} {
		if j, err := Parse(in); err == nil {
			t.Errorf("Parse(%q) = %q, want an error", in, j)
		} else if !j.IsZero() {
			t.Errorf("Parse(%q) gave %q with its error", in, j)
		}
		if _, err := ParseBytes([]byte(in)); err == nil {
			t.Errorf("ParseBytes(%q) took it", in)
		}
	}
	for _, p := range [][3]string{
		{"", "", ""}, {"a", "", ""}, {"a@b", "c", ""}, {"a", "b@c", ""}, {"a", "b/c", ""}, {"a/b", "c", ""},
		{"", "a@b", ""}, {"", "a/b", ""}, {"a", strings.Repeat("b", maxInput), "c"},
	} {
		if j, err := New(p[0], p[1], p[2]); err == nil {
			t.Errorf("New(%q) = %q, want an error", p, j)
		}
	}
	if _, err := (JID{}).WithResource("x"); err == nil {
		t.Error("a resource was put on no address")
	}
	if _, err := MustParse("example.com").WithResource("\x01"); err == nil {
		t.Error("a control character was taken as resource")
	}
}

func TestMustParsePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	MustParse("@")
}

func TestZero(t *testing.T) {
	var j JID
	if !j.IsZero() || j.IsBare() || j.IsFull() || j.String()+j.Local()+j.Domain()+j.Resource() != "" {
		t.Error("the zero value is an address")
	}
	if j.Bare() != j || j.Host() != j || j.Mellium().String() != "" {
		t.Error("parts of the zero value are an address")
	}
}

func TestMapKey(t *testing.T) {
	seen := map[JID]int{}
	for _, s := range []string{"a@example.com/x", "A@EXAMPLE.com/x", "a@example.com./x", "a@example.com/X"} {
		seen[MustParse(s)]++
	}
	if seen[MustParse("a@example.com/x")] != 3 || len(seen) != 2 {
		t.Errorf("seen %v", seen)
	}
	if MustParse("a@example.com/x").Bare() != MustParse("a@example.com") {
		t.Error("a bare JID cut from a full one differs from the one that was parsed")
	}
}

func TestCompare(t *testing.T) {
	list := []JID{MustParse("b@example.com"), MustParse("a@example.com/y"), {}, MustParse("a@example.com")}
	slices.SortFunc(list, Compare)
	want := []JID{{}, MustParse("a@example.com"), MustParse("a@example.com/y"), MustParse("b@example.com")}
	if !slices.Equal(list, want) {
		t.Errorf("sorted to %v", list)
	}
}

func TestXML(t *testing.T) {
	type item struct {
		XMLName xml.Name `xml:"item"`
		JID     JID      `xml:"jid,attr"`
		By      JID      `xml:"by,attr"`
		Body    JID      `xml:"who"`
	}
	in := item{XMLName: xml.Name{Local: "item"}, JID: MustParse("a@example.com/<&'"), Body: MustParse("b.example")}
	b, err := xml.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if want := `<item jid="a@example.com/&lt;&amp;&#39;"><who>b.example</who></item>`; string(b) != want {
		t.Errorf("marshalled to %s", b)
	}
	var out item
	if err := xml.Unmarshal(b, &out); err != nil || out != in {
		t.Errorf("read back as %+v, %v", out, err)
	}
	if err := xml.Unmarshal([]byte(`<item jid="@"/>`), &out); err == nil {
		t.Error("a malformed address was taken")
	}
	if err := xml.Unmarshal([]byte(`<item jid=""/>`), &out); err != nil || !out.JID.IsZero() {
		t.Errorf("the empty attribute gave %v, %v", out.JID, err)
	}
}
