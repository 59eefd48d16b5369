package xmlstream

import (
	"errors"
	"strings"
	"testing"
)

// scan reads all of wire and returns its tokens in words, with the error that
// ended it. Each Next is given at most chunk more bytes than the one before.
func scan(wire string, l Limits, chunk int) (got []string, err error) {
	return scanWith(wire, l, func() int { return chunk })
}

func scanWith(wire string, l Limits, chunk func() int) (got []string, err error) {
	var s Scanner
	s.Reset(l)
	var buf []byte
	for rest := wire; ; {
		// A fresh copy each time: nothing may rely on the bytes staying where
		// they are.
		tok, n, err := s.Next(append([]byte(nil), buf...))
		if err != nil {
			return got, err
		}
		buf = buf[n:]
		switch {
		case tok.Kind == More && n != 0:
			return got, errors.New("More took bytes")
		case tok.Kind == More && rest == "":
			return got, nil
		case tok.Kind == More:
			n := min(max(1, chunk()), len(rest))
			buf, rest = append(buf, rest[:n]...), rest[n:]
		case tok.Kind != Space:
			got = append(got, describe(&tok))
		}
	}
}

// describe says all that a token says.
func describe(t *Token) string {
	var b strings.Builder
	b.WriteString([]string{"More", "Space", "Header", "Element", "Close"}[t.Kind])
	if t.Kind == Close {
		return b.String()
	}
	b.WriteString(" {" + string(t.Space) + "}" + string(t.Local))
	for _, a := range t.Attrs {
		b.WriteString(" {" + string(a.Space) + "}" + string(a.Local) + "=" + string(a.Value))
	}
	for _, c := range t.Children {
		b.WriteString(" [{" + string(c.Space) + "}" + string(c.Local) + " " + string(t.Raw[c.Start:c.End]) + "]")
	}
	if t.Canonical {
		b.WriteString(" canonical")
	}
	if t.Text {
		b.WriteString(" text")
	}
	return b.String() + " " + string(t.Raw[:t.Inner]) + "|" + string(t.Raw[t.Inner:])
}

