package sessionmgr

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"weir/jid"
	"weir/storage"
)

// sessionStore keeps what a later process needs to know of the sessions with
// stream management. Each has some records, all in the range of its account:
// the snapshot, which changes seldom; the numbers, which change all the time;
// maps that say which log record was sent under which number; and, when it has
// ended, what it had handled.
type sessionStore struct{ records storage.Map }

// Kinds of records, the byte behind the session's tag in their keys.
const (
	keySnapshot = 's'
	keyNumbers  = 'n'
	keyMap      = 'm'
	keyEnded    = 'e'
)

const numbersVersion = 1

// endedFor is how long the numbers of an ended session are remembered, so that
// its client learns which stanzas were handled (XEP-0198 §5).
const endedFor = 48 * time.Hour

func recordKey(tag uint64, kind byte) string {
	return string(append(binary.BigEndian.AppendUint64(make([]byte, 0, 13), tag), kind))
}

func mapKey(tag uint64, no uint32) string {
	b := append(binary.BigEndian.AppendUint64(make([]byte, 0, 13), tag), keyMap)
	return string(binary.BigEndian.AppendUint32(b, no))
}

// splitKey returns the parts of a record's key.
func splitKey(key string) (tag uint64, kind byte, no uint32, ok bool) {
	switch len(key) {
	case 9:
	case 13:
		no = binary.BigEndian.Uint32([]byte(key[9:]))
	default:
		return 0, 0, 0, false
	}
	return binary.BigEndian.Uint64([]byte(key)), key[8], no, true
}

// write adds a session's records to a batch that is being sealed. It reports
// whether the snapshot is among them, and how many of the oldest maps go with it.
func (st *sessionStore) write(b *storage.Batch, s *Session) (snap bool, maps int) {
	a, account := s.sm, s.ledger.account.String()
	if a.snap {
		rec, err := s.Snapshot().Marshal()
		if err != nil {
			s.Log().Error("a session can't be recorded", "err", err)
			return false, 0
		}
		a.snap, snap = false, true
		st.records.Put(b, account, recordKey(s.queue.tag, keySnapshot), rec)
	}
	a.dirty = false
	a.reserved = a.sealedOut + reserveNumbers
	rec := make([]byte, 0, 35+segmentLength*len(a.claim))
	rec = append(rec, numbersVersion)
	rec = binary.BigEndian.AppendUint32(rec, a.sealedIn)
	rec = binary.BigEndian.AppendUint32(rec, a.acked)
	rec = binary.BigEndian.AppendUint32(rec, a.reserved)
	rec = binary.BigEndian.AppendUint32(rec, a.mapBase)
	rec = binary.BigEndian.AppendUint64(rec, a.since)
	rec = binary.BigEndian.AppendUint64(rec, s.queue.after)
	rec = appendSegments(rec, a.claim)
	st.records.Put(b, account, recordKey(s.queue.tag, keyNumbers), rec)
	// Maps of numbers that are acknowledged: those before the newest one that
	// begins at or below the cursor.
	for maps < len(a.maps) && int32(a.acked-a.maps[maps].last) >= 0 {
		st.records.Delete(b, account, mapKey(s.queue.tag, a.maps[maps].no))
		maps++
	}
	return snap, maps
}

// numberMap says which records the numbers from first on stand for.
type numberMap struct {
	no          uint32 // in its key
	first, last uint32
	refs        []ref // nil while the process lives that wrote it
}

// ref is what one number stands for.
type ref struct {
	id    uint64 // of the record, 0: none
	claim bool   // it is of the claim
}

// writeMap adds the map of a chunk to a batch that is being sealed.
func (st *sessionStore) writeMap(b *storage.Batch, s *Session, c *chunk) {
	a := s.sm
	a.nextMap++
	m := numberMap{no: a.nextMap, first: c.first, last: c.first + uint32(len(c.refs)) - 1}
	a.maps = append(a.maps, m)
	rec := make([]byte, 0, 4+9*len(c.refs))
	rec = binary.BigEndian.AppendUint32(rec, c.first)
	for _, x := range c.refs {
		kind := byte(0)
		if x.claim {
			kind = 1
		}
		rec = binary.BigEndian.AppendUint64(append(rec, kind), x.id)
	}
	st.records.Put(b, s.ledger.account.String(), mapKey(s.queue.tag, m.no), rec)
}

// end replaces a session's records by what is remembered of one that has ended.
func (st *sessionStore) end(b *storage.Batch, s *Session, account jid.JID, now time.Time) {
	st.forget(b, account.String(), s.queue.tag, s.sm.maps)
	a := s.sm
	if !a.resumable {
		return
	}
	rec := binary.BigEndian.AppendUint32(append([]byte(nil), a.key[:]...), a.sealedIn)
	rec = binary.BigEndian.AppendUint64(rec, uint64(now.Unix()))
	st.records.Put(b, account.String(), recordKey(s.queue.tag, keyEnded), rec)
}

