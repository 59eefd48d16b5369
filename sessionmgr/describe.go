package sessionmgr

import "time"

// Description is what is told about a session: a copy, for listings.
type Description struct {
	ID          string      `json:"id"`
	JID         string      `json:"jid"` // full once bound, bare once authenticated, else ""
	Host        string      `json:"host"`
	State       string      `json:"state"`
	Role        string      `json:"role"` // of the account, "" before it is known
	Available   bool        `json:"available"`
	Interested  bool        `json:"interested"`
	Carbons     bool        `json:"carbons"`  // gets copies
	Inactive    bool        `json:"inactive"` // its client said so
	Unseen      bool        `json:"unseen"`   // hibernates, and contacts are told that it isn't available
	Priority    int8        `json:"priority"`
	Connected   time.Time   `json:"connected"`
	LastActive  time.Time   `json:"last_active"`  // last stanza received
	LastVisible time.Time   `json:"last_visible"` // last one that its user may have meant
	Node        string      `json:"node"`         // name of the host that the server runs on
	Transport   string      `json:"transport"`
	Listener    string      `json:"listener"`
	Remote      string      `json:"remote"`
	TLS         string      `json:"tls"` // "" without
	Cipher      string      `json:"cipher"`
	TLSResumed  bool        `json:"tls_resumed"` // by a ticket
	ALPN        string      `json:"alpn"`
	SNI         string      `json:"sni"`
	Lang        string      `json:"lang"` // of the stream
	Mechanism   string      `json:"mechanism"`
	Binding     string      `json:"binding"`
	Device      string      `json:"device"` // names the device among the account's, "" if the client didn't say
	Software    string      `json:"software"`
	DeviceName  string      `json:"device_name"`
	Class       string      `json:"class"`   // of the device, as policies have it
	Policy      string      `json:"policy"`  // the rule that is for it, "" for none
	Handled     uint32      `json:"handled"` // stanzas received and handled, modulo 2^32
	Sent        uint32      `json:"sent"`    // stanzas given to the link, modulo 2^32
	In          Traffic     `json:"in"`      // what its client has sent
	Out         Traffic     `json:"out"`     // what was given to its links
	Waiting     int         `json:"waiting"` // bytes appended and not yet written
	CatchingUp  bool        `json:"catching_up"`
	Attributes  []Attribute `json:"attributes,omitempty"` // what modules keep
	Cause       string      `json:"cause,omitempty"`      // why it ended

	Acks  *Acks  `json:"acks,omitempty"`  // with stream management
	Queue *Queue `json:"queue,omitempty"` // where Manager.Waiting was asked
}

// Acks is what is told about a session's stream management.
type Acks struct {
	Resumable    bool      `json:"resumable"`
	Keep         int       `json:"keep"`                 // seconds that it may be without a link, 0 if it can't be resumed
	Hibernating  time.Time `json:"hibernating,omitzero"` // since when it has none; since the start, if it was restored
	Expires      time.Time `json:"expires,omitzero"`     // when it ends unless it is resumed
	Restored     bool      `json:"restored"`             // an earlier process had it, and it was not resumed since
	Resumes      uint32    `json:"resumes"`              // how often it was resumed
	Source       string    `json:"source"`               // where its messages come from: FromLog or Live
	WaitsFor     string    `json:"waits_for"`            // "" or one of the constants below
	Handled      uint32    `json:"handled"`              // the h that its client may be told: stanzas handled for good
	Handling     uint32    `json:"handling"`             // stanzas of the client beyond those: taken, and not recorded yet
	Sent         uint32    `json:"sent"`                 // the number of the last stanza to it; unknown where Restored
	Acknowledged uint32    `json:"acknowledged"`         // the h that its client has told
	LastAck      time.Time `json:"last_ack,omitzero"`
	Unacked      int       `json:"unacked"`       // stanzas sent and not acknowledged
	UnackedBytes int       `json:"unacked_bytes"` // of those of them that are in no log
	Held         int       `json:"held"`          // presence and IQs that wait for it
}

// Where a session's messages come from.
const (
	Live    = "live" // as they are sent
	FromLog = "log"  // it pulls them, or will once it is resumed
)

