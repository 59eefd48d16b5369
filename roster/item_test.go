package roster

import (
	"encoding/xml"
	"strings"
	"testing"
	"unicode/utf8"

	"weir/jid"
)

// FuzzItemXML: any name and group come out as XML that encoding/xml reads back
// as the same, or as U+FFFD where XML can't hold it.
func FuzzItemXML(f *testing.F) {
	f.Add("Romeo", "Friends")
	f.Add("<'\"&>\t\n\r]]>", "\x00\uFFFE\xff\U0001F339")
	f.Fuzz(func(t *testing.T, name, group string) {
		p := Push{Item: Item{JID: jid.MustParse("a@b"), Name: name, Groups: []string{group}, State: Both, Listed: true}, Ver: name}
		var got struct {
			Ver  string `xml:"ver,attr"`
			Item struct {
				Name         string `xml:"name,attr"`
				Subscription string `xml:"subscription,attr"`
				Group        string `xml:"group"`
			} `xml:"item"`
		}
		if err := xml.Unmarshal(p.Query(), &got); err != nil {
			t.Fatalf("%s: %v", p.Query(), err)
		}
		if got.Ver != holdable(name) || got.Item.Name != holdable(name) || got.Item.Group != holdable(group) || got.Item.Subscription != "both" {
			t.Errorf("%q, %q became %+v", name, group, got)
		}
	})
}

// holdable is what XML can hold of a string.
func holdable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return utf8.RuneError
		}
		return r
	}, s)
}