// forget deletes what is stored of a session that goes on.
func (st *sessionStore) forget(b *storage.Batch, account string, tag uint64, maps []numberMap) {
	for _, kind := range []byte{keySnapshot, keyNumbers} {
		st.records.Delete(b, account, recordKey(tag, kind))
	}
	for _, m := range maps {
		st.records.Delete(b, account, mapKey(tag, m.no))
	}
}

// ended returns what an ended session had handled, if the key is its own and it
// is remembered.
func (st *sessionStore) ended(ctx context.Context, account jid.JID, tag uint64, fits func(key []byte) bool) (h uint32, ok bool, err error) {
	rec, err := st.records.Get(ctx, account.String(), recordKey(tag, keyEnded))
	if errors.Is(err, storage.ErrNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	key, h, at, ok := readEnded(rec)
	if !ok || time.Since(at) > endedFor || !fits(key) {
		return 0, false, nil
	}
	return h, true, nil
}

func readEnded(rec []byte) (key []byte, h uint32, at time.Time, ok bool) {
	if len(rec) != 44 {
		return nil, 0, time.Time{}, false
	}
	return rec[:32], binary.BigEndian.Uint32(rec[32:]), time.Unix(int64(binary.BigEndian.Uint64(rec[36:])), 0), true
}

// stored is a session as the store has it.
type stored struct {
	tag      uint64
	snapshot []byte
	numbers  []byte
	maps     []numberMap
	ended    time.Time
}

// all reads what is kept of an account's sessions, by tag in order.
func (st *sessionStore) all(ctx context.Context, account string) ([]*stored, error) {
	var list []*stored
	err := st.records.All(ctx, account, func(key string, rec []byte) bool {
		tag, kind, no, ok := splitKey(key)
		if !ok {
			return true
		}
		if len(list) == 0 || list[len(list)-1].tag != tag {
			list = append(list, &stored{tag: tag})
		}
		x := list[len(list)-1]
		switch kind {
		case keySnapshot:
			x.snapshot = append([]byte(nil), rec...)
		case keyNumbers:
			x.numbers = append([]byte(nil), rec...)
		case keyMap:
			if m, ok := readMap(no, rec); ok {
				x.maps = append(x.maps, m)
			}
		case keyEnded:
			_, _, x.ended, _ = readEnded(rec)
		}
		return true
	})
	return list, err
}

func readMap(no uint32, rec []byte) (numberMap, bool) {
	if len(rec) < 4 || (len(rec)-4)%9 != 0 || len(rec) == 4 {
		return numberMap{}, false
	}
	m := numberMap{no: no, first: binary.BigEndian.Uint32(rec)}
	for rec = rec[4:]; len(rec) > 0; rec = rec[9:] {
		m.refs = append(m.refs, ref{binary.BigEndian.Uint64(rec[1:]), rec[0] != 0})
	}
	m.last = m.first + uint32(len(m.refs)) - 1
	return m, true
}

// restore puts stored numbers into a session.
func (x *stored) restore(s *Session) error {
	b := x.numbers
	if len(b) < 33 || b[0] != numbersVersion {
		return fmt.Errorf("sessionmgr: the numbers of session %s can't be read: % x", s.id, b)
	}
	a := s.sm
	a.in = binary.BigEndian.Uint32(b[1:])
	a.accepted, a.recorded, a.durable, a.pressed = a.in, a.in, a.in, a.in
	a.acked = binary.BigEndian.Uint32(b[5:])
	a.out = a.acked
	a.reserved = binary.BigEndian.Uint32(b[9:])
	a.mapBase = binary.BigEndian.Uint32(b[13:])
	a.since = binary.BigEndian.Uint64(b[17:])
	s.queue.after = binary.BigEndian.Uint64(b[25:])
	claim, rest, ok := readSegments(b[33:])
	if !ok || len(rest) > 0 {
		return fmt.Errorf("sessionmgr: the claim of session %s can't be read", s.id)
	}
	a.claim, a.restored, a.nextMap = claim, true, a.mapBase
	for _, m := range x.maps {
		a.nextMap = max(a.nextMap, m.no)
		if m.no <= a.mapBase { // it should have gone with its stream
			m.refs, m.last = nil, a.acked
		}
		a.maps = append(a.maps, m)
	}
	s.queue.tag, s.queue.sent = x.tag, s.queue.after
	return nil
}
