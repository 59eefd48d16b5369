package contacts

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"weir/jid"
	"weir/roster"
	"weir/sessionmgr"
	"weir/stanza"
)

// TestNobodyIsToldWhoExists: the four stanzas to an account that doesn't exist,
// to one that does and to a bare domain look alike (RFC 6121 §8.5.1).
func TestNobodyIsToldWhoExists(t *testing.T) {
	h := newHouse(t, roster.Options{}, Options{})
	c := h.login(rj + "/foo")
	dialogue := func(to string) []string {
		for _, typ := range []string{"subscribe", "unsubscribe", "subscribed", "unsubscribed", "subscribe", "subscribe"} {
			c.send("<presence id='x' to='" + to + "' type='" + typ + "'/>")
		}
		c.item("jid='" + to + "' subscription='remove'")
		var got []string
		for _, x := range c.got() {
			got = append(got, strings.ReplaceAll(x, to, "SOMEBODY"))
		}
		return got
	}
	want := dialogue("offline@example.com")
	if len(want) != 7 { // five pushes, the result and the push of the removal
		t.Errorf("an existing account: %s", strings.Join(want, "\n"))
	}
	for _, to := range []string{"nobody@example.com", "example.com"} {
		if got := dialogue(to); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", to, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if i := h.shown("nobody@example.com", rj); i.State != roster.None {
		t.Errorf("an account that doesn't exist has a roster: %+v", i)
	}
}

// TestNobodyIsToldWhoBlocks: the four stanzas to an account that blocks who sends
// them, here or not, look like those to one that doesn't answer, and change
// nothing of its roster (XEP-0191 §3.3).
func TestNobodyIsToldWhoBlocks(t *testing.T) {
	h := newHouse(t, roster.Options{}, Options{RequestsPerMinute: 100})
	h.HandleBlocklists(func(_ context.Context, account jid.JID) (*sessionmgr.Blocklist, error) {
		if !strings.HasPrefix(account.Local(), "blocks") {
			return nil, nil
		}
		return sessionmgr.NewBlocklist(account, []jid.JID{jid.MustParse(rj)}), nil
	})
	c, here := h.login(rj+"/foo"), h.login("blocks2@example.com/x")
	here.SetBlocklist(sessionmgr.NewBlocklist(here.JID(), []jid.JID{jid.MustParse(rj)}))
	here.got()
	dialogue := func(to string) string {
		for _, typ := range []string{"subscribe", "unsubscribe", "subscribed", "unsubscribed", "subscribe", "probe"} {
			c.send("<presence id='x' to='" + to + "' type='" + typ + "'/>")
		}
		c.item("jid='" + to + "' subscription='remove'")
		return strings.ReplaceAll(strings.Join(c.got(), "\n"), to, "SOMEBODY")
	}
	want := dialogue("nobody@example.com")
	for _, to := range []string{"blocks1@example.com", "blocks2@example.com"} {
		if got := dialogue(to); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", to, got, want)
		}
		if i := h.shown(to, rj); i.State != roster.None {
			t.Errorf("%s has %+v", to, i)
		}
	}
	here.want()
}

// TestFullInboxIsSilent: a request that finds no room looks like one that nobody answers.
func TestFullInboxIsSilent(t *testing.T) {
	h := newHouse(t, roster.Options{MaxPending: 1}, Options{})
	foo, first := h.login(rj+"/foo"), h.login("first@example.com/x")
	juliet := h.login(jj + "/balcony")
	first.send("<presence to='juliet@example.com' type='subscribe'/>")
	h.quiet()
	foo.send("<presence to='juliet@example.com' type='subscribe'/>")
	foo.want(push("<item ask='subscribe' jid='juliet@example.com' subscription='none'/>"))
	juliet.want()
	h.state(rj, jj, roster.NonePendingOut, roster.None)
}

// TestRefusals of subscription stanzas.
func TestRefusals(t *testing.T) {
	h := newHouse(t, roster.Options{MaxRequest: 300}, Options{RequestsPerMinute: 3})
	c := h.login(rj + "/foo")
	c.send("<presence id='x' type='subscribe'/>")
	c.want("type='error' & id='x' & <bad-request")
	c.send("<presence id='x' to='romeo@example.net' type='subscribe'/>")
	c.want("type='error' & id='x' & <not-allowed")
	c.send("<presence id='x' to='romeo@example.net/bar' type='unsubscribed'/>")
	c.want("type='error' & <not-allowed")
	for _, to := range []string{"nobody@example.com", "juliet@example.com"} {
		c.send("<presence id='x' to='" + to + "' type='subscribe'><status>" + strings.Repeat("x", 300) + "</status></presence>")
		c.want("type='error' & from='" + to + "' & <policy-violation & 300 bytes")
	}
	c.send("<presence to='juliet@example.com' type='subscribe'/>")
	c.want(push("<item ask='subscribe' jid='juliet@example.com' subscription='none'/>"))
	c.send("<presence id='x' to='nurse@example.com' type='subscribe'/>")
	c.want("type='error' & id='x' & type='wait' & <policy-violation & 3 subscription requests a minute")
	c.send("<presence to='juliet@example.com' type='unsubscribe'/>") // only requests are counted
	c.want(push("<item jid='juliet@example.com' subscription='none'/>"))
	c.send("<presence id='x' to='far@away.example' type='subscribe'/>")
	c.want("type='error' & <remote-server-not-found")
	c.send("<presence to='far@away.example' type='subscribed'/>")
	c.want(push("<item approved='true' jid='far@away.example' subscription='none'/>"))
	other := h.login(rj + "/bar") // the limit is the session's
	other.send("<presence to='trouble@example.com' type='subscribe'/>")
	other.want("type='error' & <internal-server-error")
}

