// Package carbons lets a client have copies of what the other clients of its
// account send and receive (XEP-0280): it owns the two requests by which a client
// turns them on and off, and the feature that announces them.
//
// It must not know which messages are copied, to whom, and how a copy is kept:
// that is the router's and the pipeline's (sessionmgr), since a copy is as durable
// as its message and has its place in the same order. It keeps nothing itself:
// whether a session gets copies is part of that session, and stays with it over
// resumptions and restarts.
//
// The manager calls its handler on the goroutine that handles a session's stanza,
// which may block: the stream pauses until the store has it.
//
// Start reading at [New].
package carbons

import (
	"context"

	"weir/c2s"
	"weir/sessionmgr"
	"weir/stanza"
)

// NS is the namespace of carbons.
const NS = "urn:xmpp:carbons:2"

// New lets m turn copies on and off for its clients.
func New(m *sessionmgr.Manager) {
	for _, on := range []bool{true, false} {
		local := "disable"
		if on {
			local = "enable"
		}
		m.HandleIQ(sessionmgr.IQHandler{
			NS: NS, Local: local, Scope: sessionmgr.OnSelf, Silent: true, Blocking: true,
			Set: func(ctx context.Context, _ *stanza.Stanza) (any, error) { return nil, turn(ctx, m, on) },
		})
	}
	m.Advertise(sessionmgr.OnServer, NS) // XEP-0280 §3
}

// Offer has a server of streams take the request together with a login: copies
// are then on from the first stanza (XEP-0386 §3.2).
func Offer(streams *c2s.Server) {
	streams.HandleInline(c2s.Inline{
		NS: NS, Local: "enable", Bind: true, Feature: NS,
		Before: func(_ context.Context, r *c2s.InlineRequest) { r.Binding.Carbons = true },
	})
}

// turn turns copies on or off for the session whose request is handled. Again is
// no error (XEP-0280 §10.1).
func turn(ctx context.Context, m *sessionmgr.Manager, on bool) error {
	s, ok := sessionmgr.FromContext(ctx)
	if !ok {
		return stanza.NotAllowed() // XEP-0280 §4.1: not of a client of ours
	}
	return m.SetCarbons(ctx, s, on)
}
