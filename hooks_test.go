package weir_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"weir/auth"
	"weir/c2s"
	"weir/hook"
	"weir/integration/testclient"
	"weir/jid"
	"weir/presence"
	"weir/sessionmgr"
)

// seen is which points have run, and whether for the session in their context.
type seen struct {
	mu  sync.Mutex
	all map[string]bool
}

// saw notes that a point ran for a session.
func (x *seen) saw(ctx context.Context, point string, s *sessionmgr.Session) {
	in, _ := sessionmgr.FromContext(ctx)
	x.mu.Lock()
	defer x.mu.Unlock()
	good, again := x.all[point]
	x.all[point] = in == s && s != nil && (good || !again)
}

// on adds a handler to a point that has the session as its event.
func (x *seen) on(name string, p *hook.Point[*sessionmgr.Session]) {
	p.Add("test", hook.Normal, func(ctx context.Context, s *sessionmgr.Session) { x.saw(ctx, name, s) })
}

func (x *seen) sessions(h *sessionmgr.Hooks) {
	for name, p := range map[string]*hook.Point[*sessionmgr.Session]{
		"Connected": &h.Connected, "StreamOpened": &h.StreamOpened, "Authenticated": &h.Authenticated, "Bound": &h.Bound,
		"RosterRequested": &h.RosterRequested, "Unbound": &h.Unbound,
	} {
		x.on(name, p)
	}
	h.PreBind.Add("test", hook.Normal, func(ctx context.Context, e *sessionmgr.PreBind) error {
		x.saw(ctx, "PreBind", e.Session)
		return nil
	})
	h.PresenceChanged.Add("test", hook.Normal, func(ctx context.Context, e sessionmgr.PresenceChange) { x.saw(ctx, "PresenceChanged", e.Session) })
	h.StanzaOut.Add("test", hook.Normal, func(ctx context.Context, e *sessionmgr.StanzaOut) error { x.saw(ctx, "StanzaOut", e.To); return nil })
	h.Closed.Add("test", hook.Normal, func(ctx context.Context, e sessionmgr.Closing) { x.saw(ctx, "Closed", e.Session) })
}

func (x *seen) streams(h *c2s.Hooks) {
	x.on("Drained", &h.Drained)
	h.PreAuth.Add("test", hook.Normal, func(ctx context.Context, e *c2s.PreAuth) error { x.saw(ctx, "PreAuth", e.Session); return nil })
	h.StreamFeatures.Add("test", hook.Normal, func(ctx context.Context, e *c2s.StreamFeatures) { x.saw(ctx, "StreamFeatures", e.Session) })
	h.InlineBound.Add("test", hook.Normal, func(ctx context.Context, e *c2s.InlineBound) { x.saw(ctx, "InlineBound", e.Session) })
	h.StanzaIn.Add("test", hook.Normal, func(ctx context.Context, e *c2s.StanzaIn) error { x.saw(ctx, "StanzaIn", e.Session); return nil })
	h.Ending.Add("test", hook.Normal, func(ctx context.Context, e *c2s.Ending) { x.saw(ctx, "Ending", e.Stream.Session()) })
}

// TestHooksOfAServer: a program reaches the hooks of every package that has some,
// and their handlers find their session in the context.
func TestHooksOfAServer(t *testing.T) {
	s := embedded(t, t.TempDir())
	x := &seen{all: map[string]bool{}}
	owners := map[string]any{"sessionmgr": &s.Sessions.Hooks, "c2s": &s.Streams.Hooks, "presence": &s.Presence.Hooks, "auth": &s.Auth.Hooks}
	for _, p := range s.HookPoints() {
		if owner, _, _ := strings.Cut(p.Point, "."); owners[owner] == nil {
			t.Errorf("%s can't be reached", p.Point)
		}
	}
	x.sessions(owners["sessionmgr"].(*sessionmgr.Hooks))
	x.streams(owners["c2s"].(*c2s.Hooks))
	x.on("Initial", &owners["presence"].(*presence.Hooks).Initial)
	_ = owners["auth"].(*auth.Hooks)
	start(t, s)
	for _, inline := range []bool{false, true} {
		c, err := testclient.Dial(t.Context(), testclient.Options{Addr: s.Addresses()[0].Addr})
		if err != nil {
			t.Fatal(err)
		}
		if inline {
			if err = c.Open(t.Context()); err == nil {
				err = c.SASL2(t.Context(), "SCRAM-SHA-256", "juliet", testPassword, "<bind xmlns='urn:xmpp:bind:0'/>")
			}
		} else {
			err = c.Login(t.Context(), "juliet", testPassword, "balcony")
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Send("<presence/><iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>"); err != nil {
			t.Fatal(err)
		}
		if err := c.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Sessions.Kick(s.Sessions.Primary(jid.MustParse("juliet@localhost"), sessionmgr.Oldest), sessionmgr.Cause{Code: sessionmgr.Kicked}, nil); err != nil {
			t.Fatal(err)
		}
		if err := c.WaitGone(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.all) != 17 {
		t.Errorf("%d points have run: %v", len(x.all), slices.Sorted(maps.Keys(x.all)))
	}
	for point, good := range x.all {
		if !good {
			t.Errorf("%s has another session in its context, or none", point)
		}
	}
}
