package sessionmgr

import (
	"bytes"
	"cmp"
	"context"
	"hash/maphash"
	"math"
	"slices"
	"sync"
	"sync/atomic"
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
	ready atomic.Bool // the log was read
	mu    sync.Mutex  // held while it is
	seen  []sighting  // by key in order; nil: nothing is looked for
	fresh int
}

// sighting is a record of a message that the account has sent. Keys tell most
// messages apart; which are the same is seen in the records.
type sighting struct{ key, id uint64 }

// looksBack reports whether handling a message means reading the log first.
func (s *Session) looksBack(st *stanza.Stanza) bool {
	if !st.HasChild(stanza.NSStanzaID, "origin-id") {
		return false
	}
	r := s.resent.Load()
	if r == nil || !r.ready.Load() {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seen) > 0 && len(r.like(s.m.originKey(st.AppendTo(nil)))) > 0
}

// like returns the records with a key. mu is held.
func (r *resent) like(key uint64) []sighting {
	byKey := func(x sighting, key uint64) int { return cmp.Compare(x.key, key) }
	i, _ := slices.BinarySearchFunc(r.seen, key, byKey)
	j := i
	for j < len(r.seen) && r.seen[j].key == key {
		j++
	}
	return r.seen[i:j]
}

// cameBefore reports whether a message was sent before, by a session of the
// account that its client could not resume. It reads storage where looksBack says so.
func (m *Manager) cameBefore(ctx context.Context, s *Session, st *stanza.Stanza) bool {
	if st.Kind != stanza.Message || !st.HasChild(stanza.NSStanzaID, "origin-id") {
		return false
	}
	r := s.resent.Load()
	if r == nil {
		s.resent.CompareAndSwap(nil, new(resent))
		r = s.resent.Load()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ready.Load() {
		r.seen = m.lookBack(ctx, s)
		r.ready.Store(true)
	}
	if len(r.seen) == 0 {
		return false
	}
	if m.sentAs(ctx, s, st, r.like(m.originKey(st.AppendTo(nil)))) {
		r.fresh = 0
		m.metrics.duplicates.Inc()
		return true
	}
	if r.fresh++; r.fresh > resentQuiet {
		r.seen = nil
	}
	return false
}

// sentAs reports whether one of these records is the message.
func (m *Manager) sentAs(ctx context.Context, s *Session, st *stanza.Stanza, like []sighting) bool {
	account := s.JID().Bare()
	for _, x := range like {
		b, err := m.logs.Get(ctx, account.String(), x.id)
		if err != nil {
			continue // it is not in the log any more, or that is told elsewhere
		}
		rec, err := viewRecord(b)
		if err != nil {
			continue
		}
		old, err := rec.parse()
		if err == nil && old.From.Bare() == account && m.fingerprint(old) == m.fingerprint(st) {
			return true
		}
	}
	return false
}

// originKey is a number for the origin-id of a rendered message (XEP-0359 §3), from
// its bytes as they stand: what a client sends again is the same to the byte.
func (m *Manager) originKey(raw []byte) uint64 {
	i := bytes.Index(raw, []byte("<origin-id"))
	if i < 0 { // it has a prefix
		i = max(0, bytes.Index(raw, []byte("origin-id")))
	}
	raw = raw[i:]
	if end := bytes.IndexByte(raw, '>'); end >= 0 {
		raw = raw[:end]
	}
	return maphash.Bytes(m.registry.seed, raw)
}

// lookBack reads what the account has sent lately, if it has lost a session that
// could have been resumed.
func (m *Manager) lookBack(ctx context.Context, s *Session) (seen []sighting) {
	account := s.JID().Bare()
	if lost, err := m.lostSession(ctx, account, s); err != nil || !lost {
		return nil
	}
	_ = m.barrier(ctx) // what the others have sent is in the log
	since, name := time.Now().Add(-resentFor), []byte(account.String())
	looked := 0
	err := m.logs.ScanReverse(ctx, account.String(), math.MaxUint64, func(id uint64, b []byte) bool {
		rec, err := viewRecord(b)
		if looked++; looked > resentRecords || err == nil && rec.at.Before(since) {
			return false
		}
		// After a restart every session comes here with its first message: nothing is
		// parsed.
		if err == nil && (rec.outgoing() || bytes.Count(startTag(rec.raw), name) > 1) && bytes.Contains(rec.raw, []byte("origin-id")) {
			seen = append(seen, sighting{m.originKey(rec.raw), id})
		}
		return true
	})
	if err != nil {
		s.Log().Error("the log can't be searched for what was sent before", "err", err)
	}
	slices.SortFunc(seen, func(a, b sighting) int { return cmp.Compare(a.key, b.key) })
	return seen
}

// startTag returns the first tag of a rendered stanza, with its addresses.
func startTag(raw []byte) []byte { return raw[:bytes.IndexByte(raw, '>')+1] }

// barrier waits until everything submitted before is in the store. The error is what
// became of the last of it.
func (m *Manager) barrier(ctx context.Context) (err error) {
	done := make(chan error, 1)
	m.pipe.submit(item{prepare: func(*batch) {}, Entry: Entry{Done: func(err error) { done <- err }}})
	select {
	case err = <-done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	m.FlushTouched()
	return err
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
