package contacts

import (
	"testing"

	"weir/roster"
)

const (
	rj = "romeo@example.net"
	jj = "juliet@example.com"
)

// pair is the cast of the examples in RFC 6121 §3: two resources each.
type pair struct {
	*house
	foo, bar         *client // romeo's
	balcony, chamber *client // juliet's
}

func newPair(t *testing.T) *pair {
	h := newHouse(t, roster.Options{}, Options{})
	p := &pair{house: h}
	p.foo, p.bar = h.login(rj+"/foo"), h.login(rj+"/bar")
	p.balcony, p.chamber = h.login(jj+"/balcony"), h.login(jj+"/chamber")
	h.quiet()
	return p
}

func (p *pair) romeos(fragments ...string) {
	p.t.Helper()
	p.foo.want(fragments...)
	p.bar.want(fragments...)
}
func (p *pair) juliets(fragments ...string) {
	p.t.Helper()
	p.balcony.want(fragments...)
	p.chamber.want(fragments...)
}

// mutual makes them subscribed to each other.
func (p *pair) mutual() {
	p.foo.send("<presence to='juliet@example.com' type='subscribe'/>")
	p.balcony.send("<presence to='romeo@example.net' type='subscribed'/>")
	p.balcony.send("<presence to='romeo@example.net' type='subscribe'/>")
	p.foo.send("<presence to='juliet@example.com' type='subscribed'/>")
	p.quiet()
	p.state(rj, jj, roster.Both, roster.Both)
}

// TestRequest: RFC 6121 §3.1.2 and RFC 6121 §3.1.3.
func TestRequest(t *testing.T) {
	p := newPair(t)
	p.foo.send("<presence id='xk3h1v69' to='juliet@example.com/balcony' type='subscribe'><status>Hi</status></presence>")
	// "US: <presence from='romeo@example.net' id='xk3h1v69' to='juliet@example.com'
	// type='subscribe'/>"
	p.juliets("<presence from='romeo@example.net' to='juliet@example.com' id='xk3h1v69' type='subscribe'><status>Hi</status></presence>")
	p.romeos(push("<item ask='subscribe' jid='juliet@example.com' subscription='none'/>"))
	p.state(rj, jj, roster.NonePendingOut, roster.NonePendingIn)
	if i := p.shown(jj, rj); i.Listed {
		t.Error("MUST NOT add an item for the user to the contact's roster")
	}
	p.foo.send("<presence to='juliet@example.com' type='subscribe'/>")
	p.romeos()
	p.juliets()
}

// TestApproval: RFC 6121 §3.1.5 and RFC 6121 §3.1.6.
func TestApproval(t *testing.T) {
	p := newPair(t)
	p.chamber.send("<presence id='ux31da4q'><show>away</show></presence>")
	p.foo.send("<presence to='juliet@example.com' type='subscribe'/>")
	p.quiet()
	p.balcony.send("<presence id='h4v1c4kj' to='romeo@example.net' type='subscribed'/>")
	p.juliets(push("<item jid='romeo@example.net' subscription='from'/>"))
	p.romeos("<presence from='juliet@example.com' to='romeo@example.net' id='h4v1c4kj' type='subscribed'/>",
		push("<item jid='juliet@example.com' subscription='to'/>"),
		"<presence from='juliet@example.com/balcony' to='romeo@example.net'/>",
		"<presence from='juliet@example.com/chamber' to='romeo@example.net' id='ux31da4q'><show>away</show></presence>")
	p.state(rj, jj, roster.To, roster.From)

	p.balcony.send("<presence to='romeo@example.net' type='subscribe'/>")
	p.juliets(push("<item ask='subscribe' jid='romeo@example.net' subscription='from'/>"))
	p.romeos("type='subscribe'")
	p.foo.send("<presence to='juliet@example.com' type='subscribed'/>")
	p.romeos(push("<item jid='juliet@example.com' subscription='both'/>"))
	p.juliets("type='subscribed'", push("<item jid='romeo@example.net' subscription='both'/>"),
		"from='romeo@example.net/foo'", "from='romeo@example.net/bar'")
	p.state(rj, jj, roster.Both, roster.Both)
	// An approval nobody asked for is ignored.
	p.foo.send("<presence to='juliet@example.com' type='subscribed'/>")
	p.juliets()
	p.romeos()
}

// TestDenial: RFC 6121 §3.1.4; nothing tells which resources there are.
func TestDenial(t *testing.T) {
	p := newPair(t)
	p.foo.send("<presence to='juliet@example.com' type='subscribe'/>")
	p.quiet()
	p.balcony.send("<presence id='tb2m1b59' to='romeo@example.net' type='unsubscribed'/>")
	p.juliets()
	p.romeos("<presence from='juliet@example.com' to='romeo@example.net' id='tb2m1b59' type='unsubscribed'/>",
		push("<item jid='juliet@example.com' subscription='none'/>"))
	p.state(rj, jj, roster.None, roster.None)
}

