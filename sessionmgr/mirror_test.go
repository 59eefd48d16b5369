package sessionmgr

import (
	"strings"
	"testing"

	"weir/jid"
)

const chatToJuliet = "<message to='juliet@verona.lit' type='chat' id='m'><body>hi</body></message>"

// TestMirror: what the account gets and sends is seen by all that the rule is for,
// whatever their priority, whether they asked for copies or not.
func TestMirror(t *testing.T) {
	h := newHouse(t)
	h.rules("mirror role=user")
	romeo := h.online("romeo@verona.lit/orchard", 0)
	top, low := h.online(juliet+"/top", 5), h.online(juliet+"/low", 1)
	never, away := h.online(juliet+"/never", -1), h.bind(juliet+"/away")
	all := []*client{top, low, never, away}
	for _, c := range all {
		c.SetRole("user")
	}
	h.settle()

	romeo.send(chatToJuliet)
	for _, c := range []*client{top, low} { // itself, no copy
		if got := c.got(); len(got) != 1 || !strings.Contains(got[0], "<body>hi</body>") || strings.Contains(got[0], "<received") {
			t.Errorf("%s got %s", c.JID(), got)
		}
	}
	never.want("<received xmlns='urn:xmpp:carbons:2'")
	away.want("<received xmlns='urn:xmpp:carbons:2'")

	// To one of them: the others see it.
	romeo.send("<message to='juliet@verona.lit/low' type='chat'><body>you</body></message>")
	low.want("<body>you</body> & to='juliet@verona.lit/low'")
	for _, c := range []*client{top, never, away} {
		c.want("<received xmlns='urn:xmpp:carbons:2' & <body>you</body>")
	}
	// A reply, of whichever.
	away.send("<message to='romeo@verona.lit/orchard' type='chat'><body>yes</body></message>")
	romeo.want("<body>yes</body>")
	for _, c := range []*client{top, low, never} {
		c.want("<sent xmlns='urn:xmpp:carbons:2' & <body>yes</body>")
	}
	away.want()
	// What is kept from copies stays so (XEP-0280 §9).
	romeo.send("<message to='juliet@verona.lit/low' type='chat'><body>x</body><private xmlns='urn:xmpp:carbons:2'/></message>")
	low.want("<body>x</body>")
	top.want()

	// A client can't turn them off, and has what it asked for once the rule is gone.
	if err := h.SetCarbons(t.Context(), low.Session, false); err != nil || !low.Carbons() {
		t.Errorf("%v, %v", err, low.Carbons())
	}
	if err := h.SetCarbons(t.Context(), never.Session, true); err != nil {
		t.Error(err)
	}
	h.rules()
	h.settle()
	if low.Carbons() || !never.Carbons() || top.Carbons() {
		t.Errorf("%v, %v, %v", low.Carbons(), never.Carbons(), top.Carbons())
	}
	romeo.send(chatToJuliet)
	top.want("<body>hi</body>")
	low.want()
	never.want("<received")
	away.want()
}

// TestMirrorFollows: a session sees all from the moment in which the rule is for
// it, by its role, by the device that resumes it, in another process too.
func TestMirrorFollows(t *testing.T) {
	h := newHouse(t)
	h.rules("mirror role=agent", "mirror class=phone", "class phone software=App")
	c := h.bind(juliet + "/a")
	id := c.enable()
	for _, role := range []string{"agent", "user"} {
		c.SetRole(role)
		if h.settle(); c.Carbons() != (role == "agent") {
			t.Errorf("as %s it sees all: %v", role, c.Carbons())
		}
	}
	c.cut()
	next := h.connect(juliet)
	next.SetDevice(Device{ID: "1", Software: "App"})
	if err := h.Resume(t.Context(), next.Session, next, id, 0, func(s *Session, _ uint32) { next.Session = s }); err != nil {
		t.Fatal(err)
	}
	if h.settle(); !next.Carbons() {
		t.Error("resumed by a phone, it doesn't see all")
	}
	if snap := next.Snapshot(); snap.Carbons {
		t.Error("what the rule says is recorded as what the client wants")
	}
	h = newHouseOn(t, h.store)
	h.rules("mirror class=phone", "class phone software=App")
	if err := h.Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	if h.settle(); !h.ByJID(jid.MustParse(juliet + "/a")).Carbons() {
		t.Error("another process has it see what it asked for")
	}
}
