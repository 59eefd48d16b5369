package contacts

import (
	"context"
	"errors"

	"weir/jid"
	"weir/presence"
	"weir/roster"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/storage"
)

// exchange is what one stanza sets going between two accounts: changes of their
// rosters, and then, in order, what is sent because of them. The order is the
// RFC's for each receiver: a subscription stanza before the push it causes, the push
// before the presence that follows from it.
type exchange struct {
	c     *Module
	tx    *roster.Tx
	steps []step
}

// step is one thing to send. Who gets it is looked up when the change is in force.
type step struct {
	kind    stepKind
	account jid.JID // whose sessions get it; for gone and current: whose presence it is
	viewer  jid.JID // for gone and current: who sees it
	stanza  *stanza.Stanza
	push    *roster.Push
}

type stepKind uint8

const (
	toAvailable  stepKind = iota // stanza to available resources
	toInterested                 // stanza to interested resources
	pushItem                     // push to interested resources
	goneTo                       // unavailable presence of account to viewer
	currentTo                    // present presence of account to viewer
)

// begin opens an exchange of an account of ours, with a contact if given. A
// contact takes part if it is an account that exists here.
func (c *Module) begin(ctx context.Context, account jid.JID, contact ...jid.JID) (*exchange, error) {
	accounts := []jid.JID{account}
	for _, j := range contact {
		j = j.Bare()
		if j == account || j.Local() == "" || !c.m.Local(j.Domain()) {
			continue
		}
		exists, err := c.m.Exists(ctx, j)
		if err != nil {
			return nil, err
		}
		if exists {
			accounts = append(accounts, j)
		}
	}
	tx, err := c.rosters.Begin(ctx, accounts...)
	if err != nil {
		return nil, err
	}
	return &exchange{c: c, tx: tx}, nil
}

// beginUnlessBlocked is begin for what an account does of its own accord: a contact
// that blocks it takes no part, and to the account that looks like a contact that
// doesn't answer (XEP-0191 §3.3).
func (c *Module) beginUnlessBlocked(ctx context.Context, account, contact jid.JID) (*exchange, error) {
	contact = contact.Bare()
	if c.m.Local(contact.Domain()) {
		blocked, err := c.m.Blocks(ctx, contact, account)
		if err != nil {
			return nil, err
		}
		if blocked {
			return c.begin(ctx, account)
		}
	}
	return c.begin(ctx, account, contact)
}

func (x *exchange) add(s step) { x.steps = append(x.steps, s) }

func (x *exchange) push(p *roster.Push) {
	if p != nil {
		x.add(step{kind: pushItem, account: p.Account, push: p})
	}
}

// outbound applies a stanza that user sends to contact, and routes it where the
// table says so. st has both bare addresses. quiet: user's resources get no push.
func (x *exchange) outbound(user, contact jid.JID, e roster.Event, st *stanza.Stanza, quiet bool) error {
	ch, err := x.tx.Apply(user, contact, e, nil)
	if err != nil {
		return err
	}
	if ch.Was.State.HasFrom() && !ch.Now.State.HasFrom() {
		// RFC 6121 §3.2.2: "While the user is still subscribed to the contact's presence"
		x.add(step{kind: goneTo, account: user, viewer: contact})
	}
	if !quiet {
		x.push(ch.Push)
	}
	if ch.Pass && x.tx.Has(contact) {
		if err := x.inbound(contact, user, e.Arriving(), st); err != nil {
			return err
		}
	}
	if !ch.Was.State.HasFrom() && ch.Now.State.HasFrom() {
		x.add(step{kind: currentTo, account: user, viewer: contact}) // RFC 6121 §3.1.5
	}
	return nil
}

// inbound applies a stanza that contact sent to user.
func (x *exchange) inbound(user, contact jid.JID, e roster.Event, st *stanza.Stanza) error {
	ch, err := x.tx.Apply(user, contact, e, st)
	if errors.Is(err, roster.ErrPendingFull) {
		// Nobody is told: an answer would say that the account exists.
		x.c.dropped.Inc()
		return nil
	}
	if err != nil {
		return err
	}
	if ch.Pass {
		kind := toInterested // RFC 6121 §3.1.6, RFC 6121 §3.2.3, RFC 6121 §3.3.3
		if e == roster.InSubscribe {
			kind = toAvailable // RFC 6121 §3.1.3
		}
		x.add(step{kind: kind, account: user, stanza: st})
	}
	x.push(ch.Push)
	if ch.Was.State.HasFrom() && !ch.Now.State.HasFrom() {
		x.add(step{kind: goneTo, account: user, viewer: contact}) // RFC 6121 §3.3.3
	}
	if ch.Reply == "" {
		return nil
	}
	return x.reply(user, contact, ch, st)
}

