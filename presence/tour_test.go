package presence

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/jid"
	"weir/roster"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/storage"
)

// narrow is a client whose connection holds so many bytes and is lost with one more,
// as one of netserver's is.
type narrow struct {
	client
	waiting int
	most    int               // that ever waited
	last    map[string]string // what was said last of each address
	count   int
}

// narrowLimit is netserver's limit of what waits.
const narrowLimit = 256 << 10

var errNarrow = errors.New("the limit is reached")

func (c *narrow) Append(st *stanza.Stanza) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting > narrowLimit {
		return errNarrow
	}
	c.waiting += st.Size()
	c.most = max(c.most, c.waiting)
	c.count++
	c.last[st.From.String()] = st.Type + st.Text(stanza.NSClient, "status")
	return nil
}

func (c *narrow) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waiting
}

// reads has the client read all that comes, acknowledging it, until nothing does or it
// has so many stanzas.
func (c *narrow) reads(until int) {
	for {
		synctest.Wait()
		c.mu.Lock()
		done := c.waiting == 0 || c.count >= until
		if !done {
			c.waiting = 0
		}
		n := c.count
		c.mu.Unlock()
		if done {
			return
		}
		c.h.Drained(c.Session)
		c.h.Acknowledge(c.Session, c, uint32(n), func(uint32) {})
	}
}

func (c *narrow) end() { c.h.Closed(c.Session, c, sessionmgr.Cause{Code: sessionmgr.LinkLost}) }

// send is client's, of this link.
func (c *narrow) send(xml string) {
	c.h.t.Helper()
	st, err := stanza.Parse([]byte(xml))
	if err != nil {
		c.h.t.Fatal(err)
	}
	done := make(chan struct{})
	if c.h.Inbound(c.Session, c, st.With(c.JID(), st.To), func() { close(done) }) {
		<-done
	}
}

func (h *house) narrow(account string) *narrow {
	h.t.Helper()
	c := &narrow{client: client{h: h}, last: make(map[string]string)}
	c.Session = h.Open(c, sessionmgr.LinkInfo{})
	j := jid.MustParse(account)
	h.StreamOpened(c.Session, j.Domain())
	h.Authenticated(c.Session, j)
	return c
}

// befriend makes so many accounts contacts of juliet's that she sees.
func (h *house) befriend(n int) (all []string) {
	h.t.Helper()
	ctx, her := context.Background(), jid.MustParse("juliet@example.com")
	commit := func(tx *roster.Tx) {
		tx.Commit(func(w storage.Batch, settle func(error)) { settle(storage.Commit(ctx, h.store, &w)) })
	}
	apply := func(tx *roster.Tx, user, contact jid.JID, events ...roster.Event) {
		for _, e := range events {
			if _, err := tx.Apply(user, contact, e, &stanza.Stanza{Kind: stanza.Presence, Type: "subscribe", From: contact, To: user}); err != nil {
				h.t.Fatal(err)
			}
		}
	}
	tx, err := h.rosters.Begin(ctx, her)
	if err != nil {
		h.t.Fatal(err)
	}
	for i := range n {
		all = append(all, fmt.Sprintf("contact%04d@example.com", i))
		apply(tx, her, jid.MustParse(all[i]), roster.OutSubscribe, roster.InSubscribed)
	}
	commit(tx)
	for _, x := range all {
		tx, err := h.rosters.Begin(ctx, jid.MustParse(x))
		if err != nil {
			h.t.Fatal(err)
		}
		apply(tx, jid.MustParse(x), her, roster.InSubscribe, roster.OutSubscribed)
		commit(tx)
	}
	return all
}

// manyContacts are more than fit into one connection's buffer.
const manyContacts = 2000

// TestManyContactsOnline: who has thousands of contacts online learns of all of them at
// a login, as fast as the client reads, and of what changes meanwhile.
func TestManyContactsOnline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Options{})
		var all []*client
		status := strings.Repeat("x", 200)
		for _, x := range h.befriend(manyContacts) {
			c := h.bind(x + "/x")
			c.discard = true
			c.send("<presence><status>" + status + "</status></presence>")
			all = append(all, c)
		}
		juliet := h.narrow("juliet@example.com")
		if err := h.Bind(t.Context(), juliet.Session, "balcony", func(jid.JID) {}); err != nil {
			t.Fatal(err)
		}
		if err := h.Enable(t.Context(), juliet.Session, juliet, true, 0, func(sessionmgr.Enabled) {}); err != nil {
			t.Fatal(err)
		}
		juliet.send("<presence/>")
		juliet.reads(manyContacts / 3)
		if juliet.count >= manyContacts {
			t.Fatalf("all %d came at once", juliet.count)
		}
		for i, c := range all { // among them some that she was told of, and some that she wasn't
			switch i % 100 {
			case 0:
				c.send("<presence><status>new</status></presence>")
			case 1:
				c.end()
			}
		}
		juliet.reads(1 << 30)
		for i, c := range all {
			want, got := status, juliet.last[c.JID().String()]
			switch i % 100 {
			case 0:
				want = "new"
			case 1:
				if want = typeUnavailable; got == "" { // she never knew that it was here
					continue
				}
			}
			if got != want {
				t.Fatalf("of %d she knows %.20q, not %.20q; %d came", i, got, want, juliet.count)
			}
		}
		if juliet.most > partBytes*3/2+1000 {
			t.Errorf("%d bytes waited for her", juliet.most)
		}
	})
}

// TestManyContactsGoneOverACrash: who had thousands of contacts online and resumes in a
// new process hears that each of them is gone; also where the connection is lost again
// in the middle of that.
func TestManyContactsGoneOverACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Options{})
		sleeper, stream := h.sleeps(juliet, "<presence/>")
		sleeper.discard = true
		all := h.befriend(manyContacts)
		for _, x := range all {
			h.online(x + "/x").discard = true
		}
		sleeper.end()
		h = h.crash(time.Minute, Options{})
		var c *narrow
		has := 0
		for _, until := range []int{manyContacts / 2, 1 << 30} {
			c = h.narrow("juliet@example.com")
			if err := h.Resume(t.Context(), c.Session, c, stream, uint32(has), func(s *sessionmgr.Session, _ uint32) { c.Session = s }); err != nil {
				t.Fatal(err)
			}
			c.reads(until)
			if until < manyContacts {
				has = c.count
				c.end()
				h.settle()
			}
		}
		for _, x := range all {
			if c.last[x] != typeUnavailable || c.last[x+"/x"] != typeUnavailable {
				t.Fatalf("of %s she knows %q", x, c.last[x+"/x"])
			}
		}
		if c.most > narrowLimit {
			t.Errorf("%d bytes waited for her", c.most)
		}
	})
}
