package admin

import (
	"context"
	"net/http"
	"net/url"

	"weir/jid"
	"weir/modules/announce"
)

// Announcer is what is asked of messages of the day. *announce.Module has it.
type Announcer interface {
	Messages() map[string]announce.Message
	Set(ctx context.Context, domain string, by jid.JID, text string) (n int, err error)
	Edit(ctx context.Context, domain string, by jid.JID, text string) error
	Delete(ctx context.Context, domain string, by jid.JID) error
}

// KnowAnnouncer has requests about messages of the day be answered. Call it before Start.
func (c *Control) KnowAnnouncer(a Announcer) { c.announcer = a }

// NewMessage is the body of a request that sets a message of the day.
type NewMessage struct {
	Text string `json:"text"`
	Edit bool   `json:"edit,omitempty"` // only for those who haven't had the one there is
}

// MessageSet tells that a message of the day holds.
type MessageSet struct {
	Domain   string `json:"domain"`
	Sessions int    `json:"sessions"` // that are told now
}

// listMessages answers GET /v1/motd.
func (c *Control) listMessages(http.ResponseWriter, *http.Request) (any, error) {
	return c.announcer.Messages(), nil
}

// setMessage answers PUT /v1/motd/{domain}.
func (c *Control) setMessage(_ http.ResponseWriter, r *http.Request) (any, error) {
	var in NewMessage
	if err := body(r, &in); err != nil {
		return nil, err
	}
	set := MessageSet{Domain: r.PathValue("domain")}
	var err error
	if in.Edit {
		err = c.announcer.Edit(r.Context(), set.Domain, jid.JID{}, in.Text)
	} else {
		set.Sessions, err = c.announcer.Set(r.Context(), set.Domain, jid.JID{}, in.Text)
	}
	return orError(set, err)
}

// deleteMessage answers DELETE /v1/motd/{domain}.
func (c *Control) deleteMessage(_ http.ResponseWriter, r *http.Request) (any, error) {
	gone := struct {
		Domain string `json:"domain"`
	}{r.PathValue("domain")}
	return orError(gone, c.announcer.Delete(r.Context(), gone.Domain, jid.JID{}))
}

// Messages returns the messages of the day, by domain.
func (c *Client) Messages(ctx context.Context) (map[string]announce.Message, error) {
	var all map[string]announce.Message
	return all, c.call(ctx, http.MethodGet, "/v1/motd", nil, &all)
}

// SetMessage gives a domain a message of the day.
func (c *Client) SetMessage(ctx context.Context, domain string, m NewMessage) (MessageSet, error) {
	var set MessageSet
	return set, c.call(ctx, http.MethodPut, "/v1/motd/"+url.PathEscape(domain), m, &set)
}

// DeleteMessage takes the message of the day of a domain away.
func (c *Client) DeleteMessage(ctx context.Context, domain string) error {
	return c.call(ctx, http.MethodDelete, "/v1/motd/"+url.PathEscape(domain), nil, nil)
}
