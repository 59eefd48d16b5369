package sessionmgr

// Fetched tells that a session was given the account's archived messages between
// two ids: those above after, up to upTo. While it isn't available, and so has
// not been given what waits for the account, that is taken for delivered: a
// client that reads the archive first gets nothing twice (XEP-0160 §2).
func (m *Manager) Fetched(s *Session, after, upTo uint64) {
	m.pipe.run(func() {
		if s == nil || s.reach.Load() >= 0 {
			return
		}
		f := s.fetched
		switch {
		case f == nil:
			s.fetched = &segment{tag: s.queue.tag, after: after, upTo: upTo}
		case after <= f.upTo && upTo >= f.after: // pages follow each other, one way or the other
			f.after, f.upTo = min(f.after, after), max(f.upTo, upTo)
		default:
			f.after, f.upTo = after, upTo
		}
	})
}
