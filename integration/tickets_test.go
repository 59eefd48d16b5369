package integration_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/integration/testclient"
	"weir/integration/testserver"
)

// newCertificate writes a certificate for the names and its key into one file, which
// is never there in part.
func newCertificate(t *testing.T, file string, names ...string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(240 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	b := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})...)
	if err := os.WriteFile(file+".new", b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// ticketClient is a client that keeps TLS tickets between its connections.
type ticketClient struct {
	t     *testing.T
	s     *testserver.Server
	cache tls.ClientSessionCache
}

// visit logs in with a mechanism over a fresh connection and returns the state of TLS.
func (k *ticketClient) visit(listener ticketListener, mechanism string) tls.ConnectionState {
	k.t.Helper()
	c, err := testclient.Dial(k.t.Context(), testclient.Options{Addr: k.s.Addr(listener.name), Domain: "localhost", Security: listener.security,
		TLS: &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", ClientSessionCache: k.cache}, Timeout: patience})
	if err == nil {
		err = c.Open(k.t.Context())
	}
	if err == nil && listener.security == testclient.StartTLS {
		if err = c.StartTLS(k.t.Context()); err == nil {
			err = c.Open(k.t.Context())
		}
	}
	if err == nil {
		err = c.Auth(k.t.Context(), mechanism, "juliet", testserver.Password("juliet"))
	}
	if err != nil {
		k.t.Fatal(err)
	}
	cs, _ := c.TLS()
	if err := c.Cut(); err != nil {
		k.t.Fatal(err)
	}
	return cs
}

type ticketListener struct {
	name     string
	security testclient.Security
}

var (
	direct   = ticketListener{testserver.Direct, testclient.DirectTLS}
	startTLS = ticketListener{testserver.C2S, testclient.StartTLS}
)

// resumes visits both listeners and wants the session to be resumed.
func (k *ticketClient) resumes(when string) {
	k.t.Helper()
	for _, l := range []ticketListener{direct, startTLS} {
		if !k.visit(l, "SCRAM-SHA-256-PLUS").DidResume {
			k.t.Errorf("%s, %s: not resumed", when, l.name)
		}
	}
}

// TestTicketsSurvive resumes TLS sessions with the same certificate, over a restart
// and a kill, and none after the certificate was replaced. The login is bound to the
// channel each time.
func TestTicketsSurvive(t *testing.T) {
	cert := filepath.Join(t.TempDir(), "cert.pem")
	newCertificate(t, cert, "localhost")
	s := testserver.Start(t, testserver.Options{Binary: binary, Accounts: accounts,
		Config: fmt.Sprintf("[[tls.certificates]]\ncert = %q\n", cert)})
	k := &ticketClient{t, s, tls.NewLRUClientSessionCache(8)}
	first := k.visit(direct, "SCRAM-SHA-256-PLUS")
	if first.DidResume {
		t.Error("resumed what had not begun")
	}
	k.resumes("again")
	keys := ticketKeys(t, s)
	s.Stop()
	s.Again()
	k.resumes("after a restart")
	s.Kill()
	s.Again()
	k.resumes("after a kill")
	if !bytes.Equal(ticketKeys(t, s), keys) {
		t.Error("the keys were made anew")
	}
	backup := filepath.Join(t.TempDir(), "backup")
	s.Run("backup", backup, "--data", s.Dir)
	if _, err := os.Stat(filepath.Join(backup, "store")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(backup, "tls-tickets")); !os.IsNotExist(err) {
		t.Errorf("the keys are in a backup: %v", err)
	}
	// SIGHUP without a change changes nothing.
	hangUp(t, s, 1)
	k.resumes("after the same certificate was read again")
	newCertificate(t, cert, "localhost")
	hangUp(t, s, 2)
	if got := k.visit(direct, "SCRAM-SHA-256-PLUS"); got.DidResume || bytes.Equal(got.PeerCertificates[0].Raw, first.PeerCertificates[0].Raw) {
		t.Errorf("after the certificate was replaced: resumed: %v", got.DidResume)
	}
	k.resumes("with the new certificate")
}

// hangUp sends SIGHUP and waits until the certificates were read for the nth time.
func hangUp(t *testing.T, s *testserver.Server, n int) {
	t.Helper()
	if err := syscall.Kill(s.PID(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); strings.Count(s.Output(), "certificates read again") < n; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the certificates were not read again\n%s", s.Output())
		}
	}
}

// ticketKeys reads the file with the keys, which is nobody else's.
func ticketKeys(t *testing.T, s *testserver.Server) []byte {
	t.Helper()
	file := filepath.Join(s.Dir, "tls-tickets")
	fi, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if fi.Mode() != 0o600 {
		t.Errorf("the keys have mode %v", fi.Mode())
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if out := s.Output(); len(b) < 60 || strings.Contains(out, string(b[len(b)-30:len(b)-2])) {
		t.Error("no key, or one in the log")
	}
	return b
}

// TestTicketsOff has a server without tickets, whose clients make full handshakes.
func TestTicketsOff(t *testing.T) {
	s := testserver.Start(t, testserver.Options{Binary: binary, Accounts: accounts, Config: "[tls]\ntickets = false\n"})
	k := &ticketClient{t, s, tls.NewLRUClientSessionCache(8)}
	k.visit(direct, "SCRAM-SHA-256-PLUS")
	if k.visit(direct, "SCRAM-SHA-256-PLUS").DidResume {
		t.Error("resumed")
	}
	if _, err := os.Stat(filepath.Join(s.Dir, "tls-tickets")); !os.IsNotExist(err) {
		t.Errorf("keys are kept: %v", err)
	}
}

// TestTicketsOfOthers brings tickets of another server with the same certificate, and
// a ticket of one domain to the other that the certificate serves.
func TestTicketsOfOthers(t *testing.T) {
	cert := filepath.Join(t.TempDir(), "cert.pem")
	newCertificate(t, cert, "localhost", "other.example")
	config := fmt.Sprintf("[[tls.certificates]]\ncert = %q\n", cert)
	o := testserver.Options{Binary: binary, Accounts: accounts, Config: config, Args: []string{"--domain", "other.example"}}
	one, other := testserver.Start(t, o), testserver.Start(t, o)
	k := &ticketClient{t, one, tls.NewLRUClientSessionCache(8)}
	k.visit(direct, "SCRAM-SHA-256-PLUS")
	if !k.visit(direct, "SCRAM-SHA-256-PLUS").DidResume {
		t.Error("not resumed: the test proves nothing")
	}
	k.s = other
	if k.visit(direct, "SCRAM-SHA-256-PLUS").DidResume {
		t.Error("resumed what another server began")
	}
	for name, want := range map[string]bool{"localhost": true, "other.example": false} {
		state, _ := k.cache.Get("localhost")
		only := tls.NewLRUClientSessionCache(1)
		only.Put(name, state)
		c, err := tls.Dial("tcp", other.Addr(testserver.Direct), &tls.Config{InsecureSkipVerify: true, ServerName: name, ClientSessionCache: only})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.ConnectionState().DidResume; got != want {
			t.Errorf("%s with a ticket of localhost: resumed: %v", name, got)
		}
		c.Close()
	}
}

// spoiled is a cache whose tickets are changed on their way to the server.
type spoiled struct {
	tls.ClientSessionCache
	change func([]byte) []byte
}

func (c spoiled) Get(key string) (*tls.ClientSessionState, bool) {
	s, ok := c.ClientSessionCache.Get(key)
	if !ok {
		return nil, false
	}
	ticket, state, err := s.ResumptionState()
	if err != nil {
		return nil, false
	}
	s, err = tls.NewResumptionState(c.change(bytes.Clone(ticket)), state)
	return s, err == nil
}

// TestGarbageTickets brings what is no ticket: the login goes on with a full handshake.
func TestGarbageTickets(t *testing.T) {
	k := &ticketClient{t, startServer(t), nil}
	for name, change := range map[string]func([]byte) []byte{
		"one byte": func([]byte) []byte { return []byte{0} },
		"long":     func([]byte) []byte { return bytes.Repeat([]byte{1}, 20_000) },
		"cut":      func(b []byte) []byte { return b[:len(b)/2] },
		"a bit":    func(b []byte) []byte { b[len(b)/2] ^= 0x10; return b },
	} {
		cache := tls.NewLRUClientSessionCache(1)
		k.cache = cache
		k.visit(direct, "SCRAM-SHA-256-PLUS")
		k.cache = spoiled{cache, change}
		if k.visit(direct, "SCRAM-SHA-256-PLUS").DidResume {
			t.Errorf("%s: resumed", name)
		}
	}
}

// turns counts how often a client had to wait: a read that follows a write.
type turns struct {
	net.Conn
	wrote bool
	n     int
}

func (c *turns) Write(b []byte) (int, error) {
	c.wrote = true
	return c.Conn.Write(b)
}

func (c *turns) Read(b []byte) (int, error) {
	if c.wrote {
		c.wrote, c.n = false, c.n+1
	}
	return c.Conn.Read(b)
}

// TestReconnectRoundTrips counts what a client waits for on its way back to its session
// by direct TLS, with a TLS ticket, a token, and features that it knows.
func TestReconnectRoundTrips(t *testing.T) {
	s := startServer(t)
	const agent = "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'/>"
	cfg := &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", ClientSessionCache: tls.NewLRUClientSessionCache(1), NextProtos: []string{"xmpp-client"}}
	c, err := testclient.Dial(t.Context(), testclient.Options{Addr: s.Addr(testserver.Direct), Security: testclient.DirectTLS, TLS: cfg, Timeout: patience})
	if err == nil {
		err = c.Open(t.Context())
	}
	if err == nil {
		err = c.SASL2(t.Context(), "SCRAM-SHA-256-PLUS", "juliet", testserver.Password("juliet"), agent+"<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>"+
			"<bind xmlns='urn:xmpp:bind:0'><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind>")
	}
	if err != nil {
		t.Fatal(err)
	}
	config := c.Features().Child("urn:xmpp:iap:0", "config-version").Get("value")
	m, err := c.Expect(t.Context(), "<success xmlns='urn:xmpp:sasl:2'>...</success>", nil)
	if err != nil {
		t.Fatal(err)
	}
	token := m.Child("urn:xmpp:fast:0", "token").Get("token")
	stream := m.Child("urn:xmpp:bind:0", "bound").Child("urn:xmpp:sm:3", "enabled").Get("id")
	if config == "" || token == "" || stream == "" {
		t.Fatalf("features %q, token %q, stream %q", config, token, stream)
	}
	if err := c.Cut(); err != nil {
		t.Fatal(err)
	}
	for _, after := range []func(){func() {}, func() { s.Kill(); s.Again() }} {
		after()
		nc, err := net.Dial("tcp", s.Addr(testserver.Direct))
		if err != nil {
			t.Fatal(err)
		}
		count := &turns{Conn: nc}
		client := tls.Client(count, cfg)
		mac := hmac.New(sha256.New, []byte(token))
		mac.Write([]byte("Initiator"))
		if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(client, "<stream:stream to='localhost' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"+
			"<authenticate xmlns='urn:xmpp:sasl:2' mechanism='HT-SHA-256-NONE'><initial-response>"+
			base64.StdEncoding.EncodeToString(append([]byte("juliet\x00"), mac.Sum(nil)...))+"</initial-response>"+agent+"<fast xmlns='urn:xmpp:fast:0'/>"+
			"<config-version xmlns='urn:xmpp:iap:0' scheme='opaque' value='"+config+"'/><resume xmlns='urn:xmpp:sm:3' previd='"+stream+"' h='0'/></authenticate>")
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		for buf := make([]byte, 4096); !bytes.Contains(got, []byte("</success>")); {
			n, err := client.Read(buf)
			if got = append(got, buf[:n]...); err != nil {
				t.Fatalf("%v after %s", err, got)
			}
		}
		if !bytes.Contains(got, []byte("<resumed xmlns='urn:xmpp:sm:3'")) || !client.ConnectionState().DidResume {
			t.Errorf("TLS resumed: %v; %s", client.ConnectionState().DidResume, got)
		}
		if count.n != 2 {
			t.Errorf("%d round trips behind that of TCP, want 2", count.n)
		}
		nc.Close()
	}
}
