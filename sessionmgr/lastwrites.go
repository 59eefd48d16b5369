package sessionmgr

import (
	"time"

	"mellium.im/xmpp/stream"
)

// lastWrites is how long KickAll waits for links that are writing: what they are
// at takes microseconds unless the machine is busy or the client doesn't read.
const lastWrites = time.Second

// CloseAll kicks every session. Nobody is kept from coming back: [Manager.Drain]
// and [Manager.Stop] do that. Where a link is writing,
// and its client can't resume, it first waits for that, up to a second for all of
// them together: a client that has read a message would otherwise get it again
// after the restart, since a write is accounted for a moment after its bytes are
// out. It blocks meanwhile, so it is called with no lock held.
func (m *Manager) CloseAll(why Cause, goodbye *stream.Error) { m.endAll(why, goodbye, lastWrites) }

func (m *Manager) endAll(why Cause, goodbye *stream.Error, most time.Duration) {
	m.FlushTouched()
	var writing []*Session
	m.Range(func(s *Session) bool {
		if s.owesToLink() {
			writing = append(writing, s)
		} else {
			m.Kick(s, why, goodbye)
		}
		return true
	})
	if len(writing) == 0 {
		return
	}
	limit := make(chan struct{})
	t := time.AfterFunc(most, func() { close(limit) })
	defer t.Stop()
	for _, s := range writing {
		select {
		case <-s.waitDrained():
		case <-limit:
		}
		m.Kick(s, why, goodbye)
	}
}

// owesToLink reports whether the session is bound, can't be resumed, and has a
// link that has something to write: what of that are messages is owed if it ends now.
func (s *Session) owesToLink() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == Bound && s.linked && !s.resumable && s.attached.Waiting() > 0
}
