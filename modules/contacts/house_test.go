package contacts

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"

	"weir/jid"
	"weir/presence"
	"weir/roster"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/storage"
	"weir/storage/pebble"

	"github.com/cockroachdb/pebble/v2/vfs"
	"mellium.im/xmpp/stream"
)

// house is a whole session layer on a store in memory.
type house struct {
	*sessionmgr.Manager
	t       testing.TB
	store   *store
	rosters *roster.Rosters
	module  *Module
}

// store can refuse commits and reads.
type store struct {
	storage.Store
	mu      sync.Mutex
	refuse  error
	noReads error
}

func (s *store) set(refuse, noReads error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse, s.noReads = refuse, noReads
}

func (s *store) Commit(b *storage.Batch, done func(error)) {
	s.mu.Lock()
	err := s.refuse
	s.mu.Unlock()
	if err != nil {
		go done(err)
		return
	}
	s.Store.Commit(b, done)
}

func (s *store) Scan(ctx context.Context, k storage.Key, fn func(string, []byte) bool) error {
	s.mu.Lock()
	err := s.noReads
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.Store.Scan(ctx, k, fn)
}

// accounts says who exists: everybody whose name doesn't begin with "no".
type accounts struct{}

func (accounts) Exists(_ context.Context, j jid.JID) (bool, error) {
	if j.Local() == "trouble" {
		return false, errors.New("accounts can't be read")
	}
	return !strings.HasPrefix(j.Local(), "no"), nil
}

// newHouse makes one; the RFC's example.com and example.net are both local.
func newHouse(t testing.TB, limits roster.Options, o Options) *house {
	t.Helper()
	db, err := pebble.Open(pebble.Options{FS: vfs.NewMem(), Dir: "data"})
	if err != nil {
		t.Fatal(err)
	}
	st := &store{Store: db}
	m, err := sessionmgr.New(sessionmgr.Options{Domains: []string{"example.com", "example.net"}, MaxSessions: 100}, st, accounts{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := roster.New(st, limits)
	if err != nil {
		t.Fatal(err)
	}
	p, err := presence.New(m, r, st, presence.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(m, r, p, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		db.Close() // waits for what is under way
		m.Stop(context.Background())
	})
	return &house{Manager: m, t: t, store: st, rosters: r, module: c}
}

// client is a session with a link that keeps what is appended.
type client struct {
	*sessionmgr.Session
	h      *house
	mu     sync.Mutex
	in     []string
	busy   int // looks at Waiting that find much
	looked func()
}

func (c *client) Append(st *stanza.Stanza) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in = append(c.in, string(st.AppendTo(nil)))
	return nil
}

func (c *client) Flush()              {}
func (c *client) Close(*stream.Error) {}

func (c *client) WantDrain() {}

func (c *client) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.looked != nil {
		c.looked()
	}
	if c.busy == 0 {
		return 0
	}
	c.busy--
	return 1 << 20
}
func (c *client) end() { c.h.Closed(c.Session, c, sessionmgr.Cause{Code: sessionmgr.LinkLost}) }

// connect makes an authenticated session without a resource.
func (h *house) connect(j jid.JID) *client {
	c := &client{h: h}
	c.Session = h.Open(c, sessionmgr.LinkInfo{})
	h.StreamOpened(c.Session, j.Domain())
	h.Authenticated(c.Session, j.Bare())
	return c
}

// bind makes a connected resource: neither interested nor available.
func (h *house) bind(full string) *client {
	h.t.Helper()
	j := jid.MustParse(full)
	c := h.connect(j)
	if err := h.Bind(context.Background(), c.Session, j.Resource(), func(jid.JID) {}); err != nil {
		h.t.Fatal(err)
	}
	return c
}

// login makes an interested and available resource.
func (h *house) login(full string) *client {
	h.t.Helper()
	c := h.bind(full)
	c.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
	c.send("<presence/>")
	h.quiet()
	return c
}

// quiet forgets what everybody has received.
func (h *house) quiet() {
	h.settle()
	h.Range(func(s *sessionmgr.Session) bool {
		if c, ok := s.Link().(*client); ok {
			c.mu.Lock()
			c.in = nil
			c.mu.Unlock()
		}
		return true
	})
}

// settle waits until what was submitted has been released.
func (h *house) settle() {
	done := make(chan struct{})
	var w storage.Batch
	w.Put(storage.Key{Kind: storage.KindKeyVal, Table: "settle", Account: "x"}, nil)
	h.Submit(sessionmgr.Entry{Writes: w, Done: func(error) { close(done) }})
	<-done
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

var variable = regexp.MustCompile(`(<iq [^>]*id=|ver=)'[^']*'`)

// got returns what was received since the last call, the ids of pushes and
// versions masked.
func (c *client) got() []string {
	c.h.settle()
	c.mu.Lock()
	defer c.mu.Unlock()
	var got []string
	for _, x := range c.in {
		if strings.Contains(x, "type='set'") {
			x = variable.ReplaceAllString(x, "$1'*'")
		}
		got = append(got, x)
	}
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

// push is the roster push of an item, as the RFC prints it.
func push(item string) string {
	return "<iq  & type='set' & <query xmlns='jabber:iq:roster' ver='*'>" + item + "</query></iq>"
}

// item sets a roster item of the client.
func (c *client) item(attrs string) {
	c.send("<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item " + attrs + "/></query></iq>")
}

// shown returns how an account's roster is stored for a contact.
func (h *house) shown(account, contact string) roster.Item {
	h.t.Helper()
	tx, err := h.rosters.Begin(context.Background(), jid.MustParse(account))
	if err != nil {
		h.t.Fatal(err)
	}
	defer tx.Close()
	return tx.Item(jid.MustParse(account), jid.MustParse(contact))
}

// state checks the states of both sides.
func (h *house) state(a, b string, ab, ba roster.State) {
	h.t.Helper()
	if got := h.shown(a, b).State; got != ab {
		h.t.Errorf("%s has %s as %v, want %v", a, b, got, ab)
	}
	if got := h.shown(b, a).State; got != ba {
		h.t.Errorf("%s has %s as %v, want %v", b, a, got, ba)
	}
}
