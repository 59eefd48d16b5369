package c2s

import (
	"context"
	"testing"

	"weir/hook"
	"weir/jid"
	"weir/sessionmgr"
)

// TestAccountChangesDuringLogin: an account that changes as a login comes to its end,
// so that those who end its sessions don't see this one yet, keeps none.
func TestAccountChangesDuringLogin(t *testing.T) {
	juliet := jid.MustParse("juliet@verona.lit")
	for change, do := range map[string]func(h *house) error{
		"password": func(h *house) error { return h.auth.SetPassword(t.Context(), juliet, "another one") },
		"lock":     func(h *house) error { return h.auth.SetDisabled(t.Context(), juliet, true) },
		"deletion": func(h *house) error { return h.auth.Delete(t.Context(), juliet) },
		"nothing":  func(*house) error { return nil },
	} {
		for form, login := range map[string]string{
			"SASL":           plain("juliet", password),
			"SASL2":          plain2("juliet", ""),
			"SASL2 and bind": plain2("juliet", theAgent+bind2),
		} {
			t.Run(change+" "+form, func(t *testing.T) {
				h := newHouse(t)
				h.sm.Hooks.Authenticated.Add("test", hook.Normal, func(context.Context, *sessionmgr.Session) { must(t, do(h)) })
				c := h.dial()
				c.open()
				c.send(login)
				if change == "nothing" {
					c.expect("<success ")
					return
				}
				c.expectError("not-authorized")
				if why := h.cause(); why.Code != sessionmgr.AccountGone {
					t.Errorf("it ended with %v", why)
				}
				if n := len(h.sm.ByAccount(juliet)); n != 0 {
					t.Errorf("%d sessions are bound", n)
				}
			})
		}
	}
}
