package sessionmgr

import (
	"context"
	"time"

	"weir/jid"
)

// The retention of logs to which nothing is added: whoever writes to a log has it
// trimmed now and then (trim.go), and the others are gone through once a day.

const (
	firstRetirement = 10 * time.Minute // after the start, which has other things to do
	retirementPause = time.Millisecond // after each account: it is nothing to hurry with
)

// retireLater has all logs gone through after a time, and once a day from then on.
func (m *Manager) retireLater(after time.Duration) {
	t := time.AfterFunc(after, func() {
		if m.stopping.Load() || m.failed.Load() {
			return
		}
		m.work.Go(func() {
			if err := m.retire(m.ctx, retirementPause); err != nil {
				m.log.Error("not all logs can be looked through for what is older than the retention", "err", err)
			}
			m.retireLater(trimEvery)
		})
	})
	if old := m.retirement.Swap(t); old != nil {
		old.Stop()
	}
	if m.stopping.Load() {
		t.Stop()
	}
}

// retire has each account's log trimmed, with a pause behind each. It ends early
// when the server stops.
func (m *Manager) retire(ctx context.Context, pause time.Duration) error {
	var accounts []jid.JID
	err := m.logs.Table().Accounts(ctx, m.store, "", func(account string) bool {
		if bare, err := jid.Parse(account); err == nil {
			accounts = append(accounts, bare)
		}
		return !m.stopping.Load()
	})
	if err != nil {
		return err
	}
	for _, account := range accounts {
		if m.stopping.Load() || m.failed.Load() {
			return nil
		}
		l, err := m.ledgers.acquire(ctx, account)
		if err != nil {
			return err
		}
		m.inOrder(func() { m.trim(l) })
		m.ledgers.release(l)
		time.Sleep(pause)
	}
	return nil
}
