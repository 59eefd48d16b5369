package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"

	"weir/c2s"
	"weir/hook"
	"weir/sessionmgr"
	"weir/stanza"
)

// Bounds of watching: a watcher takes one of the places for clients, and a slow one
// makes nobody wait.
const (
	maxWatchers = 4
	watchQueue  = 1024 // events
)

// Event is something that happened to a session.
type Event struct {
	At        time.Time   `json:"at"`
	Event     string      `json:"event"` // docs/control.md lists them
	Session   string      `json:"session,omitempty"`
	JID       string      `json:"jid,omitempty"`
	State     string      `json:"state,omitempty"` // that the session is in now
	Available *bool       `json:"available,omitempty"`
	Priority  *int8       `json:"priority,omitempty"`
	Cause     string      `json:"cause,omitempty"`
	By        string      `json:"by,omitempty"` // id of the session that took its place
	Stanza    *SeenStanza `json:"stanza,omitempty"`
	Missed    uint64      `json:"missed,omitempty"` // events that this watcher was too slow for
}

// SeenStanza is a stanza as a watcher sees it.
type SeenStanza struct {
	Kind  string `json:"kind"`
	Type  string `json:"type,omitempty"`
	ID    string `json:"id,omitempty"`
	From  string `json:"from,omitempty"`
	To    string `json:"to,omitempty"`
	Bytes int    `json:"bytes"`
	XML   string `json:"xml,omitempty"` // if it was asked for
}

// How much of stanzas a watcher gets.
const (
	WatchNone   = ""       // nothing
	WatchKinds  = "kinds"  // kind, type, addresses and size
	WatchMasked = "masked" // and XML, with x in place of texts
	WatchFull   = "full"   // and XML as it is
)

// watcher is one who watches.
type watcher struct {
	filter  sessionmgr.Filter
	stanzas string
	events  chan Event
	missed  atomic.Uint64
	removes []func()
}

// watch answers GET /v1/watch?…: events as they happen, one JSON value a line,
// until the client goes or the server stops.
func (c *Control) watch(w http.ResponseWriter, r *http.Request) (any, error) {
	if err := onlyParameters(r, queryParameters("stanzas")...); err != nil {
		return nil, err
	}
	f, err := filter(r)
	if err != nil {
		return nil, err
	}
	if f.Phase != sessionmgr.AnyPhase {
		return nil, problemf(http.StatusBadRequest, "states are what is watched: leave state out")
	}
	x := &watcher{filter: f, stanzas: r.URL.Query().Get("stanzas"), events: make(chan Event, watchQueue)}
	switch x.stanzas {
	case WatchNone, WatchKinds, WatchMasked, WatchFull:
	default:
		return nil, problemf(http.StatusBadRequest, "stanzas is %q, there are kinds, masked and full", x.stanzas)
	}
	if c.operations.Streams == nil {
		return nil, problemf(http.StatusNotImplemented, "no server runs here")
	}
	defer c.watchers.Add(-1)
	if c.watchers.Add(1) > maxWatchers {
		return nil, problemf(http.StatusTooManyRequests, "%d watch already, as many as may", maxWatchers)
	}
	defer x.end()
	x.begin(&c.sessions.Hooks, &c.operations.Streams.Hooks)
	w.Header().Set("Content-Type", "application/json")
	if err := x.write(r.Context(), w, c); err != nil {
		c.log.Debug("watcher left", "err", err)
	}
	return streamed{}, nil
}

// write sends who is there, and then events as they come.
func (x *watcher) write(ctx context.Context, w http.ResponseWriter, c *Control) error {
	enc, flush := json.NewEncoder(w), http.NewResponseController(w).Flush
	if err := enc.Encode(Event{At: time.Now(), Event: "watching"}); err != nil {
		return err
	}
	var err error
	c.sessions.RangeOf(x.filter, func(s *sessionmgr.Session) bool {
		if st := s.State(); st == sessionmgr.Bound || st == sessionmgr.Hibernating {
			e, available, priority := event("present", s), s.Available(), s.Priority()
			e.Available, e.Priority = &available, &priority
			err = enc.Encode(e)
		}
		return err == nil
	})
	for err == nil {
		if len(x.events) == 0 {
			if n := x.missed.Swap(0); n > 0 {
				err = enc.Encode(Event{At: time.Now(), Event: "missed", Missed: n})
			}
			if err == nil {
				err = flush()
			}
			if err != nil {
				return err
			}
		}
		select {
		case e := <-x.events:
			err = enc.Encode(e)
		case <-c.done:
			return enc.Encode(Event{At: time.Now(), Event: "end", Cause: "the server stops"})
		case <-ctx.Done():
			return nil
		}
	}
	return err
}

func event(name string, s *sessionmgr.Session) Event {
	return Event{At: time.Now(), Event: name, Session: s.ID(), JID: s.JID().String(), State: s.State().String()}
}

