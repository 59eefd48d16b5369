package sessionmgr

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"weir/jid"
	"weir/stanza"
	"weir/storage"
)

// A message that reaches nobody is owed to its account: it is appended to the
// account's log, and the account's cursor stays before it until it has been
// written to a session. Nothing is moved or deleted on delivery; only the
// cursor moves. While a session catches up, further messages for it join the
// log, so that they come in order. So does what a session was given and its link
// has not written.

const (
	chunkBytes = 64 << 10 // owed messages given to a link before it has to drain
	chunkCount = 200
	holdBytes  = 256 << 10 // live messages that wait until a session has caught up
)

// recordVersion is the first byte of a log record.
const recordVersion = 1

func encodeRecord(at time.Time, st *stanza.Stanza) []byte {
	b := make([]byte, 0, 9+st.Size())
	b = append(b, recordVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(at.UnixMilli()))
	return st.AppendTo(b)
}

func decodeRecord(b []byte) (time.Time, *stanza.Stanza, error) {
	if len(b) < 9 || b[0] != recordVersion {
		return time.Time{}, nil, fmt.Errorf("sessionmgr: log record of %d bytes isn't of version %d", len(b), recordVersion)
	}
	st, err := stanza.Parse(b[9:])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b[1:]))), st, err
}

// owe appends a message to the log of its account. It may read storage. from is
// the session that sent it, or nil. forgets is what ledgers.forgets was before
// the account was known to exist.
func (m *Manager) owe(ctx context.Context, from *Session, account jid.JID, st *stanza.Stanza, forgets uint64) error {
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
	m.pipe.submit(item{Entry: Entry{From: from}, one: Delivery{Stanza: st}, owe: l})
	return nil
}

// oweInstead turns a message for a session that still gets what its account is
// owed into one more owed message, so that it comes in order; only where that
// session is its only receiver and the message is kept when nobody is online.
func (p *pipeline) oweInstead(it *item) {
	to := it.one.To
	if to == nil || !to.behind || to.ledger == nil || it.owed != nil || !keptOffline(it.one.Stanza) {
		return
	}
	it.owe = to.ledger
	p.m.ledgers.pin(it.owe)
}

// oweNow makes a message owed that s could not be given. What from sends next
// waits until it is durable.
func (p *pipeline) oweNow(from, s *Session, st *stanza.Stanza) {
	l := s.ledger
	if l != nil {
		p.m.ledgers.pin(l)
	} else if l = p.m.ledgers.loaded(s.JID().Bare()); l == nil || len(p.late) > 0 || p.lateBusy {
		if l != nil {
			p.m.ledgers.release(l)
		}
		p.late = append(p.late, item{Entry: Entry{From: from}, one: Delivery{To: s, Stanza: st}})
		return
	}
	p.number(&item{Entry: Entry{From: from}, one: Delivery{Stanza: st}, owe: l})
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
			if err := p.m.owe(p.m.ctx, it.From, account, st, p.m.ledgers.forgets.Load()); err != nil {
				p.m.log.Error("message can't be kept", "account", account, "err", err)
				p.m.bounce(it.From, st, p.m.handlingError(p.m.ctx, err))
			}
		}
		p.m.FlushTouched()
	}
}

// writeOwed gives an owed message its place in the log and puts it into the
// item's writes. Where that can't be, the item becomes the answer to its sender.
func (p *pipeline) writeOwed(it *item) {
	l, m := it.owe, p.m
	rec := encodeRecord(time.Now(), it.one.Stanza)
	switch {
	case l.dead:
		p.refuseOwed(it, stanza.ServiceUnavailable()) // RFC 6121 §8.5.1
		return
	case l.owed+int64(len(rec)) > m.o.MaxLog:
		p.refuseOwed(it, fullError(m.o.MaxLog))
		return
	}
	it.size = int64(len(rec))
	l.last = m.ids.Next()
	l.owed += it.size
	m.logs.Append(&it.Writes, l.account.String(), l.last, rec)
	m.ledgers.cursors.Set(&it.Writes, l.account.String(), l.encode())
}

