package admin_test

import (
	"errors"
	"strings"
	"testing"

	"weir/admin"
	"weir/integration/testclient"
	"weir/sessionmgr"
)

// TestSessions holds that sessions are listed, shown by id and by full JID, and
// ended with the text given.
func TestSessions(t *testing.T) {
	s, c := start(t, settings(folder(t)))
	add(t, c, "juliet@localhost", "romeo@localhost")
	login(t, s, "romeo", "orchard")
	juliet := login(t, s, "juliet", "balcony")
	login(t, s, "juliet", "my chamber/50%")
	if err := juliet.Send("<presence><priority>7</priority></presence>"); err != nil {
		t.Fatal(err)
	}
	if err := juliet.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}

	all, err := c.Sessions(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var jids []string
	for _, d := range all {
		jids = append(jids, d.JID)
	}
	if got, want := strings.Join(jids, ","), "juliet@localhost/balcony,juliet@localhost/my chamber/50%,romeo@localhost/orchard"; got != want {
		t.Fatalf("sessions of %s, want %s", got, want)
	}
	if d := all[0]; d.State != "c2s" || !d.Available || d.Priority != 7 || d.Remote == "" || d.Mechanism == "" || d.Listener != "c2s-insecure" {
		t.Errorf("juliet's session is %+v", d)
	}
	if st, err := c.Status(t.Context()); err != nil || st.Sessions["c2s"] != 3 || st.Store != "ok" || st.Listeners["c2s-insecure"] == "" {
		t.Errorf("status %+v, %v", st, err)
	}
	of, err := c.Sessions(t.Context(), "Juliet@LOCALHOST")
	if err != nil || len(of) != 2 {
		t.Errorf("%d sessions of juliet, want 2; %v", len(of), err)
	}
	for _, d := range all {
		for _, name := range []string{d.ID, d.JID} {
			if got, err := c.Session(t.Context(), name); err != nil || got.ID != d.ID {
				t.Errorf("%q is %+v, %v", name, got, err)
			}
		}
	}

	d, err := c.Kick(t.Context(), "juliet@localhost/balcony", "too late & <bold>")
	if err != nil || d.State != "c2s_destroyed" || d.Cause != "kicked: too late & <bold>" {
		t.Errorf("kicked: %+v, %v", d, err)
	}
	last, err := juliet.WaitEnd(t.Context())
	if !errors.Is(err, nil) && !errors.Is(err, testclient.ErrStreamEnd) {
		t.Fatal(err)
	}
	if text := last[len(last)-1].String(); !strings.Contains(text, "policy-violation") || !strings.Contains(text, "too late &amp; &lt;bold") {
		t.Errorf("juliet was told %s", text)
	}
	if all, err := c.Sessions(t.Context(), ""); err != nil || len(all) != 2 {
		t.Errorf("%d sessions after the kick, %v", len(all), err)
	}
	for _, name := range []string{d.ID, "juliet@localhost/balcony", "nobody", "a/b/c", "%"} {
		var no *admin.Failed
		if _, err := c.Kick(t.Context(), name, ""); !errors.As(err, &no) || no.Status != 404 || !strings.Contains(no.Text, "weir session list") {
			t.Errorf("kicking %q: %v", name, err)
		}
	}
}

// TestAccountsEnd holds that what happens to an account ends its sessions.
func TestAccountsEnd(t *testing.T) {
	s, c := start(t, settings(folder(t)))
	for name, change := range map[string]func(jid string) error{
		"disabled": func(j string) error { _, err := c.SetDisabled(t.Context(), j, true); return err },
		"deleted":  func(j string) error { return c.DeleteUser(t.Context(), j) },
		"password": func(j string) error { _, err := c.SetPassword(t.Context(), j, "another horse"); return err },
	} {
		add(t, c, name+"@localhost")
		x := login(t, s, name, "r")
		if err := change(name + "@localhost"); err != nil {
			t.Fatal(err)
		}
		last, _ := x.WaitEnd(t.Context())
		if len(last) == 0 || !strings.Contains(last[len(last)-1].String(), "not-authorized") {
			t.Errorf("%s: the session's stream ended with %v", name, last)
		}
	}
	if all, err := c.Sessions(t.Context(), ""); err != nil || len(all) != 0 {
		t.Errorf("%d sessions left, %v", len(all), err)
	}
}

// TestSleepingSessions holds what is told of a session that hibernates, before
// and after the server was restarted.
func TestSleepingSessions(t *testing.T) {
	cfg := settings(folder(t))
	s, c := start(t, cfg)
	add(t, c, "juliet@localhost", "romeo@localhost")
	juliet := login(t, s, "juliet", "balcony")
	if err := juliet.Send("<enable xmlns='urn:xmpp:sm:3' resume='true' max='120'/>"); err != nil {
		t.Fatal(err)
	}
	if _, err := juliet.Expect(t.Context(), "<enabled xmlns='urn:xmpp:sm:3' resume='true' max='120' .../>", nil); err != nil {
		t.Fatal(err)
	}
	if err := juliet.Send("<presence/>"); err != nil {
		t.Fatal(err)
	}
	if err := juliet.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	d, err := c.Session(t.Context(), "juliet@localhost/balcony")
	if err != nil || d.Acks == nil || !d.Acks.Resumable || d.Acks.Keep != 120 || d.Acks.Source != sessionmgr.Live || d.Queue == nil {
		t.Fatalf("%+v %+v, %v", d, d.Acks, err)
	}
	if err := juliet.Cut(); err != nil {
		t.Fatal(err)
	}
	for d.State != "c2s_hibernating" {
		if d, err = c.Session(t.Context(), d.ID); err != nil {
			t.Fatal(err)
		}
	}
	romeo := login(t, s, "romeo", "orchard")
	if err := romeo.Send("<message to='juliet@localhost' type='chat'><body>hark</body></message>"); err != nil {
		t.Fatal(err)
	}
	if err := romeo.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d, err = c.Session(t.Context(), d.ID); err != nil || d.Queue.Messages != 1 || d.Acks.WaitsFor != sessionmgr.WaitsResumption ||
		d.Acks.Expires.Sub(d.Acks.Hibernating).Seconds() != 120 {
		t.Errorf("%+v %+v, %v", d.Acks, d.Queue, err)
	}
	if st, err := c.Status(t.Context()); err != nil || st.Sessions["c2s_hibernating"] != 1 {
		t.Errorf("status %+v, %v", st, err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Close()
	cfg.Storage.FS = s.Config.Storage.FS
	_, c = start(t, cfg)
	all, err := c.Sessions(t.Context(), "")
	if err != nil || len(all) != 1 || all[0].ID != d.ID || all[0].State != "c2s_hibernating" || !all[0].Acks.Restored || all[0].Queue != nil {
		t.Fatalf("after a restart %+v, %v", all, err)
	}
	if d, err = c.Session(t.Context(), d.ID); err != nil || d.Queue.Messages != 1 || d.Remote != "" {
		t.Errorf("after a restart %+v %+v, %v", d, d.Queue, err)
	}
}
