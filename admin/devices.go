package admin

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"weir/auth"
	"weir/jid"
	"weir/sessionmgr"

	"mellium.im/xmpp/stream"
)

// Device is what is told about an installation of a client: one that may log in to
// an account without its password, or one that has sessions of it.
type Device struct {
	ID       string     `json:"id"`
	Software string     `json:"software"` // as the client calls itself
	Name     string     `json:"name"`     // as the client calls the device
	Created  time.Time  `json:"created"`
	Used     time.Time  `json:"used"`             // when it last logged in; without a token, was last heard of
	Addr     netip.Addr `json:"addr,omitzero"`    // from where
	Expires  time.Time  `json:"expires,omitzero"` // when it no longer may log in by token, unless it does before; none: it has no token
	Sessions int        `json:"sessions"`         // of it, those that sleep included
}

// listDevices answers GET /v1/users/{jid}/devices.
func (c *Control) listDevices(_ http.ResponseWriter, r *http.Request) (any, error) {
	j, err := accountJID(r.PathValue("jid"))
	if err != nil {
		return nil, err
	}
	tokens, err := c.users.Devices(r.Context(), j)
	if err != nil {
		return nil, about(j, err)
	}
	return c.devices(r.Context(), j, tokens)
}

// revokeDevices answers DELETE /v1/users/{jid}/devices and …/{id}: which of them
// there were.
func (c *Control) revokeDevices(_ http.ResponseWriter, r *http.Request) (any, error) {
	j, err := accountJID(r.PathValue("jid"))
	if err != nil {
		return nil, err
	}
	id := r.PathValue("id")
	// First: who logs in with a token until this is kept is among the sessions below.
	tokens, none := c.users.RevokeDevice(r.Context(), j, id)
	if none != nil && !errors.Is(none, auth.ErrNoDevice) {
		return nil, about(j, none)
	}
	all, err := c.devices(r.Context(), j, tokens)
	if err != nil {
		return nil, err
	}
	gone := []Device{}
	for _, d := range all {
		if id != "" && d.ID != id {
			continue
		}
		err := c.sessions.Revoke(r.Context(), sessionmgr.Revocation{
			Account: j, Device: d.ID, Cause: sessionmgr.Cause{Code: sessionmgr.Kicked, Text: "its device was revoked"}, Goodbye: &stream.NotAuthorized,
		})
		if err != nil {
			return nil, err
		}
		gone = append(gone, d)
	}
	if none != nil && len(gone) == 0 {
		return nil, about(j, none)
	}
	c.log.Info("devices revoked", "account", j, "count", len(gone))
	return gone, nil
}

// devices describes the devices of an account: those with tokens, and those without
// that have sessions. By XEP-0494 the account itself sees these, and its sessions that are of none.
func (c *Control) devices(ctx context.Context, account jid.JID, tokens []auth.Device) ([]Device, error) {
	used, err := c.sessions.Devices(ctx, account)
	if err != nil {
		return nil, err
	}
	at := map[string]int{}
	all := []Device{}
	for i, d := range tokens {
		at[d.ID] = i
		all = append(all, Device{ID: d.ID, Software: d.Software, Name: d.Name, Created: d.Created, Used: d.Used, Addr: d.Addr, Expires: d.Expires})
	}
	for _, u := range used {
		i, ok := at[u.ID]
		if !ok {
			i = len(all)
			all = append(all, Device{ID: u.ID, Software: u.Software, Name: u.Name, Created: u.First, Used: u.Last})
		}
		all[i].Sessions = u.Sessions
	}
	return all, nil
}
