package sessionmgr

import (
	"context"
	"encoding/binary"
	"errors"
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
// log, so that they come in order.

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
// the session that sent it, or nil.
func (m *Manager) owe(ctx context.Context, from *Session, account jid.JID, st *stanza.Stanza) error {
	l, err := m.ledgers.acquire(ctx, account)
	if err != nil {
		return err
	}
	m.pipe.submit(item{Entry: Entry{From: from}, one: Delivery{Stanza: st}, owe: l})
	return nil
}

// writeOwed gives an owed message its place in the log and puts it into the
// item's writes. It reports false where the account's log is full: the message
// is then bounced.
func (p *pipeline) writeOwed(it *item) bool {
	l, m := it.owe, p.m
	rec := encodeRecord(time.Now(), it.one.Stanza)
	if l.owed+int64(len(rec)) > m.o.MaxLog {
		it.one.To = nil
		p.bounceOwed(it, fullError(m.o.MaxLog))
		m.ledgers.release(l)
		return false
	}
	l.last = m.ids.Next()
	l.owed += int64(len(rec))
	m.logs.Append(&it.Writes, l.account.String(), l.last, rec)
	m.ledgers.cursors.Set(&it.Writes, l.account.String(), l.encode())
	return true
}

// owedKept is called when an owed message is durable: a session that came
// meanwhile gets it.
func (p *pipeline) owedKept(it *item) {
	m := p.m
	m.metrics.owed.Inc()
	bare := it.owe.account
	m.ledgers.release(it.owe)
	a := m.registry.account(bare)
	switch {
	case a == nil:
	case a.catching != nil:
		a.again = true
	default:
		if s := m.eligible(a, nil); s != nil {
			m.startCatchUp(a, s)
		}
	}
}

// owedFailed is called when an owed message could not be kept.
func (p *pipeline) owedFailed(it *item, err error) {
	it.owe.owed -= int64(it.one.Stanza.Size())
	p.bounceOwed(it, storageError(err))
	p.m.ledgers.release(it.owe)
}

func (p *pipeline) bounceOwed(it *item, e stanza.Error) {
	st := it.one.Stanza
	p.m.work.Go(func() { p.m.undelivered(st, string(e.Condition)) }) // no hook runs with the token
	reply := st.ErrorReply(e)
	if reply == nil {
		return
	}
	to := it.From
	if to == nil {
		to = p.m.registry.byJID(st.From)
	}
	if to != nil {
		p.deliverOne(Delivery{To: to, Stanza: reply}, false)
	}
}

// hold keeps a live message back until its session has caught up. What is over
// the bound is owed: nothing is lost, it comes later.
func (p *pipeline) hold(d Delivery) {
	s := d.To
	if s.heldBytes+d.Stanza.Size() > holdBytes {
		p.missed = append(p.missed, d)
		return
	}
	s.held = append(s.held, d.Stanza)
	s.heldBytes += d.Stanza.Size()
}

// setReach makes a session a receiver of messages, or not. Runs with the token.
func (m *Manager) setReach(s *Session, reach int32) {
	was := s.reach.Load()
	if reach >= 0 && was < 0 {
		if a := m.registry.account(s.JID().Bare()); a != nil && a.catching == nil && m.eligible(a, s) == nil {
			m.startCatchUp(a, s)
		}
	}
	s.reach.Store(reach)
}

// eligible returns a session of the account, other than not, that may get owed
// messages: available with non-negative priority (XEP-0160 §2).
func (m *Manager) eligible(a *account, not *Session) *Session {
	for _, s := range m.registry.bound(a.bare) {
		if s != not && s.reach.Load() >= 0 && s.State() == Bound {
			return s
		}
	}
	return nil
}

// startCatchUp begins to deliver what the account is owed. Runs with the token.
func (m *Manager) startCatchUp(a *account, s *Session) {
	a.catching = s
	s.behind = true
	m.work.Go(func() { m.catchUp(a, s) })
}

// catchUp reads the account's log from the cursor on and gives it to s, chunk by
// chunk, each after the one before has been written; the cursor follows.
func (m *Manager) catchUp(a *account, s *Session) {
	l, err := m.ledgers.acquire(s.Context(), a.bare)
	if err != nil {
		s.Log().Error("owed messages can't be read", "err", err)
		m.caughtUp(a, s, true)
		return
	}
	defer m.ledgers.release(l)
	for {
		more, err := m.catchUpChunk(l, s)
		if err != nil {
			s.Log().Error("owed messages can't be delivered", "err", err)
		}
		if more && err == nil {
			continue
		}
		if m.caughtUp(a, s, err != nil) {
			return
		}
	}
}

// errGone says that the session that catches up can't get messages any more.
var errGone = errors.New("sessionmgr: the session ended or became unavailable")

// catchUpChunk delivers one chunk and moves the cursor behind it. more is false
// when nothing was left.
func (m *Manager) catchUpChunk(l *ledger, s *Session) (more bool, err error) {
	var from uint64
	m.inOrder(func() { from = l.cursor })
	out, upTo, size, err := m.readOwed(l.account, s, from)
	if err != nil || upTo == from {
		return false, err
	}
	done := make(chan struct{})
	m.pipe.submit(item{Entry: Entry{Out: m.filterOut(out), Done: func(error) { close(done) }}, owed: true})
	<-done
	m.FlushTouched()
	<-s.waitDrained()
	if s.State() != Bound || s.reach.Load() < 0 {
		return false, nil
	}
	m.inOrder(func() { m.moveCursor(l, upTo, size) })
	return true, nil
}

// readOwed reads one chunk of the log behind an id: the stanzas with the time
// they came (XEP-0203), the id of the last one and the size of the records.
func (m *Manager) readOwed(account jid.JID, s *Session, after uint64) (out []Delivery, upTo uint64, size int64, err error) {
	upTo = after
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
		delay := stanza.Delay(account.Host(), at, "Offline Storage")
		out = append(out, Delivery{To: s, Stanza: st.WithChild(delay)})
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
	if upTo <= l.cursor {
		return
	}
	l.cursor = upTo
	l.owed = max(0, l.owed-size)
	var b storage.Batch
	m.ledgers.cursors.Set(&b, l.account.String(), l.encode())
	m.trim(&b, l)
	kept := m.ledgers.loaded(l.account) // in use until this is durable
	m.pipe.submit(item{Entry: Entry{Writes: b, Done: func(error) {
		if kept != nil {
			m.ledgers.release(kept)
		}
	}}})
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

// caughtUp ends catching up, unless more came meanwhile: it then returns false.
func (m *Manager) caughtUp(a *account, s *Session, failed bool) (ended bool) {
	m.inOrder(func() {
		gone := s.State() != Bound || s.reach.Load() < 0
		if a.again && !gone && !failed {
			a.again = false
			return
		}
		ended = true
		a.again = false
		a.catching = nil
		m.pipe.letGo(s)
		if next := m.eligible(a, s); gone && next != nil {
			m.startCatchUp(a, next)
		}
	})
	m.FlushTouched()
	return ended
}

// letGo delivers what was held back. Runs with the token.
func (p *pipeline) letGo(s *Session) {
	s.behind = false
	held := s.held
	s.held, s.heldBytes = nil, 0
	for _, st := range held {
		p.deliverOne(Delivery{To: s, Stanza: st}, false)
	}
}

// inOrder runs fn with the token and waits for it. Not to be called with the
// token.
func (m *Manager) inOrder(fn func()) {
	done := make(chan struct{})
	m.pipe.run(func() { fn(); close(done) })
	<-done
}

// missedBy takes care of a stanza whose session was gone when its turn came. A
// message is owed to the account; a request is answered.
func (m *Manager) missedBy(d Delivery) {
	st, account := d.Stanza, d.To.JID().Bare()
	switch {
	case keptOffline(st) && !account.IsZero():
		if err := m.owe(m.ctx, nil, account, st); err != nil {
			m.log.Error("message can't be kept", "account", account, "err", err)
		}
	case st.Kind == stanza.IQ:
		m.bounce(nil, st, stanza.ServiceUnavailable())
	default:
		m.undelivered(st, "")
	}
}
