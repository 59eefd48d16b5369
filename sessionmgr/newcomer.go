package sessionmgr

import "time"

// A session that was just bound gets what is sent to its full address at once, but
// what its account is owed only when it says that it is available (XEP-0160 §2).
// Clients say so in the next moment: so that a sender's messages stay in order (RFC
// 6120 §10.1), what comes before waits for that, where something is owed. Who
// doesn't say it gets them a little later.

// newcomerTime is for how long, at most: Manager.patience.
const newcomerTime = 3 * time.Second

// newcomer returns for how long yet a session's messages wait for its presence, 0
// for not at all. Runs with the token.
func (s *Session) newcomer() time.Duration {
	if s.reach.Load() != unreachable || s.ledger == nil || !s.ledger.owes() {
		return 0
	}
	if s.epoch > 0 { // it has a new stream, perhaps because the server ended before the client got so far
		return max(0, s.m.patience-time.Since(time.Unix(0, s.absence.Load().away.Load())))
	}
	s.mu.Lock()
	bound := time.Unix(0, s.created).Add(time.Duration(s.way.bound) * time.Millisecond)
	s.mu.Unlock()
	return max(0, s.m.patience-time.Since(bound))
}

// early has a session that is about to say whether it is available pull its
// messages, once that is clear.
func (p *pipeline) early(s *Session) bool {
	left := s.newcomer()
	if left > 0 {
		s.behind = true
		p.in(left, func() { p.m.startPull(s) })
	}
	return left > 0
}
