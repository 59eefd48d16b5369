package netserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/idna"
)

// CertFiles names a certificate that an administrator configured.
type CertFiles struct {
	// Domains that it serves. Default: the names in the certificate.
	Domains []string
	// Cert is a PEM file with the certificate first and then its chain.
	Cert string
	// Key is a PEM file with the key. Default: it is in Cert.
	Key string
}

// CertOptions are the settings of Certs.
type CertOptions struct {
	// Domains that are served. Those which no file serves get a certificate
	// made and signed by ourselves. The first one is shown to clients that ask
	// for no name, or for none that we have.
	Domains []string
	// Files are the configured certificates. Default none.
	Files []CertFiles
	// Dir is the folder where certificates of our own are kept, as one file
	// <domain>.pem each, readable by us only.
	Dir string
	// Strict refuses clients that ask for a name that we don't have. Default
	// false: many ask for the name of the host instead of the domain.
	Strict bool
	// Poll is how often the files are looked at for changes. Default 5 s.
	Poll time.Duration
	// Log gets what is wrong with a new file. Default: nothing is logged.
	Log *slog.Logger
}

// Certs is the store of certificates. Its Get fits tls.Config.GetCertificate;
// live connections keep what they were shown when files change.
type Certs struct {
	opt CertOptions // immutable
	now func() time.Time

	reload sync.Mutex  // one Reload at a time
	seen   []fileState // guarded by reload: the files as they were last loaded

	mu sync.RWMutex
	// guarded by mu
	files  []*tls.Certificate // beside opt.Files
	own    map[string]*tls.Certificate
	byName map[string]*tls.Certificate
	deflt  *tls.Certificate
}

// fileState is what tells that a file has changed.
type fileState struct {
	mod  time.Time
	size int64
	ino  fs.FileInfo
}

