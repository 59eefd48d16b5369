package jid

import (
	"strings"
	"testing"

	mjid "mellium.im/xmpp/jid"
	"pgregory.net/rapid"
)

var seeds = []string{
	"juliet@example.com/foo", "JULIET@Example.com./Foo", "example.com", "a@b/c@d/e", "@", "/", "a@", "@b", "a@b/",
	"\u03a3@m\u00fcnchen.example/\u265a", "a@xn--mnchen-3ya.example", "a@b\u3002", "a@[::1]/x", "a@127.0.0.1",
	"a@b..c", "a@-b", "a@b-", "a@ab--c", "a b@c", "a@b/ x ", "a@b/\x7f", "\uff21@\uff22", "a@b\u2488c",
}

// agree holds that the fast paths never decide differently from mellium's
// parser, and that what we take is what it takes.
func agree(t interface {
	Errorf(string, ...any)
	Helper()
}, s string) (j JID, ok bool) {
	t.Helper()
	theirs, theirErr := mjid.Parse(s)
	if local, bare, ok := plain(s); ok {
		j := JID{s, uint16(local), uint16(bare)}
		if theirErr != nil || theirs.String() != s || theirs.Localpart() != j.Local() ||
			theirs.Domainpart() != j.Domain() || theirs.Resourcepart() != j.Resource() {
			t.Errorf("plain takes %q as %q %q %q; mellium says %q, %v",
				s, j.Local(), j.Domain(), j.Resource(), theirs, theirErr)
		}
	}
	if j, ok := folded(s); ok && (theirErr != nil || theirs.String() != j.String()) {
		t.Errorf("folded takes %q as %q; mellium says %q, %v", s, j, theirs, theirErr)
	}
	ours, err := Parse(s)
	if viaBytes, err2 := ParseBytes([]byte(s)); viaBytes != ours || (err == nil) != (err2 == nil) {
		t.Errorf("Parse(%q) = %q, %v; ParseBytes = %q, %v", s, ours, err, viaBytes, err2)
	}
	if err == nil && theirErr != nil {
		t.Errorf("Parse(%q) = %q; mellium says %v", s, ours, theirErr)
	}
	// Where mellium's own result is a fixed point, it is ours.
	again, againErr := mjid.Parse(theirs.String())
	if theirErr == nil && againErr == nil && again.String() == theirs.String() &&
		!strings.Contains(theirs.String(), "[") && !strings.Contains("."+theirs.Domainpart()+".", "..") &&
		len(s) <= maxInput && (err != nil || ours.String() != theirs.String()) {
		t.Errorf("Parse(%q) = %q, %v; mellium says %q", s, ours, err, theirs)
	}
	return ours, err == nil
}

func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if j, ok := agree(t, s); ok {
			check(t, j)
		}
	})
}

// TestAgree draws what a fuzzer seldom finds: strings made of the characters
// that the rules are about.
func TestAgree(t *testing.T) {
	alphabet := []rune("aaabzAZ019-_.@/:'\"&<>\\ [] \u00df\u00fc\u00dc\u03a3\u0301\u3002\uff21\uff0e\uff20\u2163\u265a\u200d\u05d0\u0660\u00ad\u0130")
	rapid.Check(t, func(rt *rapid.T) {
		s := string(rapid.SliceOfN(rapid.SampledFrom(alphabet), 0, 24).Draw(rt, "s"))
		agree(rt, s)
		agree(rt, "a@"+s)
		agree(rt, s+"@b.example")
		agree(rt, "a@b/"+s)
	})
}

// TestAgreeASCII goes through every ASCII byte at every kind of place.
func TestAgreeASCII(t *testing.T) {
	for c := range 128 {
		x := string(rune(c))
		for _, s := range []string{
			x, x + "@b", "a" + x + "@b", "a" + x + "c@b", "a@" + x, "a@b" + x, "a@b" + x + "c", "a@bc" + x + "d", "a@b." + x,
			"a@b" + x + x + "c", "a@bc" + x + x + "d", "a@b/" + x, "a@b/c" + x, "a@b/c" + x + "d", "b/" + x, "b" + x + "/c",
		} {
			agree(t, s)
		}
	}
}
