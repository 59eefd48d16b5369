package sessionmgr

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"weir/jid"
	"weir/stanza"
)

// Session is who a client is, from TCP accept until its end. It outlives the
// stream that made it; the stream is its Link. All methods are safe for
// concurrent use.
type Session struct {
	// Immutable after Open.
	m       *Manager
	id      string
	created int64 // unix nanoseconds

	// Published atomically: written by the pipeline or under mu, read anywhere.
	handled atomic.Uint32 // stanzas of the client, modulo 2^32
	sent    atomic.Uint32 // stanzas to the client, modulo 2^32
	reach   atomic.Int32  // priority for routing; unreachable while not available
	touched atomic.Bool   // on the manager's list of links to flush
	tailed  atomic.Bool   // tail is not empty
	// inactive says that the client's user looks elsewhere; written with the token.
	inactive   atomic.Bool
	carbons    copying // whether it gets copies; written with the token
	activity   activity
	window     atomic.Pointer[window]
	absence    atomic.Pointer[absence]    // nil without stream management
	resent     atomic.Pointer[resent]     // what its client may send again; nil until it is looked for
	attributes atomic.Pointer[attributes] // what modules keep; nil until they do, or it is bound and its account has some
	// blocklist is its account's; nil for nobody.
	blocklist atomic.Pointer[Blocklist]

	// Owned by the pipeline's token holder.
	queue        queue
	sm           *acks    // stream management, nil without
	epoch        uint32   // of its stream; raised by each resumption
	pendingBatch uint64   // last batch that an unreleased entry of this session waits for
	pushed       uint64   // last batch that something of this session was put off to
	ledger       *ledger  // its account's, while bound
	tail         *tail    // messages that the link may not have written
	held         *holding // what waits while it is behind or away, nil for nothing
	behind       bool     // it pulls its messages from the log
	pulling      bool     // a goroutine does
	resting      bool     // a timer runs for what waits while it is inactive
	noted        bool     // its account's record says that it has messages to pull
	enabling     bool     // stream management is being turned on
	lost         bool     // the link takes nothing more
	fetched      *segment // what it has read in the archive, nil for nothing
	// followed is what somebody follows on its way to it, nil for nothing.
	followed *followed

	agenda atomic.Pointer[agenda] // nil until something is to run in its order

	mu         sync.Mutex     // guards what is below
	attached   Link           // the last link
	traits     *traits        // of the link
	remote     netip.AddrPort // of the link
	cause      *Cause         // nil before the end
	host       string
	device     *Device // nil: its client didn't say
	role       string  // of its account, "" before it is told
	full       jid.JID // bare JID from authentication to binding
	presence   *stanza.Stanza
	linked     bool // that is the link of now; else it is lost
	state      State
	priority   int8
	turns      uint8 // how often in a row this session and those before it have replaced each other
	interested bool
	binding    bool   // Bind runs Bound, and what follows an end meanwhile
	left       bool   // Unbound has run
	resumable  bool   // its client may resume it
	generation uint32 // raised whenever a link is lost or given
	fence      uint32 // epoch, as it is for stanzas that come in
	slots      []slotted
	way        way
	waiters    *waiters // nil as long as nobody has waited
}

// unreachable is the routing priority of a session that isn't available: below
// every priority that a client can have.
const unreachable = -129

// ID returns the public id: random, fit for logs and listings, no secret.
func (s *Session) ID() string { return s.id }

// Log returns a logger that puts the session's id on every line. It is made for
// each call: most sessions never log, and a logger would be a third of their
// size.
func (s *Session) Log() *slog.Logger { return s.m.log.With("sid", s.id) }

// Created returns when the connection was accepted.
func (s *Session) Created() time.Time { return time.Unix(0, s.created) }

// State returns the state of the moment.
func (s *Session) State() State {
	if s == nil {
		return Destroyed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// Cause returns why the session ended; the zero Cause before its end.
func (s *Session) Cause() Cause {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause == nil {
		return Cause{}
	}
	return *s.cause
}

// JID returns the full JID once bound, the bare JID between authentication and
// binding, else the zero JID.
func (s *Session) JID() jid.JID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.full
}

// Host returns the domain of the stream header, "" before it came.
func (s *Session) Host() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.host
}

// Presence returns the last undirected available presence with from stamped, or
// nil while the session isn't available (RFC 6121 §4.2).
func (s *Session) Presence() *stanza.Stanza {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.presence
}

// Available reports whether the session sent initial presence and no
// unavailable presence since: an available resource.
func (s *Session) Available() bool { return s.Presence() != nil }

// Priority returns the priority of the presence, 0 while unavailable.
func (s *Session) Priority() int8 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.priority
}

// Interested reports whether the session asked for the roster: an interested
// resource, which gets roster pushes (RFC 6121 §2.2).
func (s *Session) Interested() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.interested
}

