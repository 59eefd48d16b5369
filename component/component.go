package component

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/jid"
	"weir/netserver"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/storage"
	"weir/xmlstream"

	"github.com/prometheus/client_golang/prometheus"
	merr "mellium.im/xmpp/stanza"
)

// Options are the settings of a Server.
type Options struct {
	// SecretFile is the file with the components there may be: on each line a domain, a blank
	// and its secret of 16 characters or more. Default none.
	SecretFile  string
	StanzaBytes int // size of one stanza in bytes, default 256 KiB
	// HandshakeTimeout is how long a component has to prove which it is. Default 10 s.
	HandshakeTimeout time.Duration
	// KeepAlive is after what silence of a component a blank is sent to it, so that a
	// connection that is dead is noticed. Default 1 min.
	KeepAlive time.Duration
	// ReturnTime is how long a component has after a start of the server to come back, and
	// then to show its presence again, before what is left of it is taken back. Default 1 min.
	ReturnTime time.Duration
	// Log takes who comes and goes. Default: discard.
	Log *slog.Logger
	// Metrics takes the counters, may be nil.
	Metrics prometheus.Registerer
}

// DefaultOptions returns the settings of a server that nobody configured.
func DefaultOptions() Options {
	var o Options
	o.setDefaults()
	return o
}

