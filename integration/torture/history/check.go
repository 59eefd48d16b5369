package history

import (
	"fmt"
	"slices"
	"time"
)

// Finding is a promise that was broken.
type Finding struct {
	// Promise is which: "lost", "doubled", "reordered", "unstamped", "stuck", "bounced", "h",
	// "fault", "archive", "presence", "wrong", "server", or "harness" where the run contradicts itself.
	Promise string
	Client  int32 // who saw it; -1: nobody in particular
	At      time.Duration
	What    string
	Message Message // valid if About
	About   bool
}

// String returns the finding in one line.
func (f Finding) String() string {
	who := ""
	if f.Client >= 0 {
		who = fmt.Sprintf(" client %d", f.Client)
	}
	if f.About {
		who += " " + f.Message.String()
	}
	return fmt.Sprintf("%s:%s at %s: %s", f.Promise, who, clock(f.At), f.What)
}

// Verdict is what Check says about a run.
type Verdict struct {
	Findings []Finding
	// NotChecked are promises that this run can't say anything about, and why.
	NotChecked []string

	Sent, Acked, Received int           // messages
	Resumes, Refused      int           // answers to <resume/>
	Sessions              int           // that were bound
	Again                 int           // copies in later sessions that nobody could prevent
	Excused               int           // by Rules, or because they were written to a session before it had stream management
	Copies                int           // that came to further devices
	Views                 int           // of a contact by a client, held against what was so
	Bounced               int           // messages, while the disk was full
	Returned              int           // messages to nobody, as they should be
	Outage                time.Duration // the longest time that a client was without a session
}

// Count returns how many findings there are of a promise.
func (v *Verdict) Count(promise string) int {
	n := 0
	for _, f := range v.Findings {
		if f.Promise == promise {
			n++
		}
	}
	return n
}

// judge holds what Check has read while it decides.
type judge struct {
	Verdict
	run     *Run
	rules   Rules
	ledgers []*ledger
	faults  map[uint32]time.Duration
	kills   []time.Duration
	full    []span
}

type span struct{ from, to time.Duration }

// forever is later than everything that happens.
const forever = time.Duration(1<<63 - 1)

// fullAfter is how long after the disk has room again a server may still believe
// that it has none: it doesn't look at each stanza.
const fullAfter = 5 * time.Second

// Check holds the promises against what was seen. It changes nothing.
func Check(run Run, rules Rules) Verdict {
	j := &judge{run: &run, rules: rules, faults: map[uint32]time.Duration{}}
	j.incidents()
	for i, log := range run.Clients {
		l := read(int32(i), log, j.faults)
		j.ledgers = append(j.ledgers, l)
		j.Findings = append(j.Findings, l.findings...)
		j.Resumes += l.resumes
		j.Refused += l.refused
		j.Sessions += len(l.sessions)
		j.Outage = max(j.Outage, l.outage)
	}
	for _, sender := range j.ledgers {
		for _, m := range sortedKeys(sender.sent) {
			j.message(m, sender.sent[m])
		}
	}
	for _, receiver := range j.ledgers {
		for _, m := range sortedKeys(receiver.got) {
			j.strangers(receiver, m)
		}
		j.order(receiver)
	}
	j.archives()
	j.devices()
	j.presence()
	slices.SortStableFunc(j.Findings, func(a, b Finding) int { return int(min(max(a.At-b.At, -1), 1)) })
	return j.Verdict
}

// sortedKeys makes the order of findings the same each time.
func sortedKeys[V any](m map[Message]V) []Message {
	keys := make([]Message, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b Message) int {
		for _, d := range [...]int32{a.From - b.From, a.To - b.To, a.Seq - b.Seq} {
			if d != 0 {
				return int(d)
			}
		}
		return 0
	})
	return keys
}

func (j *judge) incidents() {
	for _, i := range j.run.Incidents {
		switch i.Deed {
		case Killed:
			j.kills = append(j.kills, i.At)
		case Faulted:
			j.faults[i.N] = i.At
		case Failure:
			j.Findings = append(j.Findings, Finding{Promise: "server", Client: -1, At: i.At, What: i.Note})
		case Filled:
			j.full = append(j.full, span{i.At, forever})
		case Roomy:
			if last := len(j.full) - 1; last >= 0 && j.full[last].to == forever {
				j.full[last].to = i.At + fullAfter
			}
		}
	}
}

func (j *judge) find(promise string, client int32, m Message, at time.Duration, format string, args ...any) {
	j.Findings = append(j.Findings, Finding{Promise: promise, Client: client, At: at, What: fmt.Sprintf(format, args...),
		Message: m, About: true})
}

// message judges one message from its sender's side and its receiver's.
func (j *judge) message(m Message, o *outgoing) {
	j.Sent++
	if o.acked >= 0 {
		j.Acked++
	}
	if m.ToNobody() {
		j.toNobody(m, o)
		return
	}
	receiver := j.ledgers[m.To]
	copies := receiver.got[m]
	if len(copies) > 0 {
		j.Received++
	}
	bounced := j.bounced(m, o, len(copies) > 0)
	switch {
	case o.acked >= 0 && len(copies) == 0 && !bounced:
		if o.full && receiver.unmanaged(o.first, o.acked) {
			j.Excused++
		} else {
			j.find("lost", m.From, m, o.acked, "acknowledged, and never came")
		}
	case o.acked < 0 && !o.dropped && !bounced:
		j.find("stuck", m.From, m, o.first, "not acknowledged by the end of the run")
	}
	j.copies(m, o, receiver, copies)
}