// TestAccepted has what looks odd and is right.
func TestAccepted(t *testing.T) {
	for _, c := range []struct{ name, xml, want string }{
		{"plain", `<message/>`, "Element {jabber:client}message canonical <message/>|"},
		{"spaces", "<a b = 'c'\n d\t=\r\n\"e\" ></a\n>", "Element {jabber:client}a {}b=c {}d=e canonical <a b = 'c'\n d\t=\r\n\"e\" >|</a\n>"},
		{"no namespace", `<a xmlns=''><b/></a>`, "Element {}a [{}b <b/>] canonical <a xmlns=''>|<b/></a>"},
		{"header prefix", `<stream:error/>`, "Element {http://etherx.jabber.org/streams}error <stream:error/>|"},
		{"header prefix inside", `<a><b><stream:c/></b></a>`, "Element {jabber:client}a [{jabber:client}b <b><stream:c/></b>] <a>|<b><stream:c/></b></a>"},
		{"prefix on the top", `<a xmlns:p='q'><p:b/></a>`, "Element {jabber:client}a [{q}b <p:b/>] <a xmlns:p='q'>|<p:b/></a>"},
		{"prefix inside", `<a><p:b p:c='&lt;' xmlns:p='q'/></a>`, "Element {jabber:client}a [{q}b <p:b p:c='&lt;' xmlns:p='q'/>] canonical <a>|<p:b p:c='&lt;' xmlns:p='q'/></a>"},
		{"xml prefix", `<a xml:lang='de' xmlns:xml='http://www.w3.org/XML/1998/namespace'/>`, "Element {jabber:client}a {http://www.w3.org/XML/1998/namespace}lang=de canonical <a xml:lang='de' xmlns:xml='http://www.w3.org/XML/1998/namespace'/>|"},
		{"shadowed", `<a xmlns:stream='x'><stream:b/></a>`, "Element {jabber:client}a [{x}b <stream:b/>] <a xmlns:stream='x'>|<stream:b/></a>"},
		{"scope ends", `<a><b xmlns='x'><c/></b><d/></a>`, "Element {jabber:client}a [{x}b <b xmlns='x'><c/></b>] [{jabber:client}d <d/>] canonical <a>|<b xmlns='x'><c/></b><d/></a>"},
		{"cdata", `<a><![CDATA[<&]]]]></a>`, "Element {jabber:client}a text <a>|<![CDATA[<&]]]]></a>"},
		{"references", `<a b='&lt;&#x9;&#10;&apos;&quot;&gt;&amp;'>&#xD;</a>`, "Element {jabber:client}a {}b=<\t\n'\">& canonical text <a b='&lt;&#x9;&#10;&apos;&quot;&gt;&amp;'>|&#xD;</a>"},
		{"odd reference", `<a>&#65;</a>`, "Element {jabber:client}a text <a>|&#65;</a>"},
		{"whitespace in a value", "<a b='1\t2\r\n3\n4\r5'/>", "Element {jabber:client}a {}b=1 2 3 4 5 <a b='1\t2\r\n3\n4\r5'/>|"},
		{"carriage return", "<a>\r\n</a>", "Element {jabber:client}a <a>|\r\n</a>"},
		{"brackets", `<a>]] ]>]</a>`, "Element {jabber:client}a canonical text <a>|]] ]>]</a>"},
		{"greater", `<a b='>'>></a>`, "Element {jabber:client}a {}b=> canonical text <a b='>'>|></a>"},
		{"quotes", `<a b="'" c='"'/>`, "Element {jabber:client}a {}b=' {}c=\" canonical <a b=\"'\" c='\"'/>|"},
		{"name outside ASCII", `<ä:ö·ж xmlns:ä='ü' é='1'/>`, "Element {ü}ö·ж {}é=1 <ä:ö·ж xmlns:ä='ü' é='1'/>|"},
		{"same local, other namespaces", `<a x='1' p:x='2' q:x='3' xmlns:p='p' xmlns:q='q'/>`, "Element {jabber:client}a {}x=1 {p}x=2 {q}x=3 <a x='1' p:x='2' q:x='3' xmlns:p='p' xmlns:q='q'/>|"},
		{"no-break space", "<a>\ufeff\u00a0\U0010ffff\u0085\u007f</a>", "Element {jabber:client}a canonical text <a>|\ufeff\u00a0\U0010ffff\u0085\u007f</a>"},
		{"smuggled tag", `<a><b xmlns:a="x>" c='</a>'/></a>`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := scan(streamHeader+c.xml, Limits{}, 1<<20)
			if c.want == "" {
				if err == nil {
					t.Fatalf("accepted as %q", got)
				}
				return
			}
			if err != nil || len(got) != 2 || got[1] != c.want {
				t.Fatalf("got  %q, %v\nwant %q", got[1:], err, c.want)
			}
			eachSplit(t, streamHeader+c.xml)
		})
	}
}

// eachSplit checks that wire means the same in whatever two pieces, and in
// bytes.
func eachSplit(t *testing.T, wire string) {
	t.Helper()
	want, wantErr := scan(wire, Limits{}, len(wire))
	first := true
	for i := 1; i <= len(wire); i++ {
		first = true
		got, err := scanWith(wire, Limits{}, func() int {
			if first {
				first = false
				return i
			}
			return len(wire)
		})
		if !same(got, want) || condition(err) != condition(wantErr) {
			t.Fatalf("cut at %d: %q, %v; whole: %q, %v", i, got, err, want, wantErr)
		}
	}
	got, err := scan(wire, Limits{}, 1)
	if !same(got, want) || condition(err) != condition(wantErr) {
		t.Fatalf("in bytes: %q, %v; whole: %q, %v", got, err, want, wantErr)
	}
}

func same(a, b []string) bool { return strings.Join(a, "\x00") == strings.Join(b, "\x00") }

// condition returns the stream error condition of err, "" for none.
func condition(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Condition
	}
	if err != nil {
		return err.Error()
	}
	return ""
}