// tell queues an event, or counts it where the watcher is too slow.
func (x *watcher) tell(e Event) {
	select {
	case x.events <- e:
	default:
		x.missed.Add(1)
	}
}

func (x *watcher) end() {
	for _, remove := range x.removes {
		remove()
	}
}

// begin registers with the hook points: for nothing of a server that nobody watches
// there is anything to do.
func (x *watcher) begin(sessions *sessionmgr.Hooks, streams *c2s.Hooks) {
	on := func(p *hook.Point[*sessionmgr.Session], name string) {
		x.removes = append(x.removes, p.Add("watch", hook.Late, func(_ context.Context, s *sessionmgr.Session) { x.session(name, s) }))
	}
	on(&sessions.Connected, "connected")
	on(&sessions.StreamOpened, "opened")
	on(&streams.Secured, "secured")
	on(&sessions.Authenticated, "logged in")
	on(&sessions.Bound, "bound")
	on(&sessions.RosterRequested, "interested")
	closing := func(p *hook.Point[sessionmgr.Closing], name string) {
		x.removes = append(x.removes, p.Add("watch", hook.Late, func(_ context.Context, c sessionmgr.Closing) {
			if x.filter.Concerns(c.Session) {
				e := event(name, c.Session)
				e.Cause = c.Cause.String()
				x.tell(e)
			}
		}))
	}
	closing(&sessions.Hibernated, "hibernated")
	closing(&sessions.Closed, "closed")
	presence := func(p *hook.Point[sessionmgr.PresenceChange], name string) {
		x.removes = append(x.removes, p.Add("watch", hook.Late, func(_ context.Context, c sessionmgr.PresenceChange) {
			if x.filter.Concerns(c.Session) {
				e, available := event(name, c.Session), c.Presence != nil
				e.Available, e.Priority = &available, &c.Priority
				x.tell(e)
			}
		}))
	}
	presence(&sessions.PresenceChanged, "presence")
	presence(&sessions.PriorityChanged, "priority")
	x.removes = append(x.removes,
		sessions.Resumed.Add("watch", hook.Late, func(_ context.Context, r sessionmgr.Resumption) { x.session("resumed", r.Session) }),
		sessions.Replaced.Add("watch", hook.Late, func(_ context.Context, r sessionmgr.Replacement) {
			if x.filter.Concerns(r.Session) {
				e := event("replaced", r.Session)
				e.By = r.By.ID()
				x.tell(e)
			}
		}),
		streams.AuthFailed.Add("watch", hook.Late, func(_ context.Context, f c2s.AuthFailed) {
			if x.filter.Concerns(f.Session) {
				e := event("login failed", f.Session)
				e.Cause = f.Condition
				x.tell(e)
			}
		}))
	if x.stanzas != WatchNone {
		x.beginStanzas(sessions, streams)
	}
}

func (x *watcher) beginStanzas(sessions *sessionmgr.Hooks, streams *c2s.Hooks) {
	x.removes = append(x.removes,
		streams.StanzaIn.Add("watch", hook.Late, func(_ context.Context, in *c2s.StanzaIn) error {
			x.stanza("in", in.Session, in.Stanza)
			return nil
		}),
		sessions.StanzaOut.Add("watch", hook.Late, func(_ context.Context, out *sessionmgr.StanzaOut) error {
			x.stanza("out", out.To, out.Stanza)
			return nil
		}))
}

func (x *watcher) session(name string, s *sessionmgr.Session) {
	if x.filter.Concerns(s) {
		x.tell(event(name, s))
	}
}

func (x *watcher) stanza(name string, s *sessionmgr.Session, st *stanza.Stanza) {
	if !x.filter.Concerns(s) {
		return
	}
	if len(x.events) == cap(x.events) { // nothing is rendered for nobody
		x.missed.Add(1)
		return
	}
	seen := &SeenStanza{Kind: st.Kind.String(), Type: st.Type, ID: st.ID, From: st.From.String(), To: st.To.String(), Bytes: st.Size()}
	switch x.stanzas {
	case WatchMasked:
		seen.XML = string(mask(st.AppendTo(nil)))
	case WatchFull:
		seen.XML = string(st.AppendTo(nil))
	}
	e := event(name, s)
	e.Stanza = seen
	x.tell(e)
}

// Watch calls fn with what happens to the sessions that a query means, and returns
// when fn returns false, ctx ends or the server goes.
func (c *Client) Watch(ctx context.Context, q SessionQuery, stanzas string, fn func(Event) bool) error {
	more := map[string][]string{}
	if stanzas != WatchNone {
		more["stanzas"] = []string{stanzas}
	}
	res, err := c.open(ctx, http.MethodGet, q.path("/v1/watch", more), nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	for dec := json.NewDecoder(res.Body); ; {
		var e Event
		if err := dec.Decode(&e); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return lost(err)
		}
		if !fn(e) || e.Event == "end" {
			return nil
		}
	}
}