// refuseOwed makes the item one that delivers an error instead, in its turn.
func (p *pipeline) refuseOwed(it *item, e stanza.Error) {
	l := it.owe
	it.owe, it.one = nil, p.bounced(it, e)
	p.m.ledgers.release(l)
}

// owedKept is called when an owed message is durable: a session that came
// meanwhile gets it.
func (p *pipeline) owedKept(it *item) {
	m, l := p.m, it.owe
	m.metrics.owed.Inc()
	if c := l.catching; c != nil {
		c.again = true
	} else if s := m.eligible(l, nil); s != nil && !l.dead {
		m.startCatchUp(l, s)
	}
	m.ledgers.release(l)
}

// owedFailed is called when an owed message could not be kept.
func (p *pipeline) owedFailed(it *item, err error) {
	it.owe.owed -= it.size
	if d := p.bounced(it, storageError(err)); d.To != nil {
		p.deliverOne(it, d, nil)
	}
	p.m.ledgers.release(it.owe)
}

// bounced returns the answer to an owed message that can't be kept; there may be
// none.
func (p *pipeline) bounced(it *item, e stanza.Error) Delivery {
	st := it.one.Stanza
	p.m.work.Go(func() { p.m.undelivered(st, string(e.Condition)) }) // no hook runs with the token
	reply, to := st.ErrorReply(e), it.From
	if to == nil {
		to = p.m.registry.byJID(st.From)
	}
	if reply == nil || to == nil {
		return Delivery{}
	}
	return Delivery{To: to, Stanza: reply}
}

// readOwed reads one chunk of the log behind an id: the stanzas with the time
// they came (XEP-0203), the id of the last one and the size of the records.
func (m *Manager) readOwed(c *catchUp, after uint64) (out []Delivery, upTo uint64, size int64, err error) {
	upTo = after
	account, s := c.l.account, c.s
	var bad error
	err = m.logs.Scan(s.Context(), account.String(), after, func(id uint64, rec []byte) bool {
		if size > 0 && (size+int64(len(rec)) > chunkBytes || len(out) >= chunkCount) {
			return false
		}
		upTo = id
		size += int64(len(rec))
		at, st, err := decodeRecord(rec)
		if err != nil { // a damaged record is skipped and told, the rest is delivered
			bad = err
			return true
		}
		if id <= c.waited { // XEP-0160 §2; what came while s caught up was not delayed by its absence
			st = st.WithChild(stanza.Delay(account.Host(), at, "Offline Storage"))
		}
		out = append(out, Delivery{To: s, Stanza: st})
		return true
	})
	if bad != nil {
		s.Log().Error("log record can't be read", "account", account, "err", bad)
	}
	return out, upTo, size, err
}

// moveCursor notes that everything up to an id was written to a session. Runs
// with the token.
func (m *Manager) moveCursor(l *ledger, upTo uint64, size int64) {
	if upTo <= l.cursor || l.dead {
		return
	}
	l.cursor = upTo
	l.owed = max(0, l.owed-size)
	if upTo >= l.last { // nothing is owed, whatever the count was after a failure
		l.owed = 0
	}
	var b storage.Batch
	m.ledgers.cursors.Set(&b, l.account.String(), l.encode())
	m.trim(&b, l)
	m.ledgers.pin(l) // in use until this is durable
	m.pipe.number(&item{Entry: Entry{Writes: b, Done: func(error) { m.ledgers.release(l) }}})
}

// trimEvery is how much older than the retention a log may become: a range
// deletion for each message would cost more than it frees.
const trimEvery = 24 * time.Hour

// trim drops what is older than the retention and not owed.
func (m *Manager) trim(b *storage.Batch, l *ledger) {
	now := time.Now()
	if now.Sub(l.trimmed) < trimEvery {
		return
	}
	l.trimmed = now
	if old := m.ids.FirstAt(now.Add(-m.o.Retention)); old > 0 {
		m.logs.Trim(b, l.account.String(), min(old-1, l.cursor))
	}
}