func (o *Options) setDefaults() {
	if o.StanzaBytes == 0 {
		o.StanzaBytes = 256 << 10
	}
	if o.HandshakeTimeout == 0 {
		o.HandshakeTimeout = 10 * time.Second
	}
	if o.KeepAlive == 0 {
		o.KeepAlive = time.Minute
	}
	if o.ReturnTime == 0 {
		o.ReturnTime = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Validate says which setting makes no sense. Zero fields are fine.
func (o Options) Validate() error {
	o.setDefaults()
	switch {
	case o.StanzaBytes < 10_000 || o.StanzaBytes > 64<<20:
		return fmt.Errorf("component: StanzaBytes is %d, must be 10000 to %d", o.StanzaBytes, 64<<20)
	case o.HandshakeTimeout < time.Second:
		return fmt.Errorf("component: HandshakeTimeout is %v, must be at least a second", o.HandshakeTimeout)
	case o.KeepAlive < time.Second:
		return fmt.Errorf("component: KeepAlive is %v, must be at least a second", o.KeepAlive)
	case o.ReturnTime < time.Second:
		return fmt.Errorf("component: ReturnTime is %v, must be at least a second", o.ReturnTime)
	}
	return nil
}

// limits are those of the scanner, from the header on.
func (o *Options) limits() xmlstream.Limits {
	return xmlstream.Limits{Bytes: o.StanzaBytes, Elements: 2000, Depth: 64, Attrs: 64}
}

// Server has the components of a server.
type Server struct {
	o       Options
	m       *sessionmgr.Manager
	domains map[string]*domain // doesn't change
	metrics *metrics
	sights  sights
	run     context.Context // ends with Shutdown
	stop    context.CancelFunc
}

// domain is one component, connected or not. It is the manager's Service.
type domain struct {
	name   string
	secret string
	srv    *Server

	turn chan struct{} // who routes in its name puts one in, and takes it out when done

	mu   sync.Mutex
	link *Stream            // guarded by mu; nil while it isn't connected
	left map[sight]struct{} // guarded by mu: what a process before has shown, see left.go
	due  *time.Timer        // guarded by mu: takes that back
	// gone is of the stream before, guarded by mu: closed when its presence is taken back.
	gone chan struct{}
}

// New makes a Server and registers the domains in the file with m. With no file there are none.
// st keeps what they show.
func New(o Options, m *sessionmgr.Manager, st storage.Store) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.setDefaults()
	srv := &Server{o: o, m: m, domains: map[string]*domain{}}
	srv.run, srv.stop = context.WithCancel(context.Background())
	srv.metrics = newMetrics(o.Metrics, srv)
	srv.sights = sights{m: m, store: st, records: storage.NewMap(st, tableShown)}
	if o.SecretFile == "" {
		return srv, nil
	}
	secrets, mode, err := readSecrets(o.SecretFile, m.Local)
	if err != nil {
		return nil, err
	}
	if mode&0o077 != 0 {
		o.Log.Warn("other users may read the secrets of components: chmod 600", "file", o.SecretFile, "mode", fmt.Sprintf("%04o", mode))
	}
	for name, secret := range secrets {
		srv.domains[name] = srv.newDomain(name, secret)
	}
	for name, d := range srv.domains {
		m.HandleService(name, d)
	}
	return srv, nil
}

func (srv *Server) newDomain(name, secret string) *domain {
	return &domain{name: name, secret: secret, srv: srv, turn: make(chan struct{}, 1)}
}

// Bounds of the file.
const (
	minSecret  = 16
	maxSecrets = 1 << 20

	maxMistakes = 20 // that are told
)

// CheckSecrets reads the file with the secrets of components as a server with these
// domains would, and says what is wrong with it.
func CheckSecrets(file string, domains []string) error {
	_, _, err := readSecrets(file, func(d string) bool { return slices.Contains(domains, d) })
	return err
}

// readSecrets returns the secrets in a file by domain, and the file's mode. local
// reports whether a domain is one of the server's.
func readSecrets(name string, local func(domain string) bool) (map[string]string, fs.FileMode, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, fmt.Errorf("component: the secrets: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = errors.New("it is no file")
	}
	var secrets map[string]string
	if err == nil {
		secrets, err = parseSecrets(f, local)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("component: the secrets in %s:%s%w", name, separator(err), err)
	}
	return secrets, fi.Mode().Perm(), nil
}

// parseSecrets reads the file: each line is a domain and its secret; empty ones and those that begin
// with # are passed over. The error tells every mistake by its line, up to a number, and has
// no secret in it.
func parseSecrets(r io.Reader, local func(domain string) bool) (map[string]string, error) {
	secrets, lines := map[string]string{}, map[string]int{}
	var mistakes []error
	in := bufio.NewScanner(io.LimitReader(r, maxSecrets))
	n := 1
	for ; in.Scan(); n++ {
		line := strings.TrimSpace(in.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, secret, _ := strings.Cut(line, " ")
		secret = strings.TrimSpace(secret)
		j, err := jid.New("", name, "")
		switch before := lines[j.Domain()]; {
		case err != nil || strings.ContainsAny(name, "@/"):
			err = fmt.Errorf("line %d: %q is not a domain", n, name)
		case local(j.Domain()):
			err = fmt.Errorf("line %d: %s is a domain of this server itself", n, j.Domain())
		case before > 0:
			err = fmt.Errorf("line %d: %s stands there twice, first in line %d", n, j.Domain(), before)
		case len(secret) < minSecret:
			err = fmt.Errorf("line %d: the secret of %s has to have %d characters or more", n, j.Domain(), minSecret)
		}
		if err != nil {
			mistakes = append(mistakes, err)
		}
		if lines[j.Domain()] == 0 {
			lines[j.Domain()] = n
		}
		secrets[j.Domain()] = secret
	}
	if err := in.Err(); err != nil {
		mistakes = append(mistakes, fmt.Errorf("line %d: %w", n, err))
	}
	if more := len(mistakes) - maxMistakes; more > 0 {
		mistakes = append(mistakes[:maxMistakes], fmt.Errorf("and %d more", more))
	}
	return secrets, errors.Join(mistakes...)
}

// separator is what stands before an error: each of several has a line of its own.
func separator(err error) string {
	if strings.Contains(err.Error(), "\n") {
		return "\n"
	}
	return " "
}

// Connected returns the domains whose components are connected, sorted.
func (srv *Server) Connected() (names []string) {
	for name, d := range srv.domains {
		if d.stream() != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Accept makes a stream of a connection: give it to netserver as Listen.New.
func (srv *Server) Accept(c *netserver.Conn) (netserver.Handler, error) {
	if srv.m.Refusing() {
		return nil, netserver.ErrClosed
	}
	s := &Stream{srv: srv, conn: c}
	s.scan.Reset(srv.o.limits())
	c.SetDeadline(time.Now().Add(srv.o.HandshakeTimeout))
	return s, nil
}

func (d *domain) stream() *Stream {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.link
}

// Ready implements sessionmgr.Service.
func (d *domain) Ready() error {
	if d.stream() == nil {
		return d.away()
	}
	return nil
}

// away counts a stanza that is not taken, and is what its sender is told.
func (d *domain) away() error {
	d.srv.metrics.bounced.WithLabelValues(d.name).Inc()
	return stanza.NewError(merr.ServiceUnavailable, merr.Wait, "the service is not connected at the moment")
}

// Deliver implements sessionmgr.Service.
func (d *domain) Deliver(st *stanza.Stanza) error {
	s := d.stream()
	if s == nil || !s.deliver(st) {
		return d.away()
	}
	d.srv.metrics.out.WithLabelValues(d.name).Inc()
	return nil
}

// enter makes s the stream of the domain, and returns the one that it had: whoever has the
// secret is the component, and one that has come back needn't wait until its old
// connection is found dead. What s routes waits for the goodbyes of the one before.
func (d *domain) enter(s *Stream) (old *Stream) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old, d.link = d.link, s
	s.after, d.gone = d.gone, s.gone
	if len(d.left) > 0 && d.due.Stop() { // not when it is being taken back
		d.due.Reset(d.srv.o.ReturnTime)
	}
	return old
}

// leave forgets a stream that has ended.
func (d *domain) leave(s *Stream) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.link == s {
		d.link = nil
	}
}

// metrics are the counters, by domain.
type metrics struct {
	in, out, bounced *prometheus.CounterVec
	failed           prometheus.Counter
}

func newMetrics(r prometheus.Registerer, srv *Server) *metrics {
	vec := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "weir", Subsystem: "component", Name: name, Help: help}, []string{"domain"})
	}
	m := &metrics{
		in: vec("stanzas_received_total", "Stanzas from components."), out: vec("stanzas_sent_total", "Stanzas to components."),
		bounced: vec("stanzas_bounced_total", "Stanzas to components that were not connected."),
		failed: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "weir", Subsystem: "component", Name: "handshakes_failed_total",
			Help: "Handshakes with a wrong secret."}),
	}
	if r != nil {
		r.MustRegister(m.in, m.out, m.bounced, m.failed, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "weir", Subsystem: "component",
			Name: "connected", Help: "Components connected now."}, func() float64 { return float64(len(srv.Connected())) }))
	}
	return m
}
