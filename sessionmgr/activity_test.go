package sessionmgr

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestTwoClocks holds which stanzas of a client count as visible.
func TestTwoClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		juliet := h.online("juliet@verona.lit/balcony", 0)
		if !juliet.LastVisible().Equal(juliet.Created()) || !juliet.LastActive().Equal(juliet.Created()) {
			t.Error("a clock went before the first stanza")
		}
		for xml, visible := range map[string]bool{
			"<message to='romeo@verona.lit' type='chat'><body>hi</body></message>":  true,
			"<message to='romeo@verona.lit' type='error'><body>hi</body></message>": false,
			"<presence/>": true,
			"<iq type='get' id='1'><q xmlns='x'/></iq>":                   true,
			"<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>":    false,
			"<iq type='result' id='1' to='verona.lit'/>":                  false,
			"<iq type='error' id='1' to='verona.lit'><e xmlns='x'/></iq>": false,
		} {
			time.Sleep(time.Minute)
			before := juliet.LastVisible()
			juliet.send(xml)
			if now := time.Now(); !juliet.LastActive().Equal(now) || juliet.LastVisible().Equal(now) != visible || !visible && !juliet.LastVisible().Equal(before) {
				t.Errorf("%s: visible is %v, received %v", xml, juliet.LastVisible(), juliet.LastActive())
			}
		}
	})
}

// TestTraffic holds that stanzas are counted by kind and with their bytes.
func TestTraffic(t *testing.T) {
	h := newHouse(t)
	juliet, romeo := h.online("juliet@verona.lit/balcony", 0), h.online("romeo@verona.lit/orchard", 0)
	was := juliet.Given()
	for range 3 {
		romeo.send("<message to='juliet@verona.lit' type='chat'><body>hello</body></message>")
	}
	romeo.send("<presence/>")
	romeo.send("<iq type='get' id='1'><nothing xmlns='x'/></iq>")
	if in := romeo.Received(); in.Messages != 3 || in.Presence != 1 || in.IQs != 1 || in.Bytes < 300 {
		t.Errorf("romeo sent %+v", in)
	}
	if out := juliet.Given(); out.Messages-was.Messages != 3 || out.IQs != 0 || out.Bytes-was.Bytes < 200 {
		t.Errorf("juliet got %+v", out)
	}
	if d := romeo.Describe(); d.In != romeo.Received() || d.Out.IQs != 1 {
		t.Errorf("described as %+v and %+v", d.In, d.Out)
	}
}

// TestTraitsAreBounded: clients that say ever new things of themselves leave
// nothing behind.
func TestTraitsAreBounded(t *testing.T) {
	h := newHouse(t)
	juliet := h.bind("juliet@verona.lit/balcony")
	juliet.SetInfo(LinkInfo{Transport: "tcp", ALPN: "xmpp-client", SNI: "verona.lit"})
	juliet.SetLang("it")
	romeo := h.bind("romeo@verona.lit/orchard")
	for i := range 3 * maxTraits {
		romeo.SetLang(fmt.Sprint("x-", i))
	}
	n := 0
	h.traits.Range(func(any, any) bool { n++; return true })
	if n > maxTraits {
		t.Errorf("%d traits are remembered, want up to %d", n, maxTraits)
	}
	if d := juliet.Describe(); d.ALPN != "xmpp-client" || d.SNI != "verona.lit" || d.Lang != "it" {
		t.Errorf("described as %q %q %q", d.ALPN, d.SNI, d.Lang)
	}
}
