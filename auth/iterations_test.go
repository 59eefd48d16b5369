package auth

import (
	"bytes"
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/xdg-go/scram"
)

const (
	raised        = 5000 // iterations, more than those of the accounts
	upgradeSHA256 = "UPGR-SCRAM-SHA-256"
)

// withRaisedCounts is a service whose settings were raised after its account was made.
// All that counts as a change of the account fails the test.
func withRaisedCounts(t *testing.T) *Service {
	t.Helper()
	_, st := newService(t, cheap())
	o := cheap()
	o.Iterations, o.SHA1Iterations = raised, raised
	s, err := New(t.Context(), o, st)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// counted returns the counts of juliet's keys, SHA-256 first.
func counted(t *testing.T, s *Service) (all [2]uint32) {
	t.Helper()
	r, err := s.fetch(t.Context(), juliet())
	if err != nil || len(r.keys) != 2 {
		t.Fatal(r, err)
	}
	return [2]uint32{r.of(sha256Algorithm).iterations, r.of(sha1Algorithm).iterations}
}

func plainLogin(t *testing.T, s *Service) *Exchange {
	t.Helper()
	x, _, err := one(t, s, secured(), "PLAIN", "\x00juliet\x00"+password)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// doUpgrade does a task as its client would.
func doUpgrade(t *testing.T, x *Exchange, task string) error {
	t.Helper()
	list := x.Upgrades(t.Context(), []string{task})
	if len(list) != 1 {
		t.Fatalf("%d tasks of %s", len(list), task)
	}
	u := list[0]
	hash, err := pbkdf2.Key(u.algo.new, password, u.Salt, u.Iterations, u.algo.size)
	if err != nil {
		t.Fatal(err)
	}
	return x.Keep(t.Context(), u, hash)
}

// A raised count comes to an account at its next login by PLAIN, and ends nothing.
func TestPlainRaisesCount(t *testing.T) {
	s := withRaisedCounts(t)
	if err := s.SetRole(t.Context(), juliet(), RoleAdmin); err != nil {
		t.Fatal(err)
	}
	token := tokenByHash(t, s)
	if got := counted(t, s); got != [2]uint32{minIterations, minIterations} {
		t.Fatalf("a login by SCRAM left the counts %v", got)
	}
	s.Hooks.AccountChanged.Add("test", 0, func(_ context.Context, c AccountChange) { t.Errorf("told of a change: %v", c.Kind) })
	before, _ := s.fetch(t.Context(), juliet())
	oldSalt, _ := salt(t, s, "SCRAM-SHA-256", "juliet")
	derived, epoch := s.pool.done.Load(), s.epoch(juliet()).Load()
	plainLogin(t, s)
	if got := s.pool.done.Load() - derived; got != 3 {
		t.Errorf("derived %d times, not once to check and twice to keep", got)
	}
	if got := counted(t, s); got != [2]uint32{raised, raised} {
		t.Errorf("counts %v", got)
	}
	if now, count := salt(t, s, "SCRAM-SHA-256", "juliet"); now == oldSalt || count != fmt.Sprint("i=", raised) {
		t.Errorf("clients are told %s and %s, before it was %s", now, count, oldSalt)
	}
	after, _ := s.fetch(t.Context(), juliet())
	if !after.created.Equal(before.created) || after.role != RoleAdmin || !bytes.Equal(after.origin(), before.origin()) {
		t.Errorf("the account changed: role %q, made %v", after.role, after.created)
	}
	for _, k := range before.keys {
		if bytes.Contains(after.encode(), k.stored) || bytes.Contains(after.encode(), k.salt) {
			t.Error("the old keys are still in the record")
		}
	}
	if s.epoch(juliet()).Load() != epoch {
		t.Error("counted as a change of the account")
	}
	if _, err := uses(t, s, token.Value, TokenUse{}); err != nil {
		t.Errorf("the token from before: %v", err)
	}
	for _, m := range []string{"SCRAM-SHA-256", "SCRAM-SHA-1"} {
		if _, f := byHash(t, s, m); f != nil {
			t.Errorf("%s: %v", m, f)
		}
	}
	derived = s.pool.done.Load()
	plainLogin(t, s)
	if got := s.pool.done.Load() - derived; got != 1 {
		t.Errorf("the next login derived %d times", got)
	}
	s, err := New(t.Context(), cheap(), s.store)
	if err != nil {
		t.Fatal(err)
	}
	plainLogin(t, s)
	if got := counted(t, s); got != [2]uint32{raised, raised} {
		t.Errorf("a lower setting made the counts %v", got)
	}
}

// A wrong password raises nothing, nor does a token, and where the keys can't be kept
// the login is as good.
func TestCountStays(t *testing.T) {
	s := withRaisedCounts(t)
	token := tokenByHash(t, s)
	if _, err := uses(t, s, token.Value, TokenUse{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := one(t, s, secured(), "PLAIN", "\x00juliet\x00wrong password"); err == nil {
		t.Fatal("a wrong password got in")
	}
	if got := counted(t, s); got != [2]uint32{minIterations, minIterations} {
		t.Errorf("counts %v", got)
	}
	if err := s.SetDisabled(t.Context(), juliet(), true); err != nil {
		t.Fatal(err)
	}
	_, _, err := one(t, s, secured(), "PLAIN", "\x00juliet\x00"+password)
	wantFailure(t, "disabled", err, "account-disabled", false)
	if got := counted(t, s); got != [2]uint32{minIterations, minIterations} {
		t.Errorf("counts of a disabled account: %v", got)
	}
}

// A client that asks for it raises the count by a task, for each hash by itself.
func TestTaskRaisesCount(t *testing.T) {
	s := withRaisedCounts(t)
	token := tokenByHash(t, s)
	x, f := byHash(t, s, "SCRAM-SHA-256")
	if f != nil {
		t.Fatal(f)
	}
	if got := x.Upgrades(t.Context(), []string{upgradeSHA1, upgradeSHA256}); len(got) != 2 || got[0].Iterations != raised || got[1].Iterations != raised {
		t.Fatalf("tasks: %+v", got)
	}
	for i, task := range []string{upgradeSHA256, upgradeSHA1} {
		if err := doUpgrade(t, x, task); err != nil {
			t.Fatal(task, err)
		}
		want := [][2]uint32{{raised, minIterations}, {raised, raised}}[i]
		if got := counted(t, s); got != want {
			t.Errorf("after %s the counts are %v", task, got)
		}
		if got := x.Upgrades(t.Context(), []string{task}); got != nil {
			t.Errorf("%s is asked for once more", task)
		}
	}
	if given, err := x.Settle(t.Context(), Wish{Agent: someAgent, Addr: someAddr, Mechanism: none}); err != nil || given.Value == "" {
		t.Errorf("the login with the tasks gets no token: %v", err)
	}
	if _, err := uses(t, s, token.Value, TokenUse{}); err != nil {
		t.Errorf("the token from before: %v", err)
	}
	for _, m := range []string{"SCRAM-SHA-256", "SCRAM-SHA-1"} {
		if _, f := byHash(t, s, m); f != nil {
			t.Errorf("%s: %v", m, f)
		}
	}
	plainLogin(t, s)
}

// Logins that stand at any step while another replaces the keys go on, and are over
// where the password is another, even if it has the same letters.
func TestLoginsMeetNewKeys(t *testing.T) {
	raise := func(t *testing.T, s *Service) { plainLogin(t, s) }
	set := func(t *testing.T, s *Service) {
		if err := s.SetPassword(t.Context(), juliet(), password); err != nil {
			t.Fatal(err)
		}
	}
	anew := func(t *testing.T, s *Service) {
		if err := s.Delete(t.Context(), juliet()); err != nil {
			t.Fatal(err)
		}
		if err := s.Create(t.Context(), juliet(), password); err != nil {
			t.Fatal(err)
		}
	}
	role := func(t *testing.T, s *Service) { // has Confirm look at the account
		if err := s.SetRole(t.Context(), juliet(), RoleAdmin); err != nil {
			t.Fatal(err)
		}
	}
	type step = func(*testing.T, *Service)
	for name, change := range map[string]struct {
		steps []step
		good  bool
	}{
		"nothing":                       {nil, true},
		"keys raised":                   {[]step{raise}, true},
		"keys raised, a role":           {[]step{raise, role}, true},
		"password":                      {[]step{set}, false},
		"keys raised, then password":    {[]step{raise, set}, false},
		"password, then keys raised":    {[]step{set, raise}, false},
		"keys raised, then made anew":   {[]step{raise, anew}, false},
		"made anew, role, and password": {[]step{anew, role, set}, false},
	} {
		all := func(t *testing.T, s *Service) {
			for _, f := range change.steps {
				f(t, s)
			}
		}
		check := func(where string, err error) {
			t.Helper()
			if change.good && err != nil {
				t.Errorf("%s: %s: %v", name, where, err)
			}
			if !change.good {
				wantFailure(t, name+": "+where, err, "not-authorized", true)
			}
		}
		for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-1"} {
			check("between the messages of "+mechanism, interrupted(t, mechanism, all))
		}
		s := withRaisedCounts(t)
		x, f := byHash(t, s, "SCRAM-SHA-256")
		if f != nil {
			t.Fatal(f)
		}
		all(t, s)
		check("before Confirm", x.Confirm(t.Context()))
		_, err := x.Settle(t.Context(), Wish{Agent: someAgent, Addr: someAddr, Mechanism: none})
		check("before Settle", err)

		s = withRaisedCounts(t)
		if x, f = byHash(t, s, "SCRAM-SHA-1"); f != nil {
			t.Fatal(f)
		}
		u := x.Upgrades(t.Context(), []string{upgradeSHA256})[0]
		all(t, s)
		before, _ := s.fetch(t.Context(), juliet())
		check("before Keep", x.Keep(t.Context(), u, make([]byte, sha256.Size)))
		after, _ := s.fetch(t.Context(), juliet())
		if len(change.steps) > 0 && !bytes.Equal(before.encode(), after.encode()) {
			t.Errorf("%s: keys as good were replaced", name)
		}
	}
}

// interrupted is a login with something else between its two messages.
func interrupted(t *testing.T, mechanism string, between func(*testing.T, *Service)) error {
	t.Helper()
	s := withRaisedCounts(t)
	gen := scram.SHA256
	if mechanism == "SCRAM-SHA-1" {
		gen = scram.SHA1
	}
	c, n := xdgClient(t, gen, "juliet", password, nil), 0
	_, f := login(t, s, secured(), mechanism, func(in []byte) ([]byte, error) {
		if n++; n == 2 {
			between(t, s)
		}
		return c(in)
	})
	if f == nil {
		return nil
	}
	return f
}

// However many log in while the count is raised, by whatever mechanism: all get in and
// get their tokens, and the keys are replaced once.
func TestManyRaiseTheCount(t *testing.T) {
	s := withRaisedCounts(t)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range 8 {
		wg.Go(func() {
			agent := UserAgent{ID: fmt.Sprintf("a0000000-0000-4000-8000-%012d", i)}
			<-start
			for range 3 {
				var x *Exchange
				switch i % 3 {
				case 0:
					var err error
					if x, _, err = one(t, s, secured(), "PLAIN", "\x00juliet\x00"+password); err != nil {
						t.Error(err)
						return
					}
				default:
					var f *Failure
					if x, f = byHash(t, s, []string{"", "SCRAM-SHA-256", "SCRAM-SHA-1"}[i%3]); f != nil {
						t.Error(f)
						return
					}
				}
				given, err := x.Settle(t.Context(), Wish{Agent: agent, Addr: someAddr, Mechanism: none})
				if err != nil || given.Value == "" {
					t.Errorf("no token: %v", err)
				}
				if err := x.Confirm(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	close(start)
	wg.Wait()
	if got := counted(t, s); got != [2]uint32{raised, raised} {
		t.Errorf("counts %v", got)
	}
	if all, err := s.Devices(t.Context(), juliet()); err != nil || len(all) != 8 {
		t.Errorf("%d devices have a token, %v", len(all), err)
	}
}

// The origin names a password through all that happens to the rest of the account.
func TestOrigin(t *testing.T) {
	r := someRecord(t)
	want := r.origin()
	fresh := func(a *algorithm) keys {
		k, err := a.fresh("pencil", raised)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	r.keys = r.keys[:1]
	r = r.with(fresh(sha1Algorithm))
	if r.first != nil {
		t.Error("added keys made the record longer than they are")
	}
	for _, a := range []*algorithm{sha1Algorithm, sha256Algorithm, sha256Algorithm} {
		was := slices.Clone(r.keys)
		next := r.with(fresh(a))
		if len(next.keys) != 2 || next.of(a).iterations != raised || !bytes.Equal(next.origin(), want) || !next.disabled {
			t.Errorf("%s replaced: %d keys", a.name, len(next.keys))
		}
		if !bytes.Equal(r.keys[0].stored, was[0].stored) || !bytes.Equal(r.keys[1].stored, was[1].stored) {
			t.Error("the record itself was changed")
		}
		r = next
	}
	for _, role := range []string{"", RoleAdmin} {
		r.role = role
		b := r.encode()
		got, err := decodeRecord(b)
		if err != nil || got.role != role || !bytes.Equal(got.origin(), want) || !bytes.Equal(got.encode(), b) {
			t.Errorf("read %v, %v", got, err)
		}
		for n := range b {
			if _, err := decodeRecord(b[:n]); err == nil {
				t.Errorf("cut at %d of %d it is read", n, len(b))
			}
		}
		if _, err := decodeRecord(append(b, 0)); err == nil {
			t.Error("read with a byte behind it")
		}
	}
	if got := someRecord(t).origin(); bytes.Equal(got, want) {
		t.Error("the same password set again has the same origin")
	}
}
