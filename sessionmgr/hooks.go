package sessionmgr

import (
	"weir/hook"
	"weir/jid"
	"weir/stanza"
)

// Hooks is the catalogue of session events. Unless its comment says otherwise a
// point runs on the goroutine of the session's stream, in the session's order,
// with no lock held, and its handlers must not block.
type Hooks struct {
	Connected       hook.Point[*Session]       // accepted, state c2s_unauthed
	StreamOpened    hook.Point[*Session]       // a valid stream header came; again after each restart
	Authenticated   hook.Point[*Session]       // state c2s_unbound
	PreBind         hook.Veto[PreBind]         `hook:"blocks"` // bind worker, may block; may change the resource
	Bound           hook.Point[*Session]       `hook:"blocks"` // bind worker, may block; the session can be reached
	RosterRequested hook.Point[*Session]       // became interested
	PresenceChanged hook.Point[PresenceChange] // undirected presence changed
	PriorityChanged hook.Point[PresenceChange] // its priority changed, or it began or ended
	StanzaOut       hook.Veto[StanzaOut]       // any goroutine; once per receiver, before numbering
	Hibernated      hook.Point[Closing]        // any goroutine; the link is lost, the session is kept
	Resumed         hook.Point[Resumption]     `hook:"blocks"` // resume worker, may block; the session has a link again
	Replaced        hook.Point[Replacement]    `hook:"blocks"` // bind worker of the new session, may block; the old one has ended
	PreClose        hook.Veto[Closing]         // any goroutine; an admin or a module is about to end the session
	Restored        hook.Point[*Session]       `hook:"blocks"` // at start, may block: a session of an earlier process hibernates here
	Undelivered     hook.Point[Undelivered]    // any goroutine; nobody got the stanza
	Unbound         hook.Point[*Session]       // any goroutine; the session can't be reached any more
	Closed          hook.Point[Closing]        // any goroutine; the last event of a session
	Stopping        hook.Point[struct{}]       `hook:"blocks"` // the server begins to stop
}

// PreBind is a resource about to be bound.
type PreBind struct {
	Session  *Session
	Account  jid.JID // bare
	Resource string  // as asked for; "" lets the server make one
}

// PresenceChange is a change of a session's undirected presence.
type PresenceChange struct {
	Session     *Session
	Presence    *stanza.Stanza // nil: unavailable
	Was         *stanza.Stanza // nil: was unavailable
	Priority    int8
	WasPriority int8
}

// StanzaOut is a stanza about to be delivered. An error drops it for this
// receiver; that is allowed for what is volatile only.
type StanzaOut struct {
	To     *Session
	Stanza *stanza.Stanza
}

// Undelivered is a stanza that reached nobody.
type Undelivered struct {
	Stanza *stanza.Stanza
	Error  string // condition its sender was told, "" if it was dropped in silence
}

// Resumption is a session that has a link again.
type Resumption struct {
	Session *Session
	// Restored says that another process had the session before: what it was sent
	// that isn't durable is lost.
	Restored bool
	// Missed says that presence for it was dropped: more came than is kept for a
	// session without a link.
	Missed bool
}

// Replacement is a session that has ended in favour of another, of the same
// resource or device.
type Replacement struct {
	Session *Session
	By      *Session // has its place; its Bound runs next
}

// Closing is a session that has ended, or is about to.
type Closing struct {
	Session *Session
	Cause   Cause
}
