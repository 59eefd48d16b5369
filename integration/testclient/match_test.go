package testclient

import (
	"fmt"
	"strings"
	"testing"
)

func one(t testing.TB, s string) *Element {
	t.Helper()
	els, err := Parse(s)
	if err != nil || len(els) != 1 {
		t.Fatalf("%s: %d elements, %v", s, len(els), err)
	}
	return els[0]
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		name, pattern, got string
		why                string // part of the error, "" for a match
	}{
		{"the same", "<presence/>", "<presence/>", ""},
		{"order of attributes", "<iq id='1' type='get'/>", `<iq type="get" id="1"/>`, ""},
		{"namespace by default or by prefix", "<a xmlns='u:x'><b/></a>", "<p:a xmlns:p='u:x'><p:b/></p:a>", ""},
		{"other namespace", "<a xmlns='u:x'/>", "<a xmlns='u:y'/>", "the element is {u:y}a"},
		{"child in another namespace", "<iq><q xmlns='u:x'/></iq>", "<iq><q xmlns='u:y'/></iq>", "/iq/q"},
		{"missing attribute", "<iq id='1'/>", "<iq/>", "attribute id is missing"},
		{"more attributes", "<iq/>", "<iq id='1'/>", "id='1' is unexpected"},
		{"more attributes allowed", "<iq type='get' .../>", "<iq type='get' id='1'/>", ""},
		{"more attributes allowed, with children", "<iq ...><q/></iq>", "<iq id='1'><q/></iq>", ""},
		{"xml:lang doesn't matter", "<message/>", "<message xml:lang='de'/>", ""},
		{"unless it is asked for", "<message xml:lang='en'/>", "<message xml:lang='de'/>", "lang is"},
		{"any value", "<iq id='*'/>", "<iq id='abc'/>", ""},
		{"any value isn't none", "<iq id='*'/>", "<iq id=''/>", "is empty"},
		{"text", "<body>a &amp; b</body>", "<body><![CDATA[a & b]]></body>", ""},
		{"other text", "<body>a</body>", "<body>b</body>", `text is "b"`},
		{"text where none is", "<body/>", "<body>b</body>", "text is"},
		{"any text", "<body>*</body>", "<body>b</body>", ""},
		{"children in any order", "<q><a/><b/></q>", "<q><b/><a/></q>", ""},
		{"as many as there are", "<q><a/><a/></q>", "<q><a/></q>", "child <a"},
		{"one too many", "<q><a/></q>", "<q><a/><a/></q>", "is unexpected"},
		{"others may be there", "<q>...<a/></q>", "<q>text<b/><a/></q>", ""},
		{"but that one must", "<q>...<a/></q>", "<q><b/></q>", "child <a"},
		{"the right one of two alike", "<q><i n='2'/><i n='1'/></q>", "<q><i n='1'/><i n='2'/></q>", ""},
		{"a captured value twice", "<iq id='{id}'><x ref='{id}'/></iq>", "<iq id='7'><x ref='7'/></iq>", ""},
		{"and not another", "<iq id='{id}'><x ref='{id}'/></iq>", "<iq id='7'><x ref='8'/></iq>", `ref is "8"`},
		{"part of a value", "<jid>juliet@localhost/{res}</jid>", "<jid>juliet@localhost/x.y</jid>", ""},
		{"the rest has to fit", "<jid>juliet@localhost/{res}</jid>", "<jid>romeo@localhost/x</jid>", "text is"},
		{"stream elements", "<stream:error>...</stream:error>", "<error xmlns='http://etherx.jabber.org/streams'/>", ""},
	} {
		err := Match(c.pattern, one(t, c.got))
		switch {
		case c.why == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.why != "" && (err == nil || !strings.Contains(err.Error(), c.why)):
			t.Errorf("%s: the error is %v", c.name, err)
		}
	}
}

func TestMatchCaptures(t *testing.T) {
	p, err := ParsePattern("<iq id='{id}' from='{who}'/>")
	if err != nil {
		t.Fatal(err)
	}
	vars := Vars{"who": "juliet"}
	if err := p.Match(one(t, "<iq id='7' from='romeo'/>"), vars); err == nil {
		t.Error("a captured value was replaced")
	}
	if _, ok := vars["id"]; ok {
		t.Error("a failed match captured something")
	}
	if err := p.Match(one(t, "<iq id='a&apos;b' from='juliet'/>"), vars); err != nil {
		t.Error(err)
	}
	got, err := vars.Expand("<iq id='{id}'>{not-a-name}</iq>")
	if want := "<iq id='a&#39;b'>{not-a-name}</iq>"; err != nil || got != want {
		t.Errorf("expanded to %s (%v), not %s", got, err, want)
	}
	if _, err := vars.Expand("{nothing}"); err == nil {
		t.Error("a name that was never captured was expanded")
	}
}

func TestParsePatternRefuses(t *testing.T) {
	for _, bad := range []string{"", "<a/><b/>", "<a", "<a></b>", "<a>&bomb;</a>", "<a><!-- --></a>"} {
		if p, err := ParsePattern(bad); err == nil {
			t.Errorf("%q is a pattern: %s", bad, p.want)
		}
	}
}

func ExampleMatch() {
	els, err := Parse("<message from='romeo@localhost/orchard' id='7'><body>Hark!</body><active xmlns='u:states'/></message>")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(Match("<message from='*' ...><body>Hark!</body>...</message>", els[0]))
	fmt.Println(Match("<message from='*' ...><body>Hark!</body></message>", els[0]))
	// Output:
	// <nil>
	// /message: child <active xmlns='u:states'/> is unexpected
}
