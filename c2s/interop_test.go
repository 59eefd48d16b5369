package c2s

import (
	"context"
	"crypto/tls"
	"net"
	"testing"

	"weir/netserver"

	"mellium.im/sasl"
	"mellium.im/xmpp"
	"mellium.im/xmpp/jid"
)

// The field's own client gets in, by each mechanism it has.
func TestMelliumClient(t *testing.T) {
	h := newHouse(t, withTLS)
	a, err := h.net.Listen(netserver.Listen{Addr: "127.0.0.1:0", New: h.Accept(h.lis)})
	must(t, err)
	for _, m := range []sasl.Mechanism{sasl.ScramSha256Plus, sasl.ScramSha1Plus, sasl.ScramSha256, sasl.ScramSha1, sasl.Plain} {
		t.Run(m.Name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			conn, err := net.Dial("tcp", a.String())
			must(t, err)
			defer conn.Close()
			s, err := xmpp.NewClientSession(ctx, jid.MustParse("juliet@verona.lit/balcony"), conn,
				xmpp.StartTLS(&tls.Config{InsecureSkipVerify: true, ServerName: "verona.lit"}),
				xmpp.SASL("", password, m), xmpp.BindResource())
			must(t, err)
			// It asks for an empty resource, whatever it was given.
			if got := s.LocalAddr(); got.Bare().String() != "juliet@verona.lit" || got.Resourcepart() == "" {
				t.Errorf("bound %s", got)
			}
			go func() { _ = s.Serve(nil) }()
			must(t, s.Close())
			if got := h.cause(); got.Code == 0 {
				t.Errorf("cause: %v", got)
			}
		})
	}
}
