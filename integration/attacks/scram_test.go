package attacks

import (
	"strings"
	"testing"

	"weir/integration/testserver"
)

// attackSCRAM tampers with single messages of good exchanges (RFC 5802 §5.1, RFC
// 5802 §6): the password is right in all of them.
func attackSCRAM(t *testing.T, h *house) {
	right := func() *exchange { return newExchange("attacker", "attacker-password") }
	const refused = "sasl not-authorized|sasl malformed-request"
	for _, first := range []string{"", "n", "n,", "n,,", "n,,n=attacker", "n,,r=abcdefgh", "n,,n=attacker,r=", "n,,r=abcdefgh,n=attacker",
		"n,,m=x,n=attacker,r=abcdefgh", "x,,n=attacker,r=abcdefgh", "n,a,n=attacker,r=abcdefgh", "n,,n=,r=abcdefgh", "n,,n=a=xx,r=abcdefgh",
		"n,,n=attacker,r=abc\x01defgh", "n,,n=\xff,r=abcdefgh", "p=tls-unique,,n=attacker,r=abcdefgh", "N,,n=attacker,r=abcdefgh",
		"n,,n=attacker,r=abcdefgh\x00", "n,,n=attacker,r=abcdefgh,"} {
		t.Run("first message "+first, func(t *testing.T) {
			w := h.opened(t, testserver.Direct)
			e := w.auth("SCRAM-SHA-256", first)
			if first == "" && strings.HasPrefix(e, "<challenge") { // RFC 6120 §6.4.2: then it is asked for
				e = w.respond("")
			}
			w.expect(e, refused)
			w.authenticate("attacker")
		})
	}
	for _, a := range []struct {
		name  string
		final func(x *exchange) string
	}{
		{"c= of another header", func(x *exchange) string { return x.prove("c=" + b64("y,,") + ",r=" + x.attribute("r")) }},
		{"c= with an authzid", func(x *exchange) string {
			return x.prove("c=" + b64("n,a=attacker@localhost,") + ",r=" + x.attribute("r"))
		}},
		{"c= with data", func(x *exchange) string { return x.prove("c=" + b64("n,,x") + ",r=" + x.attribute("r")) }},
		{"empty c=", func(x *exchange) string { return x.prove("c=,r=" + x.attribute("r")) }},
		{"no c=", func(x *exchange) string { return x.prove("r=" + x.attribute("r")) }},
		{"another nonce", func(x *exchange) string { return x.prove("c=biws,r=" + x.nonce + "AAAAAAAAAAAAAAAAAAAAAAAA") }},
		{"only the client's nonce", func(x *exchange) string { return x.prove("c=biws,r=" + x.nonce) }},
		{"a longer nonce", func(x *exchange) string { return x.prove("c=biws,r=" + x.attribute("r") + "a") }},
		{"another order", func(x *exchange) string { return x.prove("r=" + x.attribute("r") + ",c=biws") }},
		{"m= in the final message", func(x *exchange) string { return x.prove("m=x,c=biws,r=" + x.attribute("r")) }},
		{"no proof", func(x *exchange) string { return "c=biws,r=" + x.attribute("r") }},
		{"an empty proof", func(x *exchange) string { return "c=biws,r=" + x.attribute("r") + ",p=" }},
		{"half a proof", func(x *exchange) string { p := x.final(); return p[:len(p)-20] }},
		{"a proof and more", func(x *exchange) string { return x.final() + ",x=1" }},
		{"two proofs", func(x *exchange) string { return x.final() + ",p=AAAA" }},
		{"a proof of zeros", func(x *exchange) string {
			return "c=biws,r=" + x.attribute("r") + ",p=" + b64(strings.Repeat("\x00", 32))
		}},
		{"a wrong password", func(x *exchange) string { x.password = "wrong"; return x.final() }},
		{"nothing", func(*exchange) string { return "" }},
	} {
		t.Run(a.name, func(t *testing.T) {
			w := h.opened(t, testserver.Direct)
			x := w.begin(right())
			w.expect(w.respond(a.final(x)), refused)
			w.expect(w.respond(x.final()), refused) // and the exchange is over
			w.authenticate("attacker")
		})
	}
	t.Run("a replay", func(t *testing.T) {
		w := h.opened(t, testserver.Direct)
		x := w.begin(right())
		final := x.final()
		w.expect(w.respond(final), "success")
		again := h.opened(t, testserver.Direct)
		if second := again.begin(right()); second.attribute("r") == x.attribute("r") {
			t.Error("the server's nonce came twice")
		}
		again.expect(again.respond(final), refused)
	})
	t.Run("a downgrade under TLS", func(t *testing.T) { // RFC 5802 §6: y where -PLUS is on offer
		w := h.opened(t, testserver.Direct)
		x := right()
		x.gs2 = "y,,"
		e := w.auth("SCRAM-SHA-256", x.gs2+x.firstBare())
		if strings.HasPrefix(e, "<challenge") {
			x.serverFirst = w.data(e)
			e = w.respond(x.final())
		}
		w.expect(e, refused)
		w.authenticate("attacker") // it costs no attempt
	})
	t.Run("channel binding", func(t *testing.T) {
		for _, c := range []struct{ name, gs2, want string }{
			{"right", "p=tls-exporter,,", "success"},
			{"of another connection", "p=tls-exporter,,", refused},
			{"of another type", "p=tls-server-end-point,,", refused},
			{"of an unknown type", "p=tls-unique,,", refused},
			{"none", "n,,", refused},
		} {
			w := h.opened(t, testserver.Direct)
			x := right()
			x.gs2 = c.gs2
			e := w.auth("SCRAM-SHA-256-PLUS", x.gs2+x.firstBare())
			if strings.HasPrefix(e, "<challenge") {
				x.serverFirst = w.data(e)
				x.binding = w.exported()
				if c.name == "of another connection" {
					x.binding = h.opened(t, testserver.Direct).exported()
				}
				e = w.respond(x.final())
			}
			w.expect(e, c.want)
		}
	})
}
