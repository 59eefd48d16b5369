package auth

import (
	"context"
	"errors"
	"fmt"

	"weir/jid"
)

// The roles that this server itself gives a meaning: what an account may do
// beside logging in. Others are for modules; any name of the right form will do.
const (
	RoleAdmin = "admin" // may use the commands for admins
	RoleUser  = "user"  // what an account has that was given no role
	RoleGuest = "guest" // may use none of the commands that are for users
)

// maxRole is in bytes.
const maxRole = 32

// ErrBadRole is wrapped with the reason.
var ErrBadRole = errors.New("auth: no role")

// CheckRole says why a name can't be a role's: it is 1 to 32 letters a to z,
// digits and hyphens, and begins with a letter.
func CheckRole(role string) error {
	if role == "" || len(role) > maxRole {
		return fmt.Errorf("%w: its name has 1 to %d letters", ErrBadRole, maxRole)
	}
	for i, c := range []byte(role) {
		switch {
		case c >= 'a' && c <= 'z', i > 0 && (c >= '0' && c <= '9' || c == '-'):
		default:
			return fmt.Errorf("%w: its name consists of letters a to z, digits and hyphens, a letter first", ErrBadRole)
		}
	}
	return nil
}

// SetRole gives an account a role in place of the one that it has. Sessions and
// tokens stay. It returns ErrNoAccount, ErrBadRole or an error of the store.
func (s *Service) SetRole(ctx context.Context, j jid.JID, role string) error {
	j, err := account(j)
	if err != nil {
		return err
	}
	if err := CheckRole(role); err != nil {
		return err
	}
	if role == RoleUser {
		role = "" // as it is kept
	}
	err = s.change(ctx, j, true, func(old *record) (*record, error) {
		if old == nil {
			return nil, ErrNoAccount
		}
		next := *old
		next.role = role
		return &next, nil
	})
	if err != nil {
		return err
	}
	return s.changed(ctx, j, RoleChanged)
}

// Role returns an account's role, or ErrNoAccount. It seldom reads from disk.
func (s *Service) Role(ctx context.Context, j jid.JID) (string, error) {
	a, err := s.Lookup(ctx, j)
	return a.Role, err
}
