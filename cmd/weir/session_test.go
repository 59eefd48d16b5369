package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"weir/sessionmgr"
)

// TestShowSession holds how a session is shown that sleeps, and how one that is
// behind.
func TestShowSession(t *testing.T) {
	now := time.Date(2026, 5, 1, 8, 0, 0, 0, time.Local)
	d := sessionmgr.Description{
		ID: "7qk2c6xq3v5yh4s2", JID: "juliet@localhost/balcony", State: "c2s_hibernating", Available: true, Connected: now.Add(-time.Hour), LastActive: now.Add(-time.Hour),
		Software: "Gajim", DeviceName: "laptop", Device: "k3fw7hq2mzt5bnvd", TLS: "TLS 1.3", Remote: "192.0.2.1:50000",
		Acks: &sessionmgr.Acks{
			Resumable: true, Keep: 600, Hibernating: now.Add(-3 * time.Minute), Expires: now.Add(7 * time.Minute), Resumes: 2,
			Source: sessionmgr.FromLog, WaitsFor: sessionmgr.WaitsResumption, Handled: 4, Sent: 9, Acknowledged: 7, LastAck: now.Add(-4 * time.Minute), Unacked: 2,
		},
		Queue: &sessionmgr.Queue{Messages: 3, Bytes: 1200},
	}
	row := strings.Join(sessionRow(d, now), "|")
	if want := "7qk2c6xq3v5yh4s2|juliet@localhost/balcony|c2s_hibernating|available (0)|-|-|1h ago|1h ago|in 7m|Gajim / laptop k3fw7hq2mzt5bnvd"; row != want {
		t.Errorf("got  %s\nwant %s", row, want)
	}
	shown := func() string {
		var b strings.Builder
		if err := showSession(&b, d, now); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	all := func(lines ...string) {
		t.Helper()
		got := shown()
		for _, l := range lines {
			if !strings.Contains(got, l) {
				t.Errorf("no line %q in\n%s", l, got)
			}
		}
	}
	all("device               Gajim / laptop (k3fw7hq2mzt5bnvd)\n",
		"stream management    on, can be resumed for 10m\n",
		"hibernates since     2026-05-01 07:57:00 (3m ago)\n",
		"ends                 2026-05-01 08:07:00 (in 7m)\n",
		"resumed              2 times\n",
		"waits for            its client to resume it\n",
		"acknowledged by it   7 of 9 stanzas, last 4m ago\n",
		"from                 no connection; the last was 192.0.2.1:50000",
		"waiting in the log   3 messages, 1200 bytes\n")
	d.Unseen = true
	all("presence             available (0), contacts are told it isn't there\n")
	d.Acks.Restored, d.Remote, d.TLS = true, "", ""
	all("restored ", "no connection since the server started", "7 of an unknown number of stanzas")
	d.Attributes = []sessionmgr.Attribute{
		{Name: "lunch.order", Lifetime: "account", Value: []byte(`"pasta"`)}, {Name: "lunch.talk", Lifetime: "session"},
		{Name: "old.key", Lifetime: "account", Problem: "no module has this key"}, {Name: "x.long", Lifetime: "process", Value: bytes.Repeat([]byte("1"), 201)},
		{Name: "x.object", Lifetime: "session", Value: []byte("{\n\t\"a\": 1\n}"), Expires: now.Add(5 * time.Minute)},
	}
	all("attribute lunch.order  \"pasta\" (account)\n", "attribute lunch.talk   its module's alone (session)\n",
		"attribute old.key      not in force: no module has this key (account)\n", "attribute x.long       "+strings.Repeat("1", 200)+"… (process)\n")
	all("attribute x.object     {\"a\":1} (session, expires in 5m)\n")
	d.Acks, d.Queue, d.Attributes = nil, nil, nil
	all("stream management    off\n", "TLS                  none: this connection can be read on its way\n")
	d.State, d.Transport, d.Listener = "c2s", "virtual", "virtual"
	all("TLS                  -\n", "from                 this server: a function, no connection\n")
}
