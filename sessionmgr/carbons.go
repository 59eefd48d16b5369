package sessionmgr

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"weir/jid"
	"weir/stanza"
)

// Carbons (XEP-0280): who else gets a message. A copy goes the way of the
// message: the same entry of the pipeline, the same batch, and the record that the
// account has of it anyway names the session for it. So it is as durable, has its
// place in the same order, and costs no record of its own. Which messages are
// copied is in copied.go.

// carbons are the copies of one message.
type carbons struct {
	message *stanza.Stanza // as it was sent on
	to      []Delivery     // sessions of the receiver's account
	from    []Delivery     // other sessions of the sender's, if that is another account

	// Since its place in the order was found.
	id   uint64 // of the record in the sender's log, 0 for none
	hide bool   // that goes when it was delivered
}

// each calls fn for every copy; a nil c has none.
func (c *carbons) each(fn func(*Delivery)) {
	if c == nil {
		return
	}
	for i := range c.to {
		fn(&c.to[i])
	}
	for i := range c.from {
		fn(&c.from[i])
	}
}

// size is what the copies hold in memory: one of each kind is made.
func (c *carbons) size() (n int) {
	if c == nil {
		return 0
	}
	if len(c.to) > 0 {
		n += c.message.Size()
	}
	if len(c.from) > 0 {
		n += c.message.Size()
	}
	return n
}

// carbonsOf returns the copies of a message, nil where there are none. from is
// where it comes from, sessions are those of the receiver's account, and got
// those of them that get the message itself.
//
// Of the sender's sessions the one that sent it gets none (XEP-0280 §8); of the
// receiver's, who gets the message gets none (XEP-0280 §7). Where both are one
// account, each session gets it once.
func (m *Manager) carbonsOf(from *source, st *stanza.Stanza, sessions, got []*Session) *carbons {
	var mine []*Session
	s := from.session()
	own := s != nil && st.From.Bare() == st.To.Bare()
	if s != nil && !own {
		mine = m.registry.bound(st.From.Bare())
	}
	if !anyCarbons(sessions) && !anyCarbons(mine) {
		return nil
	}
	received, sent := copied(st)
	if own {
		received = received || sent
	}
	c := &carbons{message: st}
	if received {
		c.to = m.copiesFor(st, sessions, s, got)
	}
	if sent {
		c.from = m.copiesFor(st, mine, s, nil)
	}
	if len(c.to)+len(c.from) == 0 {
		return nil
	}
	return c
}

func anyCarbons(sessions []*Session) bool {
	for _, s := range sessions {
		if s.carbons.Load() {
			return true
		}
	}
	return false
}

// copiesFor makes the copies for sessions that want them: whether they are
// available or not, and with whichever priority (XEP-0280 §7).
func (m *Manager) copiesFor(st *stanza.Stanza, sessions []*Session, sender *Session, got []*Session) (out []Delivery) {
	for _, s := range sessions {
		if s == sender || !s.carbons.Load() || slices.Contains(got, s) {
			continue
		}
		account := s.JID().Bare()
		if !m.Hooks.StanzaOut.Empty() && !m.mayGoOut(s, carbonOf(st, account, time.Time{}).With(account, s.JID())) {
			continue
		}
		out = append(out, Delivery{To: s, Stanza: st, copy: true})
	}
	return out
}

// carbonOf wraps a message for other sessions of an account: as sent where the
// account has sent it, else as received. at is when that was, if it has waited.
// From is the account itself, always, and by this a client knows a copy (XEP-0280
// §11): what others send carries their own address. Whom it goes to is filled in
// for each.
func carbonOf(st *stanza.Stanza, account jid.JID, at time.Time) *stanza.Stanza {
	e := stanza.Envelope{From: account, Type: st.Type, NS: nsCarbons, Local: "received", At: at}
	if st.From.Bare() == account {
		e.Local = "sent"
	}
	return e.Forward(st)
}

// wrap has the copies carry the message, wrapped once for each account. id is that
// of the records, which a client is told where they are of its archive.
func (c *carbons) wrap(here, there bool, id uint64) {
	if c != nil {
		wrapAll(c.to, c.message, here, id)
		wrapAll(c.from, c.message, there, id)
	}
}

