package sessionmgr

import (
	"math"
	"time"

	"weir/storage"
)

// trimEvery is how much older than the retention a log may become: a range
// deletion for each message would cost more than it frees.
const trimEvery = 24 * time.Hour

// trim drops what is older than the retention, and the oldest of a log that has
// grown beyond its limit: never what somebody is still to get. Runs with the
// token.
func (m *Manager) trim(l *ledger) {
	now := time.Now()
	big := l.size > max(m.opts().MaxLog, l.trimFrom)
	if l.trims || l.dead || !big && now.Sub(time.Unix(0, l.trimmed)) < trimEvery {
		return
	}
	l.trims = true
	m.ledgers.pin(l)
	upTo := uint64(0)
	if old := m.ids.FirstAt(now.Add(-m.opts().Retention)); old > 0 {
		upTo = old - 1
	}
	excess := int64(0)
	if big {
		excess = l.size - m.opts().MaxLog*9/10
	}
	m.work.Go(func() {
		kept := uint64(math.MaxUint64)
		for done := false; !done; {
			last, size := m.oldest(l, upTo, excess, kept)
			m.inOrder(func() {
				if needed := m.needed(l); last > needed && kept > needed {
					kept = needed // somebody needs the rest: how much goes without that?
					l.trimFrom = l.size + m.opts().MaxLog/16
					return
				}
				done = true
				l.trims, l.trimmed = false, now.UnixNano()
				m.trimmed(l, last, size)
			})
		}
	})
}

// trimmed has a log lose its records up to one, of that size together; 0: none. The
// ledger is released. Runs with the token.
func (m *Manager) trimmed(l *ledger, last uint64, size int64) {
	if last == 0 || l.dead {
		m.ledgers.release(l)
		return
	}
	l.size = max(0, l.size-size)
	var b storage.Batch
	m.logs.Trim(&b, l.account.String(), last)
	m.pipe.number(&item{
		Entry:   Entry{Writes: b, Done: func(error) { m.ledgers.release(l) }},
		prepare: func(b *batch) { b.ledger(l) },
	})
}

// needed returns the last id up to which nobody needs a log any more. Runs with
// the token.
func (m *Manager) needed(l *ledger) uint64 {
	upTo := l.last
	for _, g := range m.pendingOf(l, nil) {
		upTo = min(upTo, g.after)
	}
	for _, g := range append(l.owed[:len(l.owed):len(l.owed)], l.undecided...) {
		if g.tag != 0 || l.owes() {
			upTo = min(upTo, g.after)
		}
	}
	return upTo
}

// oldest returns up to which id a log is to go: everything up to one, and as
// much again as is too much, but nothing behind what is kept. size is what the
// records have that go.
func (m *Manager) oldest(l *ledger, upTo uint64, excess int64, kept uint64) (last uint64, size int64) {
	err := m.logs.Scan(m.ctx, l.account.String(), 0, func(id uint64, rec []byte) bool {
		if id > kept || id > upTo && size >= excess {
			return false
		}
		last, size = id, size+int64(len(rec))
		return true
	})
	if err != nil {
		m.log.Error("a log can't be trimmed", "account", l.account, "err", err)
		return 0, 0
	}
	return last, size
}
