package weir

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"weir/admin"
	"weir/auth"
	"weir/c2s"
	"weir/component"
	"weir/config"
	"weir/hook"
	"weir/modules/commands"
	"weir/modules/offers"
	"weir/netserver"
	"weir/policy"
	"weir/presence"
	"weir/roster"
	"weir/sessionmgr"
	"weir/storage"
	"weir/storage/pebble"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Version is the version of this program as clients and admins see it.
const Version = "0.1.0"

// secretsDir is the folder, in the data folder, of what a stolen store must not
// come with. Backups leave it out unless they are asked to have it.
const secretsDir = "secrets"

// KeyFile names the file, in a data folder, with the key that tokens are made of.
func KeyFile(data string) string { return filepath.Join(data, secretsDir, "tokens") }

// Server is one server with everything it consists of. Hooks of its parts may be
// added to between New and Start.
type Server struct {
	Config   config.Config
	Log      *slog.Logger
	Registry *prometheus.Registry
	Started  time.Time

	Store      storage.Store
	Auth       *auth.Service
	Sessions   *sessionmgr.Manager
	Streams    *c2s.Server
	Rosters    *roster.Rosters
	Presence   *presence.Handler // with a hook of its own
	Certs      *netserver.Certs
	Tickets    *netserver.Tickets // nil: TLS sessions aren't resumed
	Network    *netserver.Server
	Components *component.Server
	Control    *admin.Control
	Metrics    *admin.Metrics
	Commands   *commands.Module // takes commands beside those for admins
	Offers     *offers.Module   // files that sessions offer

	// Load, if set, puts the configuration together again for a reload. Level, if
	// set, is that of Log. OnStop, if set, stops the server at an admin's request. All
	// are for the time between New and Start.
	Load   func() (config.Config, error)
	Level  *slog.LevelVar
	OnStop func(drain time.Duration)

	events eventSinks

	modules    modules
	clock      hook.Clock
	catalogues []hook.Catalogue
	reloading  sync.Mutex

	mu        sync.Mutex    // guards what is below
	current   config.Config // as it is obeyed, after reloads
	addresses []Address
	cancel    context.CancelFunc
	started   bool // the control socket and the metrics, that is
	stopped   bool
	added     []Module
	running   int // that many of added
}

// Address is where a listener listens.
type Address struct {
	Name string // "c2s", "c2s-tls", "c2s-insecure", "component", "metrics"
	Addr string // host:port
}

// New opens the store in the data folder and makes a server of it; nothing
// listens yet. log may be nil. Stop releases what New opened.
func New(ctx context.Context, cfg config.Config, log *slog.Logger) (*Server, error) {
	s, err := Open(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	err = s.makeNetwork(ctx)
	if err == nil {
		err = s.makeStreams(ctx)
	}
	if err == nil {
		s.declareHooks()
		err = s.makeEvents(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop(ctx))
	}
	return s, nil
}

// Open is New without the network: accounts, rosters and what else is kept, for
// commands that work while no server runs. Start is not for it; Stop is.
func Open(ctx context.Context, cfg config.Config, log *slog.Logger) (_ *Server, err error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Server{Config: cfg, current: cfg, Log: log, Registry: prometheus.NewRegistry()}
	s.Registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, fmt.Errorf("the data folder can't be made: %w", err)
	}
	store, err := OpenStore(cfg, log, s.Registry)
	if err != nil {
		return nil, err
	}
	s.Store = store
	defer func() {
		if err != nil {
			store.Close()
		}
	}()
	for _, make := range []func(context.Context) error{s.makeAuth, s.makeSessions, s.makeModules} {
		if err := make(ctx); err != nil {
			return nil, err
		}
	}
	s.Control = admin.New(s.Sessions, s.Auth, s.status, s.Backup, log)
	s.Control.KnowInvitations(s.modules.invited)
	s.Control.KnowOffers(s.Offers)
	s.Control.KnowAnnouncer(s.modules.announce)
	s.Metrics = admin.NewMetrics(s.Registry, log)
	return s, nil
}

// status is what the control socket tells about the whole server.
func (s *Server) status() admin.Status {
	st := admin.Status{
		Version: Version, Started: s.Started, Domains: s.Config.Domains,
		Data: s.Config.Data, Listeners: map[string]string{}, Store: "ok",
	}
	for _, a := range s.Addresses() {
		st.Listeners[a.Name] = a.Addr
	}
	err := s.Store.Err()
	if disk, ok := s.Store.(interface{ Full() error }); ok && err == nil {
		err = disk.Full()
	}
	if err != nil {
		st.Store = err.Error()
	}
	return st
}

