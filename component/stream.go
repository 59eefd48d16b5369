package component

import (
	"context"
	"crypto/rand"
	"crypto/sha1" // XEP-0114 §3: what components prove themselves with
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/jid"
	"weir/netserver"
	"weir/stanza"
	"weir/xmlstream"

	"mellium.im/xmpp/stream"
)

// Namespaces.
const (
	ns       = "jabber:component:accept"
	nsStream = "http://etherx.jabber.org/streams"
	nsErrors = "urn:ietf:params:xml:ns:xmpp-streams"
)

// asClient is the header that the scanner reads stanzas under: what components send in
// their namespace means what it does in that of clients (XEP-0114 §2).
const asClient = "<stream:stream xmlns='" + stanza.NSClient + "' xmlns:stream='" + nsStream + "'>"

// closeGrace is how long the peer has to take our last words.
const closeGrace = 5 * time.Second

// Stream is the connection of one component. It is the netserver.Handler of its
// connection.
type Stream struct {
	srv  *Server
	conn *netserver.Conn

	// the reader goroutine; while input is paused the one that routes
	scan    xmlstream.Scanner
	id      string  // of the stream, "" before its header
	domain  *domain // asked for by the header
	pending []*stanza.Stanza
	goodbye func() // ends the stream once the pending stanzas are routed; nil if it goes on
	work    context.Context
	cancel  context.CancelFunc
	shown   shown         // of the goroutine that routes
	after   chan struct{} // closed when nothing of the stream before is on its way
	gone    chan struct{} // closed when nothing of this one is; nil before the handshake

	mu      sync.Mutex
	over    bool          // guarded by mu: nothing more is routed
	routing chan struct{} // guarded by mu; closed when what was last routed is done

	open   atomic.Bool // the handshake is done
	closed atomic.Bool // our closing tag is out
}

// Data implements netserver.Handler: it takes every complete element there is, and has the
// stanzas routed elsewhere.
func (s *Stream) Data(_ *netserver.Conn, b []byte) (taken int, err error) {
	for !s.closed.Load() && s.goodbye == nil {
		tok, n, err := s.scan.Next(b[taken:])
		if err != nil {
			s.last(func() { s.scanError(err) })
			break
		}
		if taken += n; tok.Kind == xmlstream.More {
			break
		}
		s.token(&tok)
	}
	if s.closed.Load() || s.goodbye != nil {
		taken = len(b) // nothing behind the end counts
	}
	if len(s.pending) > 0 {
		s.scan.Release()
		if done, ok := s.begin(); ok {
			s.conn.Pause()
			go s.route(s.pending, done)
		}
		s.pending = nil
	}
	return taken, nil
}

// last ends the stream, behind the stanzas that came before.
func (s *Stream) last(goodbye func()) {
	if len(s.pending) == 0 {
		goodbye()
		return
	}
	s.goodbye = goodbye
}

// route gives stanzas to the manager, in order; then the stream reads on, or ends.
func (s *Stream) route(all []*stanza.Stanza, done chan struct{}) {
	defer s.conn.Resume()
	defer func() {
		close(done)
		if s.goodbye != nil {
			s.goodbye()
		}
	}()
	if s.after != nil {
		select {
		case <-s.after:
		case <-s.work.Done():
		}
	}
	if !s.domain.begin(s.work) {
		return
	}
	defer s.domain.done()
	s.keepFresh(all)
	defer func() { s.srv.sights.drop(s.domain.name, s.shown.takeEnded()) }()
	for _, st := range all {
		if s.work.Err() != nil {
			return
		}
		s.decided(st)
		if !s.shown.note(st, s.srv.here) {
			s.srv.o.Log.Warn("a component shows too much: presence beyond the bound will not be taken back when it goes",
				"domain", s.domain.name, "bound", s.shown.most)
		}
		if err := s.srv.m.FromService(s.work, st); err != nil && s.work.Err() == nil {
			s.srv.o.Log.Error("what a component sent could not be routed", "domain", s.domain.name, "err", err)
		}
	}
}

func (s *Stream) token(tok *xmlstream.Token) {
	switch {
	case tok.Kind == xmlstream.Header:
		s.header(tok)
	case tok.Kind == xmlstream.Close:
		s.last(func() { s.end(nil) })
	case tok.Kind != xmlstream.Element: // white space
	case string(tok.Space) == nsStream && string(tok.Local) == "error":
		s.srv.o.Log.Info("a component ends its stream with an error", "domain", s.domain.name)
		s.last(func() { s.end(nil) })
	case string(tok.Space) != stanza.NSClient:
		s.refuse(stream.InvalidNamespace, "an element in the namespace of something else")
	case !s.open.Load():
		s.handshake(tok)
	default:
		s.stanza(tok)
	}
}

