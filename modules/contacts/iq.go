package contacts

import (
	"context"
	"encoding/xml"
	"errors"

	"weir/jid"
	"weir/roster"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/storage"
)

// query is the payload of a roster IQ.
type query struct {
	XMLName xml.Name `xml:"jabber:iq:roster query"`
	Ver     *string  `xml:"ver,attr"`
	Items   []struct {
		JID          *string  `xml:"jid,attr"`
		Name         string   `xml:"name,attr"`
		Subscription string   `xml:"subscription,attr"`
		Groups       []string `xml:"jabber:iq:roster group"`
	} `xml:"jabber:iq:roster item"`
}

// forbid answers those who ask for the roster of somebody else (RFC 6121
// §2.3.3). It is asked only for those who may know that the account exists;
// strangers get what they get for everything.
func (c *Module) forbid(context.Context, *stanza.Stanza) (any, error) {
	return nil, c.refuse(stanza.Forbidden())
}

// get answers a roster get (RFC 6121 §2.1.3, RFC 6121 §2.6) and makes the
// session an interested resource (RFC 6121 §2.2).
func (c *Module) get(ctx context.Context, iq *stanza.Stanza) (any, error) {
	s, ok := sessionmgr.FromContext(ctx)
	if !ok {
		return nil, stanza.Forbidden()
	}
	var q query
	if err := iq.Decode(roster.NS, "query", &q); err != nil {
		return nil, c.refuse(err)
	}
	if len(q.Items) > 0 {
		return nil, c.refuse(stanza.BadRequest("a roster get has no items"))
	}
	// First, so that no push is missed between the answer and the interest.
	s.SetInterested()
	var failed error
	err := c.rosters.Get(ctx, iq.From.Bare(), q.Ver, func(v *roster.View) {
		var payload any
		if q := v.Query(); q != nil {
			payload = q
		}
		result, err := iq.Result(payload)
		if err != nil {
			failed = err
			return
		}
		out := []sessionmgr.Delivery{{To: s, Stanza: result}}
		for i := range v.Pushes {
			out = appendPush(out, s, v.Pushes[i].Query())
		}
		c.m.Submit(sessionmgr.Entry{From: s, Out: out})
	})
	if err := errors.Join(err, failed); err != nil {
		return nil, err
	}
	return nil, sessionmgr.ErrAnswered
}

// set answers a roster set (RFC 6121 §2.1.5).
func (c *Module) set(ctx context.Context, iq *stanza.Stanza) (any, error) {
	s, ok := sessionmgr.FromContext(ctx)
	if !ok {
		return nil, stanza.Forbidden()
	}
	var q query
	if err := iq.Decode(roster.NS, "query", &q); err != nil {
		return nil, c.refuse(err)
	}
	if len(q.Items) != 1 || q.Items[0].JID == nil {
		return nil, c.refuse(stanza.BadRequest("a roster set has exactly one item, with a jid")) // RFC 6121 §2.3.3
	}
	item := q.Items[0]
	contact, err := jid.Parse(*item.JID)
	if err != nil {
		return nil, c.refuse(stanza.JIDMalformed("the item's jid is no address"))
	}
	if item.Subscription == "remove" {
		err = c.remove(ctx, s, iq, contact)
	} else {
		err = c.update(ctx, s, iq, roster.Update{JID: contact, Name: item.Name, Groups: item.Groups})
	}
	if err != nil {
		return nil, c.refuse(err)
	}
	return nil, sessionmgr.ErrAnswered
}

// update creates or changes an item (RFC 6121 §2.3, RFC 6121 §2.4).
func (c *Module) update(ctx context.Context, s *sessionmgr.Session, iq *stanza.Stanza, u roster.Update) error {
	account := iq.From.Bare()
	x, err := c.begin(ctx, account)
	if err != nil {
		return err
	}
	defer x.tx.Close()
	push, err := x.tx.Set(account, u)
	if err != nil {
		return err
	}
	x.push(push)
	return x.answer(s, iq)
}

// remove takes an item out, and ends what there was between the two (RFC 6121 §2.5).
func (c *Module) remove(ctx context.Context, s *sessionmgr.Session, iq *stanza.Stanza, contact jid.JID) error {
	x, err := c.beginUnlessBlocked(ctx, iq.From.Bare(), contact)
	if err != nil {
		return err
	}
	defer x.tx.Close()
	if err := x.remove(iq.From.Bare(), contact); err != nil {
		return err
	}
	return x.answer(s, iq)
}

// answer commits an exchange that a roster set began: the result, then what
// follows from it.
func (x *exchange) answer(s *sessionmgr.Session, iq *stanza.Stanza) error {
	result, err := iq.Result(nil)
	if err != nil {
		return err
	}
	x.commit(s, iq, result)
	return nil
}

// appendPush appends one roster push for a session (RFC 6121 §2.1.6). It has no
// from: it is the account's own.
func appendPush(out []sessionmgr.Delivery, to *sessionmgr.Session, query []byte) []sessionmgr.Delivery {
	st, err := stanza.New(stanza.IQ, "set", randomID(), jid.JID{}, to.JID(), query)
	if err != nil {
		to.Log().Error("a roster push can't be made", "err", err)
		return out
	}
	return append(out, sessionmgr.Delivery{To: to, Stanza: st})
}

// storageTrouble is what a client is told whose change could not be kept.
func storageTrouble(err error) stanza.Error {
	if errors.Is(err, storage.ErrFull) {
		return stanza.ResourceConstraint("the server has no space left; try again later")
	}
	return stanza.ResourceConstraint("the server can't store anything at the moment; try again later")
}
