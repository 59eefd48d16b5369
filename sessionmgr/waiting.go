package sessionmgr

import "context"

// Queue is what waits in the log for one session.
type Queue struct {
	Messages int   `json:"messages"`
	Bytes    int64 `json:"bytes"` // of their records
	More     bool  `json:"more"`  // there may be more: only so many records were looked at
}

// countAtMost is how many records of a log are looked at for one Queue.
const countAtMost = 10_000

// Waiting counts what a session has still to get from its account's log: its own
// messages, and those that it has taken over from others. What was sent to it and
// not acknowledged isn't counted, unless that was before a restart. It reads
// storage.
func (m *Manager) Waiting(ctx context.Context, s *Session) (Queue, error) {
	var q Queue
	if s == nil {
		return q, ErrGone
	}
	var l *ledger
	var owed, own want
	var owedFrom, ownFrom, ownTo uint64
	m.inOrder(func() {
		if l = s.ledger; l == nil {
			return
		}
		m.ledgers.pin(l)
		if owed = m.owedTo(s, l); owed.segs != nil {
			owedFrom = max(owed.from(), s.claimSent())
		}
		own = want{segs: []segment{{tag: s.queue.tag, after: s.queue.after}}}
		ownFrom, ownTo = s.queue.sent, s.queue.untold
	})
	if l == nil {
		return q, nil
	}
	defer m.ledgers.release(l)
	looked := 0
	count := func(w *want, after, upTo uint64) error {
		if after >= upTo {
			return nil
		}
		return m.logs.Scan(ctx, l.account.String(), after, func(id uint64, b []byte) bool {
			if looked++; id > upTo || looked > countAtMost {
				q.More = q.More || id <= upTo
				return false
			}
			if r, err := viewRecord(b); err == nil && w.takes(id, &r) == give {
				q.Messages++
				q.Bytes += int64(len(b))
			}
			return ctx.Err() == nil
		})
	}
	if owed.segs != nil {
		if err := count(&owed, owedFrom, owed.end(^uint64(0))); err != nil {
			return q, err
		}
	}
	if err := count(&own, ownFrom, ownTo); err != nil {
		return q, err
	}
	return q, context.Cause(ctx)
}
