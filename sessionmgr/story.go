package sessionmgr

import (
	"sync"
	"time"

	"weir/jid"
)

// Bounds of what is remembered of the way that sessions went.
const (
	maxSteps      = 32   // of one session, behind its binding
	closedKnown   = 1000 // sessions that ended and had logged in
	closedUnknown = 100  // those that had not: strangers don't push out the others
)

// Step is one change of a session's state.
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
}

// way is where a session has come along. Guarded by its mu.
type way struct {
	// Milliseconds from its creation to the states that each session goes through, 0
	// for those that it has not come to in this process.
	header, login, bound uint32
	more                 *[]Step // what came afterwards, nil for nothing
}

// pass notes the time of one of the first states; mu is held.
func (s *Session) pass(mark *uint32) {
	*mark = uint32(max(1, time.Now().UnixNano()-s.created) / int64(time.Millisecond))
	*mark = max(1, *mark)
}

// step notes that the session is in another state than before; mu is held.
func (s *Session) step(what string, why Cause) {
	if s.way.more == nil {
		s.way.more = new([]Step)
	}
	list := *s.way.more
	if len(list) >= maxSteps {
		list = append(list[:0], list[1:]...)
	}
	x := Step{At: time.Now(), State: s.state.String(), What: what}
	if why.Code != 0 {
		x.Cause = why.String()
	}
	*s.way.more = append(list, x)
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
			list = append(list, Step{At: s.Created().Add(time.Duration(x.mark) * time.Millisecond), State: x.state.String(), What: x.what})
		}
	}
	if s.way.more != nil {
		list = append(list, *s.way.more...)
	}
	return list
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
func (c *closed) remember(s *Session) {
	st := Story{Session: s.describe(), Steps: s.steps()}
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
