package roster

import (
	"errors"
	"slices"

	"weir/jid"
	"weir/stanza"
	"weir/storage"

	merr "mellium.im/xmpp/stanza"
)

// Update is the item of a roster set (RFC 6121 §2.1.5).
type Update struct {
	JID    jid.JID
	Name   string
	Groups []string
}

// Set creates or updates an item (RFC 6121 §2.3, RFC 6121 §2.4). There is a push
// even if the item already was so: clients wait for it. The error is a stanza error.
func (tx *Tx) Set(account jid.JID, u Update) (*Push, error) {
	if err := tx.r.o.checkItem(&u); err != nil {
		return nil, err
	}
	if u.JID == account {
		// RFC 6121 §2.3.3, interoperability note
		return nil, refuse(merr.Cancel, merr.NotAllowed, "an account can't be its own contact")
	}
	d := tx.draft(account)
	was := d.item(u.JID)
	now := was
	now.Name, now.Groups, now.Listed = u.Name, slices.Clone(u.Groups), true
	if err := d.fits(&tx.r.o, &was, &now); err != nil {
		return nil, err
	}
	return d.put(was, now, true), nil
}

// fits applies the limits of the whole roster to a change. What makes it no
// larger is always allowed.
func (d *draft) fits(o *Options, was, now *Item) error {
	listed, bytes := d.listed, d.bytes+now.size()
	if was.Listed {
		bytes -= was.size()
	} else {
		listed++
	}
	if listed > o.MaxItems && listed > d.listed {
		return refuse(merr.Cancel, merr.NotAllowed, "a roster may have %d items", o.MaxItems)
	}
	if bytes > o.MaxBytes && bytes > d.bytes {
		return refuse(merr.Cancel, merr.NotAllowed, "a roster may have %d bytes in all", o.MaxBytes)
	}
	return nil
}

// Remove takes an item out of the roster (RFC 6121 §2.5). A request of the contact
// that waits for an answer goes on waiting. The caller first ends the
// subscriptions with [Tx.Apply]. item-not-found if there is none.
func (tx *Tx) Remove(account, contact jid.JID) (*Push, error) {
	d := tx.draft(account)
	was := d.item(contact)
	if !was.Listed {
		return nil, refuse(merr.Modify, merr.ItemNotFound, "not in the roster")
	}
	now := Item{JID: contact}
	if was.State.PendingIn() {
		now.State = NonePendingIn
	}
	return d.put(was, now, false), nil
}

// Change is what a subscription stanza did to one account.
type Change struct {
	Cell
	Was  Item
	Now  Item
	Push *Push // for the interested resources; nil: clients see no change
}

// Apply changes the state between account and contact by one stanza. request is
// the stanza itself where e is InSubscribe: it is kept until it is answered, the latest
// one only (RFC 6121 §3.1.3). The error is a stanza error, or ErrPendingFull.
func (tx *Tx) Apply(account, contact jid.JID, e Event, request *stanza.Stanza) (Change, error) {
	d := tx.draft(account)
	was := d.item(contact)
	c := Change{Cell: Lookup(was.State, was.Approved, e), Was: was}
	now := was
	now.State = c.Next
	switch c.Approval {
	case Approve:
		now.Approved = true
	case Revoke:
		now.Approved = false
	}
	changed := now.State != was.State || now.Approved != was.Approved
	if changed && !e.Inbound() && (now.State != None || now.Approved) {
		// Only what the user does makes an item (RFC 6121 §3.1.3, security warning).
		now.Listed = true
	}
	if !was.Listed && now.Listed {
		if err := d.fits(&tx.r.o, &was, &now); err != nil {
			return Change{}, err
		}
	}
	if err := tx.keepRequest(d, &was, &now, e, request); err != nil {
		return Change{}, err
	}
	c.Now = now
	if changed {
		c.Push = d.put(was, now, false)
	}
	return c, nil
}

// keepRequest stores a request that begins to wait, and deletes one that is
// answered or withdrawn.
func (tx *Tx) keepRequest(d *draft, was, now *Item, e Event, request *stanza.Stanza) error {
	key := requestKey(d.a.jid, now.JID)
	switch {
	case e == InSubscribe && now.State.PendingIn():
		if !was.State.PendingIn() && d.pending >= tx.r.o.MaxPending {
			return ErrPendingFull
		}
		if request == nil {
			return errors.New("roster: a subscription request without its stanza")
		}
		if err := tx.r.CheckRequest(request); err != nil {
			return err
		}
		tx.extra.Put(key, request.AppendTo(nil))
		d.stored = true
	case was.State.PendingIn() && !now.State.PendingIn():
		tx.extra.Delete(key)
	}
	return nil
}

// Erase forgets everything about an account: its items, its version, the
// requests to it.
func (tx *Tx) Erase(account jid.JID) {
	d := tx.draft(account)
	for _, c := range tx.Contacts(account) {
		d.put(d.item(c), Item{JID: c}, false)
	}
	d.ver = version{}
	storage.DeleteAccount(&tx.extra, account.String(), tx.r.Tables()...)
}
