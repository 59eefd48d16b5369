package sessionmgr

import (
	"bytes"
	"context"
	"hash/maphash"
	"math"
	"sync"
	"time"

	"weir/jid"
	"weir/stanza"
)

// A client that can't resume its stream sends again what was not acknowledged,
// and can't know what was handled all the same. What the account has sent lately
// is in its log: a message that has the origin-id, the receiver and the content
// of one of those (XEP-0359 §5) is handled and not sent on a second time.

// Bounds of looking back.
const (
	resentFor     = 24 * time.Hour
	resentRecords = 4000 // of the log
	resentQuiet   = 64   // messages that are new, after which no more are expected to come again
)

// resent is what a session's account has sent before it. Nothing of it is kept
// when it has done its work.
type resent struct {
	mu     sync.Mutex
	hashes map[uint64]struct{} // nil: nothing is looked for
	fresh  int
}

// looksBack reports whether handling a message means reading the log first.
func (s *Session) looksBack(st *stanza.Stanza) bool {
	return s.resent.Load() == nil && st.HasChild(stanza.NSStanzaID, "origin-id")
}

// cameBefore reports whether a message was sent before, by a session of the
// account that its client could not resume. The first call may read storage.
func (m *Manager) cameBefore(ctx context.Context, s *Session, st *stanza.Stanza) bool {
	if st.Kind != stanza.Message || !st.HasChild(stanza.NSStanzaID, "origin-id") {
		return false
	}
	r := s.resent.Load()
	if r == nil {
		r = m.lookBack(ctx, s)
		s.resent.Store(r)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hashes == nil {
		return false
	}
	_, before := r.hashes[m.fingerprint(st)]
	if before {
		r.fresh = 0
		m.metrics.duplicates.Inc()
		return true
	}
	if r.fresh++; r.fresh > resentQuiet {
		r.hashes = nil
	}
	return false
}

// lookBack reads what the account has sent lately, if it has lost a session that
// could have been resumed.
func (m *Manager) lookBack(ctx context.Context, s *Session) *resent {
	r := new(resent)
	account := s.JID().Bare()
	if lost, err := m.lostSession(ctx, account, s); err != nil || !lost {
		return r
	}
	m.barrier(ctx) // what the others have sent is in the log
	r.hashes = make(map[uint64]struct{})
	since := time.Now().Add(-resentFor)
	looked := 0
	err := m.logs.ScanReverse(ctx, account.String(), math.MaxUint64, func(id uint64, b []byte) bool {
		rec, err := viewRecord(b)
		if looked++; looked > resentRecords || err == nil && rec.at.Before(since) {
			return false
		}
		if err != nil || !bytes.Contains(rec.raw, []byte("origin-id")) { // most are not worth parsing
			return true
		}
		if st, err := rec.parse(); err == nil && st.From.Bare() == account && st.HasChild(stanza.NSStanzaID, "origin-id") {
			r.hashes[m.fingerprint(st)] = struct{}{}
		}
		return true
	})
	if err != nil {
		s.Log().Error("the log can't be searched for what was sent before", "err", err)
	}
	return r
}

// barrier waits until everything submitted before is in the store.
func (m *Manager) barrier(ctx context.Context) {
	done := make(chan struct{})
	m.pipe.submit(item{prepare: func(*batch) {}, Entry: Entry{Done: func(error) { close(done) }}})
	select {
	case <-done:
	case <-ctx.Done():
	}
	m.FlushTouched()
}

// lostSession reports whether a session of the account has ended lately, or is
// there, that its client may have given up for this one.
func (m *Manager) lostSession(ctx context.Context, account jid.JID, s *Session) (bool, error) {
	lost := false
	here := map[uint64]bool{s.queue.tag: true}
	for _, x := range m.registry.bound(account) {
		here[x.queue.tag] = true
		lost = lost || x != s && x.isResumable()
	}
	if lost {
		return true, nil
	}
	list, err := m.sessions.all(ctx, account.String())
	for _, x := range list {
		unburied := x.ended.IsZero() && !here[x.tag] // the disk was full as it ended, and its record stayed
		if unburied || !x.ended.IsZero() && time.Since(x.ended) < resentFor {
			return true, err
		}
	}
	return false, err
}

// fingerprint stands for the receiver, the ids and the content of a message.
func (m *Manager) fingerprint(st *stanza.Stanza) uint64 {
	return maphash.Bytes(m.registry.seed, st.With(jid.JID{}, st.To).AppendTo(nil))
}
