package auth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"weir/hook"
	"weir/jid"

	"mellium.im/sasl"
)

func TestAccounts(t *testing.T) {
	s, st := newService(t, cheap())
	ctx := t.Context()
	check := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", what, err, want)
		}
	}
	romeo := jid.MustParse("romeo@" + domain)
	check("Create twice", s.Create(ctx, juliet(), password), ErrExists)
	full, _ := juliet().WithResource("balcony")
	check("Create by full JID", s.Create(ctx, full, password), ErrExists)
	check("Create without address", s.Create(ctx, jid.JID{}, password), ErrBadName)
	check("Create short", s.Create(ctx, romeo, "1234567"), ErrWeakPassword)
	check("Create empty", s.Create(ctx, romeo, ""), ErrWeakPassword)
	check("Create long", s.Create(ctx, romeo, strings.Repeat("a", maxPassword+1)), ErrWeakPassword)
	check("Create with a control", s.Create(ctx, romeo, "12345678\x07"), ErrWeakPassword)
	check("SetPassword of none", s.SetPassword(ctx, romeo, password), ErrNoAccount)
	check("SetDisabled of none", s.SetDisabled(ctx, romeo, true), ErrNoAccount)
	check("Delete of none", s.Delete(ctx, romeo), ErrNoAccount)
	_, err := s.Lookup(ctx, romeo)
	check("Lookup of none", err, ErrNoAccount)

	for i, want := range []bool{true, false, false} {
		if ok, err := s.Exists(ctx, []jid.JID{full, romeo, juliet().Host()}[i]); ok != want || err != nil {
			t.Errorf("%d exists: %v, %v", i, ok, err)
		}
	}
	a, err := s.Lookup(ctx, full)
	if err != nil || a.JID != juliet() || a.Disabled || a.Created.IsZero() {
		t.Errorf("Lookup: %+v, %v", a, err)
	}
	check("SetDisabled", s.SetDisabled(ctx, juliet(), true), nil)
	b, _ := s.Lookup(ctx, juliet())
	if !b.Disabled || !b.Created.Equal(a.Created) {
		t.Errorf("after SetDisabled: %+v", b)
	}
	check("SetPassword", s.SetPassword(ctx, juliet(), "another password"), nil)
	if b, _ = s.Lookup(ctx, juliet()); !b.Disabled {
		t.Error("a new password enables an account")
	}
	check("SetDisabled off", s.SetDisabled(ctx, juliet(), false), nil)
	_, f := login(t, s, secured(), "PLAIN", melliumClient(sasl.Plain, "juliet", password, "", nil, nil))
	wantFailure(t, "old password", f, "not-authorized", true)
	x, f := login(t, s, secured(), "PLAIN", melliumClient(sasl.Plain, "juliet", "another password", "", nil, nil))
	wantLogin(t, x, f, "PLAIN", "")
	check("Delete", s.Delete(ctx, juliet()), nil)
	check("Delete twice", s.Delete(ctx, juliet()), ErrNoAccount)
	if ok, _ := s.Exists(ctx, juliet()); ok {
		t.Error("exists after Delete")
	}

	st.set(errors.New("no space"), nil)
	if err := s.Create(ctx, romeo, password); err == nil {
		t.Error("created on a store that fails")
	}
	st.set(nil, nil)
	check("Create after that", s.Create(ctx, romeo, password), nil)
}

// Passwords are prepared alike where they are set and where they are used.
func TestPasswordProfile(t *testing.T) {
	s, _ := newService(t, cheap())
	// U+00A0 becomes a space; e and U+0301 become U+00E9.
	if err := s.SetPassword(t.Context(), juliet(), "pass\u00a0word e\u0301"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"pass\u00a0word e\u0301", "pass word \u00e9"} {
		x, f := login(t, s, secured(), "PLAIN", melliumClient(sasl.Plain, "juliet", p, "", nil, nil))
		wantLogin(t, x, f, "PLAIN", "")
	}
	x, f := login(t, s, secured(), "SCRAM-SHA-256", melliumClient(sasl.ScramSha256, "juliet", "pass word \u00e9", "", nil, nil))
	wantLogin(t, x, f, "SCRAM-SHA-256", "")
	before := s.pool.done.Load()
	_, _, err := one(t, s, secured(), "PLAIN", "\x00juliet\x00pass\x07word")
	wantFailure(t, "no password", err, "not-authorized", true)
	if s.pool.done.Load() != before+1 {
		t.Error("a password that can't be one costs less")
	}
}

