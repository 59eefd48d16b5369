package weir

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"weir/auth"
	"weir/c2s"
	"weir/config"
	"weir/netserver"
	"weir/roster"
	"weir/sessionmgr"
	"weir/storage"
	"weir/storage/pebble"

	"github.com/prometheus/client_golang/prometheus"
)

// Version is the version of this program as clients and admins see it.
const Version = "0.1.0"

// Server is one server with everything it consists of. Hooks of its parts may be
// added to between New and Start.
type Server struct {
	Config   config.Config
	Log      *slog.Logger
	Registry *prometheus.Registry
	Started  time.Time

	Store    storage.Store
	Auth     *auth.Service
	Sessions *sessionmgr.Manager
	Streams  *c2s.Server
	Rosters  *roster.Rosters
	Certs    *netserver.Certs
	Network  *netserver.Server

	modules modules

	mu        sync.Mutex // guards what is below
	addresses []Address
	cancel    context.CancelFunc
	stopped   bool
}

// Address is where a listener listens.
type Address struct {
	Name string // "c2s", "c2s-tls", "c2s-insecure"
	Addr string // host:port
}

// New opens the store in the data folder and makes a server of it; nothing
// listens yet. log may be nil. Stop releases what New opened.
func New(ctx context.Context, cfg config.Config, log *slog.Logger) (_ *Server, err error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Server{Config: cfg, Log: log, Registry: prometheus.NewRegistry()}
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
	for _, make := range []func(context.Context) error{s.makeAuth, s.makeSessions, s.makeModules, s.makeStreams, s.makeNetwork} {
		if err := make(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
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
	s.Auth, err = auth.New(ctx, o, s.Store)
	return err
}

func (s *Server) makeSessions(context.Context) (err error) {
	o := s.Config.Session
	o.Domains, o.Log, o.Metrics = s.Config.Domains, s.Log, s.Registry
	s.Sessions, err = sessionmgr.New(o, s.Store, s.Auth)
	return err
}

func (s *Server) makeStreams(context.Context) (err error) {
	o := s.Config.Stream
	o.Domain, o.Log, o.Metrics = s.Config.Domains[0], s.Log, s.Registry
	if s.Streams, err = c2s.New(o, s.Sessions, s.Auth); err != nil {
		return err
	}
	s.modules.announce(s.Streams)
	return nil
}

func (s *Server) makeNetwork(context.Context) (err error) {
	o := s.Config.Network
	o.Log, o.Metrics = s.Log, s.Registry
	if err := o.Validate(); err != nil {
		return err
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

// Start opens the listeners. An error names the address that can't be listened
// on; Stop then has still to be called.
func (s *Server) Start(ctx context.Context) error {
	s.Started = time.Now()
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.mu.Lock()
	s.cancel = cancel
	s.mu.Unlock()
	go s.Certs.Run(run)

	startTLS := netserver.TLSConfig(s.Certs.Get, false)
	forHost := func(string) *tls.Config { return startTLS }
	l := s.Config.Listen
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
		addr, err := s.Network.Listen(netserver.Listen{Addr: x.addr, TLS: x.tls, New: s.Streams.Accept(x.lis)})
		if err != nil {
			return fmt.Errorf("can't listen for %s: %w", x.lis.Name, err)
		}
		s.mu.Lock()
		s.addresses = append(s.addresses, Address{x.lis.Name, addr.String()})
		s.mu.Unlock()
		s.Log.Info("listening", "listener", x.lis.Name, "addr", addr.String())
	}
	return nil
}

// Addresses returns where the listeners listen, after Start.
func (s *Server) Addresses() []Address {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Address(nil), s.addresses...)
}

// Stop ends the server: no new connections, system-shutdown to every stream,
// output written, everything under way committed, the store closed. What isn't
// done when ctx ends is cut. Calling it again does nothing.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	cancel, again := s.cancel, s.stopped
	s.stopped = true
	s.mu.Unlock()
	if again {
		return nil
	}
	s.Network.CloseListeners()
	s.Streams.Shutdown()
	errs := []error{s.Sessions.Stop(ctx), s.Network.Shutdown(ctx)}
	if cancel != nil {
		cancel()
	}
	errs = append(errs, s.Store.Close())
	return errors.Join(errs...)
}
