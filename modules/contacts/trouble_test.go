package contacts

import (
	"context"
	"errors"
	"testing"
	"time"

	"weir/hook"
	"weir/jid"
	"weir/roster"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/storage"
)

// TestFullDisk: what can't be kept is bounced, has no effect, and nobody hears of it.
func TestFullDisk(t *testing.T) {
	p := newPair(t)
	p.store.set(storage.ErrFull, nil)
	p.foo.send("<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='nurse@example.com'/></query></iq>")
	waitFor(p.foo, 1)
	p.foo.send("<presence id='p' to='juliet@example.com' type='subscribe'/>")
	waitFor(p.foo, 2)
	p.store.set(nil, nil)
	p.foo.want("type='error' & id='s' & type='wait' & <resource-constraint", "type='error' & id='p' & <resource-constraint")
	p.bar.want()
	p.juliets()
	p.state(rj, jj, roster.None, roster.None)
	if p.shown(rj, "nurse@example.com").Listed {
		t.Error("the item stayed in memory")
	}
	p.foo.item("jid='nurse@example.com'")
	p.foo.want("type='result'", push("<item jid='nurse@example.com' subscription='none'/>"))
}

// waitFor returns when a client has received n stanzas; commits that fail don't
// go through the store's order.
func waitFor(c *client, n int) {
	for {
		c.mu.Lock()
		have := len(c.in)
		c.mu.Unlock()
		if have >= n {
			return
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// TestUnreadableRoster: binding fails for the moment; it is no conflict and no
// wrong password.
func TestUnreadableRoster(t *testing.T) {
	h := newHouse(t, roster.Options{}, Options{})
	h.store.set(nil, errors.New("the disk is upset"))
	c := h.connect(jid.MustParse(jj))
	err := h.Bind(context.Background(), c.Session, "balcony", func(jid.JID) {})
	if e, ok := stanza.AsError(err); !ok || e.Condition != "internal-server-error" || e.Type != "wait" {
		t.Errorf("bind: %v", err)
	}
	h.store.set(nil, nil)
	if err := h.Bind(context.Background(), c.Session, "balcony", func(jid.JID) {}); err != nil {
		t.Errorf("bind again: %v", err)
	}
	h.store.set(nil, errors.New("the disk is upset"))
	c.send("<presence to='nurse@example.com' id='x' type='subscribe'/>") // her roster isn't in memory
	c.want("type='error' & <internal-server-error")
	c.send("<iq type='get' id='x'><query xmlns='jabber:iq:roster'/></iq>") // juliet's is
	c.want("type='result'")
}

// TestRosterIsReleased: rosters stay in memory exactly as long as a session needs them.
func TestRosterIsReleased(t *testing.T) {
	h := newHouse(t, roster.Options{Cache: 1}, Options{})
	inMemory := func() bool {
		_, ok := h.rosters.State(jid.MustParse(jj), jid.MustParse(rj))
		return ok
	}
	h.connect(jid.MustParse(jj)).end()
	a, b := h.bind(jj+"/a"), h.bind(jj+"/b")
	a.end()
	if !inMemory() {
		t.Error("released while a session is there")
	}
	b.end()
	b.end()
	if inMemory() {
		t.Error("kept after the last session")
	}
	// A session that ends while it is being bound.
	c := h.connect(jid.MustParse(jj))
	h.Hooks.PreBind.Add("test", hook.Early, func(context.Context, *sessionmgr.PreBind) error { c.end(); return nil })
	if err := h.Bind(context.Background(), c.Session, "x", func(jid.JID) {}); err == nil {
		t.Error("bound after its end")
	}
	if inMemory() {
		t.Error("kept for a session that never was")
	}
}

// TestRefusedBindReleases: the pin goes with the session, however often it tried.
func TestRefusedBindReleases(t *testing.T) {
	h := newHouse(t, roster.Options{Cache: 1}, Options{})
	veto := h.Hooks.PreBind.Add("test", hook.Late, func(context.Context, *sessionmgr.PreBind) error { return stanza.Conflict() })
	c := h.connect(jid.MustParse(jj))
	for range 3 {
		if err := h.Bind(context.Background(), c.Session, "x", func(jid.JID) {}); err == nil {
			t.Error("not refused")
		}
	}
	veto()
	c.end()
	if _, ok := h.rosters.State(jid.MustParse(jj), jid.MustParse(rj)); ok {
		t.Error("kept after the session")
	}
}

// TestAccountDeleted: contacts see it as unsubscribed both ways, those who wait
// for an answer see nothing.
func TestAccountDeleted(t *testing.T) {
	p := newPair(t)
	p.mutual()
	nurse, tybalt := p.login("nurse@example.com/n"), p.login("tybalt@example.com/t")
	nurse.send("<presence to='juliet@example.com' type='subscribe'/>")
	p.balcony.send("<presence to='tybalt@example.com' type='subscribe'/>")
	p.balcony.item("jid='nobody@example.com'")
	p.balcony.end()
	p.chamber.end()
	p.quiet()
	if err := p.module.AccountDeleted(t.Context(), jid.MustParse(jj)); err != nil {
		t.Fatal(err)
	}
	p.romeos("from='juliet@example.com' & type='unsubscribe'", push("<item jid='juliet@example.com' subscription='to'/>"),
		"from='juliet@example.com' & type='unsubscribed'", push("<item jid='juliet@example.com' subscription='none'/>"))
	nurse.want()
	tybalt.want("type='unsubscribe'")
	p.state(rj, jj, roster.None, roster.None)
	p.state("nurse@example.com", jj, roster.NonePendingOut, roster.None)
	p.state("tybalt@example.com", jj, roster.None, roster.None)
	if got := p.login(jj + "/new").rosterGet(" ver='1'"); got != "<iq to='juliet@example.com/new' id='get' type='result'><query xmlns='jabber:iq:roster' ver='0'></query></iq>" {
		t.Errorf("a new account of that name has %s", got)
	}
}

// TestToAccount: subscription stanzas from outside.
func TestToAccount(t *testing.T) {
	h := newHouse(t, roster.Options{}, Options{})
	c := h.login(jj + "/balcony")
	from := func(j, typ string) {
		t.Helper()
		st := &stanza.Stanza{Kind: stanza.Presence, Type: typ, ID: "o", From: jid.MustParse(j), To: c.JID()}
		if err := h.module.ToAccount(t.Context(), st); err != nil {
			t.Errorf("%s from %s: %v", typ, j, err)
		}
	}
	from("far@away.example/x", "subscribe")
	c.want("<presence from='far@away.example' to='juliet@example.com' id='o' type='subscribe'")
	c.send("<presence to='far@away.example' type='subscribed'/>")
	c.want(push("<item jid='far@away.example' subscription='from'/>"))
	from("far@away.example", "unsubscribe")
	c.want("type='unsubscribe'", push("<item jid='far@away.example' subscription='none'/>"))
	from(jj, "subscribe")
	c.want()
	st := &stanza.Stanza{Kind: stanza.Presence, Type: "subscribe", From: jid.MustParse(rj), To: jid.MustParse("nobody@example.com")}
	if err := h.module.ToAccount(t.Context(), st); err != nil {
		t.Error(err)
	}
	st.Type = "probe"
	if _, ok := stanza.AsError(h.module.ToAccount(t.Context(), st)); !ok {
		t.Error("a probe is no subscription")
	}
}

func TestOptions(t *testing.T) {
	if _, err := New(nil, nil, nil, Options{RequestsPerMinute: -1}); err == nil {
		t.Error("a negative limit was taken")
	}
}
