package contacts

import (
	"context"
	"time"

	"weir/sessionmgr"
)

// A client may have 1,000 requests waiting, more than its link takes at once.
// They go out in pieces of pieceBytes, the next when the last is nearly written.
const (
	pieceBytes = 64 << 10
	pieceWait  = 10 * time.Millisecond // between two looks
	pieceLooks = 3000                  // then the client isn't reading
)

// deliverRequests gives a newly available resource the subscription requests
// that nobody has answered (RFC 6121 §3.1.3): "MUST continue to deliver the subscription
// request whenever the contact creates an available resource".
func (c *Module) deliverRequests(ctx context.Context, s *sessionmgr.Session) {
	account := s.JID().Bare()
	if c.rosters.Pending(account) == 0 {
		return
	}
	requests, err := c.rosters.Requests(ctx, account)
	if err != nil && ctx.Err() == nil { // else the session has ended
		s.Log().Error("subscription requests can't be read", "err", err)
	}
	var out []sessionmgr.Delivery
	size := 0
	for _, st := range requests {
		if size > 0 && size+st.Size() > pieceBytes {
			c.m.Submit(sessionmgr.Entry{From: s, Out: out})
			out, size = nil, 0
			if !c.waitWritten(ctx, s) {
				return
			}
		}
		out = append(out, sessionmgr.Delivery{To: s, Stanza: st})
		size += st.Size()
	}
	c.m.Submit(sessionmgr.Entry{From: s, Out: out})
}

// waitWritten waits until the session's link has written most of what it has.
func (c *Module) waitWritten(ctx context.Context, s *sessionmgr.Session) bool {
	for range pieceLooks {
		c.m.FlushTouched()
		link := s.Link()
		if link == nil {
			return false
		}
		if link.Waiting() < pieceBytes/2 {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pieceWait):
		}
	}
	return false
}
