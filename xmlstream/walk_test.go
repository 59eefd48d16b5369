package xmlstream

import (
	"fmt"
	"testing"
)

// element scans one element on an ordinary stream.
func element(t testing.TB, xml string) Token {
	t.Helper()
	var s Scanner
	if _, _, err := s.Next([]byte(streamHeader)); err != nil {
		t.Fatal(err)
	}
	tok, n, err := s.Next([]byte(xml))
	if err != nil || tok.Kind != Element || n != len(xml) {
		t.Fatalf("%q: %v, %v", xml, tok.Kind, err)
	}
	return tok
}

func TestWalker(t *testing.T) {
	for _, c := range []struct{ xml, want string }{
		{`<a/>`, `<"jabber:client" "a" []></>`},
		{`<a b='1' xmlns='x' xmlns:p='y' p:c='&lt;2'>t</a>`, `<"x" "a" ["\"\" \"b\"=\"1\"" "\"y\" \"c\"=\"<2\""]>"t"</>`},
		{`<a><b xmlns='x'><c/></b><d/></a>`, `<"jabber:client" "a" []><"x" "b" []><"x" "c" []></></><"jabber:client" "d" []></></>`},
		{`<a><stream:b xml:lang='de'/></a>`, `<"jabber:client" "a" []><"http://etherx.jabber.org/streams" "b" ["\"http://www.w3.org/XML/1998/namespace\" \"lang\"=\"de\""]></></>`},
		{"<a>1&amp;2<![CDATA[&amp;\r\n<]]>\r\n&#x33;</a>", `<"jabber:client" "a" []>"1&2&amp;\n<\n3"</>`},
		{`<a xmlns:p='1' xmlns:q='2' xmlns:r='3' xmlns:s='4'><p:a xmlns:p='5' xmlns:t='6' xmlns:u='7' xmlns:v='8'><v:b/><p:b/></p:a><p:b/></a>`,
			`<"jabber:client" "a" []><"5" "a" []><"8" "b" []></><"5" "b" []></></><"1" "b" []></></>`},
		{`<a xmlns=''><b xmlns='x&#121;'/></a>`, `<"" "a" []><"xy" "b" []></></>`},
	} {
		tok := element(t, c.xml)
		if got := walked(tok.Walk(), false); got != c.want {
			t.Errorf("%q\ngot  %s\nwant %s", c.xml, got, c.want)
		}
	}
}

func TestWalkerChild(t *testing.T) {
	tok := element(t, `<iq type='set'><x xmlns='y'><bind xmlns='b'/></x>text<bind xmlns='b'><resource xmlns='z'>no</resource><resource>ba<i>-</i>l&amp;<![CDATA[c]]></resource><last/></bind><end/></iq>`)
	w := tok.Walk()
	if !w.Child(nsClient, "iq") || !w.Child("b", "bind") || !w.Child("b", "resource") {
		t.Fatal("not found")
	}
	if w.Depth() != 3 {
		t.Errorf("depth %d", w.Depth())
	}
	if got := w.ElementText(); string(got) != "bal&c" {
		t.Errorf("text %q", got)
	}
	if !w.Child("b", "last") {
		t.Error("a sibling is not found")
	}
	w.Skip()
	if w.Child("b", "resource") {
		t.Error("found beyond the end")
	}
	if !w.Child(nsClient, "end") {
		t.Error("what follows the parent is not found")
	}
	if begin, end := w.Span(); string(tok.Raw[begin:end]) != "<end/>" {
		t.Errorf("span %q", tok.Raw[begin:end])
	}
	for i, want := range []Event{End, End, Done, Done} {
		if got := w.Next(); got != want {
			t.Errorf("event %d is %d, want %d", i, got, want)
		}
	}
}

// TestWalkNonsense walks what no scanner has seen.
func TestWalkNonsense(t *testing.T) {
	for _, raw := range []string{"", "<", "<a", "<a ", "<a b", "<a b=", "<a b='", "<a b='c", "<a b='c'", "<a/", "<a", "</a>", "<a></", "<a>&", "<a>&lt", "<![CDATA[", "<a><![CDATA[x]]",
		"<a b=c>", "<:>", "<a xmlns:=''>", "<a:b:c/>", "<>", "< a>", "<a =''/>", "x</a>", "<a &='&'/>", "<a b='&x'/>"} {
		for i := range len(raw) + 1 {
			w := Walk([]byte(raw[:i]), "x")
			for n := 0; w.Next() != Done; n++ {
				w.Text()
				for range w.Attrs {
				}
				if n > len(raw)+1 {
					t.Fatalf("%q: no end", raw[:i])
				}
			}
		}
	}
}

