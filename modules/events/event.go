package events

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/auth"
)

// The kinds of event.
const (
	Connected       = "connected"     // a connection was accepted
	AuthFailed      = "auth-failed"   // a login failed
	Authenticated   = "authenticated" // a login succeeded
	Bound           = "bound"         // the session has its resource
	Hibernated      = "hibernated"    // the connection is lost, the session is kept
	Resumed         = "resumed"       // the session has a connection again
	Restored        = "restored"      // at start: the session of an earlier process
	Closed          = "closed"        // the session has ended
	AccountCreated  = "account-created"
	PasswordChanged = "password-changed" // of an account
	AccountDisabled = "account-disabled"
	AccountDeleted  = "account-deleted"
	RoleChanged     = "role-changed"
	Dropped         = "dropped" // events got lost before this one: count has how many
)

// Kinds lists every kind.
func Kinds() []string {
	return []string{Connected, AuthFailed, Authenticated, Bound, Hibernated, Resumed, Restored, Closed,
		AccountCreated, PasswordChanged, AccountDisabled, AccountDeleted, RoleChanged, Dropped}
}

// changeKinds are the kinds for changes of accounts.
var changeKinds = map[auth.ChangeKind]string{
	auth.AccountCreated: AccountCreated, auth.PasswordChanged: PasswordChanged, auth.AccountDisabled: AccountDisabled,
	auth.AccountDeleted: AccountDeleted, auth.RoleChanged: RoleChanged,
}

// Event is one thing that happened. What isn't known, or doesn't apply, is empty.
type Event struct {
	Time      time.Time `json:"time"`
	Kind      string    `json:"event"`
	Session   string    `json:"session,omitempty"`   // its public id
	Account   string    `json:"account,omitempty"`   // bare address
	Resource  string    `json:"resource,omitempty"`  // once it is bound
	Address   string    `json:"address,omitempty"`   // of the client, with port
	Listener  string    `json:"listener,omitempty"`  // where it came in
	TLS       string    `json:"tls,omitempty"`       // version
	Mechanism string    `json:"mechanism,omitempty"` // of the login
	Software  string    `json:"software,omitempty"`  // as the client calls itself
	Device    string    `json:"device,omitempty"`    // id of the device
	Cause     string    `json:"cause,omitempty"`     // why it ended or failed, for machines
	Text      string    `json:"text,omitempty"`      // the same for people
	Count     uint64    `json:"count,omitempty"`     // of dropped

	Seq uint64 `json:"-"` // for sinks that number what they keep; 0 where it comes from
}

// maxText is in bytes: more of what a peer may have chosen isn't told.
const maxText = 256

// clip shortens a text that a peer may have chosen.
func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "")
}

// CheckKinds says which name of a list is no kind of event.
func CheckKinds(names []string) error {
	for _, n := range names {
		if !slices.Contains(Kinds(), n) {
			return fmt.Errorf("there is no event %q; there are %s", n, strings.Join(Kinds(), ", "))
		}
	}
	return nil
}

// Chosen returns whether a kind is wanted by a list of names; an empty one wants
// all. That events got lost is told in any case.
func Chosen(names []string, kind string) bool {
	return len(names) == 0 || kind == Dropped || slices.Contains(names, kind)
}
