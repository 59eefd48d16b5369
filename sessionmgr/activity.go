package sessionmgr

import (
	"sync/atomic"
	"time"

	"weir/stanza"
)

// activity is when a session was last heard of and how much went each way. It is
// written by whoever takes or gives a stanza and read anywhere. Numbers are those
// of this process.
type activity struct {
	received atomic.Int64 // unix nanoseconds of the last stanza received
	visible  atomic.Int64 // of the last that its user may have meant
	in, out  tally
}

// tally counts stanzas by kind, modulo 2^32, and their bytes.
type tally struct {
	bytes atomic.Uint64
	kinds [stanza.IQ]atomic.Uint32
}

func (t *tally) add(st *stanza.Stanza) {
	t.kinds[st.Kind-1].Add(1)
	t.bytes.Add(uint64(st.Size()))
}

func (t *tally) traffic() Traffic {
	return Traffic{
		Messages: t.kinds[stanza.Message-1].Load(), Presence: t.kinds[stanza.Presence-1].Load(),
		IQs: t.kinds[stanza.IQ-1].Load(), Bytes: t.bytes.Load(),
	}
}

// Traffic is what went one way between a session and its client. Numbers of
// stanzas are modulo 2^32 and begin anew with the process.
type Traffic struct {
	Messages uint32 `json:"messages"`
	Presence uint32 `json:"presence"`
	IQs      uint32 `json:"iqs"`
	Bytes    uint64 `json:"bytes"` // of the stanzas, about: without TLS, acknowledgements and keep-alives
}

// take notes a stanza of the session's client.
func (a *activity) take(st *stanza.Stanza) {
	now := time.Now().UnixNano()
	a.received.Store(now)
	if meant(st) {
		a.visible.Store(now)
	}
	a.in.add(st)
}

// nsPing is the namespace of pings.
const nsPing = "urn:xmpp:ping" // XEP-0199 §3

// meant reports whether a stanza of a client may show that somebody uses it:
// answers, errors and pings are sent by clients that nobody looks at, too.
func meant(st *stanza.Stanza) bool {
	if st.IsError() {
		return false
	}
	return st.Kind != stanza.IQ || st.IsRequest() && !st.HasChild(nsPing, "ping")
}

// LastActive returns when the last stanza was received, or the time of
// acceptance.
func (s *Session) LastActive() time.Time { return s.orCreated(s.activity.received.Load()) }

// LastVisible returns when its client last sent something that its user may have
// meant: a message, presence or a request that is no ping; else the time of
// acceptance. Answers and acknowledgements don't count.
func (s *Session) LastVisible() time.Time { return s.orCreated(s.activity.visible.Load()) }

func (s *Session) orCreated(n int64) time.Time {
	if n == 0 {
		return s.Created()
	}
	return time.Unix(0, n)
}

// Received returns what its client has sent.
func (s *Session) Received() Traffic { return s.activity.in.traffic() }

// Given returns what was given to its links.
func (s *Session) Given() Traffic { return s.activity.out.traffic() }
