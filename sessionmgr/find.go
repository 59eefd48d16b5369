package sessionmgr

import "weir/jid"

// Get returns the session with a public id, or nil.
func (m *Manager) Get(id string) *Session { return m.registry.byID(id) }

// ByJID returns the bound session with a full JID, or nil.
func (m *Manager) ByJID(full jid.JID) *Session { return m.registry.byJID(full) }

// ByAccount returns the bound sessions of an account in the order in which they
// were bound; the slice must not be changed.
func (m *Manager) ByAccount(bare jid.JID) []*Session { return m.registry.bound(bare) }

// Policy chooses the primary one of an account's bound sessions, which it gets in
// the order in which they were bound. It may return nil.
type Policy func([]*Session) *Session

// Primary returns the one session of an account that stands for it, nil where
// the policy finds none.
func (m *Manager) Primary(account jid.JID, by Policy) *Session {
	if all := m.registry.bound(account); len(all) > 0 {
		return by(all)
	}
	return nil
}

// ByPriority chooses the most available resource, the one that gets messages
// (RFC 6121 §8.5.2.1.1): of those with the highest priority the one bound first;
// nil where none has a priority of 0 or more.
func ByPriority(sessions []*Session) *Session {
	if _, best, leader := rowOf(sessions, true); best >= 0 {
		return leader
	}
	return nil
}

// Oldest chooses the session whose connection was accepted first.
func Oldest(sessions []*Session) (oldest *Session) {
	for _, s := range sessions {
		if oldest == nil || s.created < oldest.created {
			oldest = s
		}
	}
	return oldest
}

// Tagged chooses the first session for which is is true, and where there is none
// what otherwise does; nil: none. What a tag is, an attribute as a rule, the
// caller knows.
func Tagged(is func(*Session) bool, otherwise Policy) Policy {
	return func(sessions []*Session) *Session {
		for _, s := range sessions {
			if is(s) {
				return s
			}
		}
		if otherwise == nil {
			return nil
		}
		return otherwise(sessions)
	}
}