// bounced judges the errors that came back for a message and reports whether it
// counts as returned to its sender: the disk has to have been full.
func (j *judge) bounced(m Message, o *outgoing, came bool) bool {
	if len(o.bounced) == 0 {
		return false
	}
	j.Bounced++
	for _, b := range o.bounced {
		if !slices.ContainsFunc(j.full, func(s span) bool { return s.from <= b.at && o.first <= s.to }) {
			j.find("bounced", m.From, m, b.at, "came back as an error, although the disk wasn't full")
		}
	}
	if came && len(o.sessions) == 1 {
		j.find("bounced", m.From, m, o.bounced[0].at, "came back as an error and was delivered all the same")
	}
	return true
}

// toNobody judges a message that nobody can get: who sent it hears so once, on the
// session that was told that it is handled, unless the client has ended that.
func (j *judge) toNobody(m Message, o *outgoing) {
	sender := j.ledgers[m.From]
	last := int32(len(sender.sessions))
	for i, b := range o.bounced {
		for _, before := range o.bounced[:i] {
			if before.session == b.session {
				j.find("doubled", m.From, m, b.at, "the error for it came twice in session %d", b.session)
			}
		}
	}
	switch {
	case len(o.bounced) > 0:
		j.Returned++
	case o.acked < 0 && !o.dropped:
		j.find("stuck", m.From, m, o.first, "not acknowledged by the end of the run")
	case o.acked < 0:
	case slices.Contains(o.sessions, last):
		j.find("lost", m.From, m, o.acked, "acknowledged, and nobody got it, and its sender never heard of that")
	default: // nobody but that session was to hear of it
		j.Excused++
	}
}

// copies judges how often a message came, where, and how it was marked.
func (j *judge) copies(m Message, o *outgoing, receiver *ledger, copies []arrival) {
	// Who sent it in several sessions may have made copies of its own.
	allowed := 0
	if j.rules.LooseResends {
		allowed = len(o.sessions) - 1
	}
	for i, c := range copies {
		s := receiver.sessions[c.session-1]
		if fault, ok := j.faults[receiver.processes[c.stream]]; ok && o.first > fault {
			j.find("fault", m.To, m, c.at, "delivered by a process whose fsync had failed before the message left")
		}
		if o.acked >= 0 && o.acked < s.bound && !c.delayed {
			j.find("unstamped", m.To, m, c.at, "acknowledged at %s, before its receiver's session %d began at %s, and came without a delay stamp",
				clock(o.acked), c.session, clock(s.bound))
		}
		if i == 0 {
			continue
		}
		switch why := j.doubled(receiver, copies[:i], c); {
		case why == "":
			j.Again++
		case allowed > 0:
			allowed--
			j.Excused++
		default:
			j.find("doubled", m.To, m, c.at, "%s", why)
		}
	}
	if len(copies) == 0 {
		return
	}
	last := copies[len(copies)-1]
	s := receiver.sessions[last.session-1]
	if last.n > s.gave && last.n != 0 && int(last.session) < len(receiver.sessions) {
		j.find("lost", m.To, m, last.at, "came as stanza %d of session %d, which acknowledged only %d and was not resumed; it had to come again",
			last.n, last.session, s.gave)
	}
}

// doubled says why a copy may not be, after those that came before; "" if it may.
func (j *judge) doubled(l *ledger, before []arrival, c arrival) string {
	for _, b := range before {
		if b.session == c.session {
			return fmt.Sprintf("came twice in session %d, as stanza %d and %d", c.session, b.n, c.n)
		}
		taken := l.provenBy(b)
		if taken < 0 {
			continue
		}
		if j.rules.LooseAcks && slices.ContainsFunc(j.kills, func(at time.Duration) bool { return taken <= at && at <= c.at }) {
			continue
		}
		return fmt.Sprintf("came again in session %d, although the server had taken the acknowledgement of stanza %d of session %d by %s",
			c.session, b.n, b.session, clock(taken))
	}
	return ""
}

// strangers finds messages that came and that nobody had sent.
func (j *judge) strangers(receiver *ledger, m Message) {
	c := receiver.got[m][0]
	if m.From < 0 || int(m.From) >= len(j.ledgers) {
		j.find("wrong", receiver.client, m, c.at, "came from nobody")
		return
	}
	switch o := j.ledgers[m.From].sent[m]; {
	case o == nil:
		j.find("wrong", receiver.client, m, c.at, "came and was never sent")
	case c.at < o.first:
		j.find("harness", receiver.client, m, c.at, "came before it was sent at %s", clock(o.first))
	}
}

// clock writes a time of the run.
func clock(d time.Duration) string { return fmt.Sprintf("%.4fs", d.Seconds()) }
