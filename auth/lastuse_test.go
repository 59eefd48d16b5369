package auth

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// When a device was last used is written behind the login and not with it: it is
// listed at once, and what has become of the device meanwhile counts.
func TestLastUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newService(t, cheap())
		tok := byPassword(t, s, someAgent, none)
		login := func() {
			t.Helper()
			if _, err := uses(t, s, tok.Value, TokenUse{}); err != nil {
				t.Fatal(err)
			}
		}
		login() // makes it the one in use
		id := s.DeviceID(juliet(), someAgent.ID)
		stored := func() time.Duration {
			t.Helper()
			d, err := s.fetchDevice(t.Context(), juliet(), id)
			if err != nil || d == nil {
				t.Fatal(d, err)
			}
			return time.Since(d.used)
		}
		older(t, s, time.Hour)
		before := st.commits
		login()
		if n := st.commits - before; n != 0 {
			t.Errorf("%d commits with the login", n)
		}
		if all, err := s.Devices(t.Context(), juliet()); err != nil || len(all) != 1 || time.Since(all[0].Used) > time.Second {
			t.Errorf("listed as %+v, %v", all, err)
		}
		if d := stored(); d < time.Hour {
			t.Errorf("stored already: %v", d)
		}
		time.Sleep(useDelay)
		synctest.Wait()
		if d := stored(); d > useDelay+time.Second || st.commits-before != 1 {
			t.Errorf("stored as %v ago in %d commits", d, st.commits-before)
		}

		// A password login that asks for no token is a use too; within the minute only
		// what is new is written.
		renamed := someAgent
		renamed.Software = "Another"
		for _, a := range []UserAgent{renamed, someAgent} {
			before = st.commits
			if given := byPassword(t, s, a, ""); given.Value != "" {
				t.Error("a token for who asks for none")
			}
			if all, err := s.Devices(t.Context(), juliet()); err != nil || len(all) != 1 || all[0].Software != a.Software {
				t.Errorf("after a login by password: %+v, %v", all, err)
			}
			time.Sleep(useDelay)
			synctest.Wait()
			if d, err := s.fetchDevice(t.Context(), juliet(), id); err != nil || d.software != a.Software || st.commits-before != 1 {
				t.Errorf("stored with %d commits: %+v, %v", st.commits-before, d, err)
			}
		}
		before = st.commits
		byPassword(t, s, someAgent, "")
		time.Sleep(useDelay)
		synctest.Wait()
		if n := st.commits - before; n != 0 {
			t.Errorf("%d commits for nothing new", n)
		}

		older(t, s, time.Hour)
		login()
		if _, err := s.RevokeDevice(t.Context(), juliet(), id); err != nil {
			t.Fatal(err)
		}
		time.Sleep(useDelay)
		synctest.Wait()
		if _, err := s.RevokeDevice(t.Context(), juliet(), id); !errors.Is(err, ErrNoDevice) {
			t.Errorf("a device that was taken away is there: %v", err)
		}

		for i := range maxUses + 10 {
			s.used(usedDevice{juliet(), fmt.Sprint(i)}, use{at: time.Now()})
		}
		synctest.Wait()
		if n := len(s.uses.of); n > 10 {
			t.Errorf("%d wait", n)
		}
	})
}

// Devices whose tokens are good for nothing are not listed, and revoking takes them
// away all the same.
func TestOnlyGoodDevicesAreListed(t *testing.T) {
	for name, spoil := range map[string]func(*Service){
		"expired":   func(s *Service) { older(t, s, 2*s.opts.TokenLife) },
		"no tokens": func(s *Service) { s.opts.TokenLife = -1 },
	} {
		s, _ := newService(t, cheap())
		byPassword(t, s, someAgent, none)
		if all, err := s.Devices(t.Context(), juliet()); err != nil || len(all) != 1 {
			t.Fatalf("%s: %+v, %v", name, all, err)
		}
		spoil(s)
		if all, err := s.Devices(t.Context(), juliet()); err != nil || len(all) != 0 {
			t.Errorf("%s: listed %+v, %v", name, all, err)
		}
		if gone, err := s.RevokeDevice(t.Context(), juliet(), ""); err != nil || len(gone) != 0 {
			t.Errorf("%s: revoked %+v, %v", name, gone, err)
		}
		if all, err := s.devicesOf(t.Context(), juliet()); err != nil || len(all) != 0 {
			t.Errorf("%s: left are %+v, %v", name, all, err)
		}
	}
}