// header takes the opening tag (XEP-0114 §3). The scanner goes on as if it were that of
// a client's stream.
func (s *Stream) header(tok *xmlstream.Token) {
	s.id = strings.ToLower(rand.Text())
	to, _ := tok.Attr("to")
	j, err := jid.ParseBytes(to)
	prefixed := ""
	s.scan.HeaderPrefixes(func(prefix, space string) bool {
		if space != nsStream {
			prefixed = prefix
		}
		return true
	})
	name := "localhost"
	if err == nil && len(to) > 0 {
		s.domain = s.srv.domains[j.Domain()]
		name = j.Domain()
	}
	s.append(func(dst []byte) []byte { return appendHeader(dst, name, s.id) })
	switch {
	case string(tok.Space) != nsStream || s.scan.ContentNamespace() != ns:
		s.fail(stream.InvalidNamespace, "the content namespace must be "+ns)
	case string(tok.Local) != "stream":
		s.fail(stream.BadFormat, "the root element is not <stream/>")
	case prefixed != "":
		s.fail(stream.BadNamespacePrefix, "the header declares more than the stream needs")
	case s.domain == nil || j != j.Host():
		s.srv.o.Log.Warn("a component was refused: its domain isn't in the file", "domain", name, "remote", s.conn.RemoteAddr())
		s.fail(stream.HostUnknown, "no component of that name is configured")
	default:
		s.scan.Reset(s.srv.o.limits())
		if _, _, err := s.scan.Next([]byte(asClient)); err != nil { // never
			s.scanError(err)
		}
	}
}

func appendHeader(dst []byte, from, id string) []byte {
	dst = append(dst, "<?xml version='1.0'?><stream:stream xmlns='"+ns+"' xmlns:stream='"+nsStream+"' from='"...)
	dst = xmlstream.AppendAttr(dst, from)
	return append(append(append(dst, "' id='"...), id...), "'>"...)
}

// proof is what a component shows for a stream (XEP-0114 §3).
func proof(id, secret string) string {
	h := sha1.Sum([]byte(id + secret))
	return hex.EncodeToString(h[:])
}

// handshake takes the proof.
func (s *Stream) handshake(tok *xmlstream.Token) {
	want := proof(s.id, s.domain.secret)
	if string(tok.Local) != "handshake" || subtle.ConstantTimeCompare(tok.CharData(), []byte(want)) != 1 {
		s.srv.metrics.failed.Inc()
		s.srv.o.Log.Warn("a component was refused", "domain", s.domain.name, "remote", s.conn.RemoteAddr())
		s.fail(stream.NotAuthorized, "the handshake is wrong")
		return
	}
	s.conn.SetAuthenticated()
	s.conn.SetDeadline(time.Time{})
	s.conn.SetIdle(s.srv.o.KeepAlive)
	s.work, s.cancel = context.WithCancel(context.Background())
	s.shown.most, s.gone = maxShown, make(chan struct{})
	s.append(func(dst []byte) []byte { return append(dst, "<handshake/>"...) })
	s.open.Store(true)
	if old := s.domain.enter(s); old != nil {
		old.fail(stream.Conflict, "the component has come once more")
	}
	if s.closed.Load() { // ended meanwhile
		s.domain.leave(s)
		s.farewell()
	}
	s.srv.o.Log.Info("component connected", "domain", s.domain.name, "remote", s.conn.RemoteAddr())
}

// stanza takes a stanza: it has to have both addresses, and from has to be of the
// component's domain (XEP-0114 §3).
func (s *Stream) stanza(tok *xmlstream.Token) {
	v, _ := tok.Attr("from")
	from, err := jid.ParseBytes(v)
	if len(v) == 0 || err != nil || from.Domain() != s.domain.name {
		s.refuse(stream.InvalidFrom, "'from' is not of the component's domain")
		return
	}
	if len(tok.Prefix) > 0 {
		s.refuse(stream.BadNamespacePrefix, "stanzas have no prefix")
		return
	}
	st, err := stanza.FromToken(tok, from, "")
	switch {
	case errors.Is(err, stanza.ErrNotStanza):
		s.refuse(stream.UnsupportedStanzaType, "")
		return
	case err == nil && st.To.IsZero():
		s.refuse(stream.ImproperAddressing, "a stanza has no 'to'")
		return
	}
	s.srv.metrics.in.WithLabelValues(s.domain.name).Inc()
	if se, ok := stanza.AsError(err); ok {
		if r := st.ErrorReply(se); r != nil {
			s.append(r.AppendTo)
		}
		return
	}
	s.pending = append(s.pending, st)
}

