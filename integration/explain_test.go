package integration_test

import (
	"regexp"
	"strings"
	"testing"

	"weir/integration/testserver"
)

// TestExplain: what the commands tell of a session and of a message, asked of both sides.
func TestExplain(t *testing.T) {
	s := testserver.Start(t, testserver.Options{Binary: binary, Accounts: accounts, Config: "[session]\narchive = \"always\"\n"})
	juliet := dialLogin(t, s, "juliet")
	if _, err := juliet.IQ(t.Context(), "get", "", "<query xmlns='jabber:iq:roster'/>"); err != nil {
		t.Fatal(err)
	}
	send := func(xml string) {
		t.Helper()
		if err := juliet.Send(xml); err != nil {
			t.Fatal(err)
		}
		if err := juliet.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	send("<presence><priority>5</priority></presence>")
	send("<presence><priority>-1</priority></presence>")
	send("<presence type='unavailable'/>")
	told := s.Run("session", "explain", "juliet@localhost/x", "--data", s.Dir)
	if !regexp.MustCompile(`(?s)resource bound.* c2s +interested: has asked for its roster.* c2s +available with priority 5.* c2s +priority -1.* c2s +unavailable`).MatchString(told) {
		t.Errorf("the session is told as\n%s", told)
	}
	send("<message to='romeo@localhost' type='chat' id='m1'><body>hi</body></message>")
	told = s.Run("explain", "message", "juliet@localhost", "m1", "--data", s.Dir)
	_, his, both := strings.Cut(told, "in the log of      romeo@localhost")
	if !both || !strings.Contains(told, "sent by the account") || !regexp.MustCompile(`owed +yes`).MatchString(his) || strings.Contains(told, "its receiver") {
		t.Errorf("while romeo is away the message is told as\n%s", told)
	}
	romeo := dialLogin(t, s, "romeo")
	if err := romeo.Send("<presence/>"); err != nil {
		t.Fatal(err)
	}
	if _, err := romeo.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	send("<message to='romeo@localhost' type='chat' id='m2'><body>ho</body></message>")
	told = s.Run("explain", "message", "juliet@localhost", "m2", "--data", s.Dir)
	if !regexp.MustCompile(`(?s)in the log of +romeo@localhost.*owed +no.*romeo@localhost/x +message +- +(written|sent)`).MatchString(told) {
		t.Errorf("while romeo is here the message is told as\n%s", told)
	}
	s.Stop()
}
