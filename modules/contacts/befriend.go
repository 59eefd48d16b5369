package contacts

import (
	"context"
	"fmt"

	"weir/jid"
	"weir/roster"
)

// Befriend subscribes two accounts of ours to each other's presence, as if each had
// asked and the other had agreed. Sessions of both get the pushes, and no request.
// What there is already stays. Each then has the other pre-approved (RFC 6121 §3.4).
// It blocks until it is committed.
func (c *Module) Befriend(ctx context.Context, a, b jid.JID) error {
	a, b = a.Bare(), b.Bare()
	x, err := c.begin(ctx, a, b)
	if err != nil {
		return err
	}
	defer x.tx.Close()
	if !x.tx.Has(b) || a == b {
		return fmt.Errorf("contacts: %s is no other account of this server", b)
	}
	for _, s := range []struct {
		user, contact jid.JID
		e             roster.Event
	}{
		{a, b, roster.OutSubscribed}, {b, a, roster.OutSubscribed}, // approved before they are asked
		{a, b, roster.OutSubscribe}, {b, a, roster.OutSubscribe},
	} {
		if err := x.outbound(s.user, s.contact, s.e, generated(s.e, s.user, s.contact), false); err != nil {
			return err
		}
	}
	done := make(chan error, 1)
	x.commit(nil, nil, nil, func(err error) { done <- err })
	c.m.FlushTouched()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
