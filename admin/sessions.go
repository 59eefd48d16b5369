package admin

import (
	"cmp"
	"net/http"
	"slices"

	"weir/jid"
	"weir/sessionmgr"

	"mellium.im/xmpp/stream"
)

// listSessions answers GET /v1/sessions, all or those of a SessionQuery, in order
// of address.
func (c *Control) listSessions(_ http.ResponseWriter, r *http.Request) (any, error) {
	if err := onlyParameters(r, queryParameters()...); err != nil {
		return nil, err
	}
	f, err := filter(r)
	if err != nil {
		return nil, err
	}
	var found []*sessionmgr.Session
	c.sessions.RangeOf(f, func(s *sessionmgr.Session) bool { found = append(found, s); return true })
	all := c.sessions.Describe(found)
	slices.SortFunc(all, func(a, b sessionmgr.Description) int {
		return cmp.Or(cmp.Compare(a.JID, b.JID), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// Count is how many sessions a request was about.
type Count struct {
	Count int `json:"count"`
}

// countSome answers GET /v1/sessions/count.
func (c *Control) countSome(_ http.ResponseWriter, r *http.Request) (any, error) {
	if err := onlyParameters(r, queryParameters()...); err != nil {
		return nil, err
	}
	f, err := filter(r)
	if err != nil {
		return nil, err
	}
	return Count{c.sessions.Count(f)}, nil
}

// kickSome answers DELETE /v1/sessions?…: as kickSession, for those of a
// SessionQuery that isn't empty.
func (c *Control) kickSome(_ http.ResponseWriter, r *http.Request) (any, error) {
	if err := onlyParameters(r, queryParameters("text")...); err != nil {
		return nil, err
	}
	f, err := filter(r)
	if err != nil {
		return nil, err
	}
	if values := r.URL.Query(); !slices.ContainsFunc(queryParameters(), func(name string) bool { return values.Get(name) != "" }) {
		return nil, problemf(http.StatusBadRequest, "say which sessions are to end; state=any is all")
	}
	why, goodbye := kicked(r)
	return Count{c.sessions.KickAll(f, why, &goodbye)}, nil
}

// kicked is why a request ends sessions, and what their clients are told.
func kicked(r *http.Request) (sessionmgr.Cause, stream.Error) {
	text := r.URL.Query().Get("text")
	if text == "" {
		text = "an administrator ended this session"
	}
	goodbye := stream.PolicyViolation
	goodbye.Text = []struct{ Lang, Value string }{{"en", text}}
	return sessionmgr.Cause{Code: sessionmgr.Kicked, Text: text}, goodbye
}

func (c *Control) countSessions() map[string]int {
	n := map[string]int{}
	c.sessions.Range(func(s *sessionmgr.Session) bool {
		n[s.State().String()]++
		return true
	})
	return n
}

// session finds a session by public id or full JID.
func (c *Control) session(r *http.Request) (*sessionmgr.Session, error) {
	return c.sessionNamed(r.PathValue("id"))
}

func (c *Control) sessionNamed(id string) (*sessionmgr.Session, error) {
	if s := c.sessions.Get(id); s != nil {
		return s, nil
	}
	if j, err := jid.Parse(id); err == nil && j.IsFull() {
		if s := c.sessions.ByJID(j); s != nil {
			return s, nil
		}
	}
	return nil, problemf(http.StatusNotFound, "no session %q: give the id or the full JID of `weir session list`", id)
}

// showSession answers GET /v1/sessions/{id}: as in the list, and with what waits
// for the session in the log.
func (c *Control) showSession(_ http.ResponseWriter, r *http.Request) (any, error) {
	s, err := c.session(r)
	if err != nil {
		return nil, err
	}
	d := s.Describe()
	q, err := c.sessions.Waiting(r.Context(), s)
	if err != nil { // the rest is worth telling all the same
		c.log.Warn("what waits for a session can't be counted", "sid", s.ID(), "err", err)
		return d, nil
	}
	d.Queue = &q
	return d, nil
}

// explainSession answers GET /v1/sessions/{id}/explain, also for a session that
// has ended lately.
func (c *Control) explainSession(_ http.ResponseWriter, r *http.Request) (any, error) {
	id := r.PathValue("id")
	if st, ok := c.sessions.Explain(id); ok {
		return st, nil
	}
	if j, err := jid.Parse(id); err == nil && j.IsFull() {
		if st, ok := c.sessions.ExplainJID(j); ok {
			return st, nil
		}
	}
	return nil, problemf(http.StatusNotFound, "no session %q, and none of those that ended last: give the id or the full JID", id)
}

// kickSession answers DELETE /v1/sessions/{id}?text=…: the client is told with a
// policy-violation and the text.
func (c *Control) kickSession(_ http.ResponseWriter, r *http.Request) (any, error) {
	if err := onlyParameters(r, "text"); err != nil {
		return nil, err
	}
	s, err := c.session(r)
	if err != nil {
		return nil, err
	}
	why, goodbye := kicked(r)
	d := s.Describe()
	if err := c.sessions.Kick(s, why, &goodbye); err != nil {
		return nil, problemf(http.StatusConflict, "a module keeps this session: %v", err)
	}
	d.State, d.Cause = s.State().String(), s.Cause().String()
	return d, nil
}
