package sessionmgr

// logEnd tells of an end that no stream tells of in the log: of a session that somebody
// has ended, and of one without a stream that somebody or another session has ended.
func (m *Manager) logEnd(s *Session, was State) {
	why := s.Cause()
	switch {
	case why.Code == Kicked:
		s.Log().Info("session kicked", "jid", s.JID(), "state", was.String(), "cause", why.String())
	case was == Hibernating && why.Code != Expired:
		s.Log().Info("hibernating session ended", "jid", s.JID(), "cause", why.String())
	}
}