// What a session waits for.
const (
	WaitsResumption = "resumption"      // it has no link
	WaitsDisk       = "disk"            // something of it is being made durable
	WaitsRoom       = "room"            // its client reads more slowly than it is written to
	WaitsAck        = "acknowledgement" // its client has not acknowledged everything
)

// Describe returns what is told about the session now. It waits for its turn in
// the pipeline: a Link and a Done must not call it.
func (s *Session) Describe() Description { return s.m.Describe([]*Session{s})[0] }

// describeAtOnce is how many sessions are looked at while nobody else can use
// the pipeline.
const describeAtOnce = 100

// Describe is [Session.Describe] for many, which saves their turns.
func (m *Manager) Describe(list []*Session) []Description {
	all := make([]Description, len(list))
	for i, s := range list {
		if s == nil {
			all[i].State = Destroyed.String()
			continue
		}
		all[i] = s.describe()
	}
	for i := 0; i < len(list); i += describeAtOnce {
		end := min(i+describeAtOnce, len(list))
		m.inOrder(func() {
			for k := i; k < end; k++ {
				if list[k] != nil {
					all[k].Acks = list[k].describeAcks(&all[k])
				}
			}
		})
	}
	return all
}

// describeAcks tells what the token's holder knows. Runs with the token.
func (s *Session) describeAcks(d *Description) *Acks {
	a := s.sm
	if a == nil {
		return nil
	}
	away := s.absence.Load()
	x := &Acks{
		Resumable: a.resumable, Restored: a.restored, Resumes: away.resumes.Load(), Source: Live,
		Handled: a.durable, Handling: a.accepted - a.durable, Sent: a.out, Acknowledged: a.acked,
		Unacked: len(a.unacked) + len(a.redo), UnackedBytes: a.volume, Held: s.held.len(),
	}
	if a.resumable {
		x.Keep = int(a.keep / time.Second)
	}
	if t := away.lastAck.Load(); t != 0 {
		x.LastAck = time.Unix(0, t)
	}
	if t := away.goneAt.Load(); t != 0 && d.State == Hibernating.String() {
		x.Hibernating = time.Unix(0, t)
		x.Expires = x.Hibernating.Add(a.keep)
	}
	if s.behind || !s.up() {
		x.Source = FromLog
	}
	switch {
	case d.State == Destroyed.String():
	case d.State == Hibernating.String():
		x.WaitsFor = WaitsResumption
	case s.pendingBatch > s.m.pipe.released:
		x.WaitsFor = WaitsDisk
	case d.Waiting > chunkBytes:
		x.WaitsFor = WaitsRoom
	case x.Unacked > 0:
		x.WaitsFor = WaitsAck
	}
	return x
}

// describe tells what is known without the pipeline's token.
func (s *Session) describe() Description {
	s.mu.Lock()
	d := Description{
		ID: s.id, JID: s.full.String(), Host: s.host, State: s.state.String(), Role: s.role,
		Available: s.presence != nil, Interested: s.interested, Priority: s.priority,
		Connected: s.Created(), Node: s.m.node, Transport: s.traits.transport, Listener: s.traits.listener,
		TLS: s.traits.tls, Cipher: s.traits.cipher, TLSResumed: s.traits.resumed, Mechanism: s.traits.mechanism, Binding: s.traits.binding,
		ALPN: s.traits.alpn, SNI: s.traits.sni, Lang: s.traits.lang,
		CatchingUp: s.drainAwaited(),
	}
	if s.device != nil {
		d.Device, d.Software, d.DeviceName = s.device.ID, s.device.Software, s.device.Name
	}
	if s.remote.IsValid() {
		d.Remote = s.remote.String()
	}
	if s.state == Destroyed {
		d.Cause = s.cause.String()
	}
	link := s.linkNow()
	s.mu.Unlock()
	d.Class, d.Policy = s.PolicyOf(s.m.policies.Load().Set)
	d.LastActive, d.LastVisible, d.Handled, d.Sent = s.LastActive(), s.LastVisible(), s.handled.Load(), s.sent.Load()
	d.In, d.Out, d.Attributes = s.Received(), s.Given(), s.Attributes(ReadByAdmin)
	d.Carbons, d.Inactive, d.Unseen = s.carbons.Load(), s.inactive.Load(), s.Unseen()
	if link != nil {
		d.Waiting = link.Waiting()
	}
	return d
}
