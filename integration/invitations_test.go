package integration_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"weir/integration/testclient"
	"weir/integration/testserver"
)

const (
	invited    = "[invitations]\nenabled = true\n"
	stanzasNS  = "urn:ietf:params:xml:ns:xmpp-stanzas"
	commandsNS = "http://jabber.org/protocol/commands"
)

// invite makes an invitation on the command line and returns its token.
func invite(t *testing.T, s *testserver.Server, args ...string) (token, id, uri string) {
	t.Helper()
	out := s.Run(append([]string{"invite", "create", "--json", "--data", s.Dir}, args...)...)
	var made struct{ Token, ID, URI string }
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return made.Token, made.ID, made.URI
}

// stranger opens a stream without logging in.
func stranger(t *testing.T, s *testserver.Server) *testclient.Client {
	t.Helper()
	c, err := testclient.Dial(t.Context(), testclient.Options{
		Addr: s.Addr(testserver.Direct), Domain: s.Domain, Security: testclient.DirectTLS, Timeout: patience,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Cut() })
	if err := c.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// asks sends an IQ and holds what it is answered: "result" or a condition.
func asks(t *testing.T, c *testclient.Client, kind, payload, want string) *testclient.Element {
	t.Helper()
	if err := c.Send("<iq type='" + kind + "' id='q' to='localhost'>" + payload + "</iq>"); err != nil {
		t.Fatal(err)
	}
	e, err := c.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := outcomeOf(e); got != want || e.Get("id") != "q" {
		t.Errorf("%s is answered by %s, want %s", payload, e, want)
	}
	return e
}

func outcomeOf(e *testclient.Element) string {
	if x := e.Child("jabber:client", "error"); x != nil {
		for _, c := range x.Children {
			if c.Name.Space == stanzasNS && c.Name.Local != "text" {
				return c.Name.Local
			}
		}
	}
	return e.Get("type")
}

func preauth(token string) string {
	return "<preauth xmlns='urn:xmpp:pars:0' token='" + token + "'/>"
}

func registration(name, password string) string {
	return "<query xmlns='jabber:iq:register'><username>" + name + "</username><password>" + password + "</password></query>"
}

const askForm = "<query xmlns='jabber:iq:register'/>"

// TestInvitationForAName: an account is made by who has the invitation, once, under
// the name that is reserved by it, and its owner can log in on the same stream.
func TestInvitationForAName(t *testing.T) {
	s := testserver.Start(t, testserver.Options{Binary: binary, Accounts: accounts, Config: invited})
	romeo := dialLogin(t, s, "romeo")
	if _, err := romeo.IQ(t.Context(), "get", "", "<query xmlns='jabber:iq:roster'/>"); err != nil {
		t.Fatal(err)
	}
	token, id, uri := invite(t, s, "rosaline@localhost", "--contact", "romeo@localhost", "--life", "1h")
	if uri != "xmpp:rosaline@localhost?register;preauth="+token {
		t.Error(uri)
	}
	other, _, _ := invite(t, s)
	list := s.Run("invite", "list", "--data", s.Dir)
	if !strings.Contains(list, id) || !strings.Contains(list, "rosaline@localhost") || strings.Contains(list, token) {
		t.Error(list)
	}

	c := stranger(t, s)
	if c.Features().Child("urn:xmpp:ibr-token:0", "register") == nil || c.Features().Child("http://jabber.org/features/iq-register", "register") == nil {
		t.Errorf("not offered: %s", c.Features())
	}
	form := asks(t, c, "get", askForm, "result") // as clients do that show their token after the form
	if q := form.Child("jabber:iq:register", "query"); q.Child("jabber:iq:register", "username") == nil || q.Child("jabber:iq:register", "username").Text != "" {
		t.Errorf("the form for who has shown nothing: %s", form)
	}
	asks(t, c, "set", registration("rosaline", "correct horse"), "not-allowed")
	for _, bad := range []string{"", "x", token + "x", token[1:], strings.Repeat("a", 5000)} {
		asks(t, c, "set", preauth(bad), "item-not-found")
	}
	asks(t, c, "set", preauth(other), "result")
	asks(t, c, "set", registration("rosaline", "correct horse"), "conflict") // reserved
	asks(t, c, "set", registration("romeo", "correct horse"), "conflict")    // there already
	asks(t, c, "set", preauth(token), "result")
	form = asks(t, c, "get", askForm, "result")
	if q := form.Child("jabber:iq:register", "query"); q == nil || q.Child("jabber:iq:register", "username").Text != "rosaline" {
		t.Errorf("the form: %s", form)
	}
	asks(t, c, "set", registration("juliana", "correct horse"), "not-acceptable")
	asks(t, c, "set", registration("rosaline", "short"), "not-acceptable")
	asks(t, c, "set", registration("rosaline", ""), "not-acceptable")
	asks(t, c, "set", registration("a@b", "correct horse"), "not-acceptable")
	s.Kill() // an invitation that was shown isn't used up
	s.Again()
	c = stranger(t, s)
	asks(t, c, "set", preauth(strings.ToUpper(token)), "result") // read out aloud
	romeo = dialLogin(t, s, "romeo")
	if _, err := romeo.IQ(t.Context(), "get", "", "<query xmlns='jabber:iq:roster'/>"); err != nil {
		t.Fatal(err)
	}
	asks(t, c, "set", registration("Rosaline", "correct horse"), "result")
	if _, err := romeo.ExpectStanza(t.Context(), "<iq type='set' ...><query xmlns='jabber:iq:roster' ...><item jid='rosaline@localhost' subscription='both' .../></query></iq>", testclient.Vars{}); err != nil {
		t.Error(err)
	}
	asks(t, c, "set", registration("rosaline", "correct horse"), "not-allowed") // needs another look
	asks(t, c, "set", preauth(token), "item-not-found")
	if err := c.Auth(t.Context(), "SCRAM-SHA-256", "rosaline", "correct horse"); err != nil {
		t.Fatal(err)
	}
	rosaline := dialAs(t, s, "rosaline", "correct horse")
	roster, err := rosaline.IQ(t.Context(), "get", "", "<query xmlns='jabber:iq:roster'/>")
	if err != nil || !strings.Contains(roster.String(), "romeo@localhost") || !strings.Contains(roster.String(), "'both'") && !strings.Contains(roster.String(), `"both"`) {
		t.Errorf("%s, %v", roster, err)
	}
	s.Stop()
	tokenIsNowhere(t, s.Dir, token, other)
}

// tokenIsNowhere holds that no file has a token in it.
func tokenIsNowhere(t *testing.T, dir string, tokens ...string) {
	t.Helper()
	seen := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		seen += len(b)
		for _, token := range tokens {
			if strings.Contains(string(b), token) {
				t.Errorf("%s has a token", path)
			}
		}
		return err
	})
	if err != nil || seen == 0 {
		t.Errorf("%d bytes read, %v", seen, err)
	}
}