// reply sends what the server answers on behalf of user. An approval is followed by
// user's presence, also where contact had it already and only forgot.
func (x *exchange) reply(user, contact jid.JID, ch roster.Change, st *stanza.Stanza) error {
	answer := &stanza.Stanza{Kind: stanza.Presence, Type: ch.Reply, ID: st.ID, From: user, To: contact}
	e, _ := roster.Outbound(ch.Reply)
	if x.tx.Has(contact) {
		if err := x.inbound(contact, user, e.Arriving(), answer); err != nil {
			return err
		}
	}
	if e == roster.OutSubscribed {
		x.add(step{kind: currentTo, account: user, viewer: contact})
	}
	return nil
}

// remove takes contact out of user's roster, with the stanzas of RFC 6121 §2.5.2.
func (x *exchange) remove(user, contact jid.JID) error {
	was := x.tx.Item(user, contact)
	before := len(x.steps)
	var ends []roster.Event
	if was.Listed && (was.State.HasTo() || was.State.PendingOut()) {
		ends = append(ends, roster.OutUnsubscribe)
	}
	if was.Listed && was.State.HasFrom() {
		ends = append(ends, roster.OutUnsubscribed)
	}
	for _, e := range ends {
		if err := x.outbound(user, contact, e, generated(e, user, contact), true); err != nil {
			return err
		}
	}
	push, err := x.tx.Remove(user, contact)
	if err != nil {
		return err
	}
	after := append([]step{{kind: pushItem, account: user, push: push}}, x.steps[before:]...)
	x.steps = append(x.steps[:before], after...)
	return nil
}

// generated makes a subscription stanza of the server.
func generated(e roster.Event, from, to jid.JID) *stanza.Stanza {
	return &stanza.Stanza{Kind: stanza.Presence, Type: e.Type(), ID: randomID(), From: from, To: to}
}

// commit puts the changes in force and submits them as one entry, with result
// first if it isn't nil. If they can't be kept, s gets an error for st instead. s and
// st are nil for what the server does by itself; done is called with the outcome.
func (x *exchange) commit(s *sessionmgr.Session, st, result *stanza.Stanza, done ...func(error)) {
	var snaps []*presence.Snapshot
	x.tx.Commit(func(w storage.Batch, settle func(error)) {
		entry := sessionmgr.Entry{From: s, Writes: w}
		entry.Done = func(err error) {
			settle(err)
			for _, fn := range done {
				fn(err)
			}
		}
		if result != nil {
			entry.Out = append(entry.Out, sessionmgr.Delivery{To: s, Stanza: result})
		}
		entry.Out, snaps = x.deliveries(entry.Out)
		entry.Still = x.c.presence.Still(snaps...)
		if st != nil {
			entry.Failed = func(err error) []sessionmgr.Delivery {
				return []sessionmgr.Delivery{{To: s, Stanza: st.ErrorReply(storageTrouble(err))}}
			}
		}
		x.c.m.Submit(entry)
	})
	for i := range snaps {
		x.c.presence.Recheck(snaps[i])
	}
}

// deliveries turns the steps into deliveries to the sessions there are now.
func (x *exchange) deliveries(out []sessionmgr.Delivery) ([]sessionmgr.Delivery, []*presence.Snapshot) {
	var snaps []*presence.Snapshot
	for _, s := range x.steps {
		switch s.kind {
		case goneTo:
			out = append(out, x.c.presence.Gone(s.account, s.viewer)...)
		case currentTo:
			snap := x.c.presence.Current(s.account, s.viewer)
			out = append(out, snap.Out...)
			snaps = append(snaps, &snap)
		case pushItem:
			query := s.push.Query()
			for _, to := range x.c.m.ByAccount(s.account) {
				if to.Interested() {
					out = appendPush(out, to, query)
				}
			}
		default:
			for _, to := range x.c.m.ByAccount(s.account) {
				if s.kind == toAvailable && to.Available() || s.kind == toInterested && to.Interested() {
					out = append(out, sessionmgr.Delivery{To: to, Stanza: s.stanza})
				}
			}
		}
	}
	return out, snaps
}
