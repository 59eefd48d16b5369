package c2s

import (
	"net/netip"

	"weir/hook"
	"weir/sessionmgr"
	"weir/stanza"
)

// Hooks is the catalogue of stream events. They run with no lock held; the
// context carries the session. A handler that panics ends the one stream it was
// called for, with internal-server-error.
type Hooks struct {
	// Secured tells that TLS is in force, on the reader goroutine. It must not block.
	Secured hook.Point[*sessionmgr.Session]
	// PreAuth asks before a SASL exchange begins, off the reader goroutine: it
	// may block. An *auth.Failure refuses with its condition, a stream.Error
	// ends the stream, any other error is a temporary-auth-failure.
	PreAuth hook.Veto[PreAuth] `hook:"blocks"`
	// AuthFailed tells of a failed exchange, off the reader goroutine.
	AuthFailed hook.Point[AuthFailed] `hook:"blocks"`
	// StreamFeatures collects features, on the goroutine that read the header. It must not block.
	StreamFeatures hook.Filter[StreamFeatures]
	// InlineBound collects what a client is told that is bound with its login
	// (XEP-0386 §3.2), before anything else of the session, off the reader
	// goroutine: it may block.
	InlineBound hook.Filter[InlineBound] `hook:"blocks"`
	// StanzaIn asks for every stanza of a bound client, on the reader
	// goroutine. It must not block. A stanza.Error is the answer to the
	// sender, a stream.Error ends the stream; any other error is a fault of ours, and
	// ends it with internal-server-error.
	StanzaIn hook.Veto[StanzaIn]
	// PreDrain may append to a batch that is about to be written; see
	// netserver.Handler for the rules.
	PreDrain hook.Filter[PreDrain]
	// Drained tells that everything was written, on any goroutine. It must not block.
	Drained hook.Point[*sessionmgr.Session]
	// Ending collects what is said before the closing tag, and before a stream goes
	// on without its session, on any goroutine. It must not block.
	Ending hook.Filter[Ending]
	// Idle asks for a sign of life from a silent client, on the reader goroutine.
	Idle hook.Filter[Idle]
}

// PreAuth is a SASL exchange about to begin.
type PreAuth struct {
	Session   *sessionmgr.Session
	Mechanism string
	Remote    netip.AddrPort
}

// AuthFailed is a SASL exchange that failed.
type AuthFailed struct {
	Session   *sessionmgr.Session
	Mechanism string
	Condition string // RFC 6120 §6.5
	Remote    netip.AddrPort
}

// StreamFeatures is a features element being built.
type StreamFeatures struct {
	Session *sessionmgr.Session
	Host    string
	State   State // what the client is in: one state, not a set
	// Caps is the server's own entity capabilities (XEP-0115 §6.3), announced if Ver is set.
	Caps Caps
	// XML is appended as it is: complete elements that declare their namespaces.
	XML []byte
}

// Caps are entity capabilities (XEP-0115 §4).
type Caps struct{ Hash, Node, Ver string }

// StanzaIn is a stanza that a bound client sent, its from stamped. A handler
// may put another in its place.
type StanzaIn struct {
	Session *sessionmgr.Session
	Stanza  *stanza.Stanza
}

// PreDrain is a batch about to be written. A handler appends to Batch.
type PreDrain struct {
	Stream *Stream
	Batch  []byte
}

// Ending is a stream about to be closed by us, for whatever reason, or about to
// give its session up. A handler appends complete elements to XML.
type Ending struct {
	Stream *Stream
	XML    []byte
}

// Idle is a client that was silent for Options.IdleTimeout. A handler that
// asked for a sign of life in its own way sets Asked; else a ping is sent.
type Idle struct {
	Stream *Stream
	Asked  bool
}
