package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/integration/testclient"
	"weir/integration/testserver"
)

const (
	nsFast   = "urn:xmpp:fast:0"
	nsSASL2  = "urn:xmpp:sasl:2"
	theToken = "HT-SHA-256-NONE" // nothing binds its message to a connection
)

// agent is the element of a device.
func agent(n int) string {
	return fmt.Sprintf("<user-agent id='11111111-2222-4333-8444-%012d'/>", n)
}

// outcome logs juliet in on a connection of its own and returns what came of it.
func outcome(t *testing.T, s *testserver.Server, mechanism, secret, inside string) *testclient.Element {
	t.Helper()
	c, err := testclient.Dial(t.Context(), testclient.Options{
		Addr: s.Addr(testserver.Direct), Domain: s.Domain, Security: testclient.DirectTLS, Timeout: patience,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Cut() }()
	if err := c.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.SASL2(t.Context(), mechanism, "juliet", secret, inside); err != nil {
		t.Fatal(err)
	}
	e, err := c.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// newToken logs a device in by password and returns the token that it gets.
func newToken(t *testing.T, s *testserver.Server, device int) string {
	t.Helper()
	e := outcome(t, s, "PLAIN", testserver.Password("juliet"), agent(device)+"<request-token xmlns='"+nsFast+"' mechanism='"+theToken+"'/>")
	token := given(e)
	if token == "" {
		t.Fatalf("no token in %s", e)
	}
	return token
}

// given returns the token that a login brought, "" for none.
func given(e *testclient.Element) string {
	if tok := e.Child(nsFast, "token"); tok != nil {
		return tok.Get("token")
	}
	return ""
}

// byToken logs a device in by a token; a count below zero isn't told.
func byToken(t *testing.T, s *testserver.Server, device int, token string, count int) *testclient.Element {
	t.Helper()
	told := ""
	if count >= 0 {
		told = fmt.Sprintf(" count='%d'", count)
	}
	return outcome(t, s, theToken, token, agent(device)+"<fast xmlns='"+nsFast+"'"+told+"/>")
}

// wantOutcome holds that a login came to "success" or to a condition.
func wantOutcome(t *testing.T, what string, e *testclient.Element, want string) {
	t.Helper()
	if got := condition(e); got != want {
		t.Errorf("%s: %s, want %s: %s", what, got, want, e)
	}
}

func condition(e *testclient.Element) string {
	if e.Name.Local != "failure" || len(e.Children) == 0 {
		return e.Name.Local
	}
	return e.Children[0].Name.Local
}

// TestTokenCounts: a count is good once, whether the message is sent again or the
// client counts backwards, also after a kill at once (XEP-0484 §3.4).
func TestTokenCounts(t *testing.T) {
	s := startServer(t)
	token := newToken(t, s, 1)
	for _, x := range []struct {
		count int
		want  string
	}{
		{5, "success"}, {5, "not-authorized"}, {4, "not-authorized"}, {0, "not-authorized"}, {6, "success"},
		{-6, "success"}, // who tells none is not counted
		{6, "not-authorized"}, {2147483647, "success"}, {2147483647, "not-authorized"}, {7, "not-authorized"},
	} {
		wantOutcome(t, fmt.Sprint("count ", x.count), byToken(t, s, 1, token, x.count), x.want)
	}
	other := newToken(t, s, 2)
	wantOutcome(t, "another device", byToken(t, s, 2, other, 3), "success")
	s.Kill()
	s.Again()
	wantOutcome(t, "sent again after a kill", byToken(t, s, 2, other, 3), "not-authorized")
	wantOutcome(t, "backwards after a kill", byToken(t, s, 2, other, 2), "not-authorized")
	wantOutcome(t, "the next after a kill", byToken(t, s, 2, other, 4), "success")
}

// TestShortTokens: a token is replaced after half of its life, the old one ends with
// the first use of the new, and one that isn't renewed ends by itself (XEP-0484 §3.5).
func TestShortTokens(t *testing.T) {
	s := testserver.Start(t, testserver.Options{Binary: binary, Accounts: accounts, Config: "[auth]\ntoken_life = \"20s\"\n"})
	first, left := newToken(t, s, 1), newToken(t, s, 2)
	// until logs a device in over and over, until something comes of it.
	until := func(device int, token, what string, is func(*testclient.Element) bool) *testclient.Element {
		t.Helper()
		for end := time.Now().Add(10 * patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			if e := byToken(t, s, device, token, -1); is(e) {
				return e
			} else if condition(e) != "success" {
				t.Fatalf("waiting for %s: %s", what, e)
			}
		}
		t.Fatalf("no %s", what)
		return nil
	}
	second := given(until(1, first, "new token", func(e *testclient.Element) bool { return given(e) != "" }))
	if second == first {
		t.Error("the new token is the old one")
	}
	wantOutcome(t, "the new one", byToken(t, s, 1, second, 1), "success")
	wantOutcome(t, "the old one after it", byToken(t, s, 1, first, -1), "not-authorized")
	wantOutcome(t, "the new one sent again", byToken(t, s, 1, second, 1), "not-authorized")
	until(2, left, "expiry", func(e *testclient.Element) bool { return condition(e) == "credentials-expired" })
	wantOutcome(t, "a guess where it has expired", byToken(t, s, 2, "guess", -1), "not-authorized")
	// The password helps, and the list doesn't show what has expired.
	wantOutcome(t, "with the token of now", byToken(t, s, 2, newToken(t, s, 2), -1), "success")
}

// TestTokenKey: tokens need the key in its file. A copy of the data without it is no
// good for a login but by password, a copy with it is.
func TestTokenKey(t *testing.T) {
	s := startServer(t)
	token := newToken(t, s, 1)
	wantOutcome(t, "before", byToken(t, s, 1, token, -1), "success")
	plain, whole := filepath.Join(t.TempDir(), "plain"), filepath.Join(t.TempDir(), "whole")
	s.Run("backup", plain, "--data", s.Dir)
	s.Run("backup", whole, "--data", s.Dir, "--secrets")
	s.Stop()
	own := s.Dir + "-own"
	for _, x := range []struct{ dir, want string }{{plain, "not-authorized"}, {whole, "success"}} {
		if err := os.Rename(s.Dir, own); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(x.dir, s.Dir); err != nil {
			t.Fatal(err)
		}
		s.Again()
		wantOutcome(t, filepath.Base(x.dir), byToken(t, s, 1, token, -1), x.want)
		again := newToken(t, s, 1)
		wantOutcome(t, "a new one", byToken(t, s, 1, again, -1), "success")
		s.Kill()
		s.Again()
		wantOutcome(t, "a new one after a kill", byToken(t, s, 1, again, -1), "success")
		s.Stop()
		if err := os.RemoveAll(s.Dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(own, s.Dir); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(s.Output(), "every device needs its password once"); n != 1 {
		t.Errorf("it is told %d times that a key is new", n)
	}
	s.Again()
	wantOutcome(t, "with its own key", byToken(t, s, 1, token, -1), "success")
}
