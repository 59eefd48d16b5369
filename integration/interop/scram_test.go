package interop

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"weir/integration/testclient"
	"weir/integration/testserver"

	"mellium.im/sasl"
	"mellium.im/xmlstream"
	"mellium.im/xmpp"
	"mellium.im/xmpp/disco"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/ping"
	"mellium.im/xmpp/stanza"
)

var binary = &testserver.Binary{}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := binary.Remove(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func start(t *testing.T) *testserver.Server {
	return testserver.Start(t, testserver.Options{Binary: binary, Accounts: []string{"juliet", "romeo"}})
}

// mellium logs in with mellium's client and the one mechanism it is given.
func mellium(t *testing.T, s *testserver.Server, user, password string, m sasl.Mechanism) (*xmpp.Session, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Addr(testserver.C2S))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return xmpp.NewClientSession(ctx, jid.MustParse(user+"@"+s.Domain), conn,
		xmpp.StartTLS(&tls.Config{ServerName: s.Domain, InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}),
		xmpp.SASL("", password, m),
		xmpp.BindResource())
}

// TestMelliumWithChannelBinding logs in with SCRAM bound by tls-exporter (what
// mellium's client uses with TLS 1.3) and lets its session work.
func TestMelliumWithChannelBinding(t *testing.T) {
	s := start(t)
	for _, m := range []sasl.Mechanism{sasl.ScramSha256Plus, sasl.ScramSha1Plus, sasl.ScramSha256, sasl.ScramSha1, sasl.Plain} {
		t.Run(m.Name, func(t *testing.T) {
			if _, err := mellium(t, s, "juliet", "not-the-password", m); err == nil {
				t.Error("a wrong password got in")
			}
			session, err := mellium(t, s, "juliet", testserver.Password("juliet"), m)
			if err != nil {
				t.Fatal(err)
			}
			use(t, session, s.Domain)
		})
	}
}

// use pings and discovers the server, sends a message to itself and closes.
func use(t *testing.T, session *xmpp.Session, domain string) {
	t.Helper()
	got := make(chan string, 1)
	served := make(chan error, 1)
	go func() {
		served <- session.Serve(xmpp.HandlerFunc(func(r xmlstream.TokenReadEncoder, start *xml.StartElement) error {
			if start.Name.Local != "message" {
				return nil
			}
			var m struct {
				stanza.Message
				Body string `xml:"body"`
			}
			if err := xml.NewTokenDecoder(xmlstream.MultiReader(xmlstream.Token(*start), r)).Decode(&m); err != nil {
				return err
			}
			got <- m.Body
			return nil
		}))
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	server := jid.MustParse(domain)
	if err := ping.Send(ctx, session, server); err != nil {
		t.Errorf("ping: %v", err)
	}
	info, err := disco.GetInfo(ctx, "", server, session)
	if err != nil || len(info.Features) == 0 {
		t.Errorf("disco: %v, %v", info, err)
	}
	err = session.Encode(ctx, struct {
		stanza.Message
		Body string `xml:"body"`
	}{stanza.Message{To: session.LocalAddr(), Type: stanza.ChatMessage}, "so light a foot"})
	if err != nil {
		t.Errorf("sending: %v", err)
	}
	select {
	case body := <-got:
		if body != "so light a foot" {
			t.Errorf("got %q", body)
		}
	case <-ctx.Done():
		t.Error("the message didn't arrive")
	}
	if err := session.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
	select {
	case err := <-served:
		if err != nil {
			t.Errorf("the session ended with %v", err)
		}
	case <-ctx.Done():
		t.Error("the server didn't close the stream")
	}
}

// TestMelliumDialsDirectTLS finds the listener for TLS from the first byte by
// its port, with ALPN.
func TestMelliumDialsDirectTLS(t *testing.T) {
	s := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	addr := jid.MustParse("romeo@" + s.Domain)
	d := tls.Dialer{Config: &tls.Config{ServerName: s.Domain, InsecureSkipVerify: true, NextProtos: []string{"xmpp-client"}}}
	conn, err := d.DialContext(ctx, "tcp", s.Addr(testserver.Direct))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if alpn := conn.(*tls.Conn).ConnectionState().NegotiatedProtocol; alpn != "xmpp-client" {
		t.Errorf("ALPN chose %q", alpn)
	}
	session, err := xmpp.NewSession(ctx, addr.Domain(), addr, conn, xmpp.Secure,
		xmpp.NewNegotiator(func(*xmpp.Session, *xmpp.StreamConfig) xmpp.StreamConfig {
			return xmpp.StreamConfig{Features: []xmpp.StreamFeature{
				xmpp.SASL("", testserver.Password("romeo"), sasl.ScramSha256Plus, sasl.ScramSha256), xmpp.BindResource()}}
		}))
	if err != nil {
		t.Fatal(err)
	}
	use(t, session, s.Domain)
}

// TestXDGWithChannelBinding logs in with xdg-go's SCRAM, bound and not, on both
// listeners; a binding to another connection gets nobody in.
func TestXDGWithChannelBinding(t *testing.T) {
	s := start(t)
	for _, listener := range []string{testserver.C2S, testserver.Direct} {
		for _, mech := range []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1"} {
			t.Run(listener+" "+mech, func(t *testing.T) {
				c := dialSecured(t, s, listener)
				var refused *testclient.AuthError
				if err := c.Auth(t.Context(), mech, "juliet", "not-the-password"); !errors.As(err, &refused) || refused.Condition != "not-authorized" {
					t.Errorf("a wrong password: %v", err)
				}
				if err := c.Auth(t.Context(), mech, "juliet", testserver.Password("juliet")); err != nil {
					t.Fatal(err)
				}
				if err := c.Open(t.Context()); err != nil {
					t.Fatal(err)
				}
				if _, err := c.Bind(t.Context(), ""); err != nil {
					t.Fatal(err)
				}
				if _, err := c.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func dialSecured(t *testing.T, s *testserver.Server, listener string) *testclient.Client {
	t.Helper()
	o := testclient.Options{Addr: s.Addr(listener), Domain: s.Domain}
	if listener == testserver.Direct {
		o.Security = testclient.DirectTLS
	}
	c, err := testclient.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Cut() })
	if err := c.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if o.Security == testclient.Plain {
		if err := c.StartTLS(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := c.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return c
}
