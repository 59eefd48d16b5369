package integration_test

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"testing"

	"weir/integration/testclient"
	"weir/integration/testserver"
)

// TestUpgradeAfterSHA1IsTurnedOn makes accounts while SCRAM-SHA-1 is off, turns it on,
// and logs in: by SCRAM-SHA-256 with the task of XEP-0480, and by PLAIN. From then on
// SCRAM-SHA-1 works, also after a kill.
func TestUpgradeAfterSHA1IsTurnedOn(t *testing.T) {
	t.Setenv("WEIR_AUTH_SHA1", "false")
	s := startServer(t)
	s.Stop()
	t.Setenv("WEIR_AUTH_SHA1", "true")
	s.Again()
	const (
		failure = "<failure xmlns='urn:xmpp:sasl:2'><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>...</failure>"
		success = "<success xmlns='urn:xmpp:sasl:2'>...</success>"
		asks    = "<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-1</upgrade>"
	)
	expect := func(c *testclient.Client, pattern string) { t.Helper(); expected(t, c, pattern) }
	for _, user := range []string{"juliet", "romeo", "nurse"} {
		expect(sasl2(t, s, "SCRAM-SHA-1", user, ""), failure)
	}
	doTask(t, sasl2(t, s, "SCRAM-SHA-256-PLUS", "juliet", asks), "UPGR-SCRAM-SHA-1", "juliet")
	expect(sasl2(t, s, "PLAIN", "romeo", ""), success)
	s.Kill()
	s.Again()
	for _, user := range []string{"juliet", "romeo"} {
		expect(sasl2(t, s, "SCRAM-SHA-1", user, asks), success)
	}
	expect(sasl2(t, s, "SCRAM-SHA-1", "nurse", ""), failure) // nobody helped her
}

// TestRaisedIterations raises the counts of PBKDF2 over a restart. Accounts get new keys
// at their next login by PLAIN or with the task of XEP-0480, of which neither their
// sessions nor their tokens take notice; the keys are there after a kill, and stay where
// the counts are lower again.
func TestRaisedIterations(t *testing.T) {
	counts := func(n string) {
		t.Setenv("WEIR_AUTH_ITERATIONS", n)
		t.Setenv("WEIR_AUTH_SHA1_ITERATIONS", n)
	}
	counts("4096")
	s := startServer(t)
	token := newToken(t, s, 1)
	s.Stop()
	counts("5000")
	s.Again()
	const (
		success = "<success xmlns='urn:xmpp:sasl:2'>...</success>"
		asks    = "<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-256</upgrade>"
	)
	wantCounts := func(juliet, romeo, nurse string) {
		t.Helper()
		for user, want := range map[string]string{"juliet": juliet, "romeo": romeo, "nurse": nurse} {
			if got := countOf(t, s, user); got != want {
				t.Errorf("%s has %s iterations, want %s", user, got, want)
			}
		}
	}
	open := sasl2(t, s, "SCRAM-SHA-256", "juliet", "<bind xmlns='urn:xmpp:bind:0'/>")
	expected(t, open, success)
	expected(t, open, "<stream:features>...</stream:features>")
	wantOutcome(t, "a token from before", byToken(t, s, 1, token, -1), "success")
	wantCounts("4096", "4096", "4096")
	expected(t, sasl2(t, s, "PLAIN", "juliet", ""), success)
	c := sasl2(t, s, "SCRAM-SHA-256-PLUS", "romeo", asks)
	doTask(t, c, "UPGR-SCRAM-SHA-256", "romeo")
	expected(t, c, success)
	wantCounts("5000", "5000", "4096")
	if err := open.Send("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>"); err != nil {
		t.Fatal(err)
	}
	expected(t, open, "<iq xmlns='jabber:client' type='result' id='p' .../>")
	s.Kill()
	counts("4096")
	s.Again()
	wantOutcome(t, "a token after new keys", byToken(t, s, 1, token, -1), "success")
	for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"} {
		for _, user := range []string{"juliet", "romeo", "nurse"} {
			expected(t, sasl2(t, s, mechanism, user, asks), success)
		}
	}
	wantCounts("5000", "5000", "4096")
}

// countOf returns the iterations that a client is told for SCRAM-SHA-256.
func countOf(t *testing.T, s *testserver.Server, user string) string {
	t.Helper()
	c, err := testclient.Dial(t.Context(), testclient.Options{Addr: s.Addr(testserver.Direct), Security: testclient.DirectTLS, Timeout: patience})
	if err == nil {
		err = c.Open(t.Context())
	}
	if err == nil {
		first := base64.StdEncoding.EncodeToString([]byte("n,,n=" + user + ",r=abc"))
		err = c.Send("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='SCRAM-SHA-256'><initial-response>" + first + "</initial-response></authenticate>")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Cut() }()
	said, err := base64.StdEncoding.DecodeString(expected(t, c, "<challenge xmlns='urn:xmpp:sasl:2'>*</challenge>").Text)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(said), ",i=")
	count, _, _ := strings.Cut(rest, ",")
	return count
}

// doTask does the one task that a login is asked for, as its client would.
func doTask(t *testing.T, c *testclient.Client, task, user string) {
	t.Helper()
	hash, size := sha256.New, sha256.Size
	if task == "UPGR-SCRAM-SHA-1" {
		hash, size = sha1.New, sha1.Size
	}
	expected(t, c, "<continue xmlns='urn:xmpp:sasl:2'><additional-data>*</additional-data><tasks><task>"+task+"</task></tasks></continue>")
	if err := c.Send("<next xmlns='urn:xmpp:sasl:2' task='" + task + "'/>"); err != nil {
		t.Fatal(err)
	}
	e := expected(t, c, "<task-data xmlns='urn:xmpp:sasl:2'><salt xmlns='urn:xmpp:scram-upgrade:0' iterations='*'>*</salt></task-data>").Child("urn:xmpp:scram-upgrade:0", "salt")
	salt, err := base64.StdEncoding.DecodeString(e.Text)
	if err != nil {
		t.Fatal(err)
	}
	count, err := strconv.Atoi(e.Get("iterations"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := pbkdf2.Key(hash, testserver.Password(user), salt, count, size)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send("<task-data xmlns='urn:xmpp:sasl:2'><hash xmlns='urn:xmpp:scram-upgrade:0'>" + base64.StdEncoding.EncodeToString(key) + "</hash></task-data>"); err != nil {
		t.Fatal(err)
	}
}

// expected waits for the next element, which has to be this.
func expected(t *testing.T, c *testclient.Client, pattern string) *testclient.Element {
	t.Helper()
	e, err := c.Expect(t.Context(), pattern, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// sasl2 opens a stream under TLS and logs in by SASL2, up to its outcome.
func sasl2(t *testing.T, s *testserver.Server, mechanism, user, inside string) *testclient.Client {
	t.Helper()
	c, err := testclient.Dial(t.Context(), testclient.Options{Addr: s.Addr(testserver.Direct), Security: testclient.DirectTLS, Timeout: patience})
	if err == nil {
		err = c.Open(t.Context())
	}
	if err == nil {
		err = c.SASL2(t.Context(), mechanism, user, testserver.Password(user), inside)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}
