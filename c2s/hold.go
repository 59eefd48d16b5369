package c2s

import "time"

// What a login leads to goes out in one write: success, the features or what is
// sent again on a resumed stream, and what follows from it. Until all of that is
// there the connection is held: nothing is written and nobody asks PreDrain.

const (
	// holdBytes is how much may wait for the rest of it. A session that has more
	// to catch up with gets that in several writes anyway.
	holdBytes = 32 << 10
	// holdTime bounds the wait where nobody tells of its end.
	holdTime = 200 * time.Millisecond

	holdAll = 1 << 20
)

// hold keeps what is appended from being written until unhold was called as
// often.
func (s *Stream) hold() {
	if s.holds.Add(1) == 1 {
		s.conn.Hold(true)
	}
}

// unhold undoes hold n times. More often than that is harmless.
func (s *Stream) unhold(n int32) {
	for {
		have := s.holds.Load()
		if have == 0 {
			return
		}
		left := max(0, have-n)
		if s.holds.CompareAndSwap(have, left) {
			if left == 0 {
				s.conn.Hold(false)
			}
			return
		}
	}
}

// holdUntilCaughtUp has the write wait for CaughtUp too, but not for long.
func (s *Stream) holdUntilCaughtUp() {
	s.hold()
	time.AfterFunc(holdTime, func() { s.unhold(holdAll) })
}

// CaughtUp implements sessionmgr.Catcher.
func (s *Stream) CaughtUp() { s.unhold(1) }

// Flush implements sessionmgr.Link.
func (s *Stream) Flush() {
	if s.holds.Load() > 0 && s.conn.Buffered() > holdBytes && !s.tells() {
		s.unhold(holdAll)
	}
	s.conn.Drain()
}

// What comes for a session that a login has bound stands behind the success of
// the login, however much that is and even if the stream ends meanwhile.

// beginTelling has what is appended, and the end of the stream, wait for endTelling.
func (s *Stream) beginTelling() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.telling = true
}

// endTelling is called when the success is appended, or there will be none.
func (s *Stream) endTelling() {
	s.mu.Lock()
	bye := s.bye
	s.telling, s.bye = false, nil
	s.mu.Unlock()
	if bye != nil {
		bye()
	}
}

func (s *Stream) tells() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.telling
}
