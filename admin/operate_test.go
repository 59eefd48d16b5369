package admin_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/admin"
	"weir/config"
	"weir/hook"
	"weir/integration/testclient"
	"weir/sessionmgr"
)

// TestHooks holds that handlers are listed with what they did.
func TestHooks(t *testing.T) {
	s, c := start(t, settings(folder(t)))
	add(t, c, "juliet@localhost")
	s.Sessions.Hooks.Bound.Add("mine", hook.Early, func(context.Context, *sessionmgr.Session) {})
	s.Sessions.Hooks.PresenceChanged.Add("faulty", hook.Late, func(context.Context, sessionmgr.PresenceChange) { panic("oh") })
	juliet := login(t, s, "juliet", "balcony")
	if err := juliet.Send("<presence/>"); err != nil {
		t.Fatal(err)
	}
	if err := juliet.WaitGone(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := c.Hooks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	find := func(point, name string) hook.Info {
		for _, l := range all {
			for _, h := range l.Handlers {
				if l.Point == point && h.Name == name {
					return h
				}
			}
		}
		t.Errorf("no %s at %s", name, point)
		return hook.Info{}
	}
	if h := find("sessionmgr.Bound", "mine"); h.Calls != 1 || h.Timed != 1 || h.Order != hook.Early {
		t.Errorf("%+v", h)
	}
	if h := find("sessionmgr.PresenceChanged", "faulty"); h.Calls != 1 || h.Panics != 1 || h.Order != hook.Late {
		t.Errorf("%+v", h)
	}
	if len(all) < 25 {
		t.Errorf("only %d points", len(all))
	}
}

// TestReload holds what a reload changes, what it leaves and names, and that a
// mistake changes nothing.
func TestReload(t *testing.T) {
	dir := folder(t)
	file := filepath.Join(dir, "weir.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	cfg := settings(dir)
	s, c := start(t, cfg, func(s *weir.Server) {
		s.Load = func() (config.Config, error) {
			read, err := config.Load(config.Source{File: file})
			now := cfg
			now.Session, now.Roster, now.Stream, now.Policy = read.Session, read.Roster, read.Stream, read.Policy
			return now, err
		}
	})
	add(t, c, "juliet@localhost")
	login(t, s, "juliet", "balcony")
	reload := func(changed, restart string) {
		t.Helper()
		r, err := c.Reload(t.Context())
		if err != nil || strings.Join(r.Changed, " ") != changed || strings.Join(r.Restart, " ") != restart {
			t.Errorf("changed %v, restart %v, %v; want %q, %q", r.Changed, r.Restart, err, changed, restart)
		}
	}
	reload("", "")
	write("[session]\nmax_sessions = 1\nconflict = \"refuse\"\n[stream]\nstanza_bytes = \"20 KiB\"\n[roster]\nmax_items = 3\n")
	reload("stream.stanza_bytes session.max_sessions", "session.conflict roster.max_items")
	reload("", "session.conflict roster.max_items")
	x := loginFails(t, s, "juliet", "chamber")
	if !strings.Contains(x, "resource-constraint") {
		t.Errorf("a second session, where one is allowed since: %s", x)
	}
	write("[session]\nmax_sessions = 5\n[stream]\nstanza_byte = 3\n")
	_, err := c.Reload(t.Context())
	var no *admin.Failed
	if !errors.As(err, &no) || no.Status != 422 || !strings.Contains(no.Text, file+":4:1: unknown key stanza_byte in [stream]") {
		t.Errorf("a mistake: %v", err)
	}
	if x := loginFails(t, s, "juliet", "chamber"); !strings.Contains(x, "resource-constraint") {
		t.Errorf("a file with a mistake has changed something: %s", x)
	}
	write("")
	reload("stream.stanza_bytes session.max_sessions", "")
	login(t, s, "juliet", "chamber")
	// What was set on the socket ends with a reload, which says so.
	if _, err := c.SetPolicies(t.Context(), admin.PolicyChange{Classes: []string{"phone software=x"}, Rules: []string{"single"}}); err != nil {
		t.Fatal(err)
	}
	reload("policy.classes policy.rules", "")
	reload("", "")
}

// TestStop: who asks for a stop hears how it goes, and of its end when the store is
// closed.
func TestStop(t *testing.T) {
	drained := make(chan time.Duration, 1)
	s, c := start(t, settings(folder(t)), func(s *weir.Server) { s.OnStop = func(d time.Duration) { drained <- d } })
	add(t, c, "juliet@localhost")
	login(t, s, "juliet", "balcony")
	var states []string
	done := make(chan error, 1)
	go func() {
		done <- c.Stop(t.Context(), time.Minute, func(x admin.Stopping) { states = append(states, x.State) })
	}()
	if d := <-drained; d != time.Minute {
		t.Errorf("drain for %v", d)
	}
	if left := s.Drain(t.Context()); left != 0 {
		t.Errorf("%d sessions left", left)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil || !slices.Equal(states, []string{"draining", "stopping", "stopped"}) {
		t.Errorf("told %v, %v", states, err)
	}
}

// TestCantStop: a server in a program that doesn't offer it is not stopped; a
// wrong request neither.
func TestCantStop(t *testing.T) {
	s, c := start(t, settings(folder(t)))
	var no *admin.Failed
	if err := c.Stop(t.Context(), 0, nil); !errors.As(err, &no) || no.Status != 501 {
		t.Errorf("got %v", err)
	}
	if _, err := c.Reload(t.Context()); err != nil {
		t.Errorf("without a configuration to load: %v", err)
	}
	if s.Sessions.Stopping() {
		t.Error("it stops")
	}
}

// loginFails returns what a client is told that can't log in.
func loginFails(t *testing.T, s *weir.Server, user, resource string) string {
	t.Helper()
	x, err := testclient.Dial(t.Context(), testclient.Options{Addr: s.Addresses()[0].Addr})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Cut()
	if err := x.Login(t.Context(), user, "correct horse", resource); err != nil {
		return err.Error()
	}
	return "logged in"
}
