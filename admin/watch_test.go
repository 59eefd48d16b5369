package admin_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"weir/admin"
	"weir/hook"
)

// TestWatch holds what who watches an account is told, and that nothing is left at
// the hook points afterwards.
func TestWatch(t *testing.T) {
	s, c := start(t, settings(folder(t)))
	add(t, c, "juliet@localhost", "romeo@localhost")
	login(t, s, "juliet", "early")
	before := fmt.Sprint(handlers(s.HookPoints()))
	ready, told := make(chan struct{}), []admin.Event{}
	done := make(chan error, 1)
	go func() {
		done <- c.Watch(t.Context(), admin.SessionQuery{Account: "juliet@localhost"}, admin.WatchKinds, func(e admin.Event) bool {
			if e.Event == "watching" {
				close(ready)
			} else {
				told = append(told, e)
			}
			return e.Event != "closed"
		})
	}()
	<-ready
	login(t, s, "romeo", "orchard")
	loginFails(t, s, "romeo", "")
	juliet := login(t, s, "juliet", "balcony")
	if err := juliet.Send("<presence><priority>7</priority></presence><message to='juliet@localhost/early' type='chat'><body>secret</body></message>"); err != nil {
		t.Fatal(err)
	}
	if err := juliet.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Kick(t.Context(), "juliet@localhost/balcony", "late"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, e := range told {
		line := e.Event
		if e.Stanza != nil {
			line += " " + e.Stanza.Kind + " " + e.Stanza.Type
			if e.Stanza.XML != "" || e.Stanza.Bytes == 0 {
				t.Errorf("%+v", e.Stanza)
			}
		}
		if e.Available != nil {
			line += fmt.Sprint(" ", *e.Available, " ", *e.Priority)
		}
		if e.Cause != "" {
			line += " " + e.Cause
		}
		text = append(text, line)
	}
	all := strings.Join(text, "; ")
	for _, want := range []string{"present false 0; logged in; bound; ", "in presence ; ", "presence true 7; priority true 7; ", "in message chat; out message chat; ", "; closed kicked: late"} {
		if !strings.Contains(all, want) {
			t.Errorf("not %q in\n%s", want, all)
		}
	}
	for end := 0; fmt.Sprint(handlers(s.HookPoints())) != before; end++ {
		if _, err := c.Hooks(t.Context()); err != nil { // the watcher's request ends beside
			t.Fatal(err)
		}
		if end > 10_000 {
			t.Fatalf("left at the points: %v", handlers(s.HookPoints()))
		}
	}
}

// handlers are the names of all that are registered.
func handlers(all []hook.Listing) (names []string) {
	for _, l := range all {
		for _, h := range l.Handlers {
			names = append(names, l.Point+" "+h.Name)
		}
	}
	return names
}

// TestSlowWatcher: one who doesn't read holds nobody up, and hears what it missed.
func TestSlowWatcher(t *testing.T) {
	dir := folder(t)
	cfg := settings(dir)
	cfg.Stream.ByteRate, cfg.Stream.StanzaRate = 0, 0
	s, c := start(t, cfg)
	add(t, c, "juliet@localhost")
	conn, err := net.Dial("unix", filepath.Join(dir, admin.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprint(conn, "GET /v1/watch?stanzas=full HTTP/1.1\r\nHost: weir\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 64)); err != nil {
		t.Fatal(err)
	}
	juliet := login(t, s, "juliet", "balcony")
	big := strings.Repeat("x", 8000)
	for range 1500 { // more than the queue and the socket take
		if err := juliet.Send("<message to='juliet@localhost/nowhere' type='headline'><body>" + big + "</body></message>"); err != nil {
			t.Fatal(err)
		}
	}
	if err := juliet.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	buf := make([]byte, 1<<16)
	for !strings.Contains(text.String(), `"event":"missed"`) {
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if text.Len() > 1<<20 { // the end of it is enough
			rest := text.String()[text.Len()-100:]
			text.Reset()
			text.WriteString(rest)
		}
		text.Write(buf[:n])
	}
}

// TestWatchersAreBounded: in number, and by what they may ask; a stop ends them.
func TestWatchersAreBounded(t *testing.T) {
	s, c := start(t, settings(folder(t)))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ends := make(chan error, 4)
	last := make(chan string, 4)
	for range 4 {
		ready := make(chan struct{})
		go func() {
			var e admin.Event
			ends <- c.Watch(ctx, admin.SessionQuery{}, admin.WatchNone, func(x admin.Event) bool {
				if e = x; e.Event == "watching" {
					close(ready)
				} else {
					last <- e.Event
				}
				return true
			})
		}()
		<-ready
	}
	for want, q := range map[string]admin.SessionQuery{"429": {}, "leave state out": {State: "bound"}} {
		err := c.Watch(ctx, q, admin.WatchNone, func(admin.Event) bool { return true })
		var no *admin.Failed
		if !errors.As(err, &no) || !strings.Contains(fmt.Sprint(no.Status, no.Text), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err := c.Watch(ctx, admin.SessionQuery{}, "everything", nil); err == nil || !strings.Contains(err.Error(), "kinds, masked and full") {
		t.Errorf("got %v", err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if err, e := <-ends, <-last; err != nil || e != "end" {
			t.Errorf("ended with %q, %v", e, err)
		}
	}
}
