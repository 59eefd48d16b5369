package contacts

import (
	"context"

	"weir/jid"
	"weir/roster"
)

// AccountDeleted forgets the roster of an account that is no more. Its
// contacts see it as if it had removed them: unsubscribed both ways (RFC 6121
// §2.5.2), and no longer approved. Requests to it that wait stay unanswered, like those to an account
// that never was. Call it when the account's sessions have ended. It blocks until
// everything is committed.
func (c *Module) AccountDeleted(ctx context.Context, account jid.JID) error {
	account = account.Bare()
	x, err := c.begin(ctx, account)
	if err != nil {
		return err
	}
	contacts := x.tx.Contacts(account)
	x.tx.Close()
	for _, contact := range contacts {
		if err := c.part(ctx, account, contact); err != nil {
			return err
		}
	}
	if x, err = c.begin(ctx, account); err != nil {
		return err
	}
	defer x.tx.Close()
	x.tx.Erase(account)
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

// part ends what there is between a deleted account and one contact.
func (c *Module) part(ctx context.Context, account, contact jid.JID) error {
	x, err := c.begin(ctx, account, contact)
	if err != nil {
		return err
	}
	defer x.tx.Close()
	if !x.tx.Item(account, contact).Listed {
		return nil
	}
	if err := x.remove(account, contact); err != nil {
		return err
	}
	if x.tx.Has(contact) && x.tx.Item(contact, account).Approved { // not meant for whoever gets the name next
		e := roster.OutUnsubscribed // RFC 6121 §3.4.2
		if err := x.outbound(contact, account, e, generated(e, contact, account), false); err != nil {
			return err
		}
	}
	x.commit(nil, nil, nil)
	return nil
}
