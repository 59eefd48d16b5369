package history

import (
	"fmt"
	"slices"
	"time"
)

// ledger is what the logs say about one client: what it sent in which session,
// what of that was acknowledged, and what it got.
type ledger struct {
	client    int32
	sessions  []*session // session n at n-1
	processes map[int32]uint32
	sent      map[Message]*outgoing
	got       map[Message][]arrival
	inOrder   []arrival // all of got, as they came
	wanderer  bool      // bound as another resource at least once
	downSince time.Duration
	outage    time.Duration // the longest time without a session
	resumes   int
	refused   int
	findings  []Finding
}

// session is one session of a client, over all streams that it was resumed on.
type session struct {
	bound     time.Duration
	enabled   bool
	ended     time.Duration // of a stream that never came to be enabled; -1 before
	available bool

	// The client's own stanzas: number n at n-1.
	stanzas []stanza
	h       uint32 // the last that was acknowledged

	// What came: the client's acknowledgements.
	gave       uint32
	gaveStream int32
	proofs     []proof // ascending
}

// stanza is one numbered stanza of a client.
type stanza struct {
	message *outgoing // nil for what isn't logged
	name    Message
	at      time.Duration // when it left last
	stream  int32
	// covered is the acknowledgement that left before it on the same stream: the
	// server has taken that if it has handled this stanza, since it reads in order.
	covered uint32
}

// proof says that by a certain time the server had taken an acknowledgement.
type proof struct {
	h  uint32
	at time.Duration
}

// outgoing is one message as its sender knows it.
type outgoing struct {
	first    time.Duration
	acked    time.Duration // -1: not
	dropped  bool
	full     bool
	bounced  []returned
	sessions []int32 // of the sender's
}

// returned is an error for a message that came back to its sender.
type returned struct {
	at      time.Duration
	session int32
}

// arrival is one copy of a message as its receiver knows it.
type arrival struct {
	message Message
	session int32
	stream  int32
	n       uint32
	at      time.Duration
	delayed bool
	early   bool // its session was not available yet, and it wasn't kept for it
}

// read makes the ledger of a client.
func read(client int32, log Log, faults map[uint32]time.Duration) *ledger {
	l := &ledger{client: client, processes: map[int32]uint32{}, sent: map[Message]*outgoing{},
		got: map[Message][]arrival{}, downSince: -1}
	for i := range log {
		l.take(&log[i], faults)
	}
	return l
}

func (l *ledger) take(e *Event, faults map[uint32]time.Duration) {
	switch e.Kind {
	case Connected:
		l.processes[e.Stream] = e.N
		return
	case Bound:
		l.sessions = append(l.sessions, &session{bound: e.At, ended: -1})
		l.wanderer = l.wanderer || e.Has(Moved)
	case Wrong:
		l.find("wrong", e, nil, "%s", e.Note)
		return
	case Ended:
		if l.downSince < 0 {
			l.downSince = e.At
		}
	}
	if e.Session < 1 || int(e.Session) != len(l.sessions) {
		if e.Kind != Ended {
			l.find("harness", e, nil, "an event of session %d while %d sessions were bound", e.Session, len(l.sessions))
		}
		return
	}
	s := l.sessions[e.Session-1]
	switch e.Kind {
	case Enabled:
		s.enabled = true
		l.up(e)
	case Available:
		s.available = true
	case Ended:
		if !s.enabled && s.ended < 0 {
			s.ended = e.At
		}
	case Asked, Gave:
		s.gave, s.gaveStream = e.N, e.Stream
	case Sent, SentOther, Dropped, Bounced:
		l.outbound(s, e)
	case Acked, Resumed, Failed:
		l.acknowledged(s, e, faults)
	case Got:
		l.arrived(s, e)
	}
}

// up ends an outage.
func (l *ledger) up(e *Event) {
	if l.downSince >= 0 {
		l.outage = max(l.outage, e.At-l.downSince)
		l.downSince = -1
	}
}

func (l *ledger) outbound(s *session, e *Event) {
	m := Message{l.client, e.Peer, e.Seq}
	o := l.sent[m]
	switch {
	case e.Kind == SentOther:
		l.number(s, e, nil, m)
		return
	case o == nil && e.Kind != Sent:
		l.find("wrong", e, &m, "something about a message that was never sent")
		return
	case o == nil:
		o = &outgoing{first: e.At, acked: -1}
		l.sent[m] = o
	}
	switch e.Kind {
	case Dropped:
		o.dropped = true
	case Bounced:
		o.bounced = append(o.bounced, returned{e.At, e.Session})
	case Sent:
		o.full = o.full || e.Has(Full)
		if !slices.Contains(o.sessions, e.Session) {
			o.sessions = append(o.sessions, e.Session)
		}
		l.number(s, e, o, m)
	}
}

