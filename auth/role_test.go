package auth

import (
	"weir/storage"

	"errors"
	"strings"
	"testing"

	"weir/jid"
)

func TestCheckRole(t *testing.T) {
	for _, role := range []string{RoleAdmin, RoleUser, RoleGuest, "a", "night-watch2", strings.Repeat("a", 32)} {
		if err := CheckRole(role); err != nil {
			t.Errorf("%q: %v", role, err)
		}
	}
	for _, role := range []string{"", "Admin", "1st", "-a", "a b", "ü", "a\x00", strings.Repeat("a", 33)} {
		if err := CheckRole(role); !errors.Is(err, ErrBadRole) {
			t.Errorf("%q: %v", role, err)
		}
	}
}

// A role is kept with the account over everything but its end.
func TestRoleIsKept(t *testing.T) {
	s, st := newService(t, cheap())
	ctx, j := t.Context(), juliet()
	has := func(what, want string) {
		t.Helper()
		again, err := New(ctx, cheap(), st)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []*Service{s, again} { // by the cache, and as it is stored
			if role, err := s.Role(ctx, j); err != nil || role != want {
				t.Errorf("%s: %q, %v", what, role, err)
			}
		}
	}
	do := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	has("new", RoleUser)
	do(s.SetRole(ctx, j, "night-watch"))
	has("set", "night-watch")
	do(s.SetPassword(ctx, j, "another password"), s.SetDisabled(ctx, j, true), s.SetDisabled(ctx, j, false))
	has("password and lock changed", "night-watch")
	do(s.Accounts(ctx, domain, func(a Account) bool {
		if a.Role != "night-watch" {
			t.Errorf("listed with %q", a.Role)
		}
		return true
	}))
	do(s.SetRole(ctx, j, RoleUser))
	has("taken back", RoleUser)
	do(s.SetRole(ctx, j, RoleAdmin), s.Delete(ctx, j), s.Create(ctx, j, "another password"))
	has("made again", RoleUser)

	if err := s.SetRole(ctx, j, "No Role"); !errors.Is(err, ErrBadRole) {
		t.Errorf("a bad role: %v", err)
	}
	if err := s.SetRole(ctx, jid.MustParse("nobody@"+domain), RoleAdmin); !errors.Is(err, ErrNoAccount) {
		t.Errorf("of nobody: %v", err)
	}
	if err := s.SetRole(ctx, jid.MustParse(domain), RoleAdmin); !errors.Is(err, ErrBadName) {
		t.Errorf("of a domain: %v", err)
	}
}

func TestRoleRecords(t *testing.T) {
	s, _ := newService(t, cheap())
	r, err := s.find(t.Context(), juliet())
	if err != nil {
		t.Fatal(err)
	}
	with := *r
	with.role = "admin"
	b := with.encode()
	if back, err := decodeRecord(b); err != nil || back.role != "admin" || len(back.keys) != len(r.keys) {
		t.Errorf("read back %q, %v", back.role, err)
	}
	if err := CheckRecord(storage.Key{Table: tableAccounts, Account: "verona.lit", Item: "juliet"}, b); err != nil {
		t.Error(err)
	}
	if err := CheckRecord(storage.Key{Table: "another"}, []byte("x")); err != nil {
		t.Error(err)
	}
	plain := r.encode()
	for what, rec := range map[string][]byte{
		"no role": b[:len(b)-6], "a short one": b[:len(b)-1], "a long one": append(b[:len(b):len(b)], 'x'),
		"an empty one": append(append([]byte{1, 2}, plain[2:]...), 0), "a bad one": append(b[:len(b)-1:len(b)-1], 'N'),
		"one without its flag": append(plain[:len(plain):len(plain)], "\x05admin"...),
	} {
		if err := CheckRecord(storage.Key{Table: tableAccounts, Account: "verona.lit", Item: "juliet"}, rec); !errors.Is(err, errRecord) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A role has nothing to do with logins: a change of it doesn't end tokens, nor
// a login that is under way.
func TestRoleKeepsTokens(t *testing.T) {
	s, _ := newService(t, cheap())
	given := byPassword(t, s, someAgent, none)
	p, _, err := one(t, s, secured(), "PLAIN", "\x00juliet\x00"+password)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetRole(t.Context(), juliet(), RoleAdmin); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Settle(t.Context(), Wish{Agent: someAgent}); err != nil {
		t.Errorf("a login under way: %v", err)
	}
	if _, err := uses(t, s, given.Value, TokenUse{}); err != nil {
		t.Errorf("a token: %v", err)
	}
}
