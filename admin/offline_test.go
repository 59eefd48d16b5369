package admin_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"weir"
	"weir/admin"
	"weir/config"
	"weir/integration/testclient"
	"weir/sessionmgr"
)

const manage = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>"

// must sends something and waits until the server has taken it.
func must(t *testing.T, x *testclient.Client, raw string) {
	t.Helper()
	if err := x.Send(raw); err != nil {
		t.Fatal(err)
	}
	if err := x.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// asleep makes sessions that a stopped server has: Juliet's phone, which named itself,
// has no token, and has not acknowledged a message, and her laptop, which named
// nothing. Both can be resumed.
func asleep(t *testing.T, cfg config.Config) {
	t.Helper()
	s, c := start(t, cfg)
	add(t, c, "juliet@localhost")
	phone := dial(t, s)
	sasl2(t, phone, "PLAIN", "juliet", "correct horse", "<user-agent id='"+agentID+"'><software>Dino</software></user-agent>"+
		"<bind xmlns='urn:xmpp:bind:0'>"+manage+"</bind>")
	if _, err := phone.Expect(t.Context(), "<success xmlns='urn:xmpp:sasl:2'>...</success>", nil); err != nil {
		t.Fatal(err)
	}
	must(t, phone, "<presence/>")
	laptop := login(t, s, "juliet", "laptop")
	if err := laptop.Send(manage); err != nil {
		t.Fatal(err)
	}
	if _, err := laptop.Expect(t.Context(), "<enabled xmlns='urn:xmpp:sm:3' .../>", nil); err != nil {
		t.Fatal(err)
	}
	must(t, laptop, "<message to='juliet@localhost' type='chat' id='owed'><body>hark</body></message>")
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// offline runs fn while no server is there.
func offline(t *testing.T, cfg config.Config, fn func(*admin.Client)) {
	t.Helper()
	s, err := weir.Open(t.Context(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := admin.Local(s.Control)
	fn(c)
	c.Close()
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// restored makes a server of what is kept and stops it, and returns how many
// sessions came back and what it said. Nobody can have connected.
func restored(t *testing.T, cfg config.Config) (n int, said string) {
	t.Helper()
	var log bytes.Buffer
	s, err := weir.New(t.Context(), cfg, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil { // which brings them back
		t.Fatal(err)
	}
	s.Sessions.Range(func(*sessionmgr.Session) bool { n++; return true })
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n, log.String()
}

// TestChangesWhileStopped holds that sessions that sleep while the server is stopped end
// with the next start where they lost their right to go on, with the cause of that, that
// what they had not got is the account's, and that all of it is over then.
func TestChangesWhileStopped(t *testing.T) {
	const juliet = "juliet@localhost"
	for name, x := range map[string]struct {
		change func(*admin.Client) error
		left   int
		cause  string
	}{
		"nothing": {func(*admin.Client) error { return nil }, 2, ""},
		"password": {func(c *admin.Client) error {
			_, err := c.SetPassword(t.Context(), juliet, "correct horse")
			return err
		}, 0, "account-gone: password changed"},
		"lock": {func(c *admin.Client) error {
			_, err := c.SetDisabled(t.Context(), juliet, true)
			if err == nil {
				_, err = c.SetDisabled(t.Context(), juliet, false)
			}
			return err
		}, 0, "account-gone: "},
		"device": {func(c *admin.Client) error {
			all, err := c.Devices(t.Context(), juliet)
			if err != nil || len(all) != 1 || all[0].Software != "Dino" || all[0].Sessions != 1 || !all[0].Expires.IsZero() {
				t.Errorf("devices %+v, %v", all, err)
				return err
			}
			gone, err := c.RevokeDevice(t.Context(), juliet, all[0].ID)
			if len(gone) != 1 {
				t.Errorf("revoked %+v, %v", gone, err)
			}
			return err
		}, 1, "kicked: its device was revoked"},
		"deletion": {func(c *admin.Client) error { return c.DeleteUser(t.Context(), juliet) }, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := settings(folder(t))
			asleep(t, cfg)
			offline(t, cfg, func(c *admin.Client) {
				if err := x.change(c); err != nil {
					t.Error(err)
				}
			})
			for range 2 { // once obeyed it is over
				n, said := restored(t, cfg)
				if n != x.left || x.cause != "" && !strings.Contains(said, x.cause) {
					t.Errorf("%d sessions, want %d with the cause %q; it said\n%s", n, x.left, x.cause, said)
				}
				x.cause = ""
			}
			if name == "deletion" {
				return
			}
			s, _ := start(t, cfg)
			again := login(t, s, "juliet", "desk")
			if err := again.Send("<presence/>"); err != nil {
				t.Fatal(err)
			}
			if name == "nothing" {
				return // the phone has it
			}
			if _, err := again.ExpectStanza(t.Context(), "<message id='owed' ...>...</message>", nil); err != nil {
				t.Errorf("what was owed: %v", err)
			}
		})
	}
}

// TestDeviceWithoutToken holds that a device that named itself and has no token is
// listed and revoked while the server runs, as it is by XEP-0494.
func TestDeviceWithoutToken(t *testing.T) {
	s, c := start(t, settings(folder(t)))
	add(t, c, "juliet@localhost")
	other := login(t, s, "juliet", "balcony")
	phone := dial(t, s)
	sasl2(t, phone, "PLAIN", "juliet", "correct horse", "<user-agent id='"+agentID+"'><software>Dino</software></user-agent><bind xmlns='urn:xmpp:bind:0'/>")
	must(t, phone, "<presence/>")
	all, err := c.Devices(t.Context(), "juliet@localhost")
	if err != nil || len(all) != 1 || all[0].Software != "Dino" || all[0].Sessions != 1 || !all[0].Expires.IsZero() {
		t.Fatalf("%+v, %v", all, err)
	}
	if gone, err := c.RevokeDevice(t.Context(), "juliet@localhost", all[0].ID); err != nil || len(gone) != 1 {
		t.Errorf("%+v, %v", gone, err)
	}
	if _, err := phone.WaitEnd(t.Context()); err != nil {
		t.Errorf("its session goes on: %v", err)
	}
	if _, err := c.RevokeDevice(t.Context(), "juliet@localhost", all[0].ID); err == nil || !strings.Contains(err.Error(), "no such device") {
		t.Errorf("once more: %v", err)
	}
	if err := other.Sync(t.Context()); err != nil {
		t.Errorf("another session: %v", err)
	}
}
