package sessionmgr

import (
	"context"
	"fmt"
	"testing"
)

// enable turns stream management on for a client and returns the id of its
// stream.
func (c *client) enable() string {
	c.h.t.Helper()
	var id string
	err := c.h.Enable(context.Background(), c.Session, c, true, 0, func(e Enabled) { id = e.ID })
	if err != nil {
		c.h.t.Fatal(err)
	}
	return id
}

// ack acknowledges h stanzas.
func (c *client) ack(h uint32) {
	c.h.t.Helper()
	c.h.Acknowledge(c.Session, c, h, func(sent uint32) { c.h.t.Errorf("%d were sent, not %d", sent, h) })
	c.h.settle()
}

// cut ends the client's connection.
func (c *client) cut() {
	c.h.t.Helper()
	c.h.settle()
	c.h.Closed(c.Session, c, Cause{Code: LinkLost})
}

// resume makes a client that resumes a stream of which it has h stanzas.
func (h *house) resume(account, id string, has uint32) (c *client, handled uint32, err error) {
	h.t.Helper()
	c = h.connect(account)
	err = h.Manager.Resume(context.Background(), c.Session, c, id, has, func(s *Session, n uint32) {
		c.Session, handled = s, n
	})
	h.FlushTouched()
	return c, handled, err
}

func (h *house) mustResume(account, id string, has uint32) *client {
	h.t.Helper()
	c, _, err := h.resume(account, id, has)
	if err != nil {
		h.t.Fatalf("resume: %v", err)
	}
	return c
}

func TestResumeDeliversWhatWasMissed(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	juliet := h.bind("juliet@verona.lit/balcony")
	id := juliet.enable()
	juliet.available(0)
	h.settle()
	for i := range 3 {
		romeo.send(fmt.Sprintf("<message to='juliet@verona.lit' type='chat'><body>n%d</body></message>", i))
	}
	juliet.want("n0", "n1", "n2")
	juliet.ack(1)
	juliet.cut()
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>n3</body></message>")
	again := h.mustResume("juliet@verona.lit", id, 2)
	again.want("n2", "n3")
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>n4</body></message>")
	again.want("n4")
	again.ack(5)
	again.cut()
	h.mustResume("juliet@verona.lit", id, 5).want()
}

// TestLeftByManySessions: a message was for several sessions; each ends without
// having acknowledged it. It is owed when the last has ended, once.
func TestLeftByManySessions(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	var all []*client
	for i := range 4 {
		c := h.bind(fmt.Sprintf("juliet@verona.lit/r%d", i))
		c.enable()
		c.available(0)
		c.cut()
		all = append(all, c)
	}
	last := h.bind("juliet@verona.lit/last")
	last.enable()
	last.available(0)
	h.settle()
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>for all</body></message>")
	last.want("for all")
	last.cut()
	h.Kick(all[0].Session, Cause{Code: Expired}, nil)
	h.Kick(last.Session, Cause{Code: Replaced}, nil)
	next := h.bind("juliet@verona.lit/last")
	next.enable()
	next.available(0)
	next.want()
	for _, c := range all[1:3] {
		h.Kick(c.Session, Cause{Code: Expired}, nil)
		next.want()
	}
	h.Kick(all[3].Session, Cause{Code: Expired}, nil)
	next.want("for all & <delay ")
}
