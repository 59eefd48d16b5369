package c2s

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"weir/jid"
	"weir/netserver"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/xmlstream"

	"mellium.im/xmpp/stream"
)

// State is how far the negotiation of a stream has come. Values can be or-ed
// into a set.
type State uint8

// The states, in their order.
const (
	Plain         State = 1 << iota // no TLS yet
	Secured                         // TLS in force, not logged in
	Authenticated                   // logged in, no resource yet
	Bound                           // stanzas flow
)

const anyState = Plain | Secured | Authenticated | Bound

// Stream is one connection of a client. It is the netserver.Handler of its
// connection and the sessionmgr.Link of its session.
type Stream struct {
	// immutable after newStream
	srv    *Server
	conn   *netserver.Conn
	lis    *Listener
	resume func() // undoes the pause of an Inbound, see inbound.go

	// the reader goroutine; while input is paused the goroutine given to Work
	scan   xmlstream.Scanner
	neg    *negotiation // nil once bound
	full   jid.JID      // once bound
	lang   string       // default language of the client's stanzas
	rate   bucket
	work   func(ctx context.Context) // to be started when the element was handled
	asked  bool                      // for a sign of life
	paused bool                      // the element at hand paused input

	// any goroutine
	sess    atomic.Pointer[sessionmgr.Session] // nil only while it is being opened
	state   atomic.Uint32
	dirty   atomic.Bool  // Send appended something that was not drained
	closing atomic.Bool  // our closing tag is out: nothing read is processed
	left    atomic.Bool  // the client closed its stream
	inbound atomic.Int32 // see inbound.go
	untold  atomic.Bool  // bound by a login that ended without its success
	holds   atomic.Int32 // who waits for more to go out in one write, see hold.go
	// unbinding is not nil while the stream is to give up its resource, see unbind.go.
	unbinding atomic.Pointer[unbinding]

	// guarded by the order of conn.Append
	opened bool // our header is out
	ended  bool // our closing tag is out

	mu      sync.Mutex
	last    *final // guarded by mu; set with closing, nil before
	working bool   // guarded by mu: a goroutine of Work runs
	over    bool   // guarded by mu: Manager.Closed was called, or is by the end of Work
	telling bool   // guarded by mu: a login has still to tell its success, see hold.go
	bye     func() // guarded by mu: says how the stream ends, after that
}

// negotiation is what a stream needs to know only until it is bound.
type negotiation struct {
	host      string // of the first header
	account   jid.JID
	from      jid.JID // of a header under TLS: must be who logs in
	exchange  *exchange
	config    string  // what the last features were called (XEP-0509)
	profile   profile // the form of the last SASL element
	login     *login  // what <authenticate/> asked for; nil in the other form
	proven    bool    // <continue/> was sent: there is no other login after it
	wrong     int     // wrong credentials
	tries     int     // SASL attempts of any outcome
	bindTries int
	early     int          // IQs before the login
	allowed   atomic.Int64 // by AllowLogin: a time.Duration, while the deadline may pass
	handshake bool         // TLS handshake under way
	named     bool         // StreamOpened was told
}

func (srv *Server) newStream(l *Listener, c *netserver.Conn) *Stream {
	s := &Stream{srv: srv, conn: c, lis: l, neg: &negotiation{}}
	s.resume = s.inboundDone
	s.state.Store(uint32(Plain))
	if c.TLS() != nil {
		s.state.Store(uint32(Secured))
	}
	s.scan.Reset(srv.opts().loginLimits())
	c.SetDeadline(time.Now().Add(srv.opts().LoginTimeout)) // nothing but login moves it
	srv.metrics.streams.Inc()
	srv.metrics.open.Inc()
	s.sess.Store(srv.sm.Open(s, s.info(nil)))
	if s.State() == Secured {
		s.tellSecured()
	}
	return s
}

// Session returns whose stream it is.
func (s *Stream) Session() *sessionmgr.Session { return s.sess.Load() }

// State returns how far the negotiation has come.
func (s *Stream) State() State { return State(s.state.Load()) }

func (s *Stream) ctx() context.Context { return s.Session().Context() }

func (s *Stream) log() *slog.Logger {
	if sess := s.Session(); sess != nil {
		return sess.Log()
	}
	return s.srv.o.Log
}

// Data implements netserver.Handler: it takes every complete element.
func (s *Stream) Data(_ *netserver.Conn, b []byte) (taken int, err error) {
	defer s.recovered("reading")
	s.heard()
	s.paused = false
	if s.unbinding.Load() != nil && s.unbind() {
		s.startWork()
		return 0, nil
	}
	r, now := s.srv.limits(), s.srv.now()
	for {
		if s.closing.Load() {
			s.overIfClosing()
			return taken + s.discard(b[taken:]), nil
		}
		if wait, limit := s.rate.wait(r, now); wait > 0 {
			s.pauseFor(wait, limit)
			return taken, nil
		}
		tok, n, err := s.scan.Next(b[taken:])
		if err != nil {
			s.scanError(err)
			continue
		}
		if tok.Kind == xmlstream.More {
			return taken + n, nil
		}
		taken += n
		if tok.Kind == xmlstream.Space {
			s.rate.charge(r, now, n, 0)
			continue
		}
		if tok.Kind == xmlstream.Element && s.State() == Bound && isStanza(&tok) {
			s.rate.charge(r, now, n, 1) // the short way, on which the token stays on the stack
			s.stanza(&tok, nil)
		} else {
			s.token(tok, n, now, b[taken:])
		}
		if s.work == nil && !s.paused {
			continue
		}
		s.scan.Release() // it may be long until the next
		if s.work != nil {
			s.startWork() // from here on the stream belongs to that goroutine
		}
		return taken, nil
	}
}

