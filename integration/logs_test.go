package integration_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"weir/integration/testclient"
	"weir/integration/testserver"
)

// awaitLines waits until the server has written a text so many times.
func awaitLines(t *testing.T, s *testserver.Server, text string, n int) {
	t.Helper()
	for began := time.Now(); strings.Count(s.Output(), text) < n; time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatalf("%q isn't written %d times", text, n)
		}
	}
}

// TestFailedLogins: the log says what was wrong with each login, never with a name or a
// password in it; the client isn't told more than before.
func TestFailedLogins(t *testing.T) {
	s := testserver.Start(t, testserver.Options{Binary: binary, Accounts: accounts})
	for i, x := range []struct{ mechanism, user, want string }{
		{"PLAIN", "juliet", "wrong password"},
		{"SCRAM-SHA-256", "juliet", "wrong password"},
		{"PLAIN", "rosaline", "no such account"},
		{"SCRAM-SHA-256", "rosaline", "no such account"},
		{"NONE-SUCH", "juliet", "invalid-mechanism"},
	} {
		c, err := testclient.Dial(t.Context(), testclient.Options{
			Addr: s.Addr(testserver.Direct), Domain: s.Domain, Security: testclient.DirectTLS, Timeout: patience,
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if x.mechanism == "NONE-SUCH" {
			if err := c.Send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='NONE-SUCH'/>"); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
		} else if err := c.Auth(t.Context(), x.mechanism, x.user, "open sesame"); err == nil {
			t.Fatalf("%s as %s got in", x.mechanism, x.user)
		} else if strings.Contains(err.Error(), "no such account") {
			t.Errorf("the client is told %v", err)
		}
		_ = c.Cut()
		awaitLines(t, s, "login failed", i+1)
		last := s.Output()[strings.LastIndex(s.Output(), "login failed"):]
		last, _, _ = strings.Cut(last, "\n")
		if !strings.Contains(last, x.want) {
			t.Errorf("%s as %s is logged as %s, want %s", x.mechanism, x.user, last, x.want)
		}
	}
	if out := s.Output(); strings.Contains(out, "<nil>") || strings.Contains(out, "rosaline") || strings.Contains(out, "sesame") {
		t.Errorf("the log:\n%s", out)
	}
	s.Stop()
}

// TestUnknownProxy: a header from an address that isn't configured ends the stream, and
// the log says what to set.
func TestUnknownProxy(t *testing.T) {
	s := testserver.Start(t, testserver.Options{Binary: binary})
	for _, listener := range []string{testserver.C2S, testserver.Direct} {
		for range 2 {
			r := dialRaw(t, s.Addr(listener))
			r.send("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01\x12\x67\x14\x66")
			_, _ = io.Copy(io.Discard, r.c) // to its end
		}
	}
	s.Stop()
	if out := s.Output(); strings.Count(out, "network.proxies") != 1 || !strings.Contains(out, "level=WARN") {
		t.Errorf("the log:\n%s", out)
	}
}
