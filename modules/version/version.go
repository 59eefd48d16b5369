// Package version tells name and version of the server (XEP-0092). It owns
// nothing; its handler runs on the stream's goroutine and does not block. The
// operating system is not told: it helps nobody but an attacker.
//
// Start reading at [New].
package version

import (
	"context"

	"weir/sessionmgr"
	"weir/stanza"

	"mellium.im/xmpp/version"
)

// New lets m answer with a name and a version.
func New(m *sessionmgr.Manager, name, number string) {
	m.HandleIQ(sessionmgr.IQHandler{
		NS: version.NS, Local: "query",
		Scope: sessionmgr.OnServer,
		Get: func(context.Context, *stanza.Stanza) (any, error) {
			return version.Query{Name: name, Version: number}, nil
		},
	})
}
