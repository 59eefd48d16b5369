package netserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func newCerts(t *testing.T, o CertOptions) *Certs {
	t.Helper()
	s, err := NewCerts(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func shown(t *testing.T, s *Certs, name string) *tls.Certificate {
	t.Helper()
	c, err := s.Get(&tls.ClientHelloInfo{ServerName: name})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOwnCertificate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certs")
	s := newCerts(t, CertOptions{Domains: []string{"Example.org", "bücher.example", "192.0.2.1"}, Dir: dir})
	for name, file := range map[string]string{"example.org": "example.org.pem", "xn--bcher-kva.example": "xn--bcher-kva.example.pem"} {
		if got := shown(t, s, name).Leaf.DNSNames; len(got) != 1 || got[0] != name {
			t.Errorf("%s: certificate of %q", name, got)
		}
		fi, err := os.Stat(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if fi.Mode() != 0o600 {
			t.Errorf("%s has mode %v", file, fi.Mode())
		}
	}
	if got := s.Names()["192.0.2.1"].Leaf.IPAddresses; len(got) != 1 {
		t.Errorf("addresses %v", got)
	}
	if shown(t, s, "") != shown(t, s, "example.org") || shown(t, s, "other.example") != shown(t, s, "") {
		t.Error("the first domain is not the default")
	}
	again := newCerts(t, CertOptions{Domains: []string{"example.org"}, Dir: dir})
	if !bytes.Equal(shown(t, again, "").Certificate[0], shown(t, s, "").Certificate[0]) {
		t.Error("not used again after a restart")
	}
}

// A server's own certificate is not that of a CA, and one that issues is
// (RFC 6120 §13.7.1.1). Who trusts what is in the file trusts the server, and who
// trusts the issuer only as well.
func TestOwnCertificateIsIssued(t *testing.T) {
	long := strings.Repeat("a", 60) + ".example"
	for _, domain := range []string{"example.org", "192.0.2.1", long} {
		dir := t.TempDir()
		cert := newCerts(t, CertOptions{Domains: []string{domain}, Dir: dir}).Names()[domain]
		if len(cert.Certificate) != 2 {
			t.Fatalf("a chain of %d", len(cert.Certificate))
		}
		issuer, err := x509.ParseCertificate(cert.Certificate[1])
		if err != nil {
			t.Fatal(err)
		}
		if cert.Leaf.IsCA || !issuer.IsCA || issuer.KeyUsage != x509.KeyUsageCertSign {
			t.Errorf("leaf CA: %v, issuer CA: %v, its usage: %v", cert.Leaf.IsCA, issuer.IsCA, issuer.KeyUsage)
		}
		if n := len(issuer.Subject.CommonName); n > 64 {
			t.Errorf("the issuer's name has %d bytes", n)
		}
		file, err := os.ReadFile(filepath.Join(dir, domain+".pem"))
		if err != nil {
			t.Fatal(err)
		}
		whole, top := x509.NewCertPool(), x509.NewCertPool()
		if !whole.AppendCertsFromPEM(file) {
			t.Error("no certificates in the file")
		}
		top.AddCert(issuer)
		for _, roots := range []*x509.CertPool{whole, top} {
			if _, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: domain}); err != nil {
				t.Errorf("%s: %v", domain, err)
			}
		}
		if strings.Count(string(file), "PRIVATE KEY-----") != 2 {
			t.Error("not one key in the file")
		}
	}
}

func TestOwnCertificateIsRenewed(t *testing.T) {
	dir := t.TempDir()
	s := newCerts(t, CertOptions{Domains: []string{"example.org"}, Dir: dir})
	old := shown(t, s, "")
	if s.changed() {
		t.Error("changed at once")
	}
	s.now = func() time.Time { return old.Leaf.NotAfter.Add(-selfSignedRenew) }
	if !s.changed() {
		t.Fatal("doesn't see that it ends")
	}
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if shown(t, s, "") == old || s.changed() {
		t.Error("not renewed")
	}
}

func TestOwnCertificateDamaged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "example.org.pem")
	if err := os.WriteFile(path, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewCerts(CertOptions{Domains: []string{"example.org"}, Dir: dir}); err == nil {
		t.Error("a damaged file was not reported")
	}
	if b, _ := os.ReadFile(path); string(b) != "nonsense" {
		t.Error("a damaged file was overwritten")
	}
}

func TestNotADomain(t *testing.T) {
	for _, d := range []string{"", "../etc/passwd", "a b", "x/y", strings.Repeat("a", 300)} {
		if _, err := NewCerts(CertOptions{Domains: []string{d}, Dir: t.TempDir()}); err == nil {
			t.Errorf("%q is taken for a domain", d)
		}
	}
}

func writeCert(t *testing.T, path, domain string) *tls.Certificate {
	t.Helper()
	c, err := selfSigned(domain, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := writePair(path, c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSeveralDomains(t *testing.T) {
	dir := t.TempDir()
	one, two, wild := filepath.Join(dir, "1"), filepath.Join(dir, "2"), filepath.Join(dir, "3")
	writeCert(t, one, "one.example")
	writeCert(t, two, "two.example")
	writeCert(t, wild, "*.wild.example")
	s := newCerts(t, CertOptions{
		Domains: []string{"two.example", "own.example"}, Dir: dir, Strict: true,
		Files: []CertFiles{{Cert: one}, {Cert: two}, {Cert: wild}, {Cert: two, Domains: []string{"three.example"}}},
	})
	for name, want := range map[string]string{
		"": "two.example", "ONE.example.": "one.example", "two.example": "two.example",
		"three.example": "two.example", "own.example": "own.example", "a.wild.example": "*.wild.example",
	} {
		if got := shown(t, s, name).Leaf.Subject.CommonName; got != want {
			t.Errorf("%q: got %s, wanted %s", name, got, want)
		}
	}
	if _, err := s.Get(&tls.ClientHelloInfo{ServerName: "a.b.wild.example"}); err == nil {
		t.Error("strict, but a name that we don't have was served")
	}
}

// lockedBuffer is where a test collects a log.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestWatchedFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cert.pem")
	writeCert(t, path, "one.example")
	synctest.Test(t, func(t *testing.T) {
		var log lockedBuffer
		s := newCerts(t, CertOptions{Files: []CertFiles{{Cert: path}}, Log: slog.New(slog.NewTextHandler(&log, nil))})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.Run(ctx); close(done) }()
		first := shown(t, s, "one.example")

		if err := os.WriteFile(path, []byte("half a fi"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * s.opt.Poll)
		synctest.Wait()
		if shown(t, s, "one.example") != first {
			t.Error("a bad file replaced a good one")
		}
		if !strings.Contains(log.String(), path) {
			t.Errorf("the log doesn't name the bad file: %s", log.String())
		}
		want := writeCert(t, path, "two.example")
		time.Sleep(2 * s.opt.Poll)
		synctest.Wait()
		if got := shown(t, s, "two.example"); !bytes.Equal(got.Certificate[0], want.Certificate[0]) {
			t.Error("the new file is not in use")
		}
		cancel()
		<-done
	})
}

func TestReloadSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "1"), filepath.Join(dir, "2")
	writeCert(t, one, "one.example")
	writeCert(t, two, "two.example")
	_, err := NewCerts(CertOptions{Files: []CertFiles{{Cert: one, Key: two}}})
	if err == nil || !strings.Contains(err.Error(), one) {
		t.Errorf("key of another certificate: %v", err)
	}
	_, err = NewCerts(CertOptions{Files: []CertFiles{{Cert: filepath.Join(dir, "none")}}})
	if err == nil {
		t.Error("a missing file was not reported")
	}
}