// token handles one token of n bytes; rest is what came behind it.
func (s *Stream) token(t xmlstream.Token, n int, now time.Duration, rest []byte) {
	tok := s.srv.tokens.Get().(*xmlstream.Token)
	defer s.srv.tokens.Put(tok)
	*tok = t
	switch tok.Kind {
	case xmlstream.Header:
		s.rate.charge(s.srv.limits(), now, n, 1)
		s.header(tok)
	case xmlstream.Close:
		s.peerClosed()
	case xmlstream.Element:
		e := s.lookup(tok)
		if e == nil || !e.free {
			s.rate.charge(s.srv.limits(), now, n, 1)
		}
		switch {
		case e == nil:
			s.unknown(tok)
		case e.states&s.State() == 0:
			e.refuse(s, tok, rest)
		default:
			e.handle(s, tok, rest)
		}
	}
}

// BatchEnd implements netserver.Handler: everything of this batch goes out.
func (s *Stream) BatchEnd(*netserver.Conn) {
	defer s.recovered("flushing")
	s.flush()
}

// flush writes what this stream's input led to, here and on other streams.
func (s *Stream) flush() {
	if s.dirty.Swap(false) {
		s.conn.Drain()
	}
	s.srv.sm.FlushTouched()
}

// PreDrain implements netserver.Handler.
func (s *Stream) PreDrain(_ *netserver.Conn, batch []byte) []byte {
	point := &s.srv.Hooks.PreDrain
	if point.Empty() {
		return batch
	}
	ev := PreDrain{Stream: s, Batch: batch}
	if err := point.Run(s.ctx(), &ev); err != nil {
		go s.hookFailed(err) // appending here would ask for another call
	}
	return ev.Batch
}

// Drained implements netserver.Handler.
func (s *Stream) Drained(*netserver.Conn) {
	s.srv.sm.Drained(s.Session())
	if s.left.Load() {
		go s.sessionOver(sessionmgr.Cause{}) // not here: who drains may be in the middle of anything
	}
	if point := &s.srv.Hooks.Drained; !point.Empty() {
		if err := point.Run(s.ctx(), s.Session()); err != nil {
			s.hookFailed(err)
		}
	}
}

// Work runs fn on a goroutine of its own, where it may block, as soon as the
// element at hand has been handled; no other is read until fn returns, and the
// stream's negotiation belongs to it. It is for handlers of elements.
func (s *Stream) Work(fn func(ctx context.Context)) { s.work = fn }

// startWork must be the last that the reader goroutine does with the stream.
func (s *Stream) startWork() {
	fn := s.work
	s.work = nil
	s.flush()
	s.mu.Lock()
	s.working = true
	s.mu.Unlock()
	s.conn.Pause()
	go func() {
		s.run(fn)
		s.unhold(1)
		s.conn.Drain()
		s.srv.sm.FlushTouched()
		s.mu.Lock()
		s.working = false
		over, cause := s.over, s.last.why()
		s.mu.Unlock()
		if over {
			s.srv.sm.Closed(s.Session(), s, cause)
			return
		}
		s.conn.Resume()
	}()
}

func (s *Stream) run(fn func(ctx context.Context)) {
	defer s.recovered("working")
	fn(s.ctx())
}

// pauseFor stops reading for a while because of a rate limit.
func (s *Stream) pauseFor(d time.Duration, limit string) {
	s.srv.metrics.limits.WithLabelValues(limit).Inc()
	s.flush()
	s.conn.Pause()
	time.AfterFunc(d, s.conn.Resume)
}

// recovered ends this stream, and only this one, after a panic; it must be
// deferred directly.
func (s *Stream) recovered(doing string) {
	if v := recover(); v != nil {
		s.srv.metrics.panics.Inc()
		s.log().Error("panic on a stream", "doing", doing, "value", v, "stack", string(debug.Stack()))
		s.Fail(streamError(stream.InternalServerError, ""))
	}
}

// info is what listings tell of the connection.
func (s *Stream) info(x *exchange) sessionmgr.LinkInfo {
	i := sessionmgr.LinkInfo{Transport: "tcp", Listener: s.lis.Name, Remote: s.conn.RemoteAddr(), Lang: s.lang}
	if t := s.conn.TLS(); t != nil {
		i.TLS, i.Cipher = tlsNames(t)
		i.Resumed = t.DidResume
		i.ALPN, i.SNI = t.NegotiatedProtocol, t.ServerName
	}
	if x != nil {
		i.Mechanism, i.Binding = x.Mechanism(), x.Binding()
	}
	return i
}

// Append implements sessionmgr.Link.
func (s *Stream) Append(st *stanza.Stanza) error {
	return s.append(st.AppendTo)
}

// WantDrain implements sessionmgr.Link.
func (s *Stream) WantDrain() { s.conn.WantDrain() }

// Waiting implements sessionmgr.Link.
func (s *Stream) Waiting() int { return s.conn.Buffered() }