// number enters a stanza under its number. What is sent again after a resumption
// keeps its number (XEP-0198 §5).
func (l *ledger) number(s *session, e *Event, o *outgoing, m Message) {
	x := stanza{message: o, name: m, at: e.At, stream: e.Stream}
	if s.gaveStream == e.Stream {
		x.covered = s.gave
	}
	switch next := uint32(len(s.stanzas)) + 1; {
	case e.N == next:
		s.stanzas = append(s.stanzas, x)
	case e.N < next && e.N > s.h:
		s.stanzas[e.N-1] = x
	default:
		l.find("harness", e, nil, "stanza %d was sent as the %dth, with %d acknowledged", e.N, next, s.h)
	}
}

// acknowledged takes an h of the server: it never falls, in all streams of a
// session, and never exceeds what was sent (XEP-0198 §4).
func (l *ledger) acknowledged(s *session, e *Event, faults map[uint32]time.Duration) {
	switch e.Kind {
	case Resumed:
		l.resumes++
		l.up(e)
	case Failed:
		l.refused++
		if !e.Has(HasH) {
			return
		}
	}
	switch {
	case e.N < s.h:
		l.find("h", e, nil, "h fell from %d to %d", s.h, e.N)
		return
	case int(e.N) > len(s.stanzas):
		l.find("h", e, nil, "h is %d, only %d stanzas were sent", e.N, len(s.stanzas))
		return
	}
	for _, x := range s.stanzas[s.h:e.N] {
		if x.message != nil && x.message.acked < 0 {
			x.message.acked = e.At
		}
		if last := len(s.proofs); x.covered > 0 && (last == 0 || s.proofs[last-1].h < x.covered) {
			s.proofs = append(s.proofs, proof{x.covered, e.At})
		}
		l.afterFault(e, &x, faults)
	}
	s.h = e.N
}

// faultGrace is how long after a fault a stanza that isn't kept may still be
// handled: the fault is found by another thread than that which counts.
const faultGrace = 250 * time.Millisecond

// afterFault holds that a process whose fsync has failed acknowledges nothing
// that was sent to it after that.
func (l *ledger) afterFault(e *Event, x *stanza, faults map[uint32]time.Duration) {
	process := l.processes[e.Stream]
	fault, ok := faults[process]
	if !ok || l.processes[x.stream] != process {
		return
	}
	switch {
	case x.message != nil && x.at > fault:
		l.find("fault", e, &x.name, "acknowledged by process %d, although its fsync had failed before the message left", process)
	case x.at > fault+faultGrace:
		l.find("fault", e, nil, "process %d goes on acknowledging after its fsync failed", process)
	}
}

func (l *ledger) arrived(s *session, e *Event) {
	a := arrival{message: Message{e.Peer, l.client, e.Seq}, session: e.Session, stream: e.Stream, n: e.N, at: e.At,
		delayed: e.Has(Delayed), early: !s.available && !e.Has(Delayed)}
	l.got[a.message] = append(l.got[a.message], a)
	l.inOrder = append(l.inOrder, a)
}

// provenBy returns when it was proven that the server had taken the
// acknowledgement of an arrival, negative if it never was.
func (l *ledger) provenBy(a arrival) time.Duration {
	if a.n == 0 {
		return -1
	}
	for _, p := range l.sessions[a.session-1].proofs {
		if p.h >= a.n {
			return p.at
		}
	}
	return -1
}

// lateBind is how long after a client gave up a stream the server may still find its
// bind request on it.
const lateBind = 10 * time.Second

// unmanaged reports whether between two times the client had bound a session
// whose stream ended before stream management was in force: what the server wrote
// to it then is lost without anybody's fault.
func (l *ledger) unmanaged(from, to time.Duration) bool {
	return slices.ContainsFunc(l.sessions, func(s *session) bool {
		return !s.enabled && s.bound <= to && (s.ended < 0 || s.ended+lateBind >= from)
	})
}

// find notes a finding of this client's.
func (l *ledger) find(promise string, e *Event, m *Message, format string, args ...any) {
	f := Finding{Promise: promise, Client: l.client, At: e.At, What: fmt.Sprintf(format, args...)}
	if m != nil {
		f.Message, f.About = *m, true
	}
	l.findings = append(l.findings, f)
}
