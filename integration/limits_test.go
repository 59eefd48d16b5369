package integration_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/integration/testclient"
	"weir/integration/testserver"
)

// dial connects to a server's listener that doesn't require TLS and opens a stream.
func dial(t *testing.T, s *testserver.Server) *testclient.Client {
	t.Helper()
	c, err := testclient.Dial(t.Context(), testclient.Options{Addr: s.Addr(testserver.Insecure), Domain: s.Domain})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Cut() })
	return c
}

// enter logs in.
func enter(t *testing.T, s *testserver.Server, user, resource string) *testclient.Client {
	t.Helper()
	c := dial(t, s)
	if err := c.Login(t.Context(), user, testserver.Password(user), resource); err != nil {
		t.Fatal(err)
	}
	return c
}

func startServer(t *testing.T) *testserver.Server {
	return testserver.Start(t, testserver.Options{Binary: binary, Accounts: accounts})
}

// policyViolation waits for the stream error that a passed limit brings, with a
// text that names the limit, and for the end.
func policyViolation(t *testing.T, c *testclient.Client) {
	t.Helper()
	_, err := c.ExpectStanza(t.Context(), "<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"+
		"<text xmlns='urn:ietf:params:xml:ns:xmpp-streams' ...>*</text>...</stream:error>", nil)
	if err != nil {
		t.Error(err)
	} else if _, err := c.WaitEnd(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestLimitsOfAStanza sends what is just too large, before and after login; a
// bystander is served all the while.
func TestLimitsOfAStanza(t *testing.T) {
	s := startServer(t)
	bystander := enter(t, s, "nurse", "house")
	many := func(n int, s string) string { return strings.Repeat(s, n) }
	attrs := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, " a%d=''", i)
		}
		return b.String()
	}
	for _, c := range []struct {
		name   string
		login  bool
		stanza string
	}{
		{"bytes before login", false, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + many(9000, "A") + "</auth>"},
		{"bytes before login, never ending", false, "<auth mechanism='" + many(9000, "A")},
		{"elements before login", false, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + many(40, "<a/>") + "</auth>"},
		{"depth before login", false, many(9, "<a>") + many(9, "</a>")},
		{"bytes", true, "<message to='juliet@localhost'><body>" + many(270_000, "x") + "</body></message>"},
		{"elements", true, "<message to='juliet@localhost'>" + many(2010, "<a/>") + "</message>"},
		{"depth", true, "<message to='juliet@localhost'>" + many(70, "<a>") + many(70, "</a>") + "</message>"},
		{"attributes", true, "<message to='juliet@localhost'><a" + attrs(70) + "/></message>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := dial(t, s)
			var err error
			if c.login {
				err = cl.Login(t.Context(), "juliet", testserver.Password("juliet"), "")
			} else {
				err = cl.Open(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := cl.Send(c.stanza); err != nil {
				t.Logf("the server hung up early: %v", errors.Unwrap(err))
			}
			policyViolation(t, cl)
		})
	}
	if err := bystander.Sync(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestLimitOfFailedLogins holds that wrong passwords end the stream, and refused
// mechanisms don't count among them.
func TestLimitOfFailedLogins(t *testing.T) {
	s := startServer(t)
	c := dial(t, s)
	if err := c.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused := 0
	var end error
	for range 20 {
		var f *testclient.AuthError
		if end = c.Auth(t.Context(), "SCRAM-SHA-256", "juliet", "wrong-password"); !errors.As(end, &f) {
			break
		}
		refused++
	}
	if refused < 3 || refused > 5 {
		t.Errorf("%d wrong passwords were answered on one stream; RFC 6120 §6.4.5 recommends 2 to 5 retries\n%s", refused, c.Transcript())
	}
	if end == nil || !strings.Contains(end.Error(), "<policy-violation") {
		t.Errorf("the stream didn't end with policy-violation: %v", end)
	}
	if _, err := c.WaitEnd(t.Context()); err != nil {
		t.Error(err)
	}
	enter(t, s, "juliet", "") // the account isn't locked by what others try
}

// TestLimitOfSessions holds that an account has so many sessions and no more.
func TestLimitOfSessions(t *testing.T) {
	s := startServer(t)
	for i := range 20 {
		enter(t, s, "juliet", fmt.Sprint("r", i))
	}
	c := dial(t, s)
	err := c.Login(t.Context(), "juliet", testserver.Password("juliet"), "one-too-many")
	var refused *testclient.IQError
	if !errors.As(err, &refused) || refused.Condition() != "resource-constraint" {
		t.Errorf("the twenty-first session: %v", err)
	}
	enter(t, s, "romeo", "orchard")
}

// TestByteByByte logs in and chats one byte at a time.
func TestByteByByte(t *testing.T) {
	s := startServer(t)
	juliet := enter(t, s, "juliet", "balcony")
	romeo := enter(t, s, "romeo", "orchard")
	msg := "<message to='juliet@localhost/balcony' id='m1'><body>☂ &amp; <![CDATA[<i>]]></body></message>"
	for i := range len(msg) {
		if err := romeo.Send(msg[i : i+1]); err != nil {
			t.Fatal(err)
		}
		if i%16 == 0 {
			time.Sleep(time.Millisecond) // lets the bytes travel apart
		}
	}
	if _, err := juliet.Expect(t.Context(), "<message from='romeo@localhost/orchard' to='juliet@localhost/balcony' id='m1'>"+
		"<body>☂ &amp; &lt;i&gt;</body><stanza-id xmlns='urn:xmpp:sid:0' by='juliet@localhost' id='*'/></message>", nil); err != nil {
		t.Error(err)
	}
}

// TestManyAtOnce sends many messages in few writes, more than the input rate
// allows: none is lost and none overtakes another.
func TestManyAtOnce(t *testing.T) {
	s := startServer(t)
	juliet := enter(t, s, "juliet", "balcony")
	romeo := enter(t, s, "romeo", "orchard")
	const n = 1200
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "<message to='juliet@localhost/balcony' id='m%d'><body>%d</body></message>", i, i)
	}
	if err := romeo.Send(b.String()); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		e, err := juliet.Next(t.Context())
		if err != nil {
			t.Fatalf("after %d: %v", i, err)
		}
		if e.Get("id") != fmt.Sprint("m", i) {
			t.Fatalf("number %d is %s", i, e)
		}
	}
	if err := romeo.Sync(t.Context()); err != nil {
		t.Error(err)
	}
}
