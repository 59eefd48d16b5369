package main

import (
	"strings"
	"testing"

	"weir/admin"
	"weir/sessionmgr"
)

// TestShowPolicies holds how rules and what they say are shown.
func TestShowPolicies(t *testing.T) {
	var b strings.Builder
	p := admin.Policies{Classes: []string{"phone software=App"}, Rules: []string{"single role=guest", "open max=2 class=phone"}, Origin: "configuration", Sessions: []int{1, 0, 7}}
	if err := showPolicies(&b, p); err != nil {
		t.Fatal(err)
	}
	o := sessionmgr.Outcome{Account: "juliet@localhost", Role: "guest", Rule: "single role=guest", Policy: "single", Bound: true, Resource: "balcony", Wait: 4,
		Told:     "its resource",
		Replaces: []sessionmgr.Evicted{{ID: "7qk2c6xq3v5yh4s2", JID: "juliet@localhost/closet", State: "c2s", Why: "policy", Told: "<stream:error><conflict/></stream:error>"}}}
	if err := showOutcome(&b, o); err != nil {
		t.Fatal(err)
	}
	if err := showOutcome(&b, sessionmgr.Outcome{Account: "juliet@localhost", Role: "user", Class: "phone", Rule: "open max=2 class=phone", Told: "<error/>"}); err != nil {
		t.Fatal(err)
	}
	want := `from the configuration
           TEXT                    SESSIONS
class 1    phone software=App      -
rule 1     single role=guest       1
rule 2     open max=2 class=phone  0
otherwise  (no rule)               7
account          juliet@localhost (role guest)
class of device  -
rule             single role=guest
outcome          bound as juliet@localhost/balcony
client reads     its resource
waits            4s before: sessions of the account replace each other again and again
ends             7qk2c6xq3v5yh4s2 juliet@localhost/closet (c2s, policy)
  reads          <stream:error><conflict/></stream:error>
account          juliet@localhost (role user)
class of device  phone
rule             open max=2 class=phone
outcome          refused
client reads     <error/>
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &b, want)
	}
}
