package netserver

import "crypto/tls"

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
		p = prepared(cfg)
		s.configs[cfg] = p
	}
	return p
}

func prepared(cfg *tls.Config) *tls.Config {
	p := cfg.Clone()
	// One write of ours is to be one record where it fits.
	p.DynamicRecordSizingDisabled = true
	// A resumed session is shown no certificate, but the channel binding needs
	// to know it; and resuming saves an eighth of the work at most.
	p.SessionTicketsDisabled = true
	p.MinVersion = max(p.MinVersion, tls.VersionTLS12)
	p.GetCertificate = func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		cert, err := choose(cfg, h)
		if w, ok := h.Conn.(*tlsWire); ok && err == nil {
			w.mu.Lock()
			w.cert = cert
			w.mu.Unlock()
		}
		return cert, err
	}
	if get := cfg.GetConfigForClient; get != nil {
		p.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			other, err := get(h)
			if other == nil || err != nil {
				return nil, err
			}
			return prepared(other), nil
		}
	}
	return p
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