// NewCerts loads all certificates and makes those that are missing. An error
// says which file is wrong and why.
func NewCerts(o CertOptions) (*Certs, error) {
	setDefault(&o.Poll, 5*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if len(o.Domains) == 0 && len(o.Files) == 0 {
		return nil, errors.New("netserver: neither domains nor certificates")
	}
	s := &Certs{opt: o, now: time.Now, own: map[string]*tls.Certificate{}}
	s.opt.Domains = make([]string, len(o.Domains))
	for i, d := range o.Domains {
		ascii, err := asciiDomain(d)
		if err != nil {
			return nil, err
		}
		s.opt.Domains[i] = ascii
	}
	s.files = make([]*tls.Certificate, len(o.Files))
	return s, s.Reload()
}

// asciiDomain returns the form in which certificates and clients name a domain.
func asciiDomain(d string) (string, error) {
	if a, err := netip.ParseAddr(strings.Trim(d, "[]")); err == nil {
		return a.WithZone("").String(), nil
	}
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(d, "."))
	if err != nil || ascii == "" || strings.ContainsAny(ascii, `/\`) {
		return "", fmt.Errorf("netserver: %q is not a domain", d)
	}
	return strings.ToLower(ascii), nil
}

// Run watches the files and renews certificates of our own until ctx ends.
func (s *Certs) Run(ctx context.Context) {
	tick := time.NewTicker(s.opt.Poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if s.changed() {
			// What is wrong is logged by Reload; the old ones stay.
			_ = s.Reload()
		}
	}
}

// changed tells whether a file isn't as it was, or one of our own ends soon.
func (s *Certs) changed() bool {
	s.reload.Lock()
	defer s.reload.Unlock()
	if !equalStates(s.seen, s.states()) {
		return true
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, c := range s.own {
		if !s.now().Before(c.Leaf.NotAfter.Add(-selfSignedRenew)) {
			return true
		}
	}
	return false
}

func (s *Certs) states() []fileState {
	var all []fileState
	for _, f := range s.opt.Files {
		for _, name := range []string{f.Cert, f.key()} {
			var st fileState
			if fi, err := os.Stat(name); err == nil {
				st = fileState{fi.ModTime(), fi.Size(), fi}
			}
			all = append(all, st)
		}
	}
	return all
}

func equalStates(a, b []fileState) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].mod.Equal(b[i].mod) || a[i].size != b[i].size || !os.SameFile(a[i].ino, b[i].ino) &&
			a[i].ino != nil && b[i].ino != nil {
			return false
		}
	}
	return true
}

func (f CertFiles) key() string {
	if f.Key == "" {
		return f.Cert
	}
	return f.Key
}

// Reload reads all files again. Where one is wrong the certificate that was
// loaded before stays in use, and the error says what is wrong.
func (s *Certs) Reload() error {
	s.reload.Lock()
	defer s.reload.Unlock()
	s.seen = s.states()
	var errs []error
	files := make([]*tls.Certificate, len(s.opt.Files))
	for i, f := range s.opt.Files {
		cert, err := loadPair(f.Cert, f.key())
		if err == nil && s.now().After(cert.Leaf.NotAfter) {
			err = fmt.Errorf("ended on %s", cert.Leaf.NotAfter.Format(time.DateOnly))
		}
		if err != nil {
			err = fmt.Errorf("netserver: certificate %s: %w", f.Cert, err)
			s.opt.Log.Error("certificate not loaded", "file", f.Cert, "key", f.key(), "err", err, "kept", s.files[i] != nil)
			errs = append(errs, err)
			cert = s.files[i]
		}
		files[i] = cert
	}
	own, byName, err := s.index(files)
	if err != nil {
		s.opt.Log.Error("own certificate not made", "err", err)
		errs = append(errs, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files, s.own, s.byName = files, own, byName
	s.deflt = s.first(files, byName)
	return errors.Join(errs...)
}

// index finds out which certificate serves which name, and makes those that
// are missing.
func (s *Certs) index(files []*tls.Certificate) (own, byName map[string]*tls.Certificate, err error) {
	own, byName = map[string]*tls.Certificate{}, map[string]*tls.Certificate{}
	for i, cert := range files {
		if cert == nil {
			continue
		}
		names := s.opt.Files[i].Domains
		if len(names) == 0 {
			names = cert.Leaf.DNSNames
		}
		for _, n := range names {
			if !strings.HasPrefix(n, "*.") {
				if n, err = asciiDomain(n); err != nil {
					return own, byName, err
				}
			}
			if byName[n] == nil {
				byName[n] = cert
			}
		}
	}
	for _, d := range s.opt.Domains {
		if lookup(byName, d) != nil {
			continue
		}
		cert, e := ownCertificate(s.opt.Dir, d, s.now())
		if cert == nil {
			cert = s.own[d] // the old one, if there is one
		}
		if cert != nil {
			own[d], byName[d] = cert, cert
		}
		err = errors.Join(err, e)
	}
	return own, byName, err
}

func (s *Certs) first(files []*tls.Certificate, byName map[string]*tls.Certificate) *tls.Certificate {
	if len(s.opt.Domains) > 0 {
		return lookup(byName, s.opt.Domains[0])
	}
	for _, c := range files {
		if c != nil {
			return c
		}
	}
	return nil
}

func lookup(byName map[string]*tls.Certificate, name string) *tls.Certificate {
	if c := byName[name]; c != nil {
		return c
	}
	if _, parent, ok := strings.Cut(name, "."); ok {
		return byName["*."+parent]
	}
	return nil
}

// Get returns the certificate for the name that a client asks for.
func (s *Certs) Get(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	name := strings.ToLower(strings.TrimSuffix(h.ServerName, "."))
	if c := lookup(s.byName, name); c != nil {
		return c, nil
	}
	if s.deflt == nil || s.opt.Strict && name != "" {
		return nil, fmt.Errorf("netserver: no certificate for %q", name)
	}
	return s.deflt, nil
}

// Names returns the certificates by the names that they serve, for checks.
func (s *Certs) Names() map[string]*tls.Certificate {
	s.mu.RLock()
	defer s.mu.RUnlock()
	m := make(map[string]*tls.Certificate, len(s.byName))
	for n, c := range s.byName {
		m[n] = c
	}
	return m
}
