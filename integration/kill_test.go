package integration_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"weir/integration/testclient"
	"weir/integration/testserver"
)

// sender writes numbered messages to juliet and notes which of them the server
// must have: those in front of a ping that it answered.
type sender struct {
	name string
	next int          // number of the next message
	owed map[int]bool // numbers that the server has handled
}

// write sends batches and a ping behind each until stop, or until the connection breaks.
func (s *sender) write(t *testing.T, c *testclient.Client, stop *atomic.Bool) {
	for !stop.Load() {
		from := s.next
		for range 10 {
			s.next++
			err := c.Send(fmt.Sprintf("<message to='juliet@localhost' type='chat' id='%s %d'><body>x</body></message>", s.name, s.next-1))
			if err != nil {
				return
			}
		}
		if c.Sync(t.Context()) != nil {
			return
		}
		for n := from; n < s.next; n++ {
			s.owed[n] = true
		}
	}
}

// TestKillWhileStoring kills the server (SIGKILL) while several senders write to
// somebody who is away, starts it again, and so on, and logs that one in: each
// sender's messages come in their order, once, and none is missing that the
// server had handled.
func TestKillWhileStoring(t *testing.T) {
	s := startServer(t)
	senders := []*sender{{name: "romeo"}, {name: "nurse"}, {name: "mercutio"}}
	for _, x := range senders {
		x.owed = map[int]bool{}
	}
	for range 3 {
		var wg sync.WaitGroup
		var stop atomic.Bool
		for _, x := range senders {
			c := enter(t, s, x.name, "")
			wg.Go(func() { x.write(t, c, &stop) })
		}
		witness := enter(t, s, "nurse", "witness")
		for range 20 { // long enough for some batches, however slow the machine
			if err := witness.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		s.Kill()
		stop.Store(true)
		wg.Wait()
		s.Again()
	}
	came := collect(t, s)
	for _, x := range senders {
		if len(x.owed) == 0 {
			t.Errorf("%s: nothing was handled: the test proves nothing", x.name)
		}
		for n := range x.owed {
			if !came[fmt.Sprint(x.name, " ", n)] {
				t.Errorf("%s %d was handled and is lost", x.name, n)
			}
		}
		t.Logf("%s sent %d, of which %d were handled for sure", x.name, x.next, len(x.owed))
	}
}

// collect logs juliet in and returns the ids of what she is given, up to a
// message that is sent after her login. Order and number are checked here.
func collect(t *testing.T, s *testserver.Server) map[string]bool {
	t.Helper()
	c := enter(t, s, "juliet", "balcony")
	if err := c.Send("<presence/>"); err != nil {
		t.Fatal(err)
	}
	fence := enter(t, s, "romeo", "fence")
	if err := fence.Send("<message to='juliet@localhost' type='chat' id='fence 0'><body>x</body></message>"); err != nil {
		t.Fatal(err)
	}
	came, last := map[string]bool{}, map[string]int{}
	for {
		e, err := c.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e.Name.Local != "message" {
			continue
		}
		name, number, _ := strings.Cut(e.Get("id"), " ")
		var n int
		if _, err := fmt.Sscan(number, &n); err != nil {
			t.Fatalf("a message that nobody sent: %s", e)
		}
		if name == "fence" {
			return came
		}
		if prev, seen := last[name]; seen && n <= prev {
			t.Errorf("%s %d came after %s %d", name, n, name, prev)
		}
		last[name] = n
		came[e.Get("id")] = true
	}
}
