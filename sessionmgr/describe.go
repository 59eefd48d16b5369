package sessionmgr

import "time"

// Description is what is told about a session: a copy, for listings.
type Description struct {
	ID         string    `json:"id"`
	JID        string    `json:"jid"` // full once bound, bare once authenticated, else ""
	Host       string    `json:"host"`
	State      string    `json:"state"`
	Available  bool      `json:"available"`
	Interested bool      `json:"interested"`
	Priority   int8      `json:"priority"`
	Connected  time.Time `json:"connected"`
	LastActive time.Time `json:"last_active"` // last stanza received
	Transport  string    `json:"transport"`
	Listener   string    `json:"listener"`
	Remote     string    `json:"remote"`
	TLS        string    `json:"tls"` // "" without
	Cipher     string    `json:"cipher"`
	Mechanism  string    `json:"mechanism"`
	Binding    string    `json:"binding"`
	Handled    uint32    `json:"handled"` // stanzas received and handled, modulo 2^32
	Sent       uint32    `json:"sent"`    // stanzas given to the link, modulo 2^32
	Waiting    int       `json:"waiting"` // bytes appended and not yet written
	CatchingUp bool      `json:"catching_up"`
	Cause      string    `json:"cause,omitempty"` // why it ended
}

// Describe returns what is told about the session now.
func (s *Session) Describe() Description {
	s.mu.Lock()
	d := Description{
		ID: s.id, JID: s.full.String(), Host: s.host, State: s.state.String(),
		Available: s.presence != nil, Interested: s.interested, Priority: s.priority,
		Connected: s.created, Transport: s.traits.transport, Listener: s.traits.listener,
		TLS: s.traits.tls, Cipher: s.traits.cipher, Mechanism: s.traits.mechanism, Binding: s.traits.binding,
		CatchingUp: s.drained != nil,
	}
	if s.remote.IsValid() {
		d.Remote = s.remote.String()
	}
	if s.state == Destroyed {
		d.Cause = s.cause.String()
	}
	link := s.link
	s.mu.Unlock()
	d.LastActive, d.Handled, d.Sent = s.LastActive(), s.handled.Load(), s.sent.Load()
	if link != nil {
		d.Waiting = link.Waiting()
	}
	return d
}