// OpenStore opens the store in the data folder of a configuration, as New does:
// for commands that work while no server runs.
func OpenStore(cfg config.Config, log *slog.Logger, reg prometheus.Registerer) (storage.Store, error) {
	o := cfg.Storage
	o.Dir = filepath.Join(cfg.Data, "store")
	o.Log, o.Metrics = log, reg
	return pebble.Open(o)
}

func (s *Server) makeAuth(ctx context.Context) (err error) {
	o := s.Config.Auth
	o.Log, o.Metrics = s.Log, s.Registry
	o.KeyFile = KeyFile(s.Config.Data)
	s.Auth, err = auth.New(ctx, o, s.Store)
	return err
}

func (s *Server) makeSessions(context.Context) (err error) {
	o := s.Config.Session
	o.Domains, o.Log, o.Metrics = s.Config.Domains, s.Log, s.Registry
	if s.Sessions, err = sessionmgr.New(o, s.Store, s.Auth); err != nil {
		return err
	}
	return s.SetPolicies(s.Config)
}

// SetPolicies has the policies of a configuration decide about the sessions of
// accounts from now on, whichever did before. Sessions that are there stay.
func (s *Server) SetPolicies(cfg config.Config) error {
	set, err := policy.Parse(cfg.Policy)
	if err != nil {
		return err
	}
	s.Sessions.SetPolicies(set, admin.PoliciesConfigured)
	return nil
}

func (s *Server) makeStreams(context.Context) (err error) {
	o := s.Config.Stream
	o.Domain, o.Log, o.Metrics = s.Config.Domains[0], s.Log, s.Registry
	if s.Streams, err = c2s.New(o, s.Sessions, s.Auth); err != nil {
		return err
	}
	co := s.Config.Component
	co.Log, co.Metrics = s.Log, s.Registry
	if s.Components, err = component.New(co, s.Sessions, s.Store); err != nil {
		return err
	}
	s.modules.disco.ListServices(s.Components.Connected)
	return s.modules.offer(s.Streams, s.Config.Acks)
}

func (s *Server) makeNetwork(context.Context) (err error) {
	o := s.Config.Network
	o.Log, o.Metrics = s.Log, s.Registry
	if err := o.Validate(); err != nil {
		return err
	}
	if s.Config.TLS.Tickets {
		// Not in the certificates' folder, and so in no backup: a copy of it must not
		// keep keys that the server has forgotten.
		s.Tickets = netserver.NewTickets(netserver.TicketOptions{File: filepath.Join(s.Config.Data, "tls-tickets"), Log: s.Log})
		o.Tickets = s.Tickets
	}
	s.Network = netserver.New(o)
	s.Certs, err = netserver.NewCerts(netserver.CertOptions{
		Domains: s.Config.Domains,
		Files:   s.Config.TLS.Certificates,
		Strict:  s.Config.TLS.Strict,
		Dir:     filepath.Join(s.Config.Data, "certs"),
		Log:     s.Log,
	})
	return err
}

