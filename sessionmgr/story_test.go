package sessionmgr

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/jid"
	"weir/stanza"
)

// told returns a story without its times, in one line.
func (st Story) told() string {
	var parts []string
	for _, x := range st.Steps {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s: %s %s", x.State, x.What, x.Cause)))
	}
	return strings.Join(parts, "; ")
}

// TestExplain follows a session through its states, and past its end.
func TestExplain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		juliet := h.bind("juliet@verona.lit/balcony")
		id := juliet.enable()
		time.Sleep(time.Minute)
		juliet.cut()
		time.Sleep(time.Minute)
		juliet = h.mustResume("juliet@verona.lit", id, 0)
		want := "c2s_unauthed: connection accepted; c2s_unauthed: stream opened; c2s_unbound: logged in; c2s: resource bound; " +
			"c2s_hibernating: connection lost link-lost; c2s: resumed"
		st, ok := h.Explain(juliet.ID())
		if !ok || st.told() != want || st.Session.State != "c2s" {
			t.Errorf("told %q", st.told())
		}
		if gap := st.Steps[5].At.Sub(st.Steps[4].At); gap != time.Minute {
			t.Errorf("it was away for %v", gap)
		}
		h.Kick(juliet.Session, Cause{Kicked, "late"}, nil)
		want += "; c2s_destroyed: ended kicked: late"
		if st, ok := h.Explain(juliet.ID()); !ok || st.told() != want || st.Session.Cause != "kicked: late" || st.Session.State != "c2s_destroyed" {
			t.Errorf("told %q of %+v", st.told(), st.Session)
		}
		if st, ok := h.ExplainJID(juliet.JID()); !ok || st.Session.ID != juliet.ID() {
			t.Errorf("the last with that address is %+v", st.Session)
		}
		if st, ok := h.Explain("nobody"); ok {
			t.Errorf("nobody is %+v", st.Session)
		}
	})
}

// TestExplainFallsBack: a session whose client could not resume another says so, and why.
func TestExplainFallsBack(t *testing.T) {
	h := newHouse(t)
	before := h.bind("juliet@verona.lit/balcony")
	id := before.enable()
	before.send("<message to='romeo@verona.lit' type='chat'><body>hi</body></message>")
	before.cut()
	for _, x := range []struct {
		id   string
		has  uint32
		want string
	}{
		{"nonsense", 0, "there is none by that id, or no more"},
		{id, 99, "its client says it has more than the 0 stanzas that it was sent"},
		{"", 0, "that has ended, with 1 stanzas of the client handled"}, // see below
	} {
		if x.id == "" {
			h.Kick(before.Session, Cause{Kicked, "late"}, nil)
			h.settle()
			x.id = id
		}
		c, _, err := h.resume("juliet@verona.lit", x.id, x.has)
		if err == nil {
			t.Fatalf("%s was resumed", x.id)
		}
		if err := h.Bind(t.Context(), c.Session, "street", func(jid.JID) {}); err != nil {
			t.Fatal(err)
		}
		st, _ := h.Explain(c.ID())
		if want := "c2s_unbound: logged in; c2s_unbound: could not resume an earlier session: " + x.want + "; c2s: resource bound"; !strings.HasSuffix(st.told(), want) {
			t.Errorf("told %q, want %q", st.told(), want)
		}
		for i := range st.Steps[1:] {
			if st.Steps[i+1].At.Before(st.Steps[i].At) {
				t.Errorf("out of order: %+v", st.Steps)
			}
		}
		h.Kick(c.Session, Cause{Kicked, ""}, nil)
	}
}

// TestExplainRefusals: a login that failed, a binding that was refused and one that had
// to wait are in the story, in order and bounded.
func TestExplainRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		h := newHouse(t, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		h.rules("single")
		c := &client{h: h}
		c.Session = h.Open(c, LinkInfo{})
		h.StreamOpened(c.Session, "verona.lit")
		time.Sleep(time.Second)
		c.LoginFailed("SCRAM-SHA-256", "the password is wrong")
		h.Authenticated(c.Session, jid.MustParse(juliet))
		if err := h.Bind(t.Context(), c.Session, "\x00", func(jid.JID) {}); err == nil {
			t.Fatal("it was bound")
		}
		h.fight(loopTurns, time.Second, func(int, *client) string { return "x" })
		if err := h.Bind(t.Context(), c.Session, "y", func(jid.JID) {}); err != nil {
			t.Fatal(err)
		}
		st, _ := h.Explain(c.ID())
		told := st.told()
		for _, want := range []string{
			"stream opened; c2s_unauthed: login by SCRAM-SHA-256 failed: the password is wrong; c2s_unbound: logged in; c2s_unbound: binding refused: bad-request, ",
			"; c2s_unbound: waits 1s with its binding: sessions of the account have replaced each other 5 times, the last was ",
		} {
			if !strings.Contains(told, want) {
				t.Errorf("no %q in %q", want, told)
			}
		}
		if !strings.HasSuffix(told, "; c2s: resource bound") {
			t.Errorf("told %q", told)
		}
		for i := range st.Steps[1:] {
			if st.Steps[i+1].At.Before(st.Steps[i].At) {
				t.Errorf("out of order: %+v", st.Steps)
			}
		}
		h.rules("single-refuse")
		late := h.connect(juliet)
		if err := h.Bind(t.Context(), late.Session, "z", func(jid.JID) {}); err == nil {
			t.Fatal("it was bound")
		}
		if st, _ := h.Explain(late.ID()); !strings.Contains(st.told(), "c2s_unbound: binding refused: ") {
			t.Errorf("told %q", st.told())
		}
		for range 3 * maxEarly {
			late.LoginFailed(strings.Repeat("X", 1000), strings.Repeat("ä", 1000))
		}
		st, _ = h.Explain(late.ID())
		if n := len(st.Steps); n != 3+maxEarly || len(st.Steps[n-1].What) > 3*maxReason {
			t.Errorf("%d steps, the last is %q", n, st.Steps[n-1].What)
		}
		h.Kick(c.Session, Cause{Kicked, "late"}, nil)
		if !strings.Contains(log.String(), "session kicked") || !strings.Contains(log.String(), "kicked: late") {
			t.Errorf("nothing of the kick in\n%s", &log)
		}
	})
}

