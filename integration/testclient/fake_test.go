package testclient

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/xdg-go/scram"
)

// fake is a server with just enough behaviour to log in to. It reads up to a
// ">" at a time and answers by what it finds; this is enough because the client
// under test writes each element in one piece.
type fake struct {
	t    *testing.T
	addr string
	cert tls.Certificate
	// after is what it does once a client is bound.
	after func(net.Conn, *bufio.Reader)
}

func newFake(t *testing.T, after func(net.Conn, *bufio.Reader)) *fake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{t: t, addr: l.Addr().String(), cert: selfSigned(t), after: after}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.serve(c)
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return f
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

const fakeHeader = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' " +
	"xmlns:stream='http://etherx.jabber.org/streams' from='localhost' id='1' version='1.0'><stream:features>"

// serve leads one client through STARTTLS, SASL and binding.
func (f *fake) serve(c net.Conn) {
	defer func() { c.Close() }()
	r := bufio.NewReader(c)
	var conv *scram.ServerConversation
	authed := false
	for {
		s, err := r.ReadString('>')
		if err != nil {
			return
		}
		_, secure := c.(*tls.Conn)
		switch {
		case strings.HasPrefix(s, "<stream:stream"):
			out := "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-256-PLUS</mechanism>" +
				"<mechanism>SCRAM-SHA-256</mechanism><mechanism>PLAIN</mechanism></mechanisms>"
			if authed {
				out = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
			} else if !secure {
				out = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
			}
			fmt.Fprint(c, fakeHeader+out+"</stream:features>")
		case strings.HasPrefix(s, "<starttls"):
			fmt.Fprint(c, "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
			c = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{f.cert}})
			r = bufio.NewReader(c)
		case strings.HasPrefix(s, "<auth mechanism='PLAIN'"):
			f.sasl(r)
			fmt.Fprint(c, "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/><text>no</text></failure>")
		case strings.HasPrefix(s, "<auth"):
			conv = f.conversation(c, strings.Contains(s, "-PLUS"))
			out, _ := conv.Step(f.sasl(r))
			fmt.Fprintf(c, "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>%s</challenge>", b64(out))
		case strings.HasPrefix(s, "<response"):
			out, err := conv.Step(f.sasl(r))
			if authed = err == nil && conv.Valid(); !authed {
				fmt.Fprint(c, "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>")
				continue
			}
			fmt.Fprintf(c, "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>%s</success>", b64(out))
		case strings.HasPrefix(s, "</iq"):
			fmt.Fprint(c, "<iq type='result' id='tc1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>juliet@localhost/x</jid></bind></iq>")
			f.after(c, r)
			return
		}
	}
}

func (f *fake) conversation(c net.Conn, plus bool) *scram.ServerConversation {
	stored := func(string) (scram.StoredCredentials, error) {
		client, err := scram.SHA256.NewClientUnprepped("juliet", "secret", "")
		if err != nil {
			return scram.StoredCredentials{}, err
		}
		return client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "salt", Iters: 4096})
	}
	srv, err := scram.SHA256.NewServer(stored)
	if err != nil {
		f.t.Error(err)
	}
	if !plus {
		return srv.NewConversation()
	}
	cs := c.(*tls.Conn).ConnectionState()
	cb, err := scram.NewTLSExporterBinding(&cs)
	if err != nil {
		f.t.Error(err)
	}
	return srv.NewConversationWithChannelBindingRequired(cb)
}

// sasl reads the text of a SASL element and its end tag.
func (f *fake) sasl(r *bufio.Reader) string {
	text, err := r.ReadString('<')
	if err != nil {
		return ""
	}
	_, _ = r.ReadString('>')
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(text, "<"))
	if err != nil {
		f.t.Error(err)
	}
	return string(raw)
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// login returns a client that is logged in to a fake server.
func login(t *testing.T, after func(net.Conn, *bufio.Reader)) *Client {
	t.Helper()
	f := newFake(t, after)
	c, err := Dial(context.Background(), Options{Addr: f.addr, Security: StartTLS})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Cut() })
	if err := c.Login(t.Context(), "juliet", "secret", "x"); err != nil {
		t.Fatal(err)
	}
	return c
}
