package sessionmgr

// Whoever has much for a session that isn't kept (the presence of thousands of
// contacts, say) gives it in parts, each when the session is ready for it.

// Go runs fn on a goroutine that Stop waits for.
func (m *Manager) Go(fn func()) { m.work.Go(fn) }

// Ready waits until at most so many bytes wait to be written to a session, its client
// has acknowledged enough, and it was sent again what it had to be: more of what isn't
// kept can be given to it then. False means that it has no link; where its client
// may come back Resumption.Missed will say that it has missed something. It may wait
// as long as a client reads slowly, so call it on a goroutine of your own.
func (m *Manager) Ready(s *Session, most int) bool {
	if s == nil {
		return false
	}
	for {
		var link Link
		var room chan struct{}
		again := false
		m.behind(s, func() { // what was given to it before
			if link = s.Link(); s.lost || link == nil {
				link = nil
				if s.sm != nil {
					s.sm.missed = true
				}
				return
			}
			if room = s.fullWindow(); room == nil && s.sm != nil && s.sm.redoing {
				again, room = true, s.sm.untilRedone()
			}
		})
		switch {
		case link == nil:
			return false
		case room == nil:
			if s.waitWritten(link, most) {
				return true
			}
			continue // look again which link it has
		case !again:
			m.pipe.run(func() { m.pipe.drain(s) }) // ask
		}
		m.FlushTouched()
		<-room
	}
}

// roomBytes is how little waits to be written where a session has room: a link takes one
// answer of any size then, a whole contact list say.
const roomBytes = 16 << 10

// Room waits until what a session was given before has come to its link, and next to
// nothing waits there to be written; it returns at once where there is no link, or as soon
// as it is lost. So who asks for much and reads slowly is answered as fast as it reads. It
// waits for no acknowledgement: a client that isn't read from can't send one.
func (m *Manager) Room(s *Session) {
	if s == nil {
		return
	}
	var link Link
	m.behind(s, func() { link = s.Link() })
	m.FlushTouched()
	if link != nil {
		s.waitWritten(link, roomBytes)
	}
}

// behind is inOrder that comes behind everything that the session waits for.
func (m *Manager) behind(s *Session, fn func()) {
	done := make(chan struct{})
	m.pipe.run(func() {
		m.pipe.after(s, func() {
			defer close(done)
			fn()
		})
	})
	<-done
}

// untilRedone returns a channel that is closed when what was sent on an earlier stream
// was sent again, or the link is lost. Runs with the token.
func (a *acks) untilRedone() chan struct{} {
	if a.redone == nil {
		a.redone = make(chan struct{})
	}
	return a.redone
}

// wakeRedone lets go of who waits for that.
func (a *acks) wakeRedone() {
	if a.redone != nil {
		close(a.redone)
		a.redone = nil
	}
}
