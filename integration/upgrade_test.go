package integration_test

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"encoding/base64"
	"strconv"
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
	expect := func(c *testclient.Client, pattern string) *testclient.Element {
		t.Helper()
		e, err := c.Expect(t.Context(), pattern, nil)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	for _, user := range []string{"juliet", "romeo", "nurse"} {
		expect(sasl2(t, s, "SCRAM-SHA-1", user, ""), failure)
	}
	c := sasl2(t, s, "SCRAM-SHA-256-PLUS", "juliet", asks)
	expect(c, "<continue xmlns='urn:xmpp:sasl:2'><additional-data>*</additional-data><tasks><task>UPGR-SCRAM-SHA-1</task></tasks></continue>")
	if err := c.Send("<next xmlns='urn:xmpp:sasl:2' task='UPGR-SCRAM-SHA-1'/>"); err != nil {
		t.Fatal(err)
	}
	e := expect(c, "<task-data xmlns='urn:xmpp:sasl:2'><salt xmlns='urn:xmpp:scram-upgrade:0' iterations='*'>*</salt></task-data>").Child("urn:xmpp:scram-upgrade:0", "salt")
	salt, err := base64.StdEncoding.DecodeString(e.Text)
	if err != nil {
		t.Fatal(err)
	}
	count, err := strconv.Atoi(e.Get("iterations"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := pbkdf2.Key(sha1.New, testserver.Password("juliet"), salt, count, sha1.Size)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send("<task-data xmlns='urn:xmpp:sasl:2'><hash xmlns='urn:xmpp:scram-upgrade:0'>" + base64.StdEncoding.EncodeToString(key) + "</hash></task-data>"); err != nil {
		t.Fatal(err)
	}
	expect(c, success)
	expect(sasl2(t, s, "PLAIN", "romeo", ""), success)
	s.Kill()
	s.Again()
	for _, user := range []string{"juliet", "romeo"} {
		expect(sasl2(t, s, "SCRAM-SHA-1", user, asks), success)
	}
	expect(sasl2(t, s, "SCRAM-SHA-1", "nurse", ""), failure) // nobody helped her
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
