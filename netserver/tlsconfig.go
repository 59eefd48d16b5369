package netserver

import (
	"crypto/tls"
	"slices"
	"sync"
)

// ALPN is the protocol name of direct TLS for clients (XEP-0368 §3).
const ALPN = "xmpp-client"

// TLSConfig returns sane settings for the server's side: TLS 1.2 or newer, the
// library's choice of ciphers and curves, and the certificates of get, usually
// Certs.Get. direct is for listeners that begin with TLS: there a client that
// offers protocols by ALPN without "xmpp-client" is refused, which keeps
// attacks across protocols out; one that offers none is let in.
func TLSConfig(get func(*tls.ClientHelloInfo) (*tls.Certificate, error), direct bool) *tls.Config {
	cfg := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: get,
		Renegotiation:  tls.RenegotiateNever,
	}
	if direct {
		cfg.NextProtos = []string{ALPN}
	}
	return cfg
}

// prepare returns a copy of cfg as connections use it. There is one for each
// config, not for each connection.
func (s *Server) prepare(cfg *tls.Config) *tls.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.configs[cfg]
	if p == nil {
		p = s.prepared(cfg)
		s.configs[cfg] = p
	}
	return p
}

func (s *Server) prepared(cfg *tls.Config) *tls.Config {
	p := cfg.Clone()
	// One write of ours is to be one record where it fits.
	p.DynamicRecordSizingDisabled = true
	// Tickets are only for those whose certificate is known before: see resumable.
	p.SessionTicketsDisabled = true
	p.MinVersion = max(p.MinVersion, tls.VersionTLS12)
	p.GetCertificate = func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		cert, err := choose(cfg, h)
		if err == nil {
			noteCertificate(h, cert)
		}
		return cert, err
	}
	switch get := cfg.GetConfigForClient; {
	case get != nil:
		p.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			other, err := get(h)
			if other == nil || err != nil {
				return nil, err
			}
			return s.prepared(other), nil
		}
	case s.opt.Tickets != nil && (p.MaxVersion == 0 || p.MaxVersion >= tls.VersionTLS13):
		r := &resumable{tickets: s.opt.Tickets, cfg: cfg, base: p.Clone(), all: map[*tls.Certificate]*tls.Config{}}
		p.GetConfigForClient = r.configFor
	}
	return p
}

// noteCertificate tells a connection which certificate is its.
func noteCertificate(h *tls.ClientHelloInfo, cert *tls.Certificate) {
	if w, ok := h.Conn.(*tlsWire); ok {
		w.mu.Lock()
		w.cert = cert
		w.mu.Unlock()
	}
}

// resumable are the settings for clients that may resume a session, one for each
// certificate: a resumed session shows none, so which it is has to be decided before
// the client's ticket is looked at. TLS 1.2 is left out, where a stolen ticket key
// opens what was recorded.
type resumable struct {
	// immutable
	tickets   *Tickets
	cfg, base *tls.Config

	mu  sync.Mutex
	all map[*tls.Certificate]*tls.Config // guarded by mu
}

// maxResumable bounds the memory: there are a few certificates at a time.
const maxResumable = 64

// configFor is a tls.Config.GetConfigForClient. nil leaves it with the settings
// without tickets.
func (r *resumable) configFor(h *tls.ClientHelloInfo) (*tls.Config, error) {
	if !slices.Contains(h.SupportedVersions, tls.VersionTLS13) {
		return nil, nil
	}
	cert, err := choose(r.cfg, h)
	if err != nil || cert == nil || len(cert.Certificate) == 0 {
		return nil, nil // it will be asked for once more, and crypto/tls says what is wrong
	}
	noteCertificate(h, cert)
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.all[cert]
	if p == nil {
		p = r.base.Clone()
		p.Certificates = nil
		p.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return cert, nil }
		r.tickets.issue(p, cert)
		if len(r.all) >= maxResumable {
			clear(r.all)
		}
		r.all[cert] = p
	}
	return p, nil
}

// choose picks a certificate as crypto/tls does: GetCertificate first, then the
// first of Certificates that suits.
func choose(cfg *tls.Config, h *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if cfg.GetCertificate != nil && (len(cfg.Certificates) == 0 || h.ServerName != "") {
		cert, err := cfg.GetCertificate(h)
		if cert != nil || err != nil {
			return cert, err
		}
	}
	for i := range cfg.Certificates {
		if h.SupportsCertificate(&cfg.Certificates[i]) == nil {
			return &cfg.Certificates[i], nil
		}
	}
	if len(cfg.Certificates) > 0 {
		return &cfg.Certificates[0], nil
	}
	return nil, nil
}
