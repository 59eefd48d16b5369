package sessionmgr

// waiters is what others wait for at a session. Each is made when it is asked for.
type waiters struct {
	drained chan struct{} // closed at the next Drained; nil if nobody waits
	done    chan struct{} // of Context
	parting chan struct{} // closed when Unbound has run
}

// closedChan is closed from the start and never written.
var closedChan = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// waited returns what is waited for; mu is held.
func (s *Session) waited() *waiters {
	if s.waiters == nil {
		s.waiters = &waiters{}
	}
	return s.waiters
}

// doneChan returns a channel that is closed when the session ends.
func (s *Session) doneChan() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.waited()
	if w.done == nil {
		if s.state == Destroyed {
			w.done = closedChan
		} else {
			w.done = make(chan struct{})
		}
	}
	return w.done
}

// wakeDone tells that the session has ended; mu is held.
func (s *Session) wakeDone() {
	if s.waiters != nil && s.waiters.done != nil {
		close(s.waiters.done)
	}
}

// drainAwaited reports whether somebody waits for the link; mu is held.
func (s *Session) drainAwaited() bool { return s.waiters != nil && s.waiters.drained != nil }

// wakeDrained lets go of whoever waits for the link to be written; mu is held.
func (s *Session) wakeDrained() {
	if s.drainAwaited() {
		close(s.waiters.drained)
		s.waiters.drained = nil
	}
}

// waitDrained returns a channel that is closed when the link has written what
// was appended so far, or when the session ends.
func (s *Session) waitDrained() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.linked || s.attached.Waiting() == 0 {
		return closedChan
	}
	w := s.waited()
	if w.drained == nil {
		w.drained = make(chan struct{})
	}
	return w.drained
}

// partingDone returns a channel that is closed when Unbound has run for a
// session that ends.
func (s *Session) partingDone() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left {
		return closedChan
	}
	w := s.waited()
	if w.parting == nil {
		w.parting = make(chan struct{})
	}
	return w.parting
}

// parted notes that Unbound has run.
func (s *Session) parted() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = true
	if s.waiters != nil && s.waiters.parting != nil {
		close(s.waiters.parting)
	}
}
