package history

import (
	"fmt"
	"time"
)

// Kind says what was seen.
type Kind uint8

// The kinds of event in a client's log. An event is written before the bytes that
// it stands for leave, and after those that it stands for were read.
const (
	Connected Kind = iota // a stream begins; N is the number of the server's process
	Bound                 // a bind request leaves: a new session begins (flag Moved: another resource than before)
	Enabled               // <enabled/> came, both counters are 0
	Available             // the session's own presence came back; Note is its resource
	Asked                 // <resume/> leaves with h=N: what the client has
	Resumed               // <resumed/> came with h=N
	Failed                // <failed/> came, with h=N if flag HasH
	Sent                  // a message to Peer leaves as stanza N (flag Full: to a full address)
	SentOther             // another stanza leaves as stanza N (flag Shows: it is presence for everybody, Note is its status)
	Dropped               // the message to Peer won't be sent again, although nobody acknowledged it
	Acked                 // <a/> came with h=N
	Gave                  // <a/> leaves with h=N
	Got                   // a message of Peer came as stanza N; 0: before <enabled/> (flag Delayed: with a delay stamp)
	Bounced               // an error came for the message to Peer
	Wrong                 // something came that may not come; Note says what
	Copying               // a further device was told that it gets copies
	Copied                // a copy of a message with Peer came as stanza N (flag FromUs: one that the account sent)
	Saw                   // presence of the contact Peer came; Note is its resource and its status (flag Gone: it is unavailable; no resource: all of it)
	Ended                 // the stream is over for the client; Note says why
)

// String returns the word that stories are told with.
func (k Kind) String() string {
	names := [...]string{"connected to process", "binds", "enabled", "is available", "asks to resume, has", "resumed, h is",
		"not resumed, h is", "sends as stanza", "sends another stanza", "gives up", "is acknowledged up to", "acknowledges up to",
		"gets as stanza", "gets back an error for", "SAW WHAT MAY NOT BE:", "gets copies", "gets a copy as stanza", "sees",
		"stream over:"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Flags of an event; each kind says which it may have.
const (
	HasH    uint8 = 1 << iota // Failed: the answer told h
	Full                      // Sent: to a full address
	Delayed                   // Got: it has a delay stamp
	FromUs                    // Copied: the account sent it, else it got it
	Moved                     // Bound: as another resource than the session before, which the server may still keep
	Shows                     // SentOther: presence for all contacts
	Gone                      // Saw: unavailable
)

// Event is one line of a client's log.
type Event struct {
	At      time.Duration // since the run began
	Note    string
	Session int32 // which session of the client, from 1; 0 before the first
	Stream  int32 // which connection of the client, from 1
	Peer    int32 // the other client, for messages
	Seq     int32 // the message's number among those from the one to the other, from 0
	N       uint32
	Kind    Kind
	Flags   uint8
}

// Has reports whether a flag is set.
func (e *Event) Has(flag uint8) bool { return e.Flags&flag != 0 }

// Log is what one client saw, in its own order.
type Log []Event

// Message names a message: From and To are clients, Seq counts those of the pair.
type Message struct{ From, To, Seq int32 }

// String returns the message's origin-id (XEP-0359 §2.2).
func (m Message) String() string { return fmt.Sprintf("m-%d-%d-%d", m.From, m.To, m.Seq) }

// ToNobody reports whether it is one that is sent to an account that isn't there: its
// sender stands for the receiver.
func (m Message) ToNobody() bool { return m.From == m.To }

// ParseMessage is the inverse of String. It reports false for what String doesn't make.
func ParseMessage(s string) (m Message, ok bool) {
	if n, err := fmt.Sscanf(s, "m-%d-%d-%d", &m.From, &m.To, &m.Seq); err != nil || n != 3 {
		return Message{}, false
	}
	return m, m.String() == s
}

// Deed is something that the nemesis did.
type Deed string

// The deeds that the checker has to know; others are counted and told in stories.
const (
	Started Deed = "started" // process N takes connections
	Killed  Deed = "kill"    // process N was ended by SIGKILL
	Filled  Deed = "full"    // the disk is full from now on
	Roomy   Deed = "roomy"   // it no longer is
	Faulted Deed = "fault"   // process N was told that an fsync failed, at the latest at At
	Failure Deed = "failure" // process N did what no process may: Note says what
	Quiet   Deed = "quiet"   // all is delivered that was sent, and nobody sends anything
)

// Incident is one line of the nemesis's log.
type Incident struct {
	At   time.Duration
	Deed Deed
	N    uint32 // the process
	Note string
}

// Archived is a message in an archive, in the archive's order.
type Archived struct {
	ID      string // the archive's own
	Message Message
}

// Run is everything that was seen in a run.
type Run struct {
	Clients   []Log
	Devices   []Device // further ones of the same accounts
	Incidents []Incident
	// Archives has the archive of each client, nil where the server offers none.
	Archives [][]Archived
	// Contacts has, for each client, those whose presence it sees; nil where the
	// server offers no rosters.
	Contacts [][]int32
}

// Rules are what a run is judged by beyond the promises that hold always.
type Rules struct {
	// LooseAcks excuses a message that comes again in a later session, although
	// the server had provably taken the acknowledgement of the one before, where the server's
	// process was killed in between: for servers that keep acknowledgements in memory.
	LooseAcks bool
	// LooseResends excuses copies of what a client sent in more than one session, because
	// it could not learn how much of the first was handled: for servers that don't
	// know a message by its origin-id.
	LooseResends bool
}
