package integration_test

import (
	"encoding/json"
	"strings"
	"testing"

	"weir/integration/testserver"
)

// TestReplacingLoop has two clients replace each other through the built binary
// until the server slows them: the log says so, with advice, "weir policy test"
// says who would wait, and other rules end it without a restart.
func TestReplacingLoop(t *testing.T) {
	s := testserver.Start(t, testserver.Options{Binary: binary, Accounts: accounts, Config: "[policy]\nrules = [\"single role=user\"]\n"})
	const said = "replace each other again and again"
	for n := range 8 {
		if strings.Contains(s.Output(), said) {
			break
		}
		enter(t, s, "juliet", []string{"balcony", "closet"}[n%2])
	}
	line := ""
	for l := range strings.Lines(s.Output()) {
		if strings.Contains(l, said) {
			line = l
		}
	}
	for _, part := range []string{"account=juliet@localhost", "times=5", "wait=1s", `policy="single role=user"`, "advice=", "weir policy set"} {
		if !strings.Contains(line, part) {
			t.Errorf("no %s in the log: %q", part, line)
		}
	}
	var o struct {
		Bound    bool
		Wait     float64
		Replaces []struct{ JID, Told string }
	}
	test := func(args ...string) {
		t.Helper()
		o.Replaces = nil
		out := s.Run(append([]string{"policy", "test", "juliet@localhost", "--json", "--data", s.Dir}, args...)...)
		if err := json.Unmarshal([]byte(out), &o); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if test("--resource", "attic"); !o.Bound || o.Wait < 1 || len(o.Replaces) != 1 || !strings.Contains(o.Replaces[0].Told, "<conflict/>") {
		t.Errorf("%+v", o)
	}
	if test("--resource", "attic", "--rule", "single-refuse"); o.Bound || len(o.Replaces) != 0 {
		t.Errorf("%+v", o)
	}
	s.Command("policy", "set", "open max=2")
	if test("--resource", "attic"); !o.Bound || o.Wait != 0 || len(o.Replaces) != 0 {
		t.Errorf("%+v", o)
	}
	attic := enter(t, s, "juliet", "attic")
	if err := attic.Sync(t.Context()); err != nil {
		t.Error(err)
	}
	if out := s.Run("policy", "show", "--data", s.Dir); !strings.Contains(out, "from the control socket") || !strings.Contains(out, "open max=2  2") {
		t.Error(out)
	}
}
