package sessionmgr

import "time"

// LongestAbsence returns how long a session may be without a link that its client
// may resume; 0 where none may be resumed.
func (m *Manager) LongestAbsence() time.Duration { return max(0, m.opts().Hibernate) }

// Gone returns since when a session hibernates; false while it has a link, and
// after its end. The time tells one hibernation of a session from another.
func (s *Session) Gone() (since time.Time, is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != Hibernating {
		return time.Time{}, false
	}
	return time.Unix(0, s.absence.Load().goneAt.Load()), true
}

// SetUnseen notes whether others are told that an available session isn't, as it
// hibernates. Whose presence it is decides; here it counts for the choice of who
// gets a message.
func (s *Session) SetUnseen(is bool) {
	if a := s.absence.Load(); a != nil { // else it never hibernates
		a.unseen.Store(is)
	}
}

// Unseen reports what SetUnseen noted.
func (s *Session) Unseen() bool {
	a := s.absence.Load()
	return a != nil && a.unseen.Load()
}
