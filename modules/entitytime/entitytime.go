// Package entitytime tells the server's time (XEP-0202).
//
// It owns nothing and must not know more than the clock of the machine. The
// session manager calls its handler on the goroutine of the stream that asked;
// the handler does not block.
//
// Start reading at [New].
package entitytime

import (
	"context"
	"time"

	"weir/sessionmgr"
	"weir/stanza"

	"mellium.im/xmpp/xtime"
)

// New lets m answer with the time of the clock, in the zone of the server.
func New(m *sessionmgr.Manager) {
	m.HandleIQ(sessionmgr.IQHandler{
		NS: xtime.NS, Local: "time",
		Scope: sessionmgr.OnServer,
		Get: func(context.Context, *stanza.Stanza) (any, error) {
			return xtime.Time{Time: time.Now().Truncate(time.Millisecond)}, nil
		},
	})
}
