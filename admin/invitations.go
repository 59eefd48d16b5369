package admin

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"weir/modules/invitations"
)

// Invitations is what is asked of invitations. *invitations.Module has it.
type Invitations interface {
	Create(ctx context.Context, w invitations.Wish) (invitations.Made, error)
	List(ctx context.Context) ([]invitations.Invitation, error)
	Revoke(ctx context.Context, id string) error
}

// KnowInvitations has requests about invitations be answered. Call it before Start.
func (c *Control) KnowInvitations(i Invitations) { c.invited = i }

// Invite is the body of a request that makes an invitation.
type Invite struct {
	Domain  string `json:"domain,omitempty"`  // "": the first of the server
	Name    string `json:"name,omitempty"`    // local part of the account, "": any
	Inviter string `json:"inviter,omitempty"` // account that becomes a contact, "": none
	Life    string `json:"life,omitempty"`    // like "72h", "": the default
	Uses    int    `json:"uses,omitempty"`    // 0: one
}

// makeInvitation answers POST /v1/invitations.
func (c *Control) makeInvitation(_ http.ResponseWriter, r *http.Request) (any, error) {
	var in Invite
	if err := body(r, &in); err != nil {
		return nil, err
	}
	w := invitations.Wish{Domain: in.Domain, Name: in.Name, Uses: in.Uses}
	if in.Uses < 0 {
		return nil, problemf(http.StatusBadRequest, "uses is %d, must be 1 or more", in.Uses)
	}
	if w.Domain == "" {
		w.Domain = c.sessions.Domains()[0]
	}
	if in.Life != "" {
		var err error
		if w.Life, err = time.ParseDuration(in.Life); err != nil || w.Life <= 0 {
			return nil, problemf(http.StatusBadRequest, "life is %q, it has to be like \"72h\"", in.Life)
		}
	}
	if in.Inviter != "" {
		j, err := accountJID(in.Inviter)
		if err != nil {
			return nil, err
		}
		w.Inviter = j
	}
	return orError(c.invited.Create(r.Context(), w))
}

// orError is a result with nothing where there is an error.
func orError[T any](v T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

// listInvitations answers GET /v1/invitations.
func (c *Control) listInvitations(_ http.ResponseWriter, r *http.Request) (any, error) {
	all, err := c.invited.List(r.Context())
	if all == nil {
		all = []invitations.Invitation{}
	}
	return orError(all, err)
}

// revokeInvitation answers DELETE /v1/invitations/{id}.
func (c *Control) revokeInvitation(_ http.ResponseWriter, r *http.Request) (any, error) {
	id := r.PathValue("id")
	if err := c.invited.Revoke(r.Context(), id); err != nil {
		return nil, err
	}
	return struct {
		ID string `json:"id"`
	}{id}, nil
}

// Invite has the server make an invitation.
func (c *Client) Invite(ctx context.Context, in Invite) (invitations.Made, error) {
	var made invitations.Made
	return made, c.call(ctx, http.MethodPost, "/v1/invitations", in, &made)
}

// Invitations lists the invitations that are open.
func (c *Client) Invitations(ctx context.Context) ([]invitations.Invitation, error) {
	var all []invitations.Invitation
	return all, c.call(ctx, http.MethodGet, "/v1/invitations", nil, &all)
}

// RevokeInvitation takes an invitation back.
func (c *Client) RevokeInvitation(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, "/v1/invitations/"+url.PathEscape(id), nil, nil)
}
