package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/config"
	"weir/netserver"
)

// zone is a resolver that knows a few names.
type zone struct {
	srv   map[string][]*net.SRV
	hosts map[string]string
}

func (z zone) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	if r, ok := z.srv["_"+service+"._"+proto+"."+name]; ok {
		return name, r, nil
	}
	return "", nil, &net.DNSError{Err: "no such host", IsNotFound: true, Server: "192.0.2.53"}
}

func (z zone) LookupHost(_ context.Context, host string) ([]string, error) {
	if a, ok := z.hosts[host]; ok {
		return []string{a}, nil
	}
	return nil, &net.DNSError{Err: "i/o timeout", IsTimeout: true, Server: "192.0.2.53"}
}

// found is what a checker found, one line each.
func found(c *checker) string {
	var b strings.Builder
	for _, f := range c.found {
		fmt.Fprintf(&b, "%s|%s|%s|%s\n", f.Outcome, f.Subject, f.Text, f.Hint)
	}
	return b.String()
}

// TestCheckNames holds what is said about each state of DNS.
func TestCheckNames(t *testing.T) {
	z := zone{
		srv: map[string][]*net.SRV{
			"_xmpp-client._tcp.good.example":  {{Target: "x.good.example.", Port: 5222}},
			"_xmpps-client._tcp.good.example": {{Target: "x.good.example.", Port: 5223}},
			"_xmpp-client._tcp.bad.example":   {{Target: "gone.example.", Port: 5999}},
		},
		hosts: map[string]string{"x.good.example": "192.0.2.1", "plain.example": "192.0.2.2"},
	}
	cfg := config.Default()
	for domain, want := range map[string]string{
		"localhost": "ok|DNS localhost|needs no names|\n",
		"192.0.2.9": "ok|DNS 192.0.2.9|needs no names|\n",
		"good.example": "ok|DNS _xmpp-client._tcp.good.example|x.good.example port 5222, at 192.0.2.1|\n" +
			"ok|DNS _xmpps-client._tcp.good.example|x.good.example port 5223, at 192.0.2.1|\n",
		"plain.example": "warn|DNS _xmpp-client._tcp.plain.example|no SRV record: no such name|add: _xmpp-client._tcp.plain.example. SRV 5 0 5222 plain.example.\n" +
			"warn|DNS _xmpps-client._tcp.plain.example|no SRV record: no such name|add: _xmpps-client._tcp.plain.example. SRV 5 0 5223 plain.example.\n" +
			"ok|DNS plain.example|plain.example is at 192.0.2.2|\n",
		"bad.example": "warn|DNS _xmpp-client._tcp.bad.example|no record names port 5222|change the record, or the address to listen on\n" +
			"warn|DNS _xmpp-client._tcp.bad.example|it points to gone.example, which has no address: no answer in time|add an A or AAAA record for gone.example\n" +
			"warn|DNS _xmpps-client._tcp.bad.example|no SRV record: no such name|add: _xmpps-client._tcp.bad.example. SRV 5 0 5223 bad.example.\n" +
			"warn|DNS bad.example|bad.example has no address: no answer in time|add an A or AAAA record for bad.example\n",
	} {
		c := &checker{names: z}
		c.domain(t.Context(), cfg, domain)
		if got := found(c); got != want {
			t.Errorf("%s:\n%swant\n%s", domain, got, want)
		}
	}
}

// TestCheckPorts: an address that two listeners want is free for one of them.
func TestCheckPorts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	cfg := dataFolder(t.TempDir())
	cfg.Listen = config.Listen{C2S: addr, C2STLS: addr}
	c := &checker{}
	c.ports(t.Context(), cfg)
	if got, want := found(c), "ok|c2s "+addr+"|free|\nfail|c2s-tls "+addr+"|another listener of the configuration has that port|choose another\n"; got != want {
		t.Errorf("%swant\n%s", got, want)
	}
}

// certificate writes a certificate and its key and returns their files.
func certificate(t *testing.T, begin, end time.Time, names ...string) netserver.CertFiles {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: begin, NotAfter: end, DNSNames: names},
		&x509.Certificate{SerialNumber: big.NewInt(1)}, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	f := netserver.CertFiles{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	for name, block := range map[string]*pem.Block{f.Cert: {Type: "CERTIFICATE", Bytes: der}, f.Key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// TestCheckCertificates holds what is said about each kind of certificate.
func TestCheckCertificates(t *testing.T) {
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	year := 365 * 24 * time.Hour
	good := certificate(t, now.Add(-year), now.Add(year), "example.org", "*.example.org")
	open := certificate(t, now.Add(-year), now.Add(year), "example.org")
	if err := os.Chmod(open.Key, 0o644); err != nil {
		t.Fatal(err)
	}
	other := good
	other.Domains = []string{"example.net"}
	mixed := good
	mixed.Key = open.Key
	for name, x := range map[string]struct {
		file    netserver.CertFiles
		domains string
		want    string
	}{
		"good":       {good, "example.org a.example.org", "ok|certificate FILE|serves example.org, *.example.org until 2027-05-01|;ok|certificate of example.org|configured|;ok|certificate of a.example.org|configured|;"},
		"not all":    {good, "a.b.example.org", "ok|certificate FILE|serves example.org, *.example.org until 2027-05-01|;warn|certificate of a.b.example.org|none is configured: clients will warn about the self-signed one that the server makes|name a certificate for it under [[tls.certificates]];"},
		"ended":      {certificate(t, now.Add(-year), now.Add(-time.Hour), "example.org"), "localhost", "fail|certificate FILE|it ended on 2026-04-30|renew it;ok|certificate of localhost|self-signed, made by the server|;"},
		"soon":       {certificate(t, now.Add(-year), now.Add(72*time.Hour), "localhost"), "localhost", "warn|certificate FILE|it ends on 2026-05-04, in 3d|renew it;ok|certificate of localhost|configured|;"},
		"not yet":    {certificate(t, now.Add(time.Hour), now.Add(year), "localhost"), "localhost", "fail|certificate FILE|it begins only on 2026-05-01|is the clock right?;ok|certificate of localhost|self-signed, made by the server|;"},
		"other name": {other, "localhost", "ok|certificate FILE|serves example.org, *.example.org until 2027-05-01|;fail|certificate FILE|it is not made for example.net|take example.net out of its domains, or get a certificate for it;ok|certificate of localhost|self-signed, made by the server|;"},
		"other key":  {mixed, "localhost", "fail|certificate FILE|tls: private key does not match public key|cert has the certificate and its chain, key the key that belongs to it, both PEM;ok|certificate of localhost|self-signed, made by the server|;"},
		"open key":   {open, "example.org", "warn|key KEY|every user may read it (mode 0644)|chmod 640 KEY (or 600);ok|certificate FILE|serves example.org until 2027-05-01|;ok|certificate of example.org|configured|;"},
	} {
		c := &checker{now: now}
		cfg := config.Default()
		cfg.Domains, cfg.TLS.Certificates = strings.Fields(x.domains), []netserver.CertFiles{x.file}
		c.certificates(cfg)
		got := strings.NewReplacer(x.file.Cert, "FILE", x.file.Key, "KEY", "\n", ";").Replace(found(c))
		if got != x.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, x.want)
		}
	}
}
