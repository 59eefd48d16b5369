package admin_test

import (
	"strings"
	"testing"

	"weir"
	"weir/integration/testclient"
)

const agentID = "d4565fa7-4d72-4749-b3d3-740edbf87770"

// withToken logs a device in that asks for a token, and returns the token.
func withToken(t testing.TB, s *weir.Server, user, software, device string) (*testclient.Client, string) {
	t.Helper()
	x := dial(t, s)
	sasl2(t, x, "PLAIN", user, "correct horse", "<user-agent id='"+agentID+"'><software>"+software+"</software><device>"+device+
		"</device></user-agent><request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/><bind xmlns='urn:xmpp:bind:0'/>")
	e, err := x.Expect(t.Context(), "<success xmlns='urn:xmpp:sasl:2'>...</success>", nil)
	if err != nil {
		t.Fatal(err)
	}
	return x, e.Child("urn:xmpp:fast:0", "token").Get("token")
}

func dial(t testing.TB, s *weir.Server) *testclient.Client {
	t.Helper()
	x, err := testclient.Dial(t.Context(), testclient.Options{Addr: s.Addresses()[0].Addr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.Cut() })
	if err := x.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return x
}

func sasl2(t testing.TB, x *testclient.Client, mechanism, user, secret, inside string) {
	t.Helper()
	if err := x.SASL2(t.Context(), mechanism, user, secret, inside); err != nil {
		t.Fatal(err)
	}
}

// byToken tells how a login with a token ends: "success" or a condition.
func byToken(t testing.TB, s *weir.Server, user, token string) string {
	t.Helper()
	x := dial(t, s)
	sasl2(t, x, "HT-SHA-256-NONE", user, token, "<user-agent id='"+agentID+"'/><fast xmlns='urn:xmpp:fast:0'/>")
	e, err := x.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if e.Name.Local == "failure" {
		return e.Children[0].Name.Local
	}
	return e.Name.Local
}

// TestDevices holds that devices are listed, and that revoking one ends its
// sessions and its tokens, and nobody else's.
func TestDevices(t *testing.T) {
	s, c := start(t, settings(folder(t)))
	add(t, c, "juliet@localhost", "romeo@localhost")
	other := login(t, s, "juliet", "balcony")
	phone, token := withToken(t, s, "juliet", "Conv\x7fersations", strings.Repeat("long ", 100))
	_, romeos := withToken(t, s, "romeo", "", "")
	all, err := c.Devices(t.Context(), "juliet@localhost")
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	d := all[0]
	if d.Software != "Conversations" || len(d.Name) > 100 || d.Sessions != 1 || d.Addr.String() != "127.0.0.1" ||
		!d.Expires.After(d.Used) || strings.Contains(d.ID, "d4565fa7") {
		t.Errorf("%+v", d)
	}
	if got := byToken(t, s, "juliet", token); got != "success" {
		t.Errorf("by token: %s", got)
	}
	if _, err := c.RevokeDevice(t.Context(), "romeo@localhost", d.ID); err == nil || !strings.Contains(err.Error(), "no such device") {
		t.Errorf("another's device: %v", err)
	}
	gone, err := c.RevokeDevice(t.Context(), "juliet@localhost", d.ID)
	if err != nil || len(gone) != 1 {
		t.Fatalf("%+v, %v", gone, err)
	}
	if _, err := phone.WaitEnd(t.Context()); err != nil {
		t.Errorf("the session of a revoked device goes on: %v", err)
	}
	if got := byToken(t, s, "juliet", token); got != "not-authorized" {
		t.Errorf("after it was revoked: %s", got)
	}
	if got := byToken(t, s, "romeo", romeos); got != "success" {
		t.Errorf("another account: %s", got)
	}
	if err := other.Sync(t.Context()); err != nil {
		t.Errorf("another device: %v", err)
	}
}

// TestTokensEndWithPassword holds what else takes tokens away.
func TestTokensEndWithPassword(t *testing.T) {
	s, c := start(t, settings(folder(t)))
	for name, change := range map[string]func() error{
		"password": func() error { _, err := c.SetPassword(t.Context(), "juliet@localhost", "correct horse"); return err },
		"lock": func() error {
			_, err := c.SetDisabled(t.Context(), "juliet@localhost", true)
			if err == nil {
				_, err = c.SetDisabled(t.Context(), "juliet@localhost", false)
			}
			return err
		},
		"deletion": func() error {
			err := c.DeleteUser(t.Context(), "juliet@localhost")
			if err == nil {
				_, err = c.AddUser(t.Context(), "juliet@localhost", "correct horse")
			}
			return err
		},
	} {
		if _, err := c.AddUser(t.Context(), "juliet@localhost", "correct horse"); err != nil && name == "" {
			t.Fatal(err)
		}
		phone, token := withToken(t, s, "juliet", "", "")
		if err := change(); err != nil {
			t.Fatal(name, err)
		}
		if _, err := phone.WaitEnd(t.Context()); err != nil {
			t.Errorf("%s: the session goes on: %v", name, err)
		}
		if got := byToken(t, s, "juliet", token); got != "not-authorized" {
			t.Errorf("%s: %s", name, got)
		}
		if all, err := c.Devices(t.Context(), "juliet@localhost"); err != nil || len(all) != 0 {
			t.Errorf("%s: %+v, %v", name, all, err)
		}
	}
}
