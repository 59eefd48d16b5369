package sessionmgr

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/jid"
	"weir/stanza"
	"weir/storage"
	"weir/storage/pebble"

	"github.com/cockroachdb/pebble/v2/vfs"
	"mellium.im/xmpp/stream"
)

// house is a manager on a store in memory, with accounts and clients.
type house struct {
	*Manager
	t     *testing.T
	store storage.Store
}

// people are the accounts that exist.
type people map[jid.JID]bool

func (p people) Exists(_ context.Context, bare jid.JID) (bool, error) {
	if bare.Local() == "trouble" {
		return false, fmt.Errorf("reading: %w", storage.ErrFailed)
	}
	return p[bare], nil
}

func newHouse(t *testing.T, change ...func(*Options)) *house {
	t.Helper()
	st, err := pebble.Open(pebble.Options{FS: vfs.NewMem(), Dir: "data"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return newHouseOn(t, st, change...)
}

func newHouseOn(t *testing.T, st storage.Store, change ...func(*Options)) *house {
	t.Helper()
	o := Options{Domains: []string{"verona.lit"}, Archive: ArchiveNever}
	for _, c := range change {
		c(&o)
	}
	all := people{}
	for _, name := range []string{"juliet", "romeo", "nurse", "tybalt"} {
		all[jid.MustParse(name+"@verona.lit")] = true
	}
	m, err := New(o, st, all)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{Manager: m, t: t, store: st}
	t.Cleanup(func() { m.Stop(context.Background()) })
	return h
}

// client is a session with a link that keeps what is appended.
type client struct {
	*Session
	h  *house
	mu sync.Mutex
	in []string // what was appended and not looked at
	// How many stanzas were appended, and how many of them written.
	appended, written int
	slow              bool // Flush writes nothing
	broken            bool // Append fails
	room              int  // stanzas until it breaks and writes nothing, 0 for no end
	goodbye           *stream.Error
	closed            bool
	flushed           chan struct{} // gets one for each write, if set
	dawdle            time.Duration // how long Waiting takes
}

var _ Link = (*client)(nil)

func (c *client) Append(st *stanza.Stanza) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken {
		return errors.New("broken")
	}
	if c.room > 0 {
		if c.room--; c.room == 0 {
			c.broken, c.slow = true, true
		}
	}
	c.in = append(c.in, string(st.AppendTo(nil)))
	c.appended++
	return nil
}

func (c *client) Flush() {
	c.mu.Lock()
	if c.slow || c.written == c.appended {
		c.mu.Unlock()
		return
	}
	c.written = c.appended
	c.mu.Unlock()
	if c.flushed != nil {
		c.flushed <- struct{}{}
	}
	c.h.Drained(c.Session)
}

func (c *client) WantDrain() {}

func (c *client) Waiting() int {
	time.Sleep(c.dawdle)
	c.mu.Lock()
	defer c.mu.Unlock()
	return 1000 * (c.appended - c.written) // more bytes than the least a stanza takes
}

func (c *client) Close(why *stream.Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.goodbye, c.closed = why, true
}

// wake lets a slow client read again.
func (c *client) wake() {
	c.mu.Lock()
	c.slow = false
	c.mu.Unlock()
	c.Flush()
}

// got returns what was received and forgets it.
func (c *client) got() []string {
	c.h.settle()
	c.mu.Lock()
	defer c.mu.Unlock()
	got := c.in
	c.in = nil
	return got
}

// settle waits until the manager has nothing under way. Work may make work, so
// it looks until nothing changes; a slow client's catching up is not waited for.
func (h *house) settle() {
	for quiet := false; !quiet; {
		h.FlushTouched()
		var b storage.Batch
		storage.NewKeyVal(h.store, "settle").Set(&b, "x", []byte("x"))
		done := make(chan struct{})
		h.Submit(Entry{Writes: b, Done: func(error) { close(done) }})
		<-done
		h.waitWork()
		h.inOrder(func() { quiet = h.pipe.idle() && h.work.busy() <= h.parked() })
		h.FlushTouched()
	}
}

// connect makes an authenticated session without a resource.
func (h *house) connect(account string) *client {
	h.t.Helper()
	c := &client{h: h}
	c.Session = h.Open(c, LinkInfo{Transport: "test"})
	h.StreamOpened(c.Session, "verona.lit")
	h.Authenticated(c.Session, jid.MustParse(account))
	return c
}

// bind makes a bound session; nothing of it is available yet.
func (h *house) bind(full string) *client {
	h.t.Helper()
	j := jid.MustParse(full)
	c := h.connect(j.Bare().String())
	if err := h.Bind(context.Background(), c.Session, j.Resource(), func(jid.JID) {}); err != nil {
		h.t.Fatalf("bind %s: %v", full, err)
	}
	return c
}

// online makes a session with a priority.
func (h *house) online(full string, priority int8) *client {
	h.t.Helper()
	c := h.bind(full)
	c.available(priority)
	c.got()
	return c
}

func (c *client) available(priority int8) {
	c.h.t.Helper()
	st, err := stanza.New(stanza.Presence, "", "", c.JID(), jid.JID{}, fmt.Appendf(nil, "<priority>%d</priority>", priority))
	if err != nil {
		c.h.t.Fatal(err)
	}
	c.SetPresence(st, priority)
}

// send gives a stanza of the client to the manager and waits until it is done.
func (c *client) send(xml string) {
	c.h.t.Helper()
	st, err := stanza.Parse([]byte(xml))
	if err != nil {
		c.h.t.Fatalf("%s: %v", xml, err)
	}
	done := make(chan struct{})
	if c.h.Inbound(c.Session, c, st.With(c.JID(), st.To), func() { close(done) }) {
		<-done
	}
	c.h.FlushTouched()
}

// want checks that exactly these came, each containing all the fragments that
// are separated by " & ".
func (c *client) want(fragments ...string) {
	c.h.t.Helper()
	got := c.got()
	if len(got) != len(fragments) {
		c.h.t.Fatalf("%s got %d stanzas, want %d:\n%s", c.JID(), len(got), len(fragments), strings.Join(got, "\n"))
	}
	for i, f := range fragments {
		for part := range strings.SplitSeq(f, " & ") {
			if !strings.Contains(got[i], part) {
				c.h.t.Errorf("%s: stanza %d is\n%s\nwithout %s", c.JID(), i, got[i], part)
			}
		}
	}
}

// waitWork waits until nobody works for the manager, besides those who wait for
// a slow client.
func (h *house) waitWork() {
	h.t.Helper()
	h.until(func() bool { return h.work.busy() <= h.parked() })
}

// until waits for something that goroutines under way will bring about.
func (h *house) until(done func() bool) {
	h.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			h.t.Fatal("it doesn't happen")
		}
		time.Sleep(100 * time.Microsecond)
	}
}

func (h *house) parked() (n int) {
	h.Range(func(s *Session) bool {
		s.mu.Lock()
		if s.drainAwaited() {
			n++
		}
		s.mu.Unlock()
		return true
	})
	return n
}
