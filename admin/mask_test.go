package admin

import "testing"

// TestMask holds what is left of a stanza's texts.
func TestMask(t *testing.T) {
	for in, want := range map[string]string{
		"<message to='a@b' id='1'><body>Zoë &amp; I</body></message>":                        "<message to='a@b' id='1'><body>xxx x x</body></message>",
		"<presence><show>away</show><priority>-1</priority><status>abed</status></presence>": "<presence><show>away</show><priority>-1</priority><status>xxxx</status></presence>",
		"<x a='1>2' b=\"'>\">t<y/>u</x>":                                                     "<x a='1>2' b=\"'>\">x<y/>x</x>",
		"<value>urn:xmpp:mam:2</value><value>mine</value>":                                   "<value>urn:xmpp:mam:2</value><value>xxxx</value>",
		"<show": "<show", "<a>&#x": "<a>x", "": "", "<priority>5": "<priority>x",
	} {
		if got := string(mask([]byte(in))); got != want {
			t.Errorf("%s is %s, want %s", in, got, want)
		}
	}
}
