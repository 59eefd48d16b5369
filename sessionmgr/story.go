package sessionmgr

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/jid"
	"weir/stanza"

	merr "mellium.im/xmpp/stanza"
)

// Bounds of what is remembered of the way that sessions went.
const (
	maxSteps      = 32   // of one session, behind its binding
	maxMarks      = 16   // of one session: when it became available, and such
	maxEarly      = 8    // of one session, before its binding
	maxReason     = 200  // bytes of why something was refused
	closedKnown   = 1000 // sessions that ended and had logged in
	closedUnknown = 100  // those that had not: strangers don't push out the others
)

// Step is one change of a session's state, or of its presence.
type Step struct {
	At    time.Time `json:"at"`
	State string    `json:"state"` // that it was in from then on
	What  string    `json:"what"`  // what happened
	Cause string    `json:"cause,omitempty"`
}

// Story is what is told about the way that a session went.
type Story struct {
	Session Description `json:"session"` // now; of one that has ended, as it was then
	Steps   []Step      `json:"steps"`   // in order; the way to its binding is that of this process
	end     ending
}

// ending is how far a session that has ended was with its account's log.
type ending struct {
	account jid.JID
	tag     uint64
	had     uint64 // the last id of what it has got
	acks    bool   // it had stream management
}

// ending returns how far a session is that has left. Runs with the token.
func (s *Session) ending() ending {
	return ending{account: s.JID().Bare(), tag: s.queue.tag, had: s.queue.after, acks: s.sm != nil}
}

// way is where a session has come along. Guarded by its mu.
type way struct {
	// Milliseconds from its creation to the states that each session goes through, 0
	// for those that it has not come to in this process.
	header, login, bound uint32
	later                *later // what came afterwards, nil for nothing
}

// later is what comes once a session is bound. Most have marks and nothing else.
type later struct {
	marks []mark // the last of them
	rare  *rare
}

// rare is what most sessions never have.
type rare struct {
	steps []Step // the last of them
	early []Step // the same, before it was bound: what was refused, and what it waited for
}

// more returns what comes once a session is bound, to be added to.
func (w *way) more() *later {
	if w.later == nil {
		w.later = new(later)
	}
	return w.later
}

// oddities returns what most sessions never have, to be added to.
func (w *way) oddities() *rare {
	l := w.more()
	if l.rare == nil {
		l.rare = new(rare)
	}
	return l.rare
}

// mark is a change within the bound state: microseconds from the session's creation, in
// the upper 48 bits, what happened and the priority. It is small, as most sessions have
// two.
type mark uint64

// What a mark tells.
const (
	markInterested = iota
	markAvailable
	markUnavailable
	markPriority
)

// mark notes such a change; mu is held.
func (s *Session) mark(what byte, priority int8) {
	us := uint64(max(0, time.Now().UnixNano()-s.created) / int64(time.Microsecond))
	m := mark(us<<16 | uint64(what)<<8 | uint64(uint8(priority)))
	w := s.way.more()
	switch list := w.marks; {
	case list == nil:
		w.marks = append(make([]mark, 0, 2), m)
	case len(list) < maxMarks:
		w.marks = append(list, m)
	default:
		copy(list, list[1:])
		list[maxMarks-1] = m
	}
}

// step tells a mark of a session that was created at a time.
func (m mark) step(created time.Time) Step {
	x := Step{At: created.Add(time.Duration(m>>16) * time.Microsecond), State: Bound.String()}
	switch priority := int8(m); byte(m >> 8) {
	case markInterested:
		x.What = "interested: has asked for its roster"
	case markAvailable:
		x.What = fmt.Sprintf("available with priority %d", priority)
	case markUnavailable:
		x.What = "unavailable"
	case markPriority:
		x.What = fmt.Sprintf("priority %d", priority)
	}
	return x
}

// pass notes the time of one of the first states; mu is held.
func (s *Session) pass(mark *uint32) {
	*mark = uint32(max(1, time.Now().UnixNano()-s.created) / int64(time.Millisecond))
	*mark = max(1, *mark)
}

// step notes that the session is in another state than before; mu is held.
func (s *Session) step(what string, why Cause) {
	w := s.way.oddities()
	list := w.steps
	if len(list) >= maxSteps {
		list = append(list[:0], list[1:]...)
	}
	x := Step{At: time.Now(), State: s.state.String(), What: what}
	if why.Code != 0 {
		x.Cause = why.String()
	}
	w.steps = append(list, x)
}

// fellBack notes that the client has asked to resume another session and gets this new
// one, or none, for a reason.
func (s *Session) fellBack(why error) {
	what := "could not resume an earlier session: " + why.Error()
	var e *ResumeError
	if errors.As(why, &e) {
		what = "could not resume an earlier session: " + e.story()
	}
	s.early(what)
}

// early notes what kept a client from being bound, or why that took long.
func (s *Session) early(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != Unauthed && s.state != Unbound {
		return
	}
	w := s.way.oddities()
	list := w.early
	if len(list) >= maxEarly {
		list = append(list[:0], list[1:]...)
	}
	w.early = append(list, Step{At: time.Now(), State: s.state.String(), What: what})
}

