package xmlstream

import "testing"

// The conditions that the tables below expect.
const (
	bad        = "not-well-formed"
	restricted = "restricted-xml"
	encoding   = "unsupported-encoding"
	policy     = "policy-violation"
)

// wrong is a piece of XML inside of an open stream, with the condition that it
// is answered with.
type wrong struct{ want, xml string }

// refused has what is wrong, by topic.
var refused = map[string][]wrong{
	"structure": {
		{bad, `<a></b>`},
		{bad, `<a><b></a></b>`},
		{bad, `<a></a b>`},
		{bad, `<a></ a>`},
		{bad, `<a></aa>`},
		{bad, `<a></a/>`},
		{bad, `< a/>`},
		{bad, `<1/>`},
		{bad, `<-a/>`},
		{bad, `<.a/>`},
		{bad, `<a/ >`},
		{bad, `<a / >`},
		{bad, `<a<b/>`},
		{bad, `<>`},
		{bad, `<a b="1"c="2"/>`},
		{bad, `<a b/>`},
		{bad, `<a b=/>`},
		{bad, `<a b=c/>`},
		{bad, `<a ="c"/>`},
		{bad, `<a b="c'/><d e=">"/>`},
		{bad, `<a b="<"/>`},
		{bad, `<a 'b'/>`},
		{bad, `<a b=="c"/>`},
		{bad, `<a b="c""/>`},
		{bad, `<a/b>`},
		{bad, `</message>`},
		{bad, `</stream:streams>`},
		{bad, `</stream:strea>`},
		{bad, `</stream:stream a>`},
		{"bad-format", `text`},
		{"bad-format", `&amp;<a/>`},
		{"bad-format", `<a/>x`},
		{"bad-format", `<![CDATA[x]]>`}, // CDATA is not restricted, only out of place
		{"bad-format", "\ufeff<a/>"},
	},
	"characters": {
		{bad, `<a>]]></a>`},
		{bad, `<a>]]]></a>`},
		{bad, "<a>\x00</a>"},
		{bad, "<a>\x01</a>"},
		{bad, "<a>\x0b</a>"},
		{bad, "<a>\x1f</a>"},
		{bad, "<a>\ufffe</a>"},
		{bad, "<a>\uffff</a>"},
		{bad, "<a b='\x02'/>"},
		{bad, "<a b='\uffff'/>"},
		{bad, "<a><![CDATA[\x03]]></a>"},
		{encoding, "<a>\xff</a>"},
		{encoding, "<a>\xc0\x80</a>"},
		{encoding, "<a>\xc1\xbf</a>"},
		{encoding, "<a>\xed\xa0\x80</a>"},
		{encoding, "<a>\xf4\x90\x80\x80</a>"},
		{encoding, "<a>\xe0\x80\xaf</a>"},
		{encoding, "<a>\xf0\x80\x80\xaf</a>"},
		{encoding, "<a>\xc3</a>"},
		{encoding, "<a>\xe2\x82</a>"},
		{encoding, "<a>\x80</a>"},
		{encoding, "<a b='\xff'/>"},
		{encoding, "<a b='\xc3'/>"},
		{encoding, "<a\xff/>"},
		{encoding, "<\xc3/>"},
		{encoding, "<a><![CDATA[\xc3]]></a>"},
		{encoding, "\xfe\xff"},
	},
	"references": {
		{bad, `<a>&</a>`},
		{bad, `<a>&;</a>`},
		{bad, `<a>& </a>`},
		{bad, `<a>&#;</a>`},
		{bad, `<a>&#x;</a>`},
		{bad, `<a>&#0;</a>`},
		{bad, `<a>&#8;</a>`},
		{bad, `<a>&#xb;</a>`},
		{bad, `<a>&#xD800;</a>`},
		{bad, `<a>&#xdfff;</a>`},
		{bad, `<a>&#xFFFE;</a>`},
		{bad, `<a>&#xFFFF;</a>`},
		{bad, `<a>&#x110000;</a>`},
		{bad, `<a>&#1114112;</a>`},
		{bad, `<a>&#X41;</a>`},
		{bad, `<a>&#4a;</a>`},
		{bad, `<a>&#xg;</a>`},
		{bad, `<a>&#-1;</a>`},
		{bad, `<a>&#99999999999999999999;</a>`},
		{bad, `<a>&#x10000000000000041;</a>`},
		{bad, `<a b='&'/>`},
		{bad, `<a b='&#0;'/>`},
		{restricted, `<a>&amp</a>`},
		{restricted, `<a>&lol;</a>`},
		{restricted, `<a>&AMP;</a>`},
		{restricted, `<a>&nbsp;</a>`},
		{restricted, `<a b='&lol9;'/>`},
	},
	// What RFC 6120 §11.1 forbids.
	"restricted features": {
		{restricted, `<!-- x -->`},
		{restricted, `<a><!-- x --></a>`},
		{restricted, `<a><!---></a>`},
		{restricted, `<!DOCTYPE a>`},
		{restricted, `<a><!ENTITY x "y"></a>`},
		{restricted, `<?pi x?>`},
		{restricted, `<a><?pi x?></a>`},
		{restricted, `<?xml-stylesheet href='x'?>`},
		{restricted, `<a><![cdata[x]]></a>`},
		{restricted, `<a><![INCLUDE[x]]></a>`},
		{bad, `<?xml version='1.0'?>`},
		{bad, `<a><?xml version='1.0'?></a>`},
	},
	"namespaces": {
		{bad, `<x:a/>`},
		{bad, `<a x:b=''/>`},
		{bad, `<a><x:b/></a>`},
		{bad, `<a><b xmlns:x='y'/><x:c/></a>`},
		{bad, `<a><x:b xmlns:x='y'></x:b><c x:d=''/></a>`},
		{bad, `<:a/>`},
		{bad, `<a:/>`},
		{bad, `<a:b:c xmlns:a='x'/>`},
		{bad, `<p:1a xmlns:p='x'/>`},
		{bad, `<a :b=''/>`},
		{bad, `<a b:=''/>`},
		{bad, `<a xmlns:=''/>`},
		{bad, `<a xmlns:p=''/>`},
		{bad, `<a xmlns:xml='x'/>`},
		{bad, `<a xmlns:xmlns='x'/>`},
		{bad, `<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>`},
		{bad, `<a xmlns='http://www.w3.org/XML/1998/namespace'/>`},
		{bad, `<a xmlns:p='http://www.w3.org/2000/xmlns/'/>`},
		{bad, `<a xmlns='http://www.w3.org/2000/xmlns/'/>`},
		{bad, `<xmlns:a/>`},
		{policy, `<a><xmlns/></a>`},
		{policy, `<xmlns:xmlns/>`},
		{bad, `<a xmlns:xmlns='http://www.w3.org/2000/xmlns/'/>`},
		{bad, `<a xmlns:p='http://www.w3.org/2000/xmln&#115;/'/>`},
	},
	"attributes": {
		{bad, `<a b='1' b='2'/>`},
		{bad, `<a xmlns='x' xmlns='x'/>`},
		{bad, `<a xmlns:p='x' xmlns:p='x'/>`},
		{bad, `<a p:x='1' q:x='2' xmlns:p='n' xmlns:q='n'/>`},
		{bad, `<a p:x='1' q:x='2' xmlns:p='a&amp;b' xmlns:q='a&#38;b'/>`},
		{bad, `<a a1='' a2='' a3='' a4='' a5='' a6='' a7='' a8='' a9='' b1='' b2='' b3='' b4='' a3=''/>`},
		{bad, `<a a1='' a2='' a3='' a4='' a5='' a6='' a7='' a8='' a9='' b1='' b2='' p:x='' q:x='' xmlns:p='n' xmlns:q='n'/>`},
	},
	// Names and namespaces that parsers disagree about.
	"disagreement": {
		{policy, "<a\U00010000/>"},
		{policy, "<\u2070/>"},
		{policy, "<a b\u200d=''/>"},
		{policy, "<\u0387/>"},
		{bad, "<a\u00d7/>"},
		{bad, "<\u00b7/>"},
		{bad, "<\u0300/>"},
		{bad, "<a\u2028/>"},
		{policy, `<x:a xmlns:x='a b'/>`},
		{policy, "<x:a xmlns:x='a\nb'/>"},
		{policy, `<x:a xmlns:x='a}b'/>`},
		{policy, `<x:a xmlns:x='a|b'/>`},
		{policy, `<b:c xmlns:b="x&gt;"/>`},
	},
}

// TestRefused checks every piece, whole and in pieces.
func TestRefused(t *testing.T) {
	for topic, table := range refused {
		t.Run(topic, func(t *testing.T) {
			for _, c := range table {
				testRefused(t, c)
			}
		})
	}
}

func testRefused(t *testing.T, c wrong) {
	got, err := scan(streamHeader+c.xml, Limits{}, 1<<20)
	if condition(err) != c.want {
		t.Errorf("%q: %q, %v; want %s", c.xml, got, err, c.want)
	}
	// What comes in pieces ends the same way, at the latest when a '<' shows
	// that the tag is broken.
	for _, chunk := range []int{1, 2, 3, 7} {
		if got, err := scan(streamHeader+c.xml+"<<", Limits{}, chunk); condition(err) != c.want {
			t.Errorf("%q in pieces of %d: %q, %v; want %s", c.xml, chunk, got, err, c.want)
		}
	}
}
