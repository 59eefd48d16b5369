package auth

import (
	"errors"
	"testing"

	"weir/jid"
)

// TestConfirm: a change of the account after the proof ends the login, however the
// client proved who it is, and nothing else does.
func TestConfirm(t *testing.T) {
	nurse := jid.MustParse("nurse@" + domain)
	for name, c := range map[string]struct {
		change func(s *Service) error
		ends   bool
	}{
		"nothing":        {func(*Service) error { return nil }, false},
		"password":       {func(s *Service) error { return s.SetPassword(t.Context(), juliet(), "another one, please") }, true},
		"the same again": {func(s *Service) error { return s.SetPassword(t.Context(), juliet(), password) }, true},
		"lock":           {func(s *Service) error { return s.SetDisabled(t.Context(), juliet(), true) }, true},
		"deletion":       {func(s *Service) error { return s.Delete(t.Context(), juliet()) }, true},
		"deleted and anew": {func(s *Service) error {
			return errors.Join(s.Delete(t.Context(), juliet()), s.Create(t.Context(), juliet(), password))
		}, true},
		"of another": {func(s *Service) error { return s.SetPassword(t.Context(), nurse, "another one, please") }, false},
		"of a neighbour": {func(s *Service) error { // as if their epochs were one
			s.epoch(juliet()).Add(1)
			return nil
		}, false},
	} {
		for _, way := range []string{"PLAIN", "token", "token given back"} {
			s, st := newService(t, cheap())
			if err := s.Create(t.Context(), nurse, password); err != nil {
				t.Fatal(err)
			}
			tok := byPassword(t, s, someAgent, none)
			var x *Exchange
			var err error
			if way == "PLAIN" {
				x, _, err = one(t, s, secured(), "PLAIN", "\x00juliet\x00"+password)
			} else if x, err = s.BeginToken(secured(), none, TokenUse{Agent: someAgent.ID, Invalidate: way != "token"}); err == nil {
				_, _, err = x.Step(t.Context(), prove("juliet", tok.Value, nil))
			}
			if err == nil {
				_, err = x.Settle(t.Context(), Wish{Agent: someAgent})
			}
			if err == nil {
				err = c.change(s)
			}
			if err != nil {
				t.Fatal(err)
			}
			err = x.Confirm(t.Context())
			switch {
			case c.ends, name == "of a neighbour" && way == "token given back":
				wantFailure(t, name+" by "+way, err, "not-authorized", true)
			case err != nil:
				t.Errorf("%s by %s: %v", name, way, err)
			}
			if name != "of a neighbour" {
				continue
			}
			s.cache = newCache()
			x.epoch = s.epoch(juliet()).Load() + 1
			st.set(errors.New("disk on fire"), nil)
			wantFailure(t, "a store that fails", x.Confirm(t.Context()), "temporary-auth-failure", false)
			st.set(nil, nil)
		}
	}
}