// SetInterested makes it an interested resource. The first call runs
// RosterRequested.
func (s *Session) SetInterested() {
	s.mu.Lock()
	first := !s.interested && s.state == Bound
	s.interested = s.interested || first
	if first {
		s.mark(markInterested, 0)
	}
	s.mu.Unlock()
	if first {
		s.m.pipe.run(func() {
			if s.sm != nil {
				s.sm.snap = true
				s.m.pipe.dirty(s)
			}
		})
		s.m.ran(s, s.m.Hooks.RosterRequested.Run(s.Context(), s))
	}
}

// Link returns the live end, or nil while hibernating and after the end.
func (s *Session) Link() Link {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.linkNow()
}

// linkNow is Link with mu held.
func (s *Session) linkNow() Link {
	if !s.linked {
		return nil
	}
	return s.attached
}

// Info returns what the link told about itself.
func (s *Session) Info() LinkInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.traits.with(s.remote)
}

// SetInfo renews it: after TLS and after SASL.
func (s *Session) SetInfo(info LinkInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.traits, s.remote = s.m.share(info), info.Remote
}

// SetLang renews the language of the stream: each header may name another (RFC
// 6120 §4.7.4).
func (s *Session) SetLang(lang string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.traits.lang == lang {
		return
	}
	info := s.traits.with(s.remote)
	info.Lang = lang
	s.traits = s.m.share(info)
}

// Handled returns how many stanzas of the client were taken, modulo 2^32.
func (s *Session) Handled() uint32 { return s.handled.Load() }

// Sent returns how many stanzas were given to the link, modulo 2^32.
func (s *Session) Sent() uint32 { return s.sent.Load() }

// Role returns the role of the session's account, "" before it is known. It is
// for listings and for what a session is offered: who grants something asks
// the accounts, since a role may be taken away at any moment.
func (s *Session) Role() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.role
}

// SetRole notes the role of the session's account.
func (s *Session) SetRole(role string) {
	s.mu.Lock()
	s.role = role
	s.mu.Unlock()
	s.m.judged(s)
}

// SetPresence records the client's undirected presence: st is nil when it is
// unavailable. It runs PresenceChanged and, where the priority differs,
// PriorityChanged. A session that may get messages from now on first gets what
// its account is owed.
func (s *Session) SetPresence(st *stanza.Stanza, priority int8) {
	if st == nil {
		priority = 0
	}
	s.mu.Lock()
	if s.state != Bound {
		s.mu.Unlock()
		return
	}
	c := PresenceChange{Session: s, Presence: st, Was: s.presence, Priority: priority, WasPriority: s.priority}
	s.presence, s.priority = nil, priority
	if st != nil {
		s.presence = st.Kept()
	}
	switch {
	case c.Was == nil && st != nil:
		s.mark(markAvailable, priority)
	case c.Was != nil && st == nil:
		s.mark(markUnavailable, 0)
	case c.WasPriority != priority:
		s.mark(markPriority, priority)
	}
	s.mu.Unlock()

	reach := int32(unreachable)
	if st != nil {
		reach = int32(priority)
	}
	s.m.pipe.run(func() {
		if s.sm != nil {
			s.sm.snap = true
			s.m.pipe.dirty(s)
		}
		s.m.pipe.after(s, func() { s.m.setReach(s, reach) })
	})

	if c.Was == nil && c.Presence == nil {
		return
	}
	s.m.ran(s, s.m.Hooks.PresenceChanged.Run(s.Context(), c))
	if c.Priority != c.WasPriority || (c.Was == nil) != (c.Presence == nil) {
		s.m.ran(s, s.m.Hooks.PriorityChanged.Run(s.Context(), c))
	}
}

// kept reports whether the session is bound, with a link or without.
func (s *Session) kept() bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == Bound || s.state == Hibernating
}

// isResumable reports whether its client may resume it.
func (s *Session) isResumable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resumable
}

// attachedTo reports whether a link is the session's, or was the last it had.
func (s *Session) attachedTo(link Link) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attached == link
}

// source returns what a stanza comes of that was read from a link; false where
// the session has left that link.
func (s *Session) source(link Link) (*source, bool) {
	if s == nil {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// What comes by the stream of a session that could have been resumed and has
	// ended is its client's to send again: it learns the count of what was handled.
	return &source{s: s, epoch: s.fence}, s.attached == link && !(s.resumable && s.state == Destroyed)
}

// generationIs reports whether the session has lost and been given no link since.
func (s *Session) generationIs(n uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.generation == n
}

// end moves the session to its last state and reports whether this call did it.
// It returns the state it had and the link; binding says that Bind takes care of
// what follows.
func (s *Session) end(why Cause) (first bool, was State, binding bool, link Link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endNow(why)
}

// endNow is end with mu held.
func (s *Session) endNow(why Cause) (first bool, was State, binding bool, link Link) {
	if s.state == Destroyed {
		return false, s.state, false, nil
	}
	was, link, binding = s.state, s.linkNow(), s.binding
	s.state, s.cause, s.linked = Destroyed, &why, false
	s.step("ended", why)
	s.wakeDone()
	s.wakeDrained()
	return true, was, binding, link
}

// Context returns the context in which handlers of this session run: it carries
// the session (FromContext) and ends with it.
func (s *Session) Context() context.Context { return sessionContext{s} }