func dialAs(t *testing.T, s *testserver.Server, user, password string) *testclient.Client {
	t.Helper()
	c, err := testclient.Dial(t.Context(), testclient.Options{
		Addr: s.Addr(testserver.Direct), Domain: s.Domain, Security: testclient.DirectTLS, Timeout: patience,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Cut() })
	if err := c.Login(t.Context(), user, password, "x"); err != nil {
		t.Fatal(err)
	}
	return c
}

func dialLogin(t *testing.T, s *testserver.Server, user string) *testclient.Client {
	return dialAs(t, s, user, testserver.Password(user))
}

// TestInvitationUses: an invitation makes as many accounts as it may, whoever comes
// at once; one that was revoked, and those of an account that is gone, make none.
func TestInvitationUses(t *testing.T) {
	s := testserver.Start(t, testserver.Options{Binary: binary, Accounts: accounts, Config: invited})
	token, _, _ := invite(t, s, "--uses", "2")
	clients := make([]*testclient.Client, 6)
	for i := range clients {
		clients[i] = stranger(t, s)
		asks(t, clients[i], "set", preauth(token), "result")
	}
	answers := make([]string, len(clients))
	var all sync.WaitGroup
	for i, c := range clients {
		all.Go(func() {
			if err := c.Send("<iq type='set' id='q'>" + registration(fmt.Sprintf("guest%d", i), "correct horse") + "</iq>"); err != nil {
				t.Error(err)
				return
			}
			e, err := c.Next(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			answers[i] = outcomeOf(e)
		})
	}
	all.Wait()
	if got := strings.Join(answers, " "); strings.Count(got, "result") != 2 || strings.Count(got, "item-not-found") != 4 {
		t.Errorf("answered %s", got)
	}
	if n := strings.Count(s.Run("user", "list", "--data", s.Dir), "guest"); n < 2 || strings.Count(s.Run("user", "list", "--json", "--data", s.Dir), "guest") != 2 {
		t.Errorf("%d accounts were made", n)
	}

	token, id, _ := invite(t, s)
	c := stranger(t, s)
	asks(t, c, "set", preauth(token), "result")
	s.Command("invite", "revoke", id)
	asks(t, c, "set", registration("benvolio", "correct horse"), "item-not-found")
	asks(t, c, "set", preauth(token), "item-not-found")

	// By ad-hoc command, for who may.
	invitation := "<command xmlns='" + commandsNS + "' node='urn:xmpp:invite#invite' action='execute'/>"
	nurse := dialLogin(t, s, "nurse")
	if _, err := nurse.IQ(t.Context(), "set", "localhost", invitation); err == nil {
		t.Error("nurse may invite")
	}
	s.Command("user", "role", "nurse@localhost", "admin")
	e, err := nurse.IQ(t.Context(), "set", "localhost", invitation)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(e.String(), "xmpp:nurse@localhost?roster;preauth=")
	token, _, ok2 := strings.Cut(rest, ";ibr=y<")
	if !ok || !ok2 {
		t.Fatalf("no link in %s", e)
	}
	asks(t, c, "set", preauth(token), "result")
	s.Command("user", "delete", "nurse@localhost")
	asks(t, c, "set", registration("benvolio", "correct horse"), "item-not-found")
}

// TestInvitationsBound: a stream that hasn't logged in can't ask for ever, nor for
// something else.
func TestInvitationsBound(t *testing.T) {
	s := testserver.Start(t, testserver.Options{Binary: binary, Accounts: accounts, Config: invited})
	c := stranger(t, s)
	for range 20 {
		asks(t, c, "set", preauth("nonsense"), "item-not-found")
	}
	if err := c.Send("<iq type='set' id='q'>" + preauth("nonsense") + "</iq>"); err != nil {
		t.Fatal(err)
	}
	policyViolation(t, c)
	for _, x := range []string{
		"<iq type='get' id='q'><query xmlns='jabber:iq:roster'/></iq>", "<iq type='result' id='q'>" + preauth("x") + "</iq>",
		"<iq type='set' id='q' to='elsewhere.example'>" + preauth("x") + "</iq>", "<message to='romeo@localhost'>" + preauth("x") + "</message>",
	} {
		c := stranger(t, s)
		if err := c.Send(x); err != nil {
			t.Fatal(err)
		}
		e, err := c.Next(t.Context())
		if err != nil || !strings.Contains(e.String(), "not-authorized") {
			t.Errorf("%s: %s, %v", x, e, err)
		}
	}
}

// TestNoInvitations: unless they are enabled nothing is offered and nothing taken.
func TestNoInvitations(t *testing.T) {
	s := startServer(t)
	c := stranger(t, s)
	if strings.Contains(c.Features().String(), "register") {
		t.Errorf("offered: %s", c.Features())
	}
	if err := c.Send("<iq type='get' id='q'>" + askForm + "</iq>"); err != nil {
		t.Fatal(err)
	}
	e, err := c.Next(t.Context())
	if err != nil || !strings.Contains(e.String(), "not-authorized") {
		t.Errorf("%s, %v", e, err)
	}
	path, err := binary.Path()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path, "invite", "create", "--data", s.Dir).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "enabled = true in [invitations]") {
		t.Errorf("%s, %v", out, err)
	}
}
