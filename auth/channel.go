package auth

import (
	"crypto"
	_ "crypto/sha256" // tls-server-end-point
	_ "crypto/sha512" // tls-server-end-point
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"sync"
)

// The channel binding types that this package knows.
const (
	bindExporter = "tls-exporter"         // RFC 9266
	bindUnique   = "tls-unique"           // RFC 5929 §3
	bindEndPoint = "tls-server-end-point" // RFC 5929 §4
)

const (
	exporterLabel  = "EXPORTER-Channel-Binding" // RFC 9266 §2
	exporterLength = 32
)

// Channel is what an exchange knows of the connection.
type Channel struct {
	// Domain is the stream's host: accounts are looked up there.
	Domain string
	// TLS is the connection's state after the handshake; nil without TLS.
	TLS *tls.ConnectionState
	// Certificate is the one the server sent on this connection (not the one it
	// would send today); nil switches tls-server-end-point off.
	Certificate *tls.Certificate
	// Addr is the peer's, for the limit of failed logins; the zero Addr has none.
	Addr netip.Addr
	// AllowPlain permits PLAIN without TLS: for connections that are secure by
	// other means, and for nothing else.
	AllowPlain bool
}

// secure reports whether what goes over the connection is encrypted.
func (ch *Channel) secure() bool { return ch.TLS != nil && ch.TLS.HandshakeComplete }

// exporter returns the binding data of tls-exporter, or nothing where it isn't
// defined: in TLS 1.2 without the extended master secret. There, a zero-length
// context and none at all give different data, and clients are found with either
// (RFC 9266 §2 means the first, many a library only has the second). Both are
// bound to the connection alike, so both are taken.
func (ch *Channel) exporter() [][]byte {
	if !ch.secure() {
		return nil
	}
	var all [][]byte
	for _, context := range [][]byte{{}, nil} {
		data, err := ch.TLS.ExportKeyingMaterial(exporterLabel, context, exporterLength)
		if err != nil {
			return nil
		}
		all = append(all, data)
		if ch.TLS.Version >= tls.VersionTLS13 {
			break // the two are the same
		}
	}
	return all
}

// hasExporter is whether exporter returns something, which goes without saying
// in TLS 1.3.
func (ch *Channel) hasExporter() bool {
	return ch.secure() && (ch.TLS.Version >= tls.VersionTLS13 || ch.exporter() != nil)
}

// unique returns the binding data of tls-unique, or nil where it isn't defined
// (TLS 1.3) or not unique: on a resumed connection without the extended master
// secret (RFC 7677 §4; crypto/tls sees to that). Who has channel bindings must have
// this one (RFC 5802 §6.1), and it is all that many clients know in TLS 1.2.
func (ch *Channel) unique() []byte {
	if !ch.secure() || ch.TLS.Version >= tls.VersionTLS13 || len(ch.TLS.TLSUnique) == 0 {
		return nil
	}
	return ch.TLS.TLSUnique
}

// endPoints remembers what tls-server-end-point is for the certificates in use:
// to know, one has to parse them.
type endPoints struct {
	// guarded by mu
	mu  sync.RWMutex
	all map[*byte][]byte // by where the certificate's bytes are
}

// maxEndPoints bounds the memory: a server has a few certificates at a time.
const maxEndPoints = 64

// data returns the binding data of tls-server-end-point, or nil where it isn't
// defined (Ed25519, or no certificate known).
func (e *endPoints) data(ch *Channel) []byte {
	if !ch.secure() || ch.Certificate == nil || len(ch.Certificate.Certificate) == 0 || len(ch.Certificate.Certificate[0]) == 0 {
		return nil
	}
	der := ch.Certificate.Certificate[0]
	e.mu.RLock()
	sum, ok := e.all[&der[0]]
	e.mu.RUnlock()
	if ok {
		return sum
	}
	sum = endPoint(der)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.all == nil || len(e.all) >= maxEndPoints {
		e.all = make(map[*byte][]byte)
	}
	e.all[&der[0]] = sum
	return sum
}

// endPoint hashes a certificate as the server sent it. RFC 5929 §4.1
func endPoint(der []byte) []byte {
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	h := bindingHash(leaf.SignatureAlgorithm)
	if h == 0 {
		return nil
	}
	d := h.New()
	d.Write(der)
	return d.Sum(nil)
}

// bindingHash is the table of RFC 5929 §4.1: the hash of the signature, but
// SHA-256 in place of MD5 and SHA-1.
func bindingHash(a x509.SignatureAlgorithm) crypto.Hash {
	switch a {
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1,
		x509.SHA256WithRSA, x509.DSAWithSHA256, x509.ECDSAWithSHA256, x509.SHA256WithRSAPSS:
		return crypto.SHA256
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		return crypto.SHA384
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		return crypto.SHA512
	}
	return 0
}

// binding returns what a client may have as binding data of a type, or nothing
// if the type can't be used here.
func (s *Service) binding(ch *Channel, kind string) [][]byte {
	switch kind {
	case bindExporter:
		return ch.exporter()
	case bindUnique:
		if data := ch.unique(); data != nil {
			return [][]byte{data}
		}
	case bindEndPoint:
		if data := s.endPoints.data(ch); data != nil {
			return [][]byte{data}
		}
	}
	return nil
}
