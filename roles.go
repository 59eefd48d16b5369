package weir

import (
	"context"
	"errors"

	"weir/auth"
	"weir/hook"
	"weir/jid"
	"weir/sessionmgr"
)

// knowRoles has each session know the role of its account from its binding on.
func (s *Server) knowRoles() {
	s.Sessions.Hooks.PreBind.Add("role", hook.Early, func(ctx context.Context, b *sessionmgr.PreBind) error {
		s.renewRole(ctx, b.Session)
		return nil
	})
	s.Sessions.Hooks.Restored.Add("role", hook.Early, s.renewRole)
}

// roleChanged tells the sessions of an account its new role.
func (s *Server) roleChanged(ctx context.Context, account jid.JID) {
	s.Sessions.RangeOf(sessionmgr.Filter{Account: account}, func(x *sessionmgr.Session) bool {
		s.renewRole(ctx, x)
		return true
	})
}

// renewRole looks the role of a session's account up. A change may come between
// the look and the note: it is looked at until both agree.
func (s *Server) renewRole(ctx context.Context, x *sessionmgr.Session) {
	for ctx.Err() == nil {
		role, err := s.Auth.Role(ctx, x.JID())
		if err != nil && !errors.Is(err, auth.ErrNoAccount) {
			x.Log().Error("the role of an account can't be read", "account", x.JID().Bare(), "err", err)
		}
		if err != nil {
			role = "" // whatever it had
		}
		if x.Role() == role {
			return
		}
		x.SetRole(role)
	}
}
