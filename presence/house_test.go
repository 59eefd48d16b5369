package presence

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/hook"
	"weir/jid"
	"weir/roster"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/storage"
	"weir/storage/pebble"

	"github.com/cockroachdb/pebble/v2/vfs"
	"mellium.im/xmpp/stream"
)

// house is a manager with rosters and this package on a store in memory.
type house struct {
	*sessionmgr.Manager
	t       testing.TB
	disk    *vfs.MemFS
	store   storage.Store
	rosters *roster.Rosters
	h       *Handler
}

// everybody is an account here, but for strangers.
type everybody struct{}

func (everybody) Exists(_ context.Context, j jid.JID) (bool, error) {
	return j.Local() != "nobody", nil
}

func newHouse(t testing.TB, o Options) *house {
	t.Helper()
	return newHouseOn(t, vfs.NewCrashableMem(), o)
}

func newHouseOn(t testing.TB, disk *vfs.MemFS, o Options) *house {
	t.Helper()
	st, err := pebble.Open(pebble.Options{FS: disk, Dir: "data"})
	if err != nil {
		t.Fatal(err)
	}
	m, err := sessionmgr.New(sessionmgr.Options{Domains: []string{"example.com", "example.net"}, Hibernate: 24 * time.Hour}, st, everybody{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := roster.New(st, roster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(m, r, st, o)
	if err != nil {
		t.Fatal(err)
	}
	m.Hooks.PreBind.Add("test", hook.Normal, func(ctx context.Context, b *sessionmgr.PreBind) error {
		return r.Load(ctx, b.Account)
	})
	m.Hooks.Restored.Add("test", hook.Normal, func(ctx context.Context, s *sessionmgr.Session) {
		if err := r.Load(ctx, s.JID().Bare()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		st.Close() // waits for what is under way
		m.Stop(context.Background())
	})
	return &house{Manager: m, t: t, disk: disk, store: st, rosters: r, h: h}
}

// events drives user's roster; what it means for contact's is the test's affair.
func (h *house) events(user, contact string, events ...roster.Event) {
	h.t.Helper()
	u, c := jid.MustParse(user), jid.MustParse(contact)
	tx, err := h.rosters.Begin(context.Background(), u)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, e := range events {
		if _, err := tx.Apply(u, c, e, &stanza.Stanza{Kind: stanza.Presence, Type: "subscribe", From: c, To: u}); err != nil {
			h.t.Fatal(err)
		}
	}
	tx.Commit(func(w storage.Batch, settle func(error)) { settle(storage.Commit(context.Background(), h.store, &w)) })
}

// subscribe makes viewer a subscriber of target, in both rosters.
func (h *house) subscribe(viewer, target string) {
	h.t.Helper()
	h.events(viewer, target, roster.OutSubscribe, roster.InSubscribed)
	h.events(target, viewer, roster.InSubscribe, roster.OutSubscribed)
}

// unsubscribe ends that.
func (h *house) unsubscribe(viewer, target string) {
	h.events(viewer, target, roster.OutUnsubscribe)
	h.events(target, viewer, roster.InUnsubscribe)
}

// client is a session with a link that keeps what is appended.
type client struct {
	*sessionmgr.Session
	h       *house
	mu      sync.Mutex
	in      []string
	discard bool
}

func (c *client) Append(st *stanza.Stanza) error {
	if c.discard {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in = append(c.in, string(st.AppendTo(nil)))
	return nil
}

func (c *client) Flush()     {}
func (c *client) WantDrain() {}

func (c *client) Waiting() int        { return 0 }
func (c *client) Close(*stream.Error) {}
func (c *client) clear()              { c.got() }
func (c *client) end()                { c.h.Closed(c.Session, c, sessionmgr.Cause{Code: sessionmgr.LinkLost}) }

// bind makes a bound session that isn't available.
func (h *house) bind(full string) *client {
	h.t.Helper()
	j := jid.MustParse(full)
	c := &client{h: h}
	c.Session = h.Open(c, sessionmgr.LinkInfo{})
	h.StreamOpened(c.Session, j.Domain())
	h.Authenticated(c.Session, j.Bare())
	if err := h.Bind(context.Background(), c.Session, j.Resource(), func(jid.JID) {}); err != nil {
		h.t.Fatal(err)
	}
	return c
}

// online makes one that has sent initial presence.
func (h *house) online(full string) *client {
	h.t.Helper()
	c := h.bind(full)
	c.send("<presence/>")
	c.clear()
	return c
}

// send gives a stanza to the manager and waits until it was handled.
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
}

// settle waits until what was submitted has been released: presence waits for a
// commit where something else of its sessions does.
func (h *house) settle() {
	done := make(chan struct{})
	var w storage.Batch
	w.Put(storage.Key{Kind: storage.KindKeyVal, Table: "settle", Account: "x"}, nil)
	h.Submit(sessionmgr.Entry{Writes: w, Done: func(error) { close(done) }})
	<-done
}

func (c *client) got() []string {
	c.h.settle()
	c.mu.Lock()
	defer c.mu.Unlock()
	got := c.in
	c.in = nil
	return got
}

// want checks that exactly these came, each containing the fragments separated by " & ".
func (c *client) want(fragments ...string) {
	c.h.t.Helper()
	got := c.got()
	if len(got) != len(fragments) {
		c.h.t.Errorf("%s got %d stanzas, want %d:\n%s", c.JID(), len(got), len(fragments), strings.Join(got, "\n"))
		return
	}
	for i, f := range fragments {
		for part := range strings.SplitSeq(f, " & ") {
			if !strings.Contains(got[i], part) {
				c.h.t.Errorf("%s: stanza %d is\n%s\nwithout %s", c.JID(), i, got[i], part)
			}
		}
	}
}
