package admin

import (
	"net/http"
	"net/netip"
	"time"

	"weir/auth"
	"weir/sessionmgr"

	"mellium.im/xmpp/stream"
)

// Device is what is told about an installation of a client that may log in to an
// account without its password.
type Device struct {
	ID       string     `json:"id"`
	Software string     `json:"software"` // as the client calls itself
	Name     string     `json:"name"`     // as the client calls the device
	Created  time.Time  `json:"created"`
	Used     time.Time  `json:"used"`          // when it last logged in so
	Addr     netip.Addr `json:"addr,omitzero"` // from where
	Expires  time.Time  `json:"expires"`       // when it no longer may, unless it is used before
	Sessions int        `json:"sessions"`      // of it, those that sleep included
}

// listDevices answers GET /v1/users/{jid}/devices.
func (c *Control) listDevices(_ http.ResponseWriter, r *http.Request) (any, error) {
	j, err := accountJID(r.PathValue("jid"))
	if err != nil {
		return nil, err
	}
	all, err := c.users.Devices(r.Context(), j)
	if err != nil {
		return nil, about(j, err)
	}
	list, _ := c.describeDevices(all)
	return list, nil
}

// revokeDevices answers DELETE /v1/users/{jid}/devices and …/{id}: which of them
// there were.
func (c *Control) revokeDevices(_ http.ResponseWriter, r *http.Request) (any, error) {
	j, err := accountJID(r.PathValue("jid"))
	if err != nil {
		return nil, err
	}
	id := r.PathValue("id")
	gone, err := c.users.RevokeDevice(r.Context(), j, id)
	if err != nil {
		return nil, about(j, err)
	}
	answer, sessions := c.describeDevices(gone)
	for _, s := range sessions {
		c.sessions.Kick(s, sessionmgr.Cause{Code: sessionmgr.Kicked, Text: "its device was revoked"}, &stream.NotAuthorized)
	}
	c.log.Info("devices revoked", "account", j, "count", len(gone))
	return answer, nil
}

// describeDevices describes devices, and returns all of their sessions: those that
// are logging in and those that sleep included.
func (c *Control) describeDevices(list []auth.Device) ([]Device, []*sessionmgr.Session) {
	at := map[string]int{}
	all := []Device{}
	for i, d := range list {
		at[d.ID] = i
		all = append(all, Device{ID: d.ID, Software: d.Software, Name: d.Name, Created: d.Created, Used: d.Used, Addr: d.Addr, Expires: d.Expires})
	}
	var sessions []*sessionmgr.Session
	c.sessions.Range(func(s *sessionmgr.Session) bool {
		if i, ok := at[s.Device().ID]; ok { // a device's id is of one account only
			all[i].Sessions++
			sessions = append(sessions, s)
		}
		return true
	})
	return all, sessions
}
