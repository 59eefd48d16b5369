package sessionmgr

import (
	"fmt"
	"net/netip"
	"strings"

	"weir/jid"
)

// Phase is how far a session has come, as a filter asks for it: the states of
// docs/session.md, and the marks of a bound session.
type Phase uint8

// The phases.
const (
	AnyPhase         Phase = iota
	PhaseUnauthed          // not logged in
	PhaseUnbound           // logged in, without a resource
	PhaseBound             // has a resource and a link
	PhaseHibernating       // has a resource and no link
	PhaseAvailable         // has a resource and presence, with a link or without
	PhaseInterested        // has a resource and has asked for its roster, likewise
)

var phaseNames = [...]string{
	AnyPhase: "any", PhaseUnauthed: "unauthed", PhaseUnbound: "unbound", PhaseBound: "bound",
	PhaseHibernating: "hibernating", PhaseAvailable: "available", PhaseInterested: "interested",
}

// String returns the name that ParsePhase reads.
func (p Phase) String() string {
	if int(p) < len(phaseNames) {
		return phaseNames[p]
	}
	return fmt.Sprintf("Phase(%d)", uint8(p))
}

// ParsePhase reads the name of a phase, or that of a state as listings show it.
func ParsePhase(name string) (Phase, error) {
	for p, n := range phaseNames {
		if n == name {
			return Phase(p), nil
		}
	}
	for p, s := range map[Phase]State{PhaseUnauthed: Unauthed, PhaseUnbound: Unbound, PhaseBound: Bound, PhaseHibernating: Hibernating} {
		if s.String() == name {
			return p, nil
		}
	}
	return AnyPhase, fmt.Errorf("sessionmgr: no state %q, there are %s", name, strings.Join(phaseNames[:], ", "))
}

// Filter says which sessions are meant: those that all of its fields fit that
// are set. The zero Filter is every session.
type Filter struct {
	Phase     Phase
	Account   jid.JID        // bare
	Host      string         // of the stream header
	Transport string         // "tcp", TransportVirtual
	Listener  string         // its name
	Mechanism string         // of SASL
	Remote    netip.Prefix   // the client's address is in there
	Peer      netip.AddrPort // the client's end of the connection, or of the last that it had
	Device    string         // id of the device
	Software  string         // begins like this, in letters of any case
	// Where is asked last, with no lock held.
	Where func(*Session) bool
}

// matches reports whether a session is meant.
func (f *Filter) matches(s *Session) bool {
	return f.fits(s) && (f.Where == nil || f.Where(s))
}

func (f *Filter) fits(s *Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state != Destroyed && f.Phase.has(s) && f.describes(s)
}

// Concerns reports whether a session is one that the filter means but for its
// phase, also one that has ended.
func (f *Filter) Concerns(s *Session) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	ok := f.describes(s)
	s.mu.Unlock()
	return ok && (f.Where == nil || f.Where(s))
}

// describes compares what doesn't depend on the phase; the session's mu is held.
func (f *Filter) describes(s *Session) bool {
	t := s.traits
	switch {
	case !f.Account.IsZero() && s.full.Bare() != f.Account:
	case !fits(f.Host, s.host), !fits(f.Transport, t.transport), !fits(f.Listener, t.listener), !fits(f.Mechanism, t.mechanism):
	case f.Remote.IsValid() && !f.Remote.Contains(s.remote.Addr().Unmap()):
	case f.Peer.IsValid() && f.Peer != netip.AddrPortFrom(s.remote.Addr().Unmap(), s.remote.Port()):
	case f.Device != "" && (s.device == nil || s.device.ID != f.Device):
	case f.Software != "" && (s.device == nil || !beginsLike(s.device.Software, f.Software)):
	default:
		return true
	}
	return false
}

// fits reports whether a value is the one that is asked for, if one is.
func fits(want, is string) bool { return want == "" || want == is }

func beginsLike(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// has reports whether a session, whose mu is held, is in a phase.
func (p Phase) has(s *Session) bool {
	bound := s.state == Bound || s.state == Hibernating
	switch p {
	case PhaseUnauthed:
		return s.state == NotOpen || s.state == Unauthed
	case PhaseUnbound:
		return s.state == Unbound
	case PhaseBound:
		return s.state == Bound
	case PhaseHibernating:
		return s.state == Hibernating
	case PhaseAvailable:
		return bound && s.presence != nil
	case PhaseInterested:
		return bound && s.interested
	}
	return true
}

// RangeOf calls fn for the sessions that a filter means until it returns false.
// No lock is held meanwhile; a session that comes or goes may be missed. The
// bound sessions of an account are found without looking at others.
func (m *Manager) RangeOf(f Filter, fn func(*Session) bool) {
	if !f.Account.IsZero() && f.Phase >= PhaseBound {
		for _, s := range m.registry.bound(f.Account) {
			if f.matches(s) && !fn(s) {
				return
			}
		}
		return
	}
	m.registry.walk(func(s *Session) bool { return !f.matches(s) || fn(s) })
}

// Count returns how many sessions a filter means. It makes no list of them.
func (m *Manager) Count(f Filter) (n int) {
	m.RangeOf(f, func(*Session) bool { n++; return true })
	return n
}
