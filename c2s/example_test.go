package c2s_test

import (
	"context"
	"crypto/tls"
	"fmt"

	"weir/c2s"
	"weir/netserver"
	"weir/sessionmgr"
	"weir/xmlstream"
)

// A listener is a name, how TLS comes about, and what makes a stream of a connection.
func ExampleServer_Accept() {
	var (
		streams *c2s.Server // made by New
		config  *tls.Config
		sockets = netserver.New(netserver.Options{})
	)
	listen := func() error {
		_, err := sockets.Listen(netserver.Listen{Addr: ":5222", New: streams.Accept(c2s.Listener{
			Name:     "c2s",
			StartTLS: func(string) *tls.Config { return config },
		})})
		return err
	}
	_ = listen
}

// A nonza with an answer, for bound clients.
func ExampleServer_HandleNonza() {
	ask := c2s.Nonza{
		NS: "urn:example", Local: "ask", States: c2s.Bound,
		Handle: func(_ context.Context, s *c2s.Stream, _ *xmlstream.Token) error {
			return s.Send(func(dst []byte) []byte {
				return append(dst, "<answer xmlns='urn:example'/>"...)
			})
		},
	}
	fmt.Println(ask.NS, ask.Local)
	// Output: urn:example ask
}

// Settings that make no sense say so.
func ExampleOptions_Validate() {
	o := c2s.DefaultOptions()
	o.StanzaBytes = 4096
	fmt.Println(o.Validate())
	// Output: c2s: StanzaBytes is 4096, must be 10000 to 67108864
}

// A module that copies messages to all devices is turned on by an IQ as a rule.
// This has clients turn it on with their login: it is announced in the features,
// and in force when the session can first be reached.
func ExampleServer_HandleInline() {
	var (
		streams *c2s.Server // made by c2s.New
		on      sessionmgr.Slot[bool]
	)
	register := func() {
		streams.HandleInline(c2s.Inline{
			NS: "urn:xmpp:carbons:2", Local: "enable", Bind: true, Feature: "urn:xmpp:carbons:2",
			Before: func(_ context.Context, r *c2s.InlineRequest) { on.Set(r.Stream.Session(), true) },
		})
	}
	_ = register // called from the module's New
}
