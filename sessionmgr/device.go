package sessionmgr

// Device is the installation of a client that a session is of, as far as that
// said so when it logged in. It is for the account's owner and for admins, never
// for contacts (XEP-0388 §2.3).
type Device struct {
	ID       string // names it among the account's devices; no secret, and not the id that the client gave
	Software string // as the client calls itself, "" if it didn't
	Name     string // as the client calls the device, "" if it didn't
}

// SetDevice notes whose installation the session is of: after authentication,
// before it is bound or resumed.
func (s *Session) SetDevice(d Device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.device = &d
}

// Device returns what SetDevice noted, the zero Device before that.
func (s *Session) Device() Device {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.device == nil {
		return Device{}
	}
	return *s.device
}
