package c2s

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"weir/auth"
	"weir/netserver"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/xmlstream"

	"mellium.im/xmpp/stream"
)

// ErrShutdown refuses connections that come while the server stops.
var ErrShutdown = errors.New("c2s: server is shutting down")

// Server makes a Stream of every connection it is given. Safe for concurrent use.
type Server struct {
	// Hooks may be added to at any time.
	Hooks Hooks

	// immutable
	o       Options // as it was made with
	sm      *sessionmgr.Manager
	auth    *auth.Service
	metrics *metrics
	start   time.Time // the rate limits count from here
	early   map[xmlstream.Name]EarlyIQ

	tokens sync.Pool // *xmlstream.Token: for handlers that come from a table

	live     atomic.Pointer[limited]
	mu       sync.Mutex // held by HandleNonza and HandleInline
	nonzas   atomic.Pointer[map[xmlstream.Name]*element]
	inlines  atomic.Pointer[inlines]
	shutdown atomic.Bool
}

// New makes a Server on a session manager and an authentication service. It
// registers the answers to the two IQs that belong to streams: a second
// resource binding and the old session request.
func New(o Options, sm *sessionmgr.Manager, as *auth.Service) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.setDefaults()
	srv := &Server{o: o, sm: sm, auth: as, metrics: newMetrics(o.Metrics), start: time.Now()}
	srv.live.Store(newLimited(o))
	srv.tokens.New = func() any { return new(xmlstream.Token) }
	srv.nonzas.Store(&map[xmlstream.Name]*element{})
	srv.inlines.Store(&inlines{by: map[inlineKey]*Inline{}})
	// RFC 6120 §7.6.2.2: once a resource is bound there is no second.
	sm.HandleIQ(sessionmgr.IQHandler{
		NS: nsBind, Local: "bind", Scope: sessionmgr.OnSelf | sessionmgr.OnServer, Silent: true,
		Set: func(context.Context, *stanza.Stanza) (any, error) {
			return nil, stanza.NotAllowed("a resource is bound already")
		},
	})
	sm.HandleIQ(sessionmgr.IQHandler{
		NS: nsSession, Local: "session", Scope: sessionmgr.OnSelf | sessionmgr.OnServer, Silent: true,
		Set: func(context.Context, *stanza.Stanza) (any, error) { return nil, nil },
	})
	sm.GuardInbound(srv.virtualIn)
	return srv, nil
}

// Listener describes one listener for Accept.
type Listener struct {
	Name string // for listings and logs
	// StartTLS returns the TLS configuration for a host, nil where TLS is
	// impossible. nil: STARTTLS is not offered (direct TLS).
	StartTLS func(host string) *tls.Config
	// Insecure offers TLS without requiring it.
	Insecure bool
	// AllowPlain offers PLAIN without TLS on an Insecure listener: for
	// connections that are safe by other means, and for nothing else.
	AllowPlain bool
}

// Accept returns the function that makes a stream of a connection: give it to
// netserver as Listen.New.
func (srv *Server) Accept(l Listener) func(*netserver.Conn) (netserver.Handler, error) {
	return func(c *netserver.Conn) (netserver.Handler, error) {
		if srv.shutdown.Load() || srv.sm.Refusing() {
			return nil, ErrShutdown
		}
		if err := checkALPN(c.TLS()); err != nil {
			return nil, err
		}
		return srv.newStream(&l, c), nil
	}
}

// Shutdown refuses new streams and ends those there are with system-shutdown
// (RFC 6120 §4.9.3.20). It waits for what is being written, up to a second, and
// not for the streams to end: netserver.Server.Shutdown does.
func (srv *Server) Shutdown() {
	srv.shutdown.Store(true)
	srv.sm.CloseAll(sessionmgr.Cause{Code: sessionmgr.ShuttingDown, Text: "the server stops"},
		streamError(stream.SystemShutdown, "the server is shutting down"))
}

// Nonza handles one top-level element that is not a stanza (XEP-0360 names
// them so): an acknowledgement, a client state.
type Nonza struct {
	NS, Local string
	States    State // where it is allowed; elsewhere it ends the stream
	// Free exempts it from the rate limits.
	Free bool
	// Handle runs on the reader goroutine and must not block; what has to, it
	// gives to [Stream.Work]. The token is valid during the call. A
	// stream.Error ends the stream.
	Handle func(ctx context.Context, s *Stream, tok *xmlstream.Token) error
}

// entry puts a Nonza into the shape of the table in elements.go.
func (n Nonza) entry() *element {
	return &element{
		states: n.States,
		free:   n.Free,
		handle: func(s *Stream, tok *xmlstream.Token, _ []byte) {
			s.srv.metrics.nonzas.Inc()
			if err := n.Handle(s.ctx(), s, tok); err != nil {
				s.hookFailed(err)
			}
		},
		refuse: func(s *Stream, tok *xmlstream.Token, rest []byte) {
			if s.State() < Authenticated {
				s.refuseUnauthorized(tok, rest)
				return
			}
			s.refuseUnsupported(tok, rest)
		},
	}
}

// HandleNonza registers n. A second handler of the same name, or one for an
// element that c2s itself handles, is a programming error and panics.
func (srv *Server) HandleNonza(n Nonza) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	name := xmlstream.Name{Space: n.NS, Local: n.Local}
	old := *srv.nonzas.Load()
	if _, ours := elements[name]; ours || old[name] != nil || n.NS == stanza.NSClient {
		panic("c2s: a second handler for <" + n.Local + " xmlns='" + n.NS + "'/>")
	}
	next := maps.Clone(old)
	next[name] = n.entry()
	srv.nonzas.Store(&next)
}

// now is the moment that the rate limits count in.
func (srv *Server) now() time.Duration { return time.Since(srv.start) }