func TestText(t *testing.T) {
	for raw, want := range map[string]string{
		`<a/>`: "", `<a></a>`: "", `<a>x</a>`: "x", `<a b='>'>x&gt;</a>`: "x>", `<a>x<b>y</b>z</a>`: "xz",
		"<a>\r\n\r</a>": "\n\n", `<a><![CDATA[<]]>&#13;</a>`: "<\r", ``: "", `x`: "",
	} {
		if got := Text([]byte(raw)); string(got) != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
	tok := element(t, `<auth>ZGF0YQ==</auth >`)
	if string(tok.CharData()) != "ZGF0YQ==" || string(tok.Content()) != "ZGF0YQ==" {
		t.Errorf("%q %q", tok.CharData(), tok.Content())
	}
	if tok = element(t, `<auth/>`); tok.Content() != nil {
		t.Errorf("%q", tok.Content())
	}
}

// TestWalkAllocations checks that an ordinary walk takes no memory.
func TestWalkAllocations(t *testing.T) {
	tok := element(t, corpus[0].xml)
	if n := testing.AllocsPerRun(100, func() {
		w := tok.Walk()
		if !w.Child(nsClient, "message") || !w.Child("urn:xmpp:receipts", "request") {
			t.Error("not found")
		}
		w = Walk(tok.Raw[tok.Children[0].Start:], nsClient)
		for w.Next() != Done {
			w.Attr("xmlns")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestEscape(t *testing.T) {
	for _, c := range []struct{ in, text, attr string }{
		{"", "", ""}, {"plain ж \U0001f600", "plain ж \U0001f600", "plain ж \U0001f600"},
		{`<a b="c" d='e'>&amp;`, `&lt;a b="c" d='e'&gt;&amp;amp;`, `&lt;a b=&quot;c&quot; d=&apos;e&apos;&gt;&amp;amp;`},
		{"\t\n\r\r\n]]>", "\t\n&#13;&#13;\n]]&gt;", "&#9;&#10;&#13;&#13;&#10;]]&gt;"},
		{"\x00\x1f\x7f\ufffe\uffff\xff\xc3", "\ufffd\ufffd\x7f\ufffd\ufffd\ufffd\ufffd", "\ufffd\ufffd\x7f\ufffd\ufffd\ufffd\ufffd"},
		{"\xe2\x82x\xed\xa0\x80", "\ufffd\ufffdx\ufffd\ufffd\ufffd", "\ufffd\ufffdx\ufffd\ufffd\ufffd"},
	} {
		if got := string(AppendEscaped(nil, c.in)); got != c.text {
			t.Errorf("text %q: %q, want %q", c.in, got, c.text)
		}
		if got := string(AppendAttr([]byte("x"), []byte(c.in))); got != "x"+c.attr {
			t.Errorf("value %q: %q, want %q", c.in, got, c.attr)
		}
		tok := element(t, fmt.Sprintf("<a b='%s'>%s</a>", AppendAttr(nil, c.in), AppendEscaped(nil, c.in)))
		if v, _ := tok.Attr("b"); string(v) != string(Text([]byte("<a>"+c.attr+"</a>"))) || !tok.Canonical {
			t.Errorf("%q came back as %q", c.in, v)
		}
	}
}

func TestAppendCanonical(t *testing.T) {
	for _, c := range []struct{ in, whole, inner string }{
		{`<a/>`, `<a xmlns='jabber:client'/>`, ``},
		{`<a><b>&gt;</b></a>`, `<a xmlns='jabber:client'><b>&gt;</b></a>`, `<b>&gt;</b>`},
		{`<a x="'"><stream:b/><![CDATA[<]]></a >`, `<a xmlns='jabber:client' x='&apos;'><b xmlns='http://etherx.jabber.org/streams'/>&lt;</a>`, `<b xmlns='http://etherx.jabber.org/streams'/>&lt;`},
		{`<p:a xmlns:p='q'><b><p:c p:d=''/></b></p:a>`, `<a xmlns='q'><b xmlns='jabber:client'><c xmlns='q' xmlns:n0='q' n0:d=''/></b></a>`, `<b xmlns='jabber:client'><c xmlns='q' xmlns:n0='q' n0:d=''/></b>`},
		{`<a xmlns:p='1' xmlns:q='2'><b p:x='' q:x='' p:y=''><c q:x='' xml:lang='en'/></b><d q:x=''/></a>`,
			`<a xmlns='jabber:client'><b xmlns:n0='1' n0:x='' xmlns:n1='2' n1:x='' n0:y=''><c n1:x='' xml:lang='en'/></b><d xmlns:n0='2' n0:x=''/></a>`,
			`<b xmlns:n0='1' n0:x='' xmlns:n1='2' n1:x='' n0:y=''><c n1:x='' xml:lang='en'/></b><d xmlns:n0='2' n0:x=''/>`},
		{`<a xmlns=''><b c='&#65;'/></a>`, `<a xmlns=''><b c='A'/></a>`, `<b c='A'/>`},
	} {
		tok := element(t, c.in)
		whole, err := AppendCanonical(nil, &tok)
		if string(whole) != c.whole || err != nil {
			t.Errorf("%q\ngot  %s, %v\nwant %s", c.in, whole, err, c.whole)
		}
		inner, err := AppendInner(nil, &tok)
		if string(inner) != c.inner || err != nil {
			t.Errorf("%q\ngot  %s, %v\nwant %s", c.in, inner, err, c.inner)
		}
		again := element(t, string(whole))
		if twice, _ := AppendCanonical(nil, &again); string(twice) != c.whole {
			t.Errorf("%q written twice: %s", c.in, twice)
		}
	}
}

// TestRewriteBound has an element that would grow without one.
func TestRewriteBound(t *testing.T) {
	docs := attacks(t)["amplify-namespaces.xml"]
	var s Scanner
	_, n, err := s.Next([]byte(docs))
	if err != nil {
		t.Fatal(err)
	}
	tok, _, err := s.Next([]byte(docs[n:]))
	if err != nil || tok.Canonical {
		t.Fatal(tok.Canonical, err)
	}
	if out, err := AppendCanonical([]byte("kept"), &tok); condition(err) != "policy-violation" || string(out) != "kept" {
		t.Errorf("%d bytes of %d, %v", len(out), len(tok.Raw), err)
	}
}