func TestAccountChanged(t *testing.T) {
	s, _ := newService(t, cheap())
	var got []AccountChange
	s.Hooks.AccountChanged.Add("bad", hook.Early, func(context.Context, AccountChange) { panic("no") })
	s.Hooks.AccountChanged.Add("test", hook.Normal, func(ctx context.Context, c AccountChange) {
		got = append(got, c)
		// The change is done, and no lock is held.
		if ok, err := s.Exists(ctx, c.JID); err != nil || ok != (c.Kind != AccountDeleted) {
			t.Errorf("%v: exists %v, %v", c.Kind, ok, err)
		}
		_ = s.SetDisabled(ctx, c.JID, false)
	})
	full, _ := juliet().WithResource("balcony")
	for _, err := range []error{
		s.SetPassword(t.Context(), full, "another password"),
		s.SetDisabled(t.Context(), full, true),
		s.SetDisabled(t.Context(), full, false),
		s.SetRole(t.Context(), full, RoleAdmin),
		s.Delete(t.Context(), full),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	want := []AccountChange{{juliet(), PasswordChanged}, {juliet(), AccountDisabled}, {juliet(), RoleChanged}, {juliet(), AccountDeleted}}
	if !slices.Equal(got, want) {
		t.Errorf("told %v", got)
	}
	if s := PasswordChanged.String() + AccountDisabled.String() + AccountDeleted.String() + ChangeKind(0).String(); !strings.HasSuffix(s, "unknown change") {
		t.Error(s)
	}
}

func TestAccountsWalk(t *testing.T) {
	s, _ := newService(t, cheap())
	r, err := s.find(t.Context(), juliet())
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range accountsPage*2 + 3 {
		j, _ := jid.New("user"+strings.Repeat("x", i), domain, "")
		err := s.change(t.Context(), j, false, func(*record) (*record, error) { return r, nil })
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, j.Local())
	}
	want = append([]string{"juliet"}, want...)
	var got []string
	err = s.Accounts(t.Context(), "EXAMPLE.net", func(a Account) bool {
		got = append(got, a.JID.Local())
		return s.SetDisabled(t.Context(), a.JID, true) == nil // may be called from here
	})
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("walked %d of %d, %v", len(got), len(want), err)
	}
	n := 0
	_ = s.Accounts(t.Context(), domain, func(Account) bool { n++; return n < 5 })
	if n != 5 {
		t.Errorf("stopped after %d", n)
	}
	err = s.Accounts(t.Context(), "example.com", func(Account) bool { t.Error("an account of another domain"); return true })
	if err != nil {
		t.Error(err)
	}
	if err = s.Accounts(t.Context(), "no domain", nil); err == nil {
		t.Error("a name that is no domain is accepted")
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{
		{Iterations: 4095}, {Iterations: maxIterations + 1}, {Iterations: -1}, {SHA1Iterations: 4095},
		{MinPassword: -1}, {MinPassword: maxPassword + 1}, {FailuresPerAddr: -1}, {FailureBurst: -1}, {MaxBackoff: -1}, {KDFQueue: -1},
	} {
		if o.Validate() == nil {
			t.Errorf("%+v is accepted", o)
		}
		if _, err := New(t.Context(), o, newMemory(t)); err == nil {
			t.Errorf("a service with %+v is made", o)
		}
	}
	if err := DefaultOptions().Validate(); err != nil {
		t.Error(err)
	}
	st := newMemory(t)
	st.set(errors.New("no"), nil)
	if _, err := New(t.Context(), Options{}, st); err == nil {
		t.Error("a service is made on a store that fails")
	}
}
