// Package ping answers pings of clients (XEP-0199 §4.2). It owns nothing and
// must not know how a stream keeps itself alive: pings that the server sends are
// c2s's. Its handler runs on the stream's goroutine and does not block.
//
// Start reading at [New].
package ping

import (
	"context"

	"weir/sessionmgr"
	"weir/stanza"
)

// NS is the namespace of pings.
const NS = "urn:xmpp:ping"

// New lets m answer pings to the server and to the sender's own account.
func New(m *sessionmgr.Manager) {
	m.HandleIQ(sessionmgr.IQHandler{
		NS: NS, Local: "ping",
		Scope: sessionmgr.OnServer | sessionmgr.OnSelf,
		Get:   func(context.Context, *stanza.Stanza) (any, error) { return nil, nil },
	})
}
