package mam

import (
	"fmt"
	"strings"
	"testing"
)

// TestPrefs goes through XEP-0441 §2.1.
func TestPrefs(t *testing.T) {
	s := newScene(t, Options{})
	get := func() string { return s.romeo.Ask("<iq type='get' id='1'><prefs xmlns='urn:xmpp:mam:2'/></iq>") }
	set := func(rest string) string {
		return s.romeo.Ask("<iq type='set' id='1'><prefs xmlns='urn:xmpp:mam:2' " + rest + "</prefs></iq>")
	}
	if got := get(); !strings.Contains(got, "<prefs xmlns='urn:xmpp:mam:2' default='always'><always></always><never></never></prefs>") {
		t.Errorf("at first: %s", got)
	}
	for _, c := range []struct{ set, want string }{
		{"default='never'>", "default='never'><always></always><never></never>"},
		{"default='roster'><always><jid>Juliet@verona.lit</jid></always><never/>", "default='roster'><always><jid>juliet@verona.lit</jid></always><never></never>"},
		{"default='always'><never><jid>a@b/it's &lt;</jid><jid>a@b</jid><jid>a@b</jid></never>", "default='always'><always></always><never><jid>a@b/it's &lt;</jid><jid>a@b</jid></never>"},
		{"default='always'><always><jid>a@b</jid><jid>c@d</jid></always><never><jid>a@b</jid></never>", "default='always'><always><jid>c@d</jid></always><never><jid>a@b</jid></never>"},
	} {
		if got := set(c.set); !strings.Contains(got, "type='result'") || !strings.Contains(got, c.want) {
			t.Errorf("set %s: %s", c.set, got)
		}
		if got := get(); !strings.Contains(got, c.want) {
			t.Errorf("after %s: %s", c.set, got)
		}
	}
	before := get()
	many := func(n, size int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "<jid>a%d@%s</jid>", i, strings.Repeat("b", size))
		}
		return b.String()
	}
	for _, c := range []struct{ set, want string }{
		{">", "bad-request"},
		{"default='sometimes'>", "bad-request"},
		{"default='never'><always><jid>@</jid></always>", "jid-malformed"},
		{"default='never'><always><jid/></always>", "jid-malformed"},
		{"default='never'><always>" + many(300, 1) + "</always><never>" + many(201, 1) + "</never>", "policy-violation"},
		{"default='never'><always>" + many(70, 1000) + "</always>", "policy-violation"},
	} {
		if got := set(c.set); !strings.Contains(got, "<"+c.want+" ") {
			t.Errorf("set %.60s: %s", c.set, got)
		}
	}
	if got := get(); got != before {
		t.Errorf("what was refused changed something: %s", got)
	}
	if got := set("default='never'><always>" + many(500, 1) + "</always>"); strings.Count(got, "<jid>") != 500 {
		t.Errorf("500 addresses: %s", got)
	}
}