// TestLogOfHibernating: the end of a session that has no stream is in the log.
func TestLogOfHibernating(t *testing.T) {
	var log bytes.Buffer
	h := newHouse(t, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	c := h.bind("juliet@verona.lit/balcony")
	c.enable()
	c.cut()
	h.bind("juliet@verona.lit/balcony")
	if n := strings.Count(log.String(), "hibernating session ended"); n != 1 || !strings.Contains(log.String(), c.ID()) {
		t.Errorf("told %d times in\n%s", n, &log)
	}
}

// TestClosedSessionsAreBounded: of sessions that ended the newest are known, and
// strangers push out strangers only.
func TestClosedSessionsAreBounded(t *testing.T) {
	h := newHouse(t)
	juliet := h.bind("juliet@verona.lit/balcony")
	h.Kick(juliet.Session, Cause{Kicked, ""}, nil)
	var first, last *client
	for i := range 2*closedUnknown + 1 {
		last = &client{h: h}
		last.Session = h.Open(last, LinkInfo{})
		h.Closed(last.Session, last, Cause{Code: LinkLost})
		if i == 0 {
			first = last
		}
	}
	for c, want := range map[*client]bool{juliet: true, first: false, last: true} {
		if _, ok := h.Explain(c.ID()); ok != want {
			t.Errorf("%s is known: %v, want %v", c.ID(), ok, want)
		}
	}
	if n := len(h.closed.unknown.list); n != closedUnknown {
		t.Errorf("%d strangers are known", n)
	}
}

// TestMarks: becoming interested and available is told among the other steps, what changes
// nothing isn't, and a client that can't make up its mind leaves its last changes.
func TestMarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		juliet := h.bind("juliet@verona.lit/balcony")
		if juliet.way.later != nil {
			t.Error("a client without presence has marks")
		}
		id := juliet.enable()
		available := func(priority int8) {
			juliet.SetPresence(&stanza.Stanza{Kind: stanza.Presence, From: juliet.JID()}, priority)
		}
		juliet.SetInterested()
		juliet.SetInterested()
		available(-128)
		available(-128)
		time.Sleep(time.Minute)
		juliet.cut()
		time.Sleep(time.Minute)
		juliet = h.mustResume("juliet@verona.lit", id, 0)
		available(127)
		time.Sleep(time.Minute)
		juliet.SetPresence(nil, 0)
		juliet.SetPresence(nil, 0)
		want := "c2s: resource bound; c2s: interested: has asked for its roster; c2s: available with priority -128; " +
			"c2s_hibernating: connection lost link-lost; c2s: resumed; c2s: priority 127; c2s: unavailable"
		st, _ := h.Explain(juliet.ID())
		if !strings.HasSuffix(st.told(), want) {
			t.Errorf("told %q", st.told())
		}
		if gap := st.Steps[len(st.Steps)-1].At.Sub(st.Steps[len(st.Steps)-2].At); gap != time.Minute {
			t.Errorf("it was available for %v", gap)
		}
		old := h.bind("juliet@verona.lit/old")
		old.created -= int64(100 * 24 * time.Hour) // more than milliseconds of 32 bits
		old.SetPresence(&stanza.Stanza{Kind: stanza.Presence, From: old.JID()}, 0)
		if st, _ := h.Explain(old.ID()); time.Since(st.Steps[len(st.Steps)-1].At).Abs() > time.Microsecond {
			t.Errorf("available at %v, it is %v", st.Steps[len(st.Steps)-1].At, time.Now())
		}
		for i := range 4 * maxMarks {
			available(int8(i))
		}
		st, _ = h.Explain(juliet.ID())
		if n := len(juliet.way.later.marks); n != maxMarks || st.Steps[len(st.Steps)-1].What != fmt.Sprintf("priority %d", 4*maxMarks-1) {
			t.Errorf("%d marks: %s", n, st.told())
		}
		h.Kick(juliet.Session, Cause{Kicked, "late"}, nil)
		if st, _ := h.Explain(juliet.ID()); !strings.HasSuffix(st.told(), "priority 63; c2s_destroyed: ended kicked: late") {
			t.Errorf("told %q", st.told())
		}
	})
}

// TestStepsAreBounded: a client that comes and goes leaves its last steps, and
// those of its beginning.
func TestStepsAreBounded(t *testing.T) {
	h := newHouse(t)
	juliet := h.bind("juliet@verona.lit/balcony")
	id := juliet.enable()
	for range maxSteps {
		juliet.cut()
		juliet = h.mustResume("juliet@verona.lit", id, 0)
	}
	st, _ := h.ExplainJID(jid.MustParse("juliet@verona.lit/balcony"))
	if n := len(st.Steps); n != 4+maxSteps || st.Steps[3].What != "resource bound" || st.Steps[n-1].What != "resumed" {
		t.Errorf("%d steps: %s", n, st.told())
	}
	if err := h.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	h = newHouseOn(t, h.store)
	if err := h.Restore(context.Background()); err != nil {
		t.Fatal(err)
	}
	if st, _ = h.ExplainJID(jid.MustParse("juliet@verona.lit/balcony")); st.told() != "c2s_unauthed: connection accepted; c2s_hibernating: restored by a new process" {
		t.Errorf("after a restart %q", st.told())
	}
}