// TestGuard: RFC 6121 §8.5.3.1 asks for a subscription from or both, or directed presence.
func TestGuard(t *testing.T) {
	p := newPair(t)
	romeo, juliet := p.foo.JID(), p.balcony.JID()
	check := func(viewer, target jid.JID, want bool) {
		t.Helper()
		if got := p.MayKnowPresence(viewer, target); got != want {
			t.Errorf("%s of %s: %v", viewer, target, got)
		}
	}
	check(romeo, juliet, false)
	p.foo.send("<presence to='juliet@example.com' type='subscribe'/>")
	check(romeo, juliet, false)
	p.balcony.send("<presence to='romeo@example.net' type='subscribed'/>")
	check(romeo, juliet, true)
	check(romeo.Bare(), juliet.Bare(), true)
	check(juliet, romeo, false)
	check(romeo, p.bar.JID(), true)
	check(romeo, jid.MustParse("nobody@example.com/x"), false)
	p.bar.send("<presence to='juliet@example.com/balcony'/>")
	check(juliet, p.bar.JID(), true)
	check(juliet, romeo, false)
	p.bar.send("<presence to='juliet@example.com/balcony' type='unavailable'/>")
	check(juliet, p.bar.JID(), false)
	p.balcony.send("<presence to='romeo@example.net' type='unsubscribed'/>")
	check(romeo, juliet, false)
}

// TestRequestsAtEveryLogin: RFC 6121 §3.1.3, rule 4.
func TestRequestsAtEveryLogin(t *testing.T) {
	h := newHouse(t, roster.Options{}, Options{})
	foo := h.login(rj + "/foo")
	foo.send("<presence id='1' to='juliet@example.com' type='subscribe'><status>first</status></presence>")
	foo.send("<presence id='2' to='juliet@example.com' type='subscribe'><status>last</status><x xmlns='urn:x'>y</x></presence>")
	h.settle()
	const kept = "<presence from='romeo@example.net' to='juliet@example.com' id='2' type='subscribe'><status>last</status><x xmlns='urn:x'>y</x></presence>"
	for i := range 3 {
		c := h.bind(fmt.Sprint(jj, "/", i))
		c.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
		c.want("<query xmlns='jabber:iq:roster' ver='0'></query>")
		c.send("<presence/>")
		got := c.got()
		if len(got) == 0 || got[len(got)-1] != kept {
			t.Errorf("login %d:\n%s", i, strings.Join(got, "\n"))
		}
		c.send("<presence><show>away</show></presence>")
		c.want("<show>away</show>")
		if i == 0 {
			c.end()
		}
	}
	answering := h.login(jj + "/answering")
	answering.send("<presence to='romeo@example.net' type='subscribed'/>")
	h.settle()
	c := h.bind(jj + "/last")
	c.send("<presence/>")
	for _, x := range c.got() {
		if strings.Contains(x, "subscribe") {
			t.Errorf("an answered request is delivered: %s", x)
		}
	}
}

// TestManyRequests come in pieces, all of them, as fast as the client reads.
func TestManyRequests(t *testing.T) {
	h := newHouse(t, roster.Options{}, Options{})
	status := strings.Repeat("x", 2000)
	for i := range 100 {
		st, err := stanza.New(stanza.Presence, "subscribe", "", jid.MustParse(fmt.Sprintf("far%d@away.example", i)),
			jid.MustParse(jj), []byte("<status>"+status+"</status>"))
		if err != nil {
			t.Fatal(err)
		}
		if err := h.module.ToAccount(t.Context(), st); err != nil {
			t.Fatal(err)
		}
	}
	c := h.bind(jj + "/x")
	c.busy = 3 // it takes its time before the second piece
	c.send("<presence/>")
	if got := c.got(); len(got) != 101 || c.busy != 0 {
		t.Errorf("%d stanzas, %d looks left", len(got), c.busy)
	}
	// A client that goes instead of reading gets one piece.
	c = h.bind(jj + "/y")
	c.busy = 1 << 30
	looks := 0
	c.looked = func() {
		if looks++; looks == 2 {
			go c.end()
		}
	}
	c.send("<presence/>")
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.in); n == 0 || n > 40 {
		t.Errorf("%d stanzas", n)
	}
}