// deliver appends a stanza for the component; false if it isn't there any more, or
// reads too slowly.
func (s *Stream) deliver(st *stanza.Stanza) bool {
	if !s.append(st.AppendTo) {
		return false
	}
	s.conn.Drain()
	return true
}

// append appends to the out-buffer, unless our closing tag is out.
func (s *Stream) append(fn func([]byte) []byte) bool {
	if s.closed.Load() {
		return false
	}
	err := s.conn.Append(fn)
	if errors.Is(err, netserver.ErrOutput) {
		s.conn.Drain()
		if err = s.conn.Append(fn); errors.Is(err, netserver.ErrOutput) {
			s.fail(stream.PolicyViolation, "you read too slowly: the limit of waiting output is reached")
		}
	}
	return err == nil
}

// scanError ends the stream for what the scanner refused.
func (s *Stream) scanError(err error) {
	var e *xmlstream.Error
	if !errors.As(err, &e) {
		e = &xmlstream.Error{Condition: stream.InternalServerError.Err}
	}
	s.fail(stream.Error{Err: e.Condition}, e.Text)
}

// refuse ends the stream for what it is sent, behind the stanzas that came before.
func (s *Stream) refuse(why stream.Error, text string) { s.last(func() { s.fail(why, text) }) }

// fail ends the stream with an error, once, from any goroutine.
func (s *Stream) fail(why stream.Error, text string) {
	s.end(func(dst []byte) []byte {
		dst = append(append(append(dst, "<stream:error><"...), why.Err...), " xmlns='"+nsErrors+"'/>"...)
		if text != "" {
			dst = xmlstream.AppendEscaped(append(dst, "<text xmlns='"+nsErrors+"' xml:lang='en'>"...), text)
			dst = append(dst, "</text>"...)
		}
		return append(dst, "</stream:error>"...)
	})
	if s.domain != nil && s.open.Load() {
		s.srv.o.Log.Info("component's stream ended", "domain", s.domain.name, "condition", why.Err, "text", text)
	}
}

// end says goodbye, once: an error, or nothing but the closing tag.
func (s *Stream) end(words func([]byte) []byte) {
	if s.closed.Swap(true) {
		return
	}
	if s.domain != nil && s.open.Load() {
		s.domain.leave(s)
		s.farewell()
	}
	_ = s.conn.Append(func(dst []byte) []byte {
		if s.id == "" { // what was sent isn't even a header (RFC 6120 §4.9.1.2)
			dst = appendHeader(dst, "localhost", strings.ToLower(rand.Text()))
		}
		if words != nil {
			dst = words(dst)
		}
		return append(dst, "</stream:stream>"...)
	})
	s.conn.Close(nil, closeGrace)
}

// BatchEnd implements netserver.Handler.
func (s *Stream) BatchEnd(*netserver.Conn) { s.conn.Drain() }

// PreDrain implements netserver.Handler.
func (s *Stream) PreDrain(_ *netserver.Conn, batch []byte) []byte { return batch }

// Drained implements netserver.Handler.
func (s *Stream) Drained(*netserver.Conn) {}

// ReadTimeout implements netserver.Handler: a silent component is written to, so that
// a dead connection is noticed; one that hasn't proved anything in time has to go.
func (s *Stream) ReadTimeout(*netserver.Conn, bool) time.Duration {
	if !s.open.Load() {
		s.fail(stream.ConnectionTimeout, "the handshake took too long")
		return closeGrace
	}
	s.append(func(dst []byte) []byte { return append(dst, ' ') })
	s.conn.Drain()
	return s.srv.o.KeepAlive
}

// Closed implements netserver.Handler.
func (s *Stream) Closed(_ *netserver.Conn, cause error) {
	s.closed.Store(true)
	if s.domain != nil && s.open.Load() {
		s.domain.leave(s)
		s.farewell()
		s.srv.o.Log.Info("component disconnected", "domain", s.domain.name, "cause", cause)
	}
}