// restore has the sessions of the process before go on, with whatever was registered
// since New.
func (s *Server) restore(ctx context.Context) error {
	for _, step := range []func(context.Context) error{s.Sessions.Restore, s.modules.presence.Start, s.Components.Start} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Start restores the sessions of the process before, starts the modules that were
// added, and opens the listeners, then the address for metrics and the control
// socket. An error names the address that can't be listened on; Stop then has
// still to be called.
func (s *Server) Start(ctx context.Context) error {
	s.Started = time.Now()
	if err := s.events.start(); err != nil {
		return err
	}
	if err := s.restore(ctx); err != nil {
		return err
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.mu.Lock()
	s.cancel = cancel
	s.mu.Unlock()
	if err := s.startAdded(run); err != nil {
		return err
	}
	go s.Certs.Run(run)
	go s.clock.Run(run)
	if s.Tickets != nil {
		go s.Tickets.Run(run)
	}

	startTLS := netserver.TLSConfig(s.Certs.Get, false)
	forHost := func(string) *tls.Config { return startTLS }
	l := s.Config.Listen
	if l.Component != "" {
		addr, err := s.Network.Listen(netserver.Listen{Addr: l.Component, New: s.Components.Accept})
		if err != nil {
			return &ListenError{Name: "component", Addr: l.Component, Err: err}
		}
		s.listens("component", addr)
	}
	for _, x := range []struct {
		addr string
		tls  *tls.Config
		lis  c2s.Listener
	}{
		{l.C2S, nil, c2s.Listener{Name: "c2s", StartTLS: forHost}},
		{l.C2STLS, netserver.TLSConfig(s.Certs.Get, true), c2s.Listener{Name: "c2s-tls"}},
		{l.C2SInsecure, nil, c2s.Listener{Name: "c2s-insecure", StartTLS: forHost, Insecure: true, AllowPlain: l.InsecurePlain}},
	} {
		if x.addr == "" {
			continue
		}
		addr, err := s.Network.Listen(netserver.Listen{Addr: x.addr, TLS: x.tls, New: s.Streams.Accept(x.lis), Proxied: true})
		if err != nil {
			return &ListenError{Name: x.lis.Name, Addr: x.addr, Err: err}
		}
		s.listens(x.lis.Name, addr)
	}
	return s.startAdmin(l.Metrics)
}

func (s *Server) startAdmin(metrics string) error {
	s.mu.Lock()
	s.started = true
	s.mu.Unlock()
	s.Control.Operate(s.operations())
	if metrics != "" {
		addr, err := s.Metrics.Start(metrics)
		if err != nil {
			return &ListenError{Name: "metrics", Addr: metrics, Err: err}
		}
		s.listens("metrics", addr)
	}
	return s.Control.Start(s.Config.Data)
}

func (s *Server) listens(name string, addr net.Addr) {
	s.mu.Lock()
	s.addresses = append(s.addresses, Address{name, addr.String()})
	s.mu.Unlock()
	s.Log.Info("listening", "listener", name, "addr", addr.String())
}

// ListenError is returned by Start for an address that can't be listened on.
type ListenError struct {
	Name string // of the listener, as in Address
	Addr string // as configured
	Err  error  // of the operating system
}

// Error says which address can't be had for what.
func (e *ListenError) Error() string {
	return fmt.Sprintf("can't listen on %s for %s: %v", e.Addr, e.Name, e.Err)
}

// Unwrap returns the operating system's error.
func (e *ListenError) Unwrap() error { return e.Err }

// readFiles reads the certificates again, without touching live connections, and
// what modules have in files; it opens the log of sessions anew. What is wrong with
// them is returned; the old ones then stay in use.
func (s *Server) readFiles() error { return errors.Join(s.Certs.Reload(), s.events.reload()) }

// Addresses returns where the listeners listen, after Start.
func (s *Server) Addresses() []Address {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Address(nil), s.addresses...)
}

// StopWithin is Stop with a limit, and tells the log that it is over. Clients that are
// slow to go are cut then, which is no error here.
func (s *Server) StopWithin(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err := s.Stop(ctx)
	if err == nil {
		s.Log.Info("stopped")
		return nil
	}
	s.Log.Info("stopped", "err", err)
	if ctx.Err() != nil && s.Store.Err() == nil {
		return nil
	}
	return err
}

// Stop ends the server: no more control, no new connections, system-shutdown to
// every stream, output written, everything under way committed, the store
// closed. What isn't done when ctx ends is cut, and the error says so. Calling
// it again does nothing.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	cancel, started, again := s.cancel, s.started, s.stopped
	s.stopped = true
	s.mu.Unlock()
	if again {
		return nil
	}
	var errs []error
	if started {
		errs = append(errs, s.Control.Stop(ctx), s.Metrics.Stop(ctx))
	}
	if s.Network != nil {
		s.Network.CloseListeners()
	}
	if s.Streams != nil {
		s.Streams.Shutdown()
	}
	if s.Components != nil {
		s.Components.Shutdown()
	}
	errs = append(errs, s.Sessions.Stop(ctx))
	if s.Network != nil {
		errs = append(errs, s.Network.Shutdown(ctx))
	}
	if cancel != nil {
		cancel()
	}
	errs = append(errs, s.stopAdded(ctx), s.events.stop(ctx), s.Store.Close())
	err := errors.Join(errs...)
	s.tellStopped(err)
	return err
}
