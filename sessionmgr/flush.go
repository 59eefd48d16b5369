package sessionmgr

// touch notes that a session's link has something to write.
func (m *Manager) touch(s *Session) {
	if s.touched.Swap(true) {
		return
	}
	m.touchMu.Lock()
	m.touchedList = append(m.touchedList, s)
	m.touchMu.Unlock()
}

// flushOthers is called by whoever may have had the token without being a stream
// that flushes next. With the token may have come other streams' stanzas, and
// those streams may have flushed already: without this nobody would write what
// has just been appended for them.
func (m *Manager) flushOthers(came bool) {
	if came {
		m.flushSoon()
	}
}

// flushSoon is FlushTouched on a goroutine of its own, where there is something to write.
func (m *Manager) flushSoon() {
	m.touchMu.Lock()
	some := len(m.touchedList) > 0
	m.touchMu.Unlock()
	if some {
		m.work.Go(m.FlushTouched)
	}
}

// FlushTouched writes to every link that something was appended to since the
// last call. Streams call it when they have taken all their input; everything
// here that works on a goroutine of its own calls it at its end.
func (m *Manager) FlushTouched() {
	m.touchMu.Lock()
	list := m.touchedList
	m.touchedList = m.touchSpare[:0]
	m.touchSpare = nil
	m.touchMu.Unlock()
	if len(list) == 0 {
		return
	}
	for _, s := range list {
		s.touched.Store(false)
		if link := s.Link(); link != nil {
			link.Flush()
		}
	}
	clear(list)
	m.touchMu.Lock()
	if cap(list) <= 1024 {
		m.touchSpare = list
	}
	m.touchMu.Unlock()
}
