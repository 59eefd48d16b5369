package integration_test

import (
	"encoding/json"
	"strings"
	"testing"

	"weir/integration/testclient"
	"weir/integration/testserver"
)

const (
	offersOn  = "[offers]\nenabled = true\n[session]\narchive = \"always\"\n"
	shareNS   = "urn:xmpp:sfs:0"
	retractNS = "urn:xmpp:message-retract:1"
)

// appear has clients become available, and passes over what that brings them.
func appear(t *testing.T, clients ...*testclient.Client) {
	t.Helper()
	for _, c := range clients {
		if err := c.Send("<presence/>"); err != nil {
			t.Fatal(err)
		}
		if err := c.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, e := range c.Drain() {
			if e.Name.Local == "message" {
				t.Errorf("passed over %s", e)
			}
		}
	}
}

// nextMessage is the next message that a client gets.
func nextMessage(t *testing.T, c *testclient.Client) *testclient.Element {
	t.Helper()
	e, err := c.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if e.Name.Local != "message" {
		t.Fatalf("got %s, want a message", e)
	}
	return e
}

// TestOffersOnTheCommandLine: an admin offers a link on behalf of a session to an
// account and to one session, lists it, and takes it back; the receivers' clients have
// the link and its retraction, the sender's archive both.
func TestOffersOnTheCommandLine(t *testing.T) {
	s := testserver.Start(t, testserver.Options{Binary: binary, Accounts: accounts, Config: offersOn})
	juliet, romeo, nurse := dialLogin(t, s, "juliet"), dialLogin(t, s, "romeo"), dialLogin(t, s, "nurse")
	appear(t, juliet, romeo, nurse)
	var made struct {
		ID   string
		From string
		To   []string
	}
	out := s.Run("offer", "add", "juliet@localhost/x", "https://localhost/rose.jpg?a=1&b=2", "--name", "rose.jpg",
		"--to", "romeo@localhost", "--to", "nurse@localhost/x", "--json", "--data", s.Dir)
	if err := json.Unmarshal([]byte(out), &made); err != nil || made.ID == "" || made.From != "juliet@localhost/x" || len(made.To) != 2 {
		t.Fatalf("%v: %s", err, out)
	}
	if m := nextMessage(t, romeo); m.Get("id") != made.ID || m.Get("from") != "juliet@localhost/x" || m.Child(shareNS, "file-sharing") == nil ||
		m.Child("jabber:x:oob", "x") == nil || m.Child("jabber:client", "body").Text != "https://localhost/rose.jpg?a=1&b=2" {
		t.Errorf("romeo got %s", m)
	}
	if m := nextMessage(t, nurse); m.Get("to") != "nurse@localhost/x" || m.Get("id") != made.ID {
		t.Errorf("nurse got %s", m)
	}
	listed := s.Run("offer", "list", "--data", s.Dir)
	if !strings.Contains(listed, made.ID) || !strings.Contains(listed, "romeo@localhost +1") || !strings.Contains(listed, "rose.jpg") {
		t.Errorf("listed:\n%s", listed)
	}
	s.Run("offer", "cancel", made.ID, "--of", "nurse@localhost/x", "--data", s.Dir)
	if m := nextMessage(t, nurse); m.Child(retractNS, "retract").Get("id") != made.ID {
		t.Errorf("nurse got %s", m)
	}
	s.Run("offer", "cancel", made.ID, "--data", s.Dir)
	if m := nextMessage(t, romeo); m.Child(retractNS, "retract").Get("id") != made.ID {
		t.Errorf("romeo got %s", m)
	}
	if listed := s.Run("offer", "list", "juliet@localhost/x", "--json", "--data", s.Dir); strings.TrimSpace(listed) != "[]" {
		t.Errorf("listed at the end: %s", listed)
	}
	archive, err := juliet.IQ(t.Context(), "set", "", "<query xmlns='urn:xmpp:mam:2'/>")
	if err != nil || !strings.Contains(archive.String(), "<count>4</count>") {
		t.Errorf("the sender's archive: %v, %s", err, archive)
	}
	s.Stop()
}

// TestOffersSurviveAKill: the list of a session that its client may resume is there
// after a crash, and what is on it can be taken back.
func TestOffersSurviveAKill(t *testing.T) {
	s := testserver.Start(t, testserver.Options{Binary: binary, Accounts: accounts, Config: offersOn})
	juliet, romeo := dialLogin(t, s, "juliet"), dialLogin(t, s, "romeo")
	appear(t, juliet, romeo)
	if err := juliet.Send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>"); err != nil {
		t.Fatal(err)
	}
	if e, err := juliet.Next(t.Context()); err != nil || e.Name.Local != "enabled" {
		t.Fatal(e, err)
	}
	id := strings.Fields(s.Run("offer", "add", "juliet@localhost/x", "https://localhost/rose.jpg", "--to", "romeo@localhost", "--data", s.Dir))[0]
	nextMessage(t, romeo)
	s.Kill()
	s.Again()
	if listed := s.Run("offer", "list", "--data", s.Dir); !strings.Contains(listed, id) {
		t.Fatalf("after a crash:\n%s", listed)
	}
	s.Run("offer", "cancel", id, "--data", s.Dir)
	romeo = dialLogin(t, s, "romeo")
	if err := romeo.Send("<presence/>"); err != nil {
		t.Fatal(err)
	}
	if _, err := romeo.Expect(t.Context(), "<presence ...>...</presence>", nil); err != nil {
		t.Fatal(err)
	}
	if r := nextMessage(t, romeo).Child(retractNS, "retract"); r == nil || r.Get("id") != id {
		t.Errorf("romeo is told no retraction of %s", id)
	}
	s.Stop()
}
