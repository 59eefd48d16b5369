package blocking

import (
	"context"
	"crypto/rand"
	"encoding/xml"
	"fmt"
	"slices"

	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
)

// request is what a client sends in each of the three elements.
type request struct {
	Items []struct {
		JID string `xml:"jid,attr"`
	} `xml:"urn:xmpp:blocking item"`
	XMLName xml.Name
}

// read returns the addresses of a request, each once.
func read(iq *stanza.Stanza, name string) ([]jid.JID, error) {
	var q request
	if err := iq.Decode(NS, name, &q); err != nil {
		return nil, err
	}
	var all []jid.JID
	seen := make(map[jid.JID]bool, len(q.Items))
	for _, i := range q.Items {
		j, err := jid.Parse(i.JID)
		if err != nil {
			return nil, stanza.JIDMalformed("one of the addresses is none")
		}
		if !seen[j] {
			seen[j] = true
			all = append(all, j)
		}
	}
	return all, nil
}

// get answers the list, and has the client told of changes from now on
// (XEP-0191 §3.2).
func (mod *Module) get(ctx context.Context, iq *stanza.Stanza) (any, error) {
	account := iq.From.Bare()
	mu := mod.lock(account)
	mu.Lock()
	defer mu.Unlock()
	items, err := mod.items(ctx, account)
	if err != nil {
		return nil, err
	}
	if s, ok := sessionmgr.FromContext(ctx); ok {
		mod.asked.Set(s, true)
	}
	return element("blocklist", items), nil
}

// block adds to the list (XEP-0191 §3.3).
func (mod *Module) block(ctx context.Context, iq *stanza.Stanza) (any, error) {
	more, err := read(iq, "block")
	if err != nil {
		return nil, err
	}
	if len(more) == 0 {
		return nil, stanza.BadRequest("nobody is named")
	}
	if slices.Contains(more, iq.From.Bare()) {
		return nil, stanza.NotAllowed("an account can't block itself")
	}
	return mod.change(ctx, iq, func(items []jid.JID) ([]jid.JID, error) {
		for _, j := range more {
			if !slices.Contains(items, j) {
				items = append(items, j)
			}
		}
		size := 0
		for _, j := range items {
			size += len(j.String())
		}
		if len(items) > mod.o.MaxItems || size > mod.o.MaxBytes {
			return nil, stanza.PolicyViolation(fmt.Sprintf("an account blocks at most %d addresses, of %d bytes in all", mod.o.MaxItems, mod.o.MaxBytes))
		}
		return items, nil
	}, element("block", more))
}

// unblock takes from the list, or empties it (XEP-0191 §3.4, XEP-0191 §3.5).
func (mod *Module) unblock(ctx context.Context, iq *stanza.Stanza) (any, error) {
	fewer, err := read(iq, "unblock")
	if err != nil {
		return nil, err
	}
	return mod.change(ctx, iq, func(items []jid.JID) ([]jid.JID, error) {
		if len(fewer) == 0 {
			return nil, nil
		}
		return slices.DeleteFunc(items, func(j jid.JID) bool { return slices.Contains(fewer, j) }), nil
	}, element("unblock", fewer))
}

// change replaces the list of the account that asks, and answers. What is blocked
// from now on is so before the store has it: too early is no harm. Where it can't
// be kept, the old list is in force again.
func (mod *Module) change(ctx context.Context, iq *stanza.Stanza, edit func([]jid.JID) ([]jid.JID, error), push []byte) (any, error) {
	s, ok := sessionmgr.FromContext(ctx)
	if !ok {
		return nil, stanza.Forbidden()
	}
	account := iq.From.Bare()
	mu := mod.lock(account)
	mu.Lock()
	defer mu.Unlock()
	items, err := mod.items(ctx, account)
	if err != nil {
		return nil, err
	}
	was := sessionmgr.NewBlocklist(account, items)
	if items, err = edit(items); err != nil {
		return nil, err
	}
	now := sessionmgr.NewBlocklist(account, items)
	result, err := iq.Result(nil)
	if err != nil {
		return nil, err
	}
	e := sessionmgr.Entry{From: s, Conceals: true}
	if len(items) == 0 {
		mod.lists.Delete(&e.Writes, account.String())
	} else {
		mod.lists.Set(&e.Writes, account.String(), encode(items))
	}
	mod.inForce(s, account, now)
	e.Out = append(mod.pushes(account, push), sessionmgr.Delivery{To: s, Stanza: result})
	e.Out = append(e.Out, mod.presence.Conceal(account, func(j jid.JID) bool { return now.Has(j) && !was.Has(j) })...)
	done := make(chan error, 1)
	e.Done = func(err error) { done <- err }
	mod.m.Submit(e)
	mod.m.FlushTouched()
	if err := <-done; err != nil {
		mod.inForce(s, account, was)
		return nil, err
	}
	snap := mod.presence.Reveal(account, func(j jid.JID) bool { return was.Has(j) && !now.Has(j) })
	if len(snap.Out) > 0 {
		mod.m.Submit(sessionmgr.Entry{From: s, Out: snap.Out})
		mod.presence.Recheck(&snap)
	}
	return nil, sessionmgr.ErrAnswered
}

// inForce puts a list in force for the sessions of an account: those that are
// there, and s, which may have left.
func (mod *Module) inForce(s *sessionmgr.Session, account jid.JID, b *sessionmgr.Blocklist) {
	mod.changes.Add(1)
	s.SetBlocklist(b)
	for _, x := range mod.m.ByAccount(account) {
		x.SetBlocklist(b)
	}
}

// pushes tell the clients of an account that have asked for the list what has
// changed (XEP-0191 §3.3).
func (mod *Module) pushes(account jid.JID, push []byte) (out []sessionmgr.Delivery) {
	for _, to := range mod.m.ByAccount(account) {
		if asked, _ := mod.asked.Get(to); !asked {
			continue
		}
		st, err := stanza.New(stanza.IQ, "set", rand.Text(), jid.JID{}, to.JID(), push)
		if err != nil {
			to.Log().Error("a push of the block list can't be made", "err", err)
			continue
		}
		out = append(out, sessionmgr.Delivery{To: to, Stanza: st})
	}
	return out
}