func wrapAll(list []Delivery, st *stanza.Stanza, archived bool, id uint64) {
	if len(list) == 0 {
		return
	}
	account := list[0].To.JID().Bare()
	if archived {
		st = st.WithStanzaID(account, ArchiveID(id))
	}
	st = carbonOf(st, account, time.Time{})
	for i := range list {
		list[i].Stanza = st.With(account, list[i].To.JID())
	}
}

// copyTargets adds the sessions of the receiver's account that get a copy to
// those that the record of a message names.
func (p *pipeline) copyTargets(b *batch, c *carbons, targets []target, needs bool) ([]target, bool) {
	if c != nil {
		for i := range c.to {
			targets, needs = p.copyTarget(b, &c.to[i], targets, needs)
		}
	}
	return targets, needs
}

// copyTarget adds one. It needs a record with stream management, or where it has
// to wait. A session that has ended gets no copy.
func (p *pipeline) copyTarget(b *batch, d *Delivery, targets []target, needs bool) ([]target, bool) {
	s := d.To
	if s.ledger == nil {
		return targets, needs
	}
	t := p.target(b, d)
	return append(targets, t), needs || s.sm != nil || !t.live
}

// withdraw takes back that the receiver's sessions get copies from its log: there
// is no record.
func (c *carbons) withdraw() {
	if c != nil {
		for i := range c.to {
			c.to[i].live = false
		}
	}
}

// withdrawSent is withdraw for the sender's sessions.
func (c *carbons) withdrawSent() {
	for i := range c.from {
		c.from[i].live = false
	}
}

// deliverCarbons gives the copies out, after the message itself. One that a
// session can't get is nobody else's.
func (p *pipeline) deliverCarbons(it *item) {
	c := it.carbons
	if c == nil {
		return
	}
	if !it.log { // else they were wrapped when it got its place there
		c.wrap(false, false, 0)
	}
	p.deliverCopies(it, c.to, it.id, it.hide)
	p.deliverCopies(it, c.from, c.id, c.hide)
}

func (p *pipeline) deliverCopies(it *item, list []Delivery, id uint64, hide bool) {
	for i := range list {
		if d := &list[i]; id > 0 {
			p.deliverKept(d, id, hide)
		} else {
			p.deliverOne(it, d, nil)
		}
	}
}

// copying says whether a session gets copies, and why: its client has asked for
// them, or its policy is that all sessions see the same. Loaded for every message.
type copying struct{ why atomic.Uint32 }

const (
	copiesAsked = 1 << iota
	copiesForced
)

// Load reports whether it does.
func (c *copying) Load() bool { return c.why.Load() != 0 }

func (c *copying) asked() bool  { return c.why.Load()&copiesAsked != 0 }
func (c *copying) forced() bool { return c.why.Load()&copiesForced != 0 }

// ask notes what its client wants and returns what that was before.
func (c *copying) ask(on bool) (was bool) { return c.set(copiesAsked, on) }

// force notes what its policy says.
func (c *copying) force(on bool) { c.set(copiesForced, on) }

func (c *copying) set(bit uint32, on bool) (was bool) {
	if on {
		return c.why.Or(bit)&bit != 0
	}
	return c.why.And(^bit)&bit != 0
}

// SetCarbons turns copies of what the account's other sessions send and receive
// on or off, as far as that is its client's to say. It waits until that is durable, with stream management: a client that
// was told that they are on gets them also after a restart.
func (m *Manager) SetCarbons(ctx context.Context, s *Session, on bool) error {
	if s == nil {
		return ErrGone
	}
	done := make(chan error, 1)
	m.pipe.run(func() {
		was := s.carbons.ask(on)
		if s.sm == nil || was == on {
			done <- nil
			return
		}
		s.sm.snap = true
		m.pipe.number(&item{rec: true, Entry: Entry{From: s, Done: func(err error) {
			if err != nil {
				s.carbons.ask(was)
			}
			done <- err
		}}})
	})
	m.FlushTouched()
	select {
	case err := <-done:
		if err != nil {
			return m.handlingError(ctx, err)
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Carbons reports whether the session gets copies of what the account's other
// sessions send and receive.
func (s *Session) Carbons() bool { return s.carbons.Load() }
