package contacts

import (
	"context"
	"fmt"

	"weir/roster"
	"weir/sessionmgr"
	"weir/stanza"

	"golang.org/x/time/rate"
	merr "mellium.im/xmpp/stanza"
)

var _ sessionmgr.PresenceHandler = (*Module)(nil)

// Blocking is always true: the contact's roster may have to be read.
func (c *Module) Blocking(*sessionmgr.Session, *stanza.Stanza) bool { return true }

// FromClient handles a subscription stanza of a client (RFC 6121 §3.1.2,
// RFC 6121 §3.1.5, RFC 6121 §3.2.2, RFC 6121 §3.3.2, RFC 6121 §3.4.2).
func (c *Module) FromClient(ctx context.Context, s *sessionmgr.Session, st *stanza.Stanza) error {
	return c.refuse(c.fromClient(ctx, s, st))
}

func (c *Module) fromClient(ctx context.Context, s *sessionmgr.Session, st *stanza.Stanza) error {
	e, ok := roster.Outbound(st.Type)
	if !ok || st.To.IsZero() {
		return stanza.BadRequest("a subscription is to somebody")
	}
	user, contact := st.From.Bare(), st.To.Bare()
	if user == contact {
		return stanza.NotAllowed("an account is always subscribed to itself")
	}
	if e == roster.OutSubscribe && !c.mayRequest(s) {
		return stanza.NewError(merr.PolicyViolation, merr.Wait,
			fmt.Sprintf("%d subscription requests a minute are the limit", c.o.RequestsPerMinute))
	}
	// "MUST stamp the outgoing presence stanza with the bare JID" (RFC 6121 §3)
	stamped := st.With(user, contact)
	if e == roster.OutSubscribe {
		if err := c.rosters.CheckRequest(stamped); err != nil {
			return err
		}
	}
	x, err := c.beginUnlessBlocked(ctx, user, contact)
	if err != nil {
		return err
	}
	defer x.tx.Close()
	if err := x.outbound(user, contact, e, stamped, false); err != nil {
		return err
	}
	x.commit(s, st, nil)
	return nil
}

// ToAccount handles a subscription stanza from outside to an account of ours
// (RFC 6121 §3.1.3, RFC 6121 §3.1.6, RFC 6121 §3.2.3, RFC 6121 §3.3.3).
func (c *Module) ToAccount(ctx context.Context, st *stanza.Stanza) error {
	e, ok := roster.Outbound(st.Type)
	if !ok {
		return stanza.BadRequest("no subscription stanza")
	}
	user, contact := st.To.Bare(), st.From.Bare()
	if user == contact || user.Local() == "" {
		return nil
	}
	exists, err := c.m.Exists(ctx, user)
	if err != nil || !exists {
		return err // RFC 6121 §8.5.1: silence
	}
	stamped := st.With(contact, user)
	if e == roster.OutSubscribe {
		if err := c.rosters.CheckRequest(stamped); err != nil {
			return err
		}
	}
	x, err := c.begin(ctx, user, contact)
	if err != nil {
		return err
	}
	defer x.tx.Close()
	if err := x.inbound(user, contact, e.Arriving(), stamped); err != nil {
		return err
	}
	x.commit(nil, nil, nil)
	return nil
}

// mayRequest counts a subscription request of a session.
func (c *Module) mayRequest(s *sessionmgr.Session) bool {
	l, ok := c.requests.Get(s)
	if !ok { // only the session's own order comes here
		l = rate.NewLimiter(rate.Limit(float64(c.o.RequestsPerMinute)/60), c.o.RequestsPerMinute)
		c.requests.Set(s, l)
	}
	return l.Allow()
}
