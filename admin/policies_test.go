package admin_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"weir/admin"
)

func TestPolicies(t *testing.T) {
	cfg := settings(folder(t))
	cfg.Policy.Rules = []string{"single role=guest"}
	s, c := start(t, cfg)
	add(t, c, "juliet@localhost", "nurse@localhost")
	p, err := c.Policies(t.Context())
	if err != nil || fmt.Sprint(p) != "{[] [single role=guest] configuration [0 0]}" {
		t.Fatalf("%v, %v", p, err)
	}
	login(t, s, "juliet", "balcony")
	x, _ := withToken(t, s, "juliet", "Gajim", "laptop")
	if _, err := c.SetRole(t.Context(), "juliet@localhost", "guest"); err != nil {
		t.Fatal(err)
	}
	if p, _ = c.Policies(t.Context()); fmt.Sprint(p.Sessions) != "[2 0]" {
		t.Errorf("%v", p) // who is there stays
	}
	o, err := c.TestPolicy(t.Context(), admin.PolicyTest{Account: "juliet@localhost", Resource: "closet"})
	if err != nil || !o.Bound || len(o.Replaces) != 2 || o.Rule != "single role=guest" || o.Role != "guest" || o.Resource != "closet" {
		t.Errorf("%+v, %v", o, err)
	}
	// As if.
	for _, x := range []struct {
		test admin.PolicyTest
		want string
	}{
		{admin.PolicyTest{Role: "user", Resource: "closet"}, "true  0"},
		{admin.PolicyTest{Role: "user", Resource: "balcony"}, "true  1"},
		{admin.PolicyTest{Rules: []string{"single-refuse"}}, "false single-refuse 0"},
		{admin.PolicyTest{Rules: []string{"open", "single-refuse class=x"}, Classes: []string{"x id=known"}}, "never comes into play"},
		{admin.PolicyTest{Rules: []string{"single-refuse class=x", "open"}, Classes: []string{"x software=Gaj"}, Device: "new", Software: "gajim"}, "false single-refuse class=x 0"},
		{admin.PolicyTest{Classes: []string{"x software=Gaj"}}, "true single role=guest 2"},
		{admin.PolicyTest{Rules: []string{"single class=y"}}, "no class y"},
		{admin.PolicyTest{Resource: "a\x01b"}, "that can't be a resource"},
		{admin.PolicyTest{Account: "nobody@localhost"}, "no such account"},
		{admin.PolicyTest{Account: "nobody@localhost", Role: "guest"}, "no such account"},
		{admin.PolicyTest{Role: "Guest!"}, "juliet@localhost: no role: "},
		{admin.PolicyTest{Account: "juliet@localhost/x"}, "has a resource"},
		{admin.PolicyTest{Account: "@"}, "is not an address"},
	} {
		if x.test.Account == "" {
			x.test.Account = "juliet@localhost"
		}
		o, err := c.TestPolicy(t.Context(), x.test)
		got := fmt.Sprintf("%v %s %d", o.Bound, o.Rule, len(o.Replaces))
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, x.want) {
			t.Errorf("%+v: %s; want %s", x.test, got, x.want)
		}
	}
	if p, _ = c.Policies(t.Context()); fmt.Sprint(p.Rules) != "[single role=guest]" {
		t.Errorf("a test has put %v in force", p.Rules)
	}

	// Others in force; classes stay where none are given.
	p, err = c.SetPolicies(t.Context(), admin.PolicyChange{Classes: []string{"g software=Gajim"}, Rules: []string{"mirror class=g"}})
	if err != nil || fmt.Sprint(p) != "{[g software=Gajim] [mirror class=g] control socket [1 1]}" {
		t.Errorf("%v, %v", p, err)
	}
	if d, err := c.Session(t.Context(), x.JID()); err != nil || d.Class != "g" || d.Policy != "mirror class=g" || !d.Carbons {
		t.Errorf("%+v, %v", d, err)
	}
	p, err = c.SetPolicies(t.Context(), admin.PolicyChange{Rules: []string{"open class=g"}})
	if err != nil || fmt.Sprint(p.Classes) != "[g software=Gajim]" {
		t.Errorf("%v, %v", p, err)
	}
	var failed *admin.Failed
	for _, bad := range []admin.PolicyChange{{}, {Rules: []string{"nothing"}}, {Classes: []string{}, Rules: []string{"open class=g"}}} {
		if _, err := c.SetPolicies(t.Context(), bad); !errors.As(err, &failed) || failed.Status != 400 || strings.Contains(failed.Text, "policy: ") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if p, _ = c.Policies(t.Context()); fmt.Sprint(p.Rules) != "[open class=g]" {
		t.Errorf("%v", p)
	}
	// Those of the configuration again.
	if err := s.SetPolicies(cfg); err != nil {
		t.Fatal(err)
	}
	if p, _ = c.Policies(t.Context()); p.Origin != admin.PoliciesConfigured || fmt.Sprint(p.Rules) != "[single role=guest]" {
		t.Errorf("%v", p)
	}
	cfg.Policy.Rules = []string{"what"}
	if err := s.SetPolicies(cfg); err == nil {
		t.Error("a configuration that is wrong is taken")
	}
}

// TestPoliciesAtOnce: many admins change and ask while clients come.
func TestPoliciesAtOnce(t *testing.T) {
	s, c := start(t, settings(folder(t)))
	add(t, c, "juliet@localhost")
	var admins, clients sync.WaitGroup
	done := make(chan struct{})
	for i := range 4 {
		rules := [][]string{{"open"}, {"mirror"}, {"per-device"}, {}}[i]
		admins.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, err := c.SetPolicies(t.Context(), admin.PolicyChange{Rules: rules}); err != nil {
					t.Error(err)
				}
				if p, err := c.Policies(t.Context()); err != nil || len(p.Sessions) != len(p.Rules)+1 {
					t.Errorf("%v, %v", p, err)
				}
				if o, err := c.TestPolicy(t.Context(), admin.PolicyTest{Account: "juliet@localhost", Resource: "1"}); err != nil || !o.Bound {
					t.Errorf("%+v, %v", o, err)
				}
			}
		})
	}
	for i := range 8 {
		clients.Go(func() { login(t, s, "juliet", fmt.Sprint(i)) })
	}
	clients.Wait()
	close(done)
	admins.Wait()
	if n, err := c.CountSessions(t.Context(), admin.SessionQuery{State: "bound"}); err != nil || n != 8 {
		t.Errorf("%d sessions, %v", n, err)
	}
}
