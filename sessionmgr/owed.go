package sessionmgr

import (
	"context"

	"weir/jid"
	"weir/stanza"
)

// A message that reaches nobody is owed to its account: its record in the log
// names no session. So is what a session leaves behind that ends before it had
// everything. Nothing is moved or deleted on delivery; only a cursor moves.

const (
	chunkBytes = 64 << 10 // of a log given to a link before it has to drain
	chunkCount = 200
	holdBytes  = 256 << 10 // live messages that wait until a session has caught up
)

// owe appends a message to the log of its account. It may read storage. from is
// the session that sent it, or nil. forgets is what ledgers.forgets was before
// the account was known to exist.
func (m *Manager) owe(ctx context.Context, from *source, account jid.JID, st *stanza.Stanza, c *carbons, forgets uint64) error {
	l, err := m.ledgers.acquire(ctx, account)
	if err != nil {
		return err
	}
	if m.ledgers.forgets.Load() != forgets { // perhaps this one: its name may get another owner
		exists, err := m.accounts.Exists(ctx, account)
		if err != nil || !exists {
			m.ledgers.release(l)
			if err == nil {
				m.bounce(from, st, stanza.ServiceUnavailable())
			}
			return err
		}
	}
	it := item{one: Delivery{Stanza: st}, owe: l, routed: true, carbons: c}
	from.sign(&it)
	m.leads(from, &it)
	m.pipe.submit(it)
	return nil
}

// oweNow makes a message owed that s could not be given. What from sends next
// waits until it is durable.
func (p *pipeline) oweNow(from, s *Session, st *stanza.Stanza, follow *Tracker) {
	l := s.ledger
	if l != nil {
		p.m.ledgers.pin(l)
	} else if l = p.m.ledgers.loaded(s.JID().Bare()); l == nil || len(p.late) > 0 || p.lateBusy {
		if l != nil {
			p.m.ledgers.release(l)
		}
		p.late = append(p.late, item{Entry: Entry{From: from}, one: Delivery{To: s, Stanza: st}, follow: follow})
		return
	}
	p.number(&item{Entry: Entry{From: from}, one: Delivery{Stanza: st}, owe: l, routed: true, follow: follow})
	p.pushed(from)
}

// oweLate owes what waits for ledgers that have to be read, in order.
func (p *pipeline) oweLate() {
	for {
		var some []item
		p.m.inOrder(func() {
			some, p.late = p.late, nil
			p.lateBusy = len(some) > 0
		})
		if len(some) == 0 {
			return
		}
		for _, it := range some {
			account, st := it.one.To.JID().Bare(), it.one.Stanza
			from := p.m.track(&source{s: it.From, counted: true}, it.follow)
			if err := p.m.owe(p.m.ctx, from, account, st, nil, p.m.ledgers.forgets.Load()); err != nil {
				p.m.log.Error("message can't be kept", "account", account, "err", err)
				p.m.bounce(from, st, p.m.handlingError(p.m.ctx, err))
			}
			p.m.untrack(from)
			it.unfollow(Report{}) // it goes on with what is to be owed
		}
		p.m.FlushTouched()
	}
}

// comesFirst has a session that came while a message found nobody wait for it:
// it is still owed, and what comes after it to that session stays behind it (RFC
// 6120 §10.1). owedKept, or logFailed, has the session go on.
func (p *pipeline) comesFirst(l *ledger) {
	if s := p.m.eligible(l, nil); s != nil {
		s.behind = true
	}
}

// owedKept is called when an owed message is durable: a session that came
// meanwhile gets it.
func (p *pipeline) owedKept(it *item) {
	m, l := p.m, it.owe
	m.metrics.owed.Inc()
	if s := m.eligible(l, nil); s != nil && !l.dead {
		p.after(s, func() { m.startOwed(l, s) })
	}
	m.goOn(l)
	m.ledgers.release(l)
}

// goOn has the sessions of an account pull that stay behind for no reason any
// more. Runs with the token.
func (m *Manager) goOn(l *ledger) {
	for _, s := range m.registry.bound(l.account) {
		m.startPull(s)
	}
}

// bounced returns the answer to a message that can't be kept; there may be none.
func (p *pipeline) bounced(it *item, e stanza.Error) Delivery {
	st := it.message()
	p.m.work.Go(func() { p.m.undelivered(st, string(e.Condition)) }) // no hook runs with the token
	if it.follow != nil {
		it.unfollow(bounced(e))
	}
	reply, to := st.ErrorReply(e), it.From
	if to == nil {
		to = p.m.registry.byJID(st.From)
	}
	if reply == nil || to == nil {
		return Delivery{}
	}
	return Delivery{To: to, Stanza: reply}
}

// startOwed begins to give a session what its account is owed. With stream
// management the session takes it over, and leaves what its client has not
// acknowledged in the end; without, it stays owed until it was written. Runs
// with the token, in the session's order.
func (m *Manager) startOwed(l *ledger, s *Session) {
	switch a := s.sm; {
	case l.dead || s.ledger != l || !s.reachable():
		return
	case l.catching != nil:
		if l.catching != s && !l.catching.reachable() { // that one is gone and has not noticed: s is the next
			s.behind = true
		}
		return
	case !l.owes():
		if !s.behind {
			return
		}
	case a == nil:
		l.catching = s
	case len(a.claim) > 0 && !a.mayClaim(l): // claimDone looks again
		if !s.behind {
			return
		}
	default:
		a.take(l)
		m.pipe.number(&item{Entry: Entry{From: s}, rec: true, prepare: func(b *batch) { b.ledger(l) }})
	}
	s.behind = true
	m.startPull(s)
}

// gave notes that a chunk of what was owed was written to a session. Runs with
// the token.
func (m *Manager) gave(l *ledger, c *chunk) {
	if l.dead {
		return
	}
	l.undecided = append(l.undecided, c.put...)
	l.gave(c.segs, c.upTo)
	l.served(c.served())
	m.pipe.forgetHidden(l)
	m.trim(l)
	m.saveLedger(l)
}

// served notes that messages of that size wait no more.
func (l *ledger) served(size int64) {
	l.waiting = max(0, l.waiting-size)
}

// saveLedger records where an account stands.
func (m *Manager) saveLedger(l *ledger) {
	m.ledgers.pin(l) // in use until this is durable
	m.pipe.number(&item{
		prepare: func(b *batch) {
			if !l.dead {
				b.ledger(l)
			}
		},
		Entry: Entry{Done: func(error) { m.ledgers.release(l) }},
	})
}
