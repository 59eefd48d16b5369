package contacts

import (
	"context"
	"slices"

	"weir/jid"
	"weir/roster"
	"weir/sessionmgr"
)

// resumed pushes the roster to a session of an earlier process, and what was removed
// of it, since pushes are not durable: the client may have missed some. So it does
// where the client has missed some of that.
func (c *Module) resumed(ctx context.Context, r sessionmgr.Resumption) {
	s := r.Session
	if !r.Restored && !r.Missed || !s.Interested() {
		return
	}
	gone, err := c.rosters.Removed(ctx, s.JID().Bare(), s.Created())
	if err != nil {
		c.o.Log.Error("a resumed session isn't told who was removed from its roster", "sid", s.ID(), "err", err)
	}
	last, over := c.pushPart(ctx, s, jid.JID{}, gone)
	c.m.FlushTouched()
	if over {
		return
	}
	c.m.Go(func() {
		for !over && c.m.Ready(s, pushBytes/2) { // where it isn't, the client is given all of it anew
			last, over = c.pushPart(s.Context(), s, last, gone)
			c.m.FlushTouched()
		}
	})
}

// pushBytes is how much of a roster is pushed at once, about: each part is read when
// the one before was written, so that it overtakes no change.
const pushBytes = 64 << 10

// pushPart pushes the contacts behind one, and in the end the removed ones that aren't
// there again. It returns the last, and whether that was all.
func (c *Module) pushPart(ctx context.Context, s *sessionmgr.Session, behind jid.JID, gone []jid.JID) (last jid.JID, over bool) {
	err := c.rosters.Get(ctx, s.JID().Bare(), nil, func(v *roster.View) {
		var out []sessionmgr.Delivery
		size := 0
		push := func(p roster.Push) {
			p.Account, p.Ver = v.Account, v.Ver
			n := len(out)
			out = appendPush(out, s, p.Query())
			for _, d := range out[n:] {
				size += d.Stanza.Size()
			}
		}
		last, over = behind, true
		for _, i := range v.Items { // by address
			if !over {
				break
			}
			if jid.Compare(i.JID, behind) <= 0 {
				continue
			}
			push(roster.Push{Item: i})
			last, over = i.JID, size < pushBytes
		}
		for _, contact := range gone {
			_, listed := slices.BinarySearchFunc(v.Items, contact, func(i roster.Item, j jid.JID) int { return jid.Compare(i.JID, j) })
			if over && !listed {
				push(roster.Push{Item: roster.Item{JID: contact}, Removed: true})
			}
		}
		c.m.Submit(sessionmgr.Entry{Out: out})
	})
	if err != nil {
		c.o.Log.Error("a resumed session gets no roster", "sid", s.ID(), "err", err)
		return last, true
	}
	return last, over
}
