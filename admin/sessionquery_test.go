package admin_test

import (
	"errors"
	"strings"
	"testing"

	"weir/admin"
)

// TestSessionQueries holds what is listed, counted and ended by each parameter.
func TestSessionQueries(t *testing.T) {
	s, c := start(t, settings(folder(t)))
	add(t, c, "juliet@localhost", "romeo@localhost")
	juliet := login(t, s, "juliet", "balcony")
	login(t, s, "romeo", "orchard")
	hers, err := c.Sessions(t.Context(), "juliet@localhost")
	if err != nil || len(hers) != 1 {
		t.Fatal(hers, err)
	}
	for _, q := range []struct {
		q    admin.SessionQuery
		want int
	}{
		{admin.SessionQuery{}, 2},
		{admin.SessionQuery{State: "any"}, 2},
		{admin.SessionQuery{State: "c2s"}, 2},
		{admin.SessionQuery{State: "hibernating"}, 0},
		{admin.SessionQuery{State: "available"}, 0},
		{admin.SessionQuery{Account: "Romeo@localhost"}, 1},
		{admin.SessionQuery{Host: "localhost", Transport: "tcp", Listener: "c2s-insecure"}, 2},
		{admin.SessionQuery{Host: "LOCALHOST"}, 2},
		{admin.SessionQuery{Listener: "c2s-tls"}, 0},
		{admin.SessionQuery{Address: "::ffff:127.0.0.0/104"}, 2},
		{admin.SessionQuery{Address: "127.0.0.1"}, 2},
		{admin.SessionQuery{Address: "127.0.0.0/8"}, 2},
		{admin.SessionQuery{Address: "192.0.2.0/24"}, 0},
		{admin.SessionQuery{Address: hers[0].Remote}, 1},
		{admin.SessionQuery{Address: "127.0.0.1:1"}, 0},
		{admin.SessionQuery{Mechanism: "X"}, 0},
		{admin.SessionQuery{Device: "x"}, 0},
		{admin.SessionQuery{Software: "x"}, 0},
	} {
		all, err := c.SessionsOf(t.Context(), q.q)
		n, err2 := c.CountSessions(t.Context(), q.q)
		if err != nil || err2 != nil || len(all) != q.want || n != q.want {
			t.Errorf("%+v: %d listed, %d counted, want %d; %v %v", q.q, len(all), n, q.want, err, err2)
		}
	}
	for _, q := range []admin.SessionQuery{{State: "asleep"}, {Account: "@"}, {Account: "juliet@localhost/balcony"}, {Host: "@"}, {Address: "nowhere"}, {Address: "192.0.2.0/99"}} {
		var no *admin.Failed
		if n, err := c.KickAll(t.Context(), q, ""); !errors.As(err, &no) || no.Status != 400 || strings.Contains(no.Text, "sessionmgr") {
			t.Errorf("%+v ended %d, %v", q, n, err)
		}
	}
	if n, err := c.KickAll(t.Context(), admin.SessionQuery{}, "all of you"); err == nil || !strings.Contains(err.Error(), "state=any") {
		t.Errorf("an empty query ended %d, %v", n, err)
	}
	if n, err := c.KickAll(t.Context(), admin.SessionQuery{Account: "juliet@localhost"}, "go home"); n != 1 || err != nil {
		t.Errorf("%d ended, %v", n, err)
	}
	last, _ := juliet.WaitEnd(t.Context())
	if len(last) == 0 || !strings.Contains(last[len(last)-1].String(), "go home") {
		t.Errorf("juliet was told %v", last)
	}
	if n, err := c.CountSessions(t.Context(), admin.SessionQuery{}); n != 1 || err != nil {
		t.Errorf("%d left, %v", n, err)
	}
}
