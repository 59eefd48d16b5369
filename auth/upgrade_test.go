package auth

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha1"
	"slices"
	"strings"
	"testing"

	"github.com/xdg-go/scram"
)

// withoutSHA1 is a service with SHA-1 on, whose account was made while it was off.
func withoutSHA1(t *testing.T) *Service {
	t.Helper()
	o := cheap()
	o.SHA1 = false
	_, st := newService(t, o)
	s, err := New(t.Context(), cheap(), st)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// byHash logs in with a SCRAM mechanism.
func byHash(t *testing.T, s *Service, mechanism string) (*Exchange, *Failure) {
	t.Helper()
	gen := scram.SHA256
	if mechanism == "SCRAM-SHA-1" {
		gen = scram.SHA1
	}
	return login(t, s, secured(), mechanism, xdgClient(t, gen, "juliet", password, nil))
}

func salted(t *testing.T, u *Upgrade, pass string) []byte {
	t.Helper()
	b, err := pbkdf2.Key(sha1.New, pass, u.Salt, u.Iterations, sha1.Size)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tokenByHash gets a token without the server seeing the password.
func tokenByHash(t *testing.T, s *Service) Token {
	t.Helper()
	x, f := byHash(t, s, "SCRAM-SHA-256")
	if f != nil {
		t.Fatal(f)
	}
	given, err := x.Settle(t.Context(), Wish{Agent: someAgent, Addr: someAddr, Mechanism: none})
	if err != nil || given.Value == "" {
		t.Fatal("no token", err)
	}
	return given
}

const upgradeSHA1 = "UPGR-SCRAM-SHA-1"

func TestUpgradeTasks(t *testing.T) {
	s := withoutSHA1(t)
	if got := s.UpgradeTasks(secured()); strings.Join(got, " ") != "UPGR-SCRAM-SHA-256 UPGR-SCRAM-SHA-1" {
		t.Errorf("announced: %v", got)
	}
	if got := s.UpgradeTasks(Channel{Domain: domain, AllowPlain: true}); got != nil {
		t.Errorf("announced without TLS: %v", got)
	}
}

func TestUpgrade(t *testing.T) {
	s := withoutSHA1(t)
	if _, f := byHash(t, s, "SCRAM-SHA-1"); f == nil {
		t.Fatal("the account has keys for SHA-1: the test proves nothing")
	}
	token := tokenByHash(t, s)
	x, f := byHash(t, s, "SCRAM-SHA-256")
	if f != nil {
		t.Fatal(f)
	}
	for asked, want := range map[string]int{"": 0, "UPGR-SCRAM-SHA-256": 0, "SCRAM-SHA-1": 0, "UPGR-SCRAM-SHA-1-PLUS": 0, "UPGR-SCRAM-SHA-512": 0, upgradeSHA1: 1} {
		if got := x.Upgrades(t.Context(), []string{asked, asked}); len(got) != want {
			t.Errorf("asked for %q: %d tasks", asked, len(got))
		}
	}
	list := x.Upgrades(t.Context(), []string{"UPGR-SCRAM-SHA-256", upgradeSHA1})
	if len(list) != 1 || list[0].Task != upgradeSHA1 || list[0].Iterations != minIterations || len(list[0].Salt) != saltLength {
		t.Fatalf("tasks: %+v", list)
	}
	u := list[0]
	for _, n := range []int{0, 1, 19, 21, 32} {
		err := x.Keep(t.Context(), u, make([]byte, n))
		wantFailure(t, "length", err, "malformed-request", false)
	}
	if err := x.Keep(t.Context(), u, salted(t, u, password)); err != nil {
		t.Fatal(err)
	}
	if _, f := byHash(t, s, "SCRAM-SHA-1"); f != nil {
		t.Errorf("SCRAM-SHA-1 after the upgrade: %v", f)
	}
	if _, f := byHash(t, s, "SCRAM-SHA-256"); f != nil {
		t.Errorf("SCRAM-SHA-256 after the upgrade: %v", f)
	}
	if _, err := uses(t, s, token.Value, TokenUse{Agent: someAgent.ID}); err != nil {
		t.Errorf("the token after the upgrade: %v", err)
	}
	// A second one changes nothing.
	if err := x.Keep(t.Context(), u, salted(t, u, "another password")); err != nil {
		t.Error(err)
	}
	if _, f := byHash(t, s, "SCRAM-SHA-1"); f != nil {
		t.Errorf("keys were replaced: %v", f)
	}
	if got := x.Upgrades(t.Context(), []string{upgradeSHA1}); got != nil {
		t.Errorf("asked for once more: %v", got)
	}
}

// Who has only a token, or has proved nothing, or has no TLS, upgrades nothing.
func TestUpgradeNeedsThePassword(t *testing.T) {
	s := withoutSHA1(t)
	token := tokenByHash(t, s)
	x, err := s.BeginToken(secured(), none, TokenUse{Agent: someAgent.ID})
	if err != nil {
		t.Fatal(err)
	}
	if _, done, err := x.Step(t.Context(), prove("juliet", token.Value, nil)); !done || err != nil {
		t.Fatal(done, err)
	}
	if got := x.Upgrades(t.Context(), []string{upgradeSHA1}); got != nil {
		t.Errorf("by token: %v", got)
	}
	x, err = s.Begin(secured(), "SCRAM-SHA-256")
	if err != nil {
		t.Fatal(err)
	}
	if got := x.Upgrades(t.Context(), []string{upgradeSHA1}); got != nil {
		t.Errorf("before the login: %v", got)
	}
	x, f := login(t, s, Channel{Domain: domain}, "SCRAM-SHA-256", xdgClient(t, scram.SHA256, "juliet", password, nil))
	if f != nil {
		t.Fatal(f)
	}
	if got := x.Upgrades(t.Context(), []string{upgradeSHA1}); got != nil {
		t.Errorf("without TLS: %v", got)
	}
}

// What happens to the account between the proof and the hash counts.
func TestUpgradeOfAChangedAccount(t *testing.T) {
	for name, change := range map[string]func(s *Service) error{
		"password": func(s *Service) error { return s.SetPassword(t.Context(), juliet(), "another password") },
		"disabled": func(s *Service) error { return s.SetDisabled(t.Context(), juliet(), true) },
		"deleted":  func(s *Service) error { return s.Delete(t.Context(), juliet()) },
	} {
		s := withoutSHA1(t)
		x, f := byHash(t, s, "SCRAM-SHA-256")
		if f != nil {
			t.Fatal(f)
		}
		u := x.Upgrades(t.Context(), []string{upgradeSHA1})[0]
		if err := change(s); err != nil {
			t.Fatal(err)
		}
		before, err := s.fetch(t.Context(), juliet())
		if err != nil {
			t.Fatal(err)
		}
		wantFailure(t, name, x.Keep(t.Context(), u, salted(t, u, password)), "not-authorized", true)
		after, err := s.fetch(t.Context(), juliet())
		if err != nil || (before == nil) != (after == nil) || before != nil && !bytes.Equal(before.encode(), after.encode()) {
			t.Errorf("%s: the account was changed: %v", name, err)
		}
	}
}

// A login by PLAIN adds what is missing, and is none the worse where that can't be.
func TestPlainCompletesKeys(t *testing.T) {
	s := withoutSHA1(t)
	if _, _, err := one(t, s, secured(), "PLAIN", "\x00juliet\x00wrong password"); err == nil {
		t.Fatal("a wrong password got in")
	}
	if _, f := byHash(t, s, "SCRAM-SHA-1"); f == nil {
		t.Error("a wrong password added keys")
	}
	if _, _, err := one(t, s, secured(), "PLAIN", "\x00juliet\x00"+password); err != nil {
		t.Fatal(err)
	}
	if _, f := byHash(t, s, "SCRAM-SHA-1"); f != nil {
		t.Errorf("SCRAM-SHA-1 after PLAIN: %v", f)
	}
	r, err := s.fetch(t.Context(), juliet())
	if err != nil || len(r.keys) != 2 || slices.ContainsFunc(r.keys, func(k keys) bool { return !k.sound() }) {
		t.Errorf("keys: %v, %v", r, err)
	}
	before := s.pool.done.Load()
	if _, _, err := one(t, s, secured(), "PLAIN", "\x00juliet\x00"+password); err != nil || s.pool.done.Load() != before+1 {
		t.Errorf("the next login derives %d times: %v", s.pool.done.Load()-before, err)
	}
}
