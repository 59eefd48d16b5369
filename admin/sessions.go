package admin

import (
	"cmp"
	"net/http"
	"slices"

	"weir/jid"
	"weir/sessionmgr"

	"mellium.im/xmpp/stream"
)

// listSessions answers GET /v1/sessions, all or those of ?account=JID and
// ?state=NAME, in order of address.
func (c *Control) listSessions(_ http.ResponseWriter, r *http.Request) (any, error) {
	if err := onlyParameters(r, "account", "state"); err != nil {
		return nil, err
	}
	var account jid.JID
	if a := r.URL.Query().Get("account"); a != "" {
		var err error
		if account, err = jid.Parse(a); err != nil {
			return nil, problemf(http.StatusBadRequest, "account %q: %v", a, err)
		}
	}
	state := r.URL.Query().Get("state")
	var found []*sessionmgr.Session
	c.sessions.Range(func(s *sessionmgr.Session) bool {
		if account.IsZero() || s.JID().Bare() == account.Bare() {
			found = append(found, s)
		}
		return true
	})
	all := []sessionmgr.Description{}
	for _, d := range c.sessions.Describe(found) {
		if state == "" || d.State == state {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b sessionmgr.Description) int {
		return cmp.Or(cmp.Compare(a.JID, b.JID), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
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
	id := r.PathValue("id")
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
	text := r.URL.Query().Get("text")
	if text == "" {
		text = "an administrator ended this session"
	}
	d := s.Describe()
	goodbye := stream.PolicyViolation
	goodbye.Text = []struct{ Lang, Value string }{{"en", text}}
	c.sessions.Kick(s, sessionmgr.Cause{Code: sessionmgr.Kicked, Text: text}, &goodbye)
	d.State, d.Cause = s.State().String(), s.Cause().String()
	return d, nil
}
