package admin

import (
	"cmp"
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"time"

	"weir/auth"
	"weir/jid"
)

// User is what is told about an account.
type User struct {
	JID      string    `json:"jid"`
	Created  time.Time `json:"created"`
	Disabled bool      `json:"disabled"`
	Role     string    `json:"role"`
	// Password is there only in the answer to a request that asked for one to be
	// made.
	Password string `json:"password,omitempty"`
}

// Credentials is the body of requests that set a password.
type Credentials struct {
	JID      string `json:"jid,omitempty"` // only where the path doesn't name it
	Password string `json:"password"`      // "": one is made, and answered
}

// Disabled is the body of a request that locks an account or opens it again.
type Disabled struct {
	Disabled bool `json:"disabled"`
}

func describe(a auth.Account) User {
	return User{JID: a.JID.String(), Created: a.Created, Disabled: a.Disabled, Role: a.Role}
}

// listUsers answers GET /v1/users, all or those of ?domain=NAME.
func (c *Control) listUsers(_ http.ResponseWriter, r *http.Request) (any, error) {
	if err := onlyParameters(r, "domain"); err != nil {
		return nil, err
	}
	domains := c.sessions.Domains()
	if d := r.URL.Query().Get("domain"); d != "" {
		if _, err := jid.New("", d, ""); err != nil {
			return nil, problemf(http.StatusBadRequest, "%q is not a domain: %v", d, err)
		}
		domains = []string{d}
	}
	all := []User{}
	for _, d := range domains {
		err := c.users.Accounts(r.Context(), d, func(a auth.Account) bool {
			all = append(all, describe(a))
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(all, func(a, b User) int {
		_, x, _ := strings.Cut(a.JID, "@")
		_, y, _ := strings.Cut(b.JID, "@")
		return cmp.Or(cmp.Compare(x, y), cmp.Compare(a.JID, b.JID))
	})
	return all, nil
}

// addUser answers POST /v1/users.
func (c *Control) addUser(_ http.ResponseWriter, r *http.Request) (any, error) {
	var in Credentials
	if err := body(r, &in); err != nil {
		return nil, err
	}
	j, err := c.newAccount(in.JID)
	if err != nil {
		return nil, err
	}
	made := in.Password == ""
	if made {
		in.Password = NewPassword()
	}
	if err := c.users.Create(r.Context(), j, in.Password); err != nil {
		return nil, about(j, err)
	}
	c.log.Info("account added", "account", j)
	return c.answer(r.Context(), j, made, in.Password)
}

// setPassword answers PUT /v1/users/{jid}/password.
func (c *Control) setPassword(_ http.ResponseWriter, r *http.Request) (any, error) {
	var in Credentials
	if err := body(r, &in); err != nil {
		return nil, err
	}
	j, err := accountJID(r.PathValue("jid"))
	if err != nil {
		return nil, err
	}
	if in.JID != "" {
		return nil, problemf(http.StatusBadRequest, "the request's body: jid belongs into the path only")
	}
	made := in.Password == ""
	if made {
		in.Password = NewPassword()
	}
	if err := c.users.SetPassword(r.Context(), j, in.Password); err != nil {
		return nil, about(j, err)
	}
	c.log.Info("password set", "account", j)
	return c.answer(r.Context(), j, made, in.Password)
}

// setDisabled answers PUT /v1/users/{jid}/disabled.
func (c *Control) setDisabled(_ http.ResponseWriter, r *http.Request) (any, error) {
	var in struct{ Disabled *bool }
	if err := body(r, &in); err != nil {
		return nil, err
	}
	if in.Disabled == nil {
		return nil, problemf(http.StatusBadRequest, `the request's body: "disabled" is missing, it is true or false`)
	}
	j, err := accountJID(r.PathValue("jid"))
	if err != nil {
		return nil, err
	}
	if err := c.users.SetDisabled(r.Context(), j, *in.Disabled); err != nil {
		return nil, about(j, err)
	}
	c.log.Info("account changed", "account", j, "disabled", *in.Disabled)
	return c.answer(r.Context(), j, false, "")
}

// RoleSetting is the body of a request that gives an account a role.
type RoleSetting struct {
	Role string `json:"role"`
}

// setRole answers PUT /v1/users/{jid}/role.
func (c *Control) setRole(_ http.ResponseWriter, r *http.Request) (any, error) {
	var in RoleSetting
	if err := body(r, &in); err != nil {
		return nil, err
	}
	j, err := accountJID(r.PathValue("jid"))
	if err != nil {
		return nil, err
	}
	if err := c.users.SetRole(r.Context(), j, in.Role); err != nil {
		return nil, about(j, err)
	}
	c.log.Info("account changed", "account", j, "role", in.Role)
	return c.answer(r.Context(), j, false, "")
}

// deleteUser answers DELETE /v1/users/{jid}.
func (c *Control) deleteUser(_ http.ResponseWriter, r *http.Request) (any, error) {
	j, err := accountJID(r.PathValue("jid"))
	if err != nil {
		return nil, err
	}
	if err := c.users.Delete(r.Context(), j); err != nil {
		return nil, about(j, err)
	}
	c.log.Info("account deleted", "account", j)
	return struct {
		JID string `json:"jid"`
	}{j.String()}, nil
}

// answer describes an account after a change.
func (c *Control) answer(ctx context.Context, j jid.JID, made bool, password string) (any, error) {
	a, err := c.users.Lookup(ctx, j)
	if err != nil {
		return nil, about(j, err)
	}
	u := describe(a)
	if made {
		u.Password = password
	}
	return u, nil
}

// newAccount reads the address of an account to be made: it must be of a domain
// that is served.
func (c *Control) newAccount(s string) (jid.JID, error) {
	j, err := accountJID(s)
	if err == nil && !c.sessions.Local(j.Domain()) {
		err = problemf(http.StatusBadRequest, "%s: %s is not a domain of this server, which serves %s",
			j, j.Domain(), strings.Join(c.sessions.Domains(), ", "))
	}
	return j, err
}

// accountJID reads the address of an account.
func accountJID(s string) (jid.JID, error) {
	j, err := jid.Parse(s)
	switch {
	case err != nil:
		return j, problemf(http.StatusBadRequest, "%q is not an address: %v", s, err)
	case j.Local() == "":
		return j, problemf(http.StatusBadRequest, "%q is not an account's address: it has the form user@domain", s)
	case j.IsFull():
		return j, problemf(http.StatusBadRequest, "%q has a resource (what stands behind the slash), an account has none", s)
	}
	return j, nil
}

// passwordLetters are 32 that nobody takes for another.
const passwordLetters = "abcdefghijkmnpqrstuvwxyz23456789"

// NewPassword makes a password of 100 random bits that can be read out aloud.
func NewPassword() string {
	var random [20]byte
	_, _ = rand.Read(random[:]) // never fails
	var b strings.Builder
	for i, r := range random {
		if i > 0 && i%5 == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(passwordLetters[r%32])
	}
	return b.String()
}
