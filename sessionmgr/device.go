package sessionmgr

import (
	"context"

	"weir/jid"

	"mellium.im/xmpp/stream"
)

// Device is the installation of a client that a session is of, as far as that
// said so when it logged in. It is for the account's owner and for admins, never
// for contacts (XEP-0388 §2.3).
type Device struct {
	ID       string // names it among the account's devices; no secret, and not the id that the client gave
	Software string // as the client calls itself, "" if it didn't
	Name     string // as the client calls the device, "" if it didn't
}

// SetDevice notes whose installation the session is of: after authentication,
// before it is bound or resumed.
func (s *Session) SetDevice(d Device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.device = &d
}

// Device returns what SetDevice noted, the zero Device before that.
func (s *Session) Device() Device {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.device == nil {
		return Device{}
	}
	return *s.device
}

// sameDevice reports whether two sessions are known to be of one device.
func (s *Session) sameDevice(other *Session) bool {
	id := s.Device().ID
	return id != "" && other.Device().ID == id
}

// ofDevice returns another session of an account that is of the session's device, nil
// if there is none.
func (m *Manager) ofDevice(account jid.JID, s *Session) *Session {
	for _, other := range m.registry.bound(account) {
		if other != s && s.sameDevice(other) {
			return other
		}
	}
	return nil
}

// replace ends a session in favour of another, and waits until everybody has
// heard of its end: who hears of both hears of that first.
func (m *Manager) replace(ctx context.Context, old, s *Session) error {
	m.Kick(old, Cause{Replaced, "by session " + s.id}, &stream.Error{Err: "conflict"})
	select {
	case <-old.partingDone():
		if old.Cause().Code == Replaced {
			m.ran(s, m.Hooks.Replaced.Run(ctx, Replacement{Session: old, By: s}))
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
