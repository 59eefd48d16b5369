package sessiontest

import (
	"context"
	"sync"
	"sync/atomic"

	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/storage"
	"weir/storage/pebble"

	"github.com/cockroachdb/pebble/v2/vfs"
	"mellium.im/xmpp/stream"
)

// Domain is the domain that a House serves.
const Domain = "verona.lit"

// House is a manager with its store.
type House struct {
	*sessionmgr.Manager
	Store storage.Store
}

// everybody says that every account exists, except nobody's.
type everybody struct{}

func (everybody) Exists(_ context.Context, bare jid.JID) (bool, error) {
	return bare.Local() != "nobody", nil
}

// New makes a manager for [Domain]. Every account exists, except "nobody".
// Register modules before the first Bind; Close it at the end.
func New() *House {
	st := must(pebble.Open(pebble.Options{FS: vfs.NewMem(), Dir: "data"}))
	m := must(sessionmgr.New(sessionmgr.Options{Domains: []string{Domain}, Archive: sessionmgr.ArchiveNever}, st, everybody{}))
	return &House{Manager: m, Store: st}
}

// Close ends the sessions and closes the store.
func (h *House) Close() {
	must(0, h.Stop(context.Background()))
	must(0, h.Store.Close())
}

func must[T any](v T, errs ...error) T {
	for _, err := range errs {
		if err != nil {
			panic("sessiontest: " + err.Error())
		}
	}
	return v
}

// Client is a bound session whose link keeps what is appended.
type Client struct {
	*sessionmgr.Session
	h *House

	// Busy has the next look at what waits to be written to it find much.
	Busy atomic.Bool

	mu  sync.Mutex
	got []string
}

// Bind logs a client in: a session with a full JID, not available.
func (h *House) Bind(full string) *Client {
	j := must(jid.Parse(full))
	c := &Client{h: h}
	c.Session = h.Open((*link)(c), sessionmgr.LinkInfo{Transport: "test"})
	h.StreamOpened(c.Session, Domain)
	h.Authenticated(c.Session, j.Bare())
	must(0, h.Manager.Bind(context.Background(), c.Session, j.Resource(), func(jid.JID) {}))
	return c
}

// Online is Bind and an initial presence.
func (h *House) Online(full string) *Client {
	c := h.Bind(full)
	c.Send("<presence/>")
	c.Got()
	return c
}

// Send gives a stanza of the client to the manager and waits until it has been
// handled.
func (c *Client) Send(xml string) {
	st := must(stanza.Parse([]byte(xml)))
	handled := make(chan struct{})
	if c.h.Inbound(c.Session, (*link)(c), st.With(c.JID(), st.To), func() { close(handled) }) {
		<-handled
	}
	c.h.FlushTouched()
}

// Got returns what the client was sent since the last call, after everything
// submitted so far has been released.
func (c *Client) Got() []string {
	for range 2 { // what is released may submit more
		done := make(chan struct{})
		e := sessionmgr.Entry{Done: func(error) { close(done) }}
		storage.NewKeyVal(c.h.Store, "sessiontest").Set(&e.Writes, "x", nil)
		c.h.Submit(e)
		<-done
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	got := c.got
	c.got = nil
	return got
}

// Ask sends a stanza and returns the first answer, "" if there is none.
func (c *Client) Ask(xml string) string {
	c.Send(xml)
	if got := c.Got(); len(got) > 0 {
		return got[0]
	}
	return ""
}

// Leave ends the session as a lost connection does.
func (c *Client) Leave() {
	c.h.Closed(c.Session, (*link)(c), sessionmgr.Cause{Code: sessionmgr.LinkLost})
}

// link is the Client as its own session's link.
type link Client

func (l *link) Append(st *stanza.Stanza) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got = append(l.got, string(st.AppendTo(nil)))
	return nil
}

func (*link) Flush() {}

func (*link) WantDrain() {}

func (l *link) Waiting() int {
	if l.Busy.Swap(false) {
		return 1 << 20
	}
	return 0
}

func (*link) Close(*stream.Error) {}