// LoginFailed notes for [Manager.Explain] that a login failed: by which mechanism, and
// why, in words for admins. Who wanted in isn't told: a password may be in its place.
func (s *Session) LoginFailed(mechanism, why string) {
	s.early("login by " + clipped(mechanism) + " failed: " + clipped(why))
}

// notBound notes that a binding was refused.
func (s *Session) notBound(err error) {
	why := "of a fault of the server"
	if e, ok := stanza.AsError(err); ok {
		why = string(e.Condition)
		for _, text := range e.Text {
			why += ", " + text
		}
	}
	s.early("binding refused: " + clipped(why))
}

// clipped bounds what is remembered of a text.
func clipped(text string) string {
	if len(text) <= maxReason {
		return text
	}
	return strings.ToValidUTF8(text[:maxReason], "") + "…"
}

// story is the error as it is told to admins.
func (e *ResumeError) story() string {
	switch {
	case e.TooHigh:
		return fmt.Sprintf("its client says it has more than the %d stanzas that it was sent", e.Sent)
	case e.Known:
		return fmt.Sprintf("that has ended, with %d stanzas of the client handled", e.Handled)
	case e.Reason.Condition == merr.ItemNotFound:
		return "there is none by that id, or no more"
	}
	for _, text := range e.Reason.Text {
		return string(e.Reason.Condition) + ", " + text
	}
	return string(e.Reason.Condition)
}

// appendEarly appends what happened in one of the states before the binding, behind
// what was before it.
func (w *way) appendEarly(list []Step, in State) []Step {
	if w.later == nil || w.later.rare == nil {
		return list
	}
	for _, x := range w.later.rare.early {
		if x.State != in.String() {
			continue
		}
		if last := list[len(list)-1].At; x.At.Before(last) { // in the millisecond before: those are rounded up
			x.At = last
		}
		list = append(list, x)
	}
	return list
}

// steps lists all of them.
func (s *Session) steps() []Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Step{{At: s.Created(), State: NotOpen.String(), What: "connection accepted"}}
	for _, x := range []struct {
		mark  uint32
		state State
		what  string
	}{{s.way.header, Unauthed, "stream opened"}, {s.way.login, Unbound, "logged in"}, {s.way.bound, Bound, "resource bound"}} {
		if x.mark > 0 {
			at := s.Created().Add(time.Duration(x.mark) * time.Millisecond)
			if last := list[len(list)-1].At; at.Before(last) { // the same, rounded down
				at = last
			}
			list = append(list, Step{At: at, State: x.state.String(), What: x.what})
		}
		list = s.way.appendEarly(list, x.state)
	}
	begun, bound := len(list), list[len(list)-1].At
	after := s.way.later
	if after == nil {
		return list
	}
	if after.rare != nil {
		list = append(list, after.rare.steps...)
	}
	for _, m := range after.marks {
		x := m.step(s.Created())
		if x.At.Before(bound) { // in the millisecond before: those are rounded up
			x.At = bound
		}
		list = append(list, x)
	}
	slices.SortStableFunc(list[begun:], func(a, b Step) int {
		if c := a.At.Compare(b.At); c != 0 || a.State == b.State {
			return c
		}
		return cmp.Compare(rank(a), rank(b))
	})
	return list
}

// rank has the end behind what came at the same time.
func rank(x Step) int {
	if x.State == Destroyed.String() {
		return 1
	}
	return 0
}

// closed remembers the sessions that ended last.
type closed struct {
	mu             sync.Mutex
	known, unknown ring // guarded by mu
}

// ring has the last of what was put into it.
type ring struct {
	list []Story
	next int
}

func (r *ring) put(st Story, most int) {
	if len(r.list) < most {
		r.list = append(r.list, st)
		return
	}
	r.list[r.next] = st
	r.next = (r.next + 1) % most
}

// find returns the newest story that is meant.
func (r *ring) find(is func(*Story) bool) (Story, bool) {
	for i := range r.list {
		at := (r.next + len(r.list) - 1 - i) % len(r.list)
		if is(&r.list[at]) {
			return r.list[at], true
		}
	}
	return Story{}, false
}

// remember keeps the story of a session that has ended.
func (c *closed) remember(s *Session, end ending) {
	st := Story{Session: s.describe(), Steps: s.steps(), end: end}
	st.Session.Attributes = nil // they are not small
	c.mu.Lock()
	defer c.mu.Unlock()
	if st.Session.JID == "" {
		c.unknown.put(st, closedUnknown)
	} else {
		c.known.put(st, closedKnown)
	}
}

// Explain tells which way the session with a public id went, also for one of those
// that ended last.
func (m *Manager) Explain(id string) (Story, bool) {
	if s := m.Get(id); s != nil {
		return s.explain(), true
	}
	return m.closed.find(func(st *Story) bool { return st.Session.ID == id })
}

// ExplainJID is Explain for the session that has a full JID, or had it last.
func (m *Manager) ExplainJID(full jid.JID) (Story, bool) {
	if s := m.ByJID(full); s != nil {
		return s.explain(), true
	}
	return m.closed.find(func(st *Story) bool { return st.Session.JID == full.String() })
}

func (s *Session) explain() Story { return Story{Session: s.Describe(), Steps: s.steps()} }

func (c *closed) find(is func(*Story) bool) (Story, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if st, ok := c.known.find(is); ok {
		return st, true
	}
	return c.unknown.find(is)
}