// TestCancellation: RFC 6121 §3.2.2 and RFC 6121 §3.2.3.
func TestCancellation(t *testing.T) {
	p := newPair(t)
	p.mutual()
	p.balcony.send("<presence id='ij5b1v7g' to='romeo@example.net' type='unsubscribed'/>")
	p.juliets(push("<item jid='romeo@example.net' subscription='to'/>"))
	p.romeos("<presence from='juliet@example.com/balcony' to='romeo@example.net' type='unavailable'/>",
		"<presence from='juliet@example.com/chamber' to='romeo@example.net' type='unavailable'/>",
		"<presence from='juliet@example.com' to='romeo@example.net' id='ij5b1v7g' type='unsubscribed'/>",
		push("<item jid='juliet@example.com' subscription='from'/>"))
	p.state(rj, jj, roster.From, roster.To)
	p.balcony.send("<presence><show>away</show></presence>")
	p.romeos()
	p.balcony.send("<presence to='romeo@example.net' type='unsubscribed'/>") // again: not routed
	p.romeos()
}

// TestUnsubscribe: RFC 6121 §3.3.2 and RFC 6121 §3.3.3.
func TestUnsubscribe(t *testing.T) {
	p := newPair(t)
	p.mutual()
	p.foo.send("<presence id='ul4bs71n' to='juliet@example.com' type='unsubscribe'/>")
	p.juliets("<presence from='romeo@example.net' to='juliet@example.com' id='ul4bs71n' type='unsubscribe'/>",
		push("<item jid='romeo@example.net' subscription='to'/>"))
	p.romeos(push("<item jid='juliet@example.com' subscription='from'/>"),
		"from='juliet@example.com/balcony' & type='unavailable'", "from='juliet@example.com/chamber' & type='unavailable'")
	p.state(rj, jj, roster.From, roster.To)
	p.foo.send("<presence to='juliet@example.com' type='unsubscribe'/>")
	p.juliets()
	p.romeos()
}

// TestWithdrawal: an unanswered request is taken back (RFC 6121 §3.3.3, RFC 6121 §A.3.2).
func TestWithdrawal(t *testing.T) {
	p := newPair(t)
	p.foo.send("<presence to='juliet@example.com' type='subscribe'/>")
	p.quiet()
	p.foo.send("<presence to='juliet@example.com' type='unsubscribe'/>")
	p.juliets("from='romeo@example.net' & type='unsubscribe'")
	p.romeos(push("<item jid='juliet@example.com' subscription='none'/>"))
	p.state(rj, jj, roster.None, roster.None)
	if again := p.login(jj + "/again"); len(again.got()) != 0 {
		t.Error("the request is still delivered")
	}
}

// TestPreApproval: RFC 6121 §3.4.2.
func TestPreApproval(t *testing.T) {
	p := newPair(t)
	p.foo.send("<presence id='pg81vx64' to='juliet@example.com' type='subscribed'/>")
	p.romeos(push("<item approved='true' jid='juliet@example.com' subscription='none'/>"))
	p.juliets()
	p.foo.send("<presence to='juliet@example.com' type='subscribed'/>")
	p.romeos()
	p.balcony.send("<presence id='q' to='romeo@example.net' type='subscribe'/>")
	p.romeos(push("<item approved='true' jid='juliet@example.com' subscription='from'/>"))
	p.juliets(push("<item ask='subscribe' jid='romeo@example.net' subscription='none'/>"),
		"<presence from='romeo@example.net' to='juliet@example.com' id='q' type='subscribed'/>",
		push("<item jid='romeo@example.net' subscription='to'/>"),
		"from='romeo@example.net/foo'", "from='romeo@example.net/bar'")
	p.state(rj, jj, roster.From, roster.To)

	p.foo.send("<presence to='juliet@example.com' type='unsubscribed'/>")
	p.romeos(push("<item jid='juliet@example.com' subscription='none'/>"))
	p.quiet()
	p.foo.send("<presence to='juliet@example.com' type='subscribed'/>")
	p.quiet()
	p.foo.send("<presence to='juliet@example.com' type='unsubscribed'/>") // cancels it, MUST NOT be routed
	p.romeos(push("<item jid='juliet@example.com' subscription='none'/>"))
	p.juliets()
}

// TestForgottenSubscription: table 6, note 2, of RFC 6121 §A.3.1: who is a subscriber
// and asks again is answered, and gets the presence too.
func TestForgottenSubscription(t *testing.T) {
	p := newPair(t)
	p.mutual()
	p.foo.send("<presence to='juliet@example.com' type='subscribe'/>")
	p.juliets()
	p.romeos("from='juliet@example.com/balcony'", "from='juliet@example.com/chamber'")
	p.state(rj, jj, roster.Both, roster.Both)
}

// TestWhoGetsWhat: requests go to available resources, pushes and what comes
// with them to interested ones (RFC 6121 §3.1, implementation note).
func TestWhoGetsWhat(t *testing.T) {
	h := newHouse(t, roster.Options{}, Options{})
	available, interested, connected := h.bind(jj+"/a"), h.bind(jj+"/i"), h.bind(jj+"/c")
	available.send("<presence/>")
	interested.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
	foo := h.login(rj + "/foo")
	h.quiet()
	foo.send("<presence to='juliet@example.com' type='subscribe'/>")
	available.want("type='subscribe'")
	interested.want()
	interested.send("<presence to='romeo@example.net' type='subscribed'/>")
	available.want()
	interested.want(push("<item jid='romeo@example.net' subscription='from'/>"))
	foo.send("<presence to='juliet@example.com' type='unsubscribe'/>")
	available.want()
	interested.want("type='unsubscribe'", push("<item jid='romeo@example.net' subscription='none'/>"))
	connected.want()
}
