package integration_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
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
