package admin

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"weir/sessionmgr"
)

// explainMessage answers GET /v1/users/{jid}/messages/{id}.
func (c *Control) explainMessage(_ http.ResponseWriter, r *http.Request) (any, error) {
	j, err := accountJID(r.PathValue("jid"))
	if err != nil {
		return nil, err
	}
	st, err := c.sessions.ExplainMessage(r.Context(), j, r.PathValue("id"))
	if errors.Is(err, sessionmgr.ErrNoMessage) {
		if _, err := c.users.Role(r.Context(), j); err != nil {
			return nil, about(j, err)
		}
		return nil, problemf(http.StatusNotFound, "the log of %s has no message %q: give its id in the archive, its origin-id or the id that its sender gave it; "+
			"messages that aren't kept, such as chat states, are in no log", j, r.PathValue("id"))
	}
	if err != nil {
		return nil, about(j, err)
	}
	return st, nil
}

// ExplainMessage tells what became of a message in the log of an account: by its id
// in the archive, its origin-id or the id that its sender gave it.
func (c *Client) ExplainMessage(ctx context.Context, account, id string) (sessionmgr.MessageStory, error) {
	var st sessionmgr.MessageStory
	return st, c.call(ctx, http.MethodGet, "/v1/users/"+url.PathEscape(account)+"/messages/"+url.PathEscape(id), nil, &st)
}
