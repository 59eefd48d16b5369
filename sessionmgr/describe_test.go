package sessionmgr

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"weir/storage/pebble"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const hello = "<message to='juliet@verona.lit' type='chat'><body>hello</body></message>"

// told returns what is told about a client's session, without what differs from
// run to run.
func told(t *testing.T, c *client) string {
	t.Helper()
	c.h.settle()
	d := c.Describe()
	q, err := c.h.Waiting(context.Background(), c.Session)
	if err != nil {
		t.Fatal(err)
	}
	a := d.Acks
	if a == nil {
		return fmt.Sprintf("%s, %d in the log", d.State, q.Messages)
	}
	if hib := d.State == "c2s_hibernating"; hib != !a.Hibernating.IsZero() || hib && a.Expires.Sub(a.Hibernating) != time.Duration(a.Keep)*time.Second {
		t.Errorf("%s since %v until %v", d.State, a.Hibernating, a.Expires)
	}
	if (q.Bytes > 0) != (q.Messages > 0) || q.More {
		t.Errorf("queue %+v", q)
	}
	return fmt.Sprintf("%s %s, waits for %q, h %d+%d, acknowledged %d of %d, %d open, %d in the log, resumed %d, restored %v",
		d.State, a.Source, a.WaitsFor, a.Handled, a.Handling, a.Acknowledged, a.Sent, a.Unacked, q.Messages, a.Resumes, a.Restored)
}

// TestDescribeAcks follows a session through sleep, resumption and a restart of
// the server.
func TestDescribeAcks(t *testing.T) {
	st, err := pebble.Open(pebble.Options{FS: vfs.NewMem(), Dir: "data"})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	h := newHouseOn(t, st)
	expect := func(c *client, want string) {
		t.Helper()
		if got := told(t, c); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	romeo := h.online("romeo@verona.lit/orchard", 0)
	juliet := h.bind("juliet@verona.lit/balcony")
	expect(juliet, "c2s, 0 in the log")
	if node, err := os.Hostname(); err != nil || juliet.Describe().Node != node {
		t.Errorf("it is at %q, want %q; %v", juliet.Describe().Node, node, err)
	}
	id := juliet.enable()
	juliet.available(0)
	expect(juliet, `c2s live, waits for "", h 0+0, acknowledged 0 of 0, 0 open, 0 in the log, resumed 0, restored false`)
	if a := juliet.Describe().Acks; !a.Resumable || a.Keep != 600 || !a.LastAck.IsZero() {
		t.Errorf("after enabling: %+v", a)
	}
	romeo.send(hello)
	romeo.send(hello)
	juliet.send("<message to='nurse@verona.lit' type='chat'><body>hark</body></message>")
	expect(juliet, `c2s live, waits for "acknowledgement", h 1+0, acknowledged 0 of 2, 2 open, 0 in the log, resumed 0, restored false`)
	juliet.ack(1)
	expect(juliet, `c2s live, waits for "acknowledgement", h 1+0, acknowledged 1 of 2, 1 open, 0 in the log, resumed 0, restored false`)
	if a := juliet.Describe().Acks; a.LastAck.IsZero() {
		t.Error("no time of the last acknowledgement")
	}
	juliet.cut()
	romeo.send(hello)
	expect(juliet, `c2s_hibernating log, waits for "resumption", h 1+0, acknowledged 1 of 2, 1 open, 1 in the log, resumed 0, restored false`)
	juliet = h.mustResume("juliet@verona.lit", id, 1)
	expect(juliet, `c2s live, waits for "acknowledgement", h 1+0, acknowledged 1 of 3, 2 open, 0 in the log, resumed 1, restored false`)
	juliet.cut()
	romeo.send(hello)
	expect(juliet, `c2s_hibernating log, waits for "resumption", h 1+0, acknowledged 1 of 3, 2 open, 1 in the log, resumed 1, restored false`)

	if err := h.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	h = newHouseOn(t, st)
	if err := h.Restore(context.Background()); err != nil {
		t.Fatal(err)
	}
	juliet = &client{h: h, Session: h.ByJID(juliet.JID())}
	expect(juliet, `c2s_hibernating log, waits for "resumption", h 1+0, acknowledged 1 of 1, 0 open, 3 in the log, resumed 1, restored true`)
	juliet = h.mustResume("juliet@verona.lit", id, 3)
	expect(juliet, `c2s live, waits for "acknowledgement", h 1+0, acknowledged 3 of 4, 1 open, 0 in the log, resumed 2, restored false`)
}

// TestDescribeWhatIsOwed: what a session has taken over counts as its own.
func TestDescribeWhatIsOwed(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	for range 300 {
		romeo.send(hello)
	}
	juliet := h.bind("juliet@verona.lit/balcony")
	juliet.enable()
	juliet.slow = true
	juliet.available(0)
	h.until(func() bool { return juliet.Describe().Acks.Unacked > 0 })
	d := juliet.Describe()
	q, err := h.Waiting(context.Background(), juliet.Session)
	if err != nil || q.Messages+d.Acks.Unacked != 300 || q.Messages == 0 || d.Acks.Source != FromLog || d.Acks.WaitsFor != WaitsRoom {
		t.Errorf("%+v with %+v waiting, %v", d.Acks, q, err)
	}
	juliet.wake()
	h.until(func() bool { return juliet.Describe().Acks.Unacked == 300 })
	if q, err = h.Waiting(context.Background(), juliet.Session); err != nil || q.Messages != 0 {
		t.Errorf("%+v waiting at the end, %v", q, err)
	}
}
