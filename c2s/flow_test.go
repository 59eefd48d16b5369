package c2s

import (
	"strings"
	"testing"

	"weir/sessionmgr"
)

// The whole way of a client, with STARTTLS, as RFC 6120 §9.1 tells it.
func TestWholeWay(t *testing.T) {
	h := newHouse(t, withTLS)
	c := h.dial()
	if f := c.open(); !strings.Contains(f, "<stream:features><starttls xmlns='"+nsTLS+"'><required/></starttls></stream:features>") {
		t.Fatalf("before TLS: %s", f)
	}
	c = h.dial()
	c.upgrade()
	f := c.open()
	for _, want := range []string{"<mechanism>SCRAM-SHA-256-PLUS</mechanism>", "<mechanism>PLAIN</mechanism>",
		"<channel-binding type='tls-exporter'/>", "<max-bytes>8192</max-bytes>"} {
		if !strings.Contains(f, want) {
			t.Errorf("under TLS: no %s in %s", want, f)
		}
	}
	if strings.Contains(f, "starttls") || strings.Contains(f, "<bind xmlns='"+nsBind+"'") {
		t.Errorf("under TLS: %s", f)
	}
	c.send(plain("juliet", password))
	c.expect("<success xmlns='" + nsSASL + "'></success>")
	f = c.open()
	if want := "<stream:features><bind xmlns='" + nsBind + "'/><session xmlns='" + nsSession + "'><optional/></session>" +
		"<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>262144</max-bytes><idle-seconds>300</idle-seconds></limits>" +
		"</stream:features>"; !strings.HasSuffix(f, want) {
		t.Errorf("after login: %s", f)
	}
	c.send(bindIQ)
	c.expect("<iq type='result' id='b1'><bind xmlns='" + nsBind + "'><jid>juliet@verona.lit/balcony</jid></bind></iq>")
	c.sync()
	c.send("</stream:stream>")
	c.expect("</stream:stream>")
	if rest := c.expectEnd(); rest != "" {
		t.Errorf("after the end: %s", rest)
	}
	if got := h.cause(); got.Code != sessionmgr.ClosedByClient {
		t.Errorf("cause: %v", got)
	}
}

// Fed byte by byte, the same comes out.
func TestByteByByte(t *testing.T) {
	h := newHouse(t)
	c := h.dial()
	feed := func(x string) {
		for i := range len(x) {
			c.send(x[i : i+1])
		}
	}
	feed(headerVerona)
	c.expect(endFeatures)
	feed(plain("juliet", password))
	c.expect("<success")
	feed(headerVerona)
	c.expect(endFeatures)
	feed(bindIQ)
	c.expect("juliet@verona.lit/balcony")
	feed("<message to='juliet@verona.lit/balcony' id='m'><body>hi &amp; bye</body></message></stream:stream>")
	c.expectAll("<message", "<body>hi &amp; bye</body>", "</stream:stream>")
	c.expectEnd()
}

// A client may send all at once what needs no answer first: nothing is lost
// while a step runs elsewhere.
func TestPipelining(t *testing.T) {
	h := newHouse(t)
	c := h.dial()
	c.send(headerVerona + plain("juliet", password) + headerVerona + bindIQ +
		"<iq type='set' id='s1'><session xmlns='" + nsSession + "'/></iq><message to='juliet@verona.lit/balcony'><body>1</body></message></stream:stream>")
	c.expectAll(endFeatures, "<success", "<?xml", endFeatures, "id='b1'", "id='s1'", "<body>1</body>", "</stream:stream>")
	c.expectEnd()
	wellFormed(t, c.got)
}

func TestDirectTLS(t *testing.T) {
	h := newHouse(t, withTLS)
	h.lis.StartTLS = nil
	c := h.dialTLS()
	if f := c.open(); strings.Contains(f, "starttls") || !strings.Contains(f, "<mechanism>") {
		t.Errorf("features: %s", f)
	}
	c.send(plain("juliet", password))
	c.expect("<success")
	var info sessionmgr.LinkInfo
	h.sm.Range(func(s *sessionmgr.Session) bool { info = s.Info(); return false })
	if info.TLS != "TLS 1.3" || info.Cipher == "" || info.Mechanism != "PLAIN" || info.Listener != "tls" {
		t.Errorf("info: %+v", info)
	}
}
