package netserver

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// How long a certificate of our own is valid, and how long before its end a new
// one is made.
const (
	selfSignedLife  = 365 * 24 * time.Hour
	selfSignedRenew = 30 * 24 * time.Hour
)

// selfSigned makes an ECDSA P-256 certificate for a domain in its ASCII form or
// an IP address, and the certificate of its issuer. There are two of them since
// one that is its own issuer would have to be that of a CA, which a server's must
// not be (RFC 6120 §13.7.1.1); clients that take this seriously (libpurple's with
// NSS) don't even let their users accept it. The issuer's key is thrown away: who
// trusts the issuer trusts this one certificate.
func selfSigned(domain string, now time.Time) (*tls.Certificate, error) {
	issuer := &x509.Certificate{
		Subject:        pkix.Name{CommonName: "weir, only for " + domain},
		KeyUsage:       x509.KeyUsageCertSign,
		IsCA:           true,
		MaxPathLenZero: true,
	}
	if len(issuer.Subject.CommonName) > 64 { // the most that X.509 has room for
		issuer.Subject.CommonName = "weir, only for one domain"
	}
	top, err := issue(issuer, nil, now)
	if err != nil {
		return nil, err
	}
	tmpl := &x509.Certificate{
		Subject:     pkix.Name{CommonName: domain},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip, err := netip.ParseAddr(domain); err == nil {
		tmpl.IPAddresses = []net.IP{ip.AsSlice()}
	} else {
		tmpl.DNSNames = []string{domain}
	}
	return issue(tmpl, top, now)
}

// issue makes a certificate with a new key, signed with that of the issuer, or
// with its own if there is none.
func issue(tmpl *x509.Certificate, issuer *tls.Certificate, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	tmpl.SerialNumber = serial.Add(serial, big.NewInt(1))
	tmpl.NotBefore = now.Add(-time.Hour) // clocks differ
	tmpl.NotAfter = now.Add(selfSignedLife)
	tmpl.BasicConstraintsValid = true
	parent, by, chain := tmpl, crypto.PrivateKey(key), [][]byte(nil)
	if issuer != nil {
		parent, by, chain = issuer.Leaf, issuer.PrivateKey, issuer.Certificate
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), by)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: append([][]byte{der}, chain...), PrivateKey: key, Leaf: leaf}, nil
}

// ownCertificate returns the certificate kept in dir for a domain, or a new one
// if there is none or it ends soon.
func ownCertificate(dir, domain string, now time.Time) (*tls.Certificate, error) {
	path := filepath.Join(dir, domain+".pem")
	old, err := loadPair(path, path)
	if err == nil && now.Before(old.Leaf.NotAfter.Add(-selfSignedRenew)) {
		return old, nil
	}
	if err != nil && !os.IsNotExist(err) {
		// Not overwritten: it may be a key that somebody needs.
		return nil, fmt.Errorf("netserver: own certificate of %s: %w", domain, err)
	}
	cert, err := selfSigned(domain, now)
	if err != nil {
		return nil, err
	}
	return cert, writePair(path, cert)
}

// writePair writes key and certificates into one file that only we can read. It
// appears whole or not at all.
func writePair(path string, cert *tls.Certificate) error {
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return err
	}
	var b []byte
	for _, der := range cert.Certificate {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	b = append(b, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	return writePrivate(path, b)
}

// loadPair reads a certificate chain and its key and sees that they fit.
func loadPair(certFile, keyFile string) (*tls.Certificate, error) {
	chain, err := os.ReadFile(certFile)
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, err
	}
	if cert.Leaf == nil {
		cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0])
	}
	return &cert, err
}
