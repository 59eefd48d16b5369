package netserver

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Server owns listeners and connections.
type Server struct {
	// immutable
	opt       Options
	log       *slog.Logger
	epoch     time.Time
	quiet     time.Duration
	m         metrics
	pools     pools
	tlsFields tlsFields
	proxies   []netip.Prefix

	accepting sync.WaitGroup // accept loops

	mu sync.Mutex
	// guarded by mu
	listeners map[net.Listener]struct{}
	conns     map[*Conn]struct{}
	places    map[netip.Addr]placeCount
	configs   map[*tls.Config]*tls.Config // made by prepare
	strange   map[netip.Addr]struct{}     // whose header of a proxy was told in the log
	closed    bool                        // no more connections
	empty     chan struct{}               // closed when conns is empty, made by Shutdown
}

// New makes a Server; it starts nothing.
func New(o Options) *Server {
	o.setDefaults()
	s := &Server{
		opt: o, log: o.Log, epoch: time.Now(), quiet: quietTime, tlsFields: findTLSFields(),
		listeners: map[net.Listener]struct{}{},
		conns:     map[*Conn]struct{}{},
		places:    map[netip.Addr]placeCount{},
		configs:   map[*tls.Config]*tls.Config{},
		strange:   map[netip.Addr]struct{}{},
	}
	s.proxies, _ = prefixes(o.Proxies) // Validate has told of mistakes
	s.m.register(o.Metrics, o.Log)
	return s
}

// Listen opens a listener and accepts until CloseListeners.
func (s *Server) Listen(l Listen) (net.Addr, error) {
	lc := net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{
		// Radios of phones should not wake for it; it only finds the dead.
		Enable: true, Idle: 2 * time.Minute, Interval: 30 * time.Second, Count: 4,
	}}
	lc.SetMultipathTCP(false) // costs on every write, brings a server little
	ln, err := lc.Listen(context.Background(), "tcp", l.Addr)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		ln.Close()
		return nil, ErrClosed
	}
	s.listeners[ln] = struct{}{}
	s.accepting.Add(1)
	s.mu.Unlock()
	go s.accept(ln, l)
	return ln.Addr(), nil
}

// Bounds of the pause after an error of accept, as when files run out.
const (
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

func (s *Server) accept(ln net.Listener, l Listen) {
	defer s.accepting.Done()
	pause := time.Duration(0)
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			pause = 0
			if s.fromProxy(nc, &l) {
				go s.serveProxied(nc, l)
			} else {
				s.Serve(nc, l)
			}
		case errors.Is(err, net.ErrClosed):
			return
		default:
			pause = min(max(2*pause, acceptPauseMin), acceptPauseMax)
			s.m.acceptErrors.Add(1)
			s.log.Warn("accept failed", "addr", ln.Addr(), "err", err, "pause", pause)
			time.Sleep(pause)
		}
	}
}

// Serve takes over one connection as if a listener with these settings had
// accepted it; it returns at once. It is also the way for links that are no
// sockets: those cost a goroutine and a buffer while nothing is read.
func (s *Server) Serve(nc net.Conn, l Listen) { s.serve(s.newConn(nc), l) }

func (s *Server) serve(c *Conn, l Listen) {
	if !s.add(c) {
		c.nc.Close()
		return
	}
	go c.start(l)
}

// add registers a connection unless a limit or Shutdown forbids.
func (s *Server) add(c *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if !s.admit(c.place()) {
		s.m.refused.Add(1)
		s.log.Debug("connection refused: too many of this address", "remote", c.remote)
		return false
	}
	s.conns[c] = struct{}{}
	s.m.accepted.Add(1)
	s.m.states[stageNew].Add(1)
	return true
}

// remove forgets a connection whose socket is closed.
func (s *Server) remove(c *Conn) {
	c.mu.Lock()
	unauth, stage := c.unauth, c.stage
	c.unauth = false
	c.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave(c.place(), unauth)
	delete(s.conns, c)
	s.m.states[stage].Add(-1)
	if s.empty != nil && len(s.conns) == 0 {
		close(s.empty)
		s.empty = nil
	}
}

// Connections returns how many connections there are.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// CloseListeners stops accepting.
func (s *Server) CloseListeners() {
	s.mu.Lock()
	for ln := range s.listeners {
		ln.Close()
	}
	clear(s.listeners)
	s.mu.Unlock()
	s.accepting.Wait()
}

// cutWait is how long Shutdown waits for handlers after it cut the sockets.
const cutWait = 5 * time.Second

// Shutdown stops accepting and waits until every connection is closed or ctx
// ends, then cuts the rest and returns ctx's error. It closes no connection
// before that: this is for those who know how to say goodbye.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.CloseListeners()
	if waitFor(ctx, s.whenEmpty()) {
		return nil
	}
	s.mu.Lock()
	rest := make([]*Conn, 0, len(s.conns))
	for c := range s.conns {
		rest = append(rest, c)
	}
	s.mu.Unlock()
	for _, c := range rest {
		c.cut()
	}
	wait, cancel := context.WithTimeout(context.Background(), cutWait)
	defer cancel()
	if !waitFor(wait, s.whenEmpty()) {
		s.log.Error("connections did not end: a handler blocks", "connections", s.Connections())
	}
	return ctx.Err()
}

// whenEmpty returns a channel that is closed once no connection is left.
func (s *Server) whenEmpty() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.empty
	if ch == nil {
		ch = make(chan struct{})
		if len(s.conns) == 0 {
			close(ch)
		} else {
			s.empty = ch
		}
	}
	return ch
}

func waitFor(ctx context.Context, ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	case <-ctx.Done():
		return false
	}
}
