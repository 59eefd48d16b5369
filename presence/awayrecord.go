package presence

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"weir/jid"
	"weir/sessionmgr"
	"weir/storage"
)

// What a later process needs to go on with the policy: for each session that
// hibernates since when it does, and whether others were told; and until when this
// process ran, as a kill leaves no time to write that down.

const (
	tableAway  = "presence.away"  // Map: the account's sessions by their public id
	tableClock = "presence.clock" // KeyVal: one record
	ofServer   = "server"         // where tableClock keeps it
)

// awayRecord is what is kept of one session.
type awayRecord struct {
	gone   time.Time     // when it lost its link, or its process started
	spent  time.Duration // for how long it was without one before that
	masked bool          // others were told
}

const awayVersion = 1

func (r awayRecord) marshal() []byte {
	b := make([]byte, 0, 18)
	b = binary.BigEndian.AppendUint64(append(b, awayVersion), uint64(r.gone.UnixNano()))
	b = binary.BigEndian.AppendUint64(b, uint64(r.spent))
	if r.masked {
		return append(b, 1)
	}
	return append(b, 0)
}

func readAway(b []byte) (r awayRecord, err error) {
	if len(b) != 18 || b[0] != awayVersion {
		return r, fmt.Errorf("presence: the record of a session that is away can't be read: % x", b)
	}
	r.gone = time.Unix(0, int64(binary.BigEndian.Uint64(b[1:])))
	r.spent, r.masked = time.Duration(binary.BigEndian.Uint64(b[9:])), b[17] != 0
	return r, nil
}

// until is for how long the session was without a link when its process, which was
// last seen at a time, ended.
func (r awayRecord) until(last time.Time) time.Duration {
	return max(0, r.spent) + max(0, last.Sub(r.gone))
}

// awayRecords are those of all sessions.
type awayRecords struct{ storage.Map }

func (r awayRecords) put(b *storage.Batch, s *sessionmgr.Session, rec awayRecord) {
	r.Put(b, s.JID().Bare().String(), s.ID(), rec.marshal())
}

func (r awayRecords) delete(b *storage.Batch, s *sessionmgr.Session) {
	r.Delete(b, s.JID().Bare().String(), s.ID())
}

// clock writes down from time to time that this process runs, as long as some
// session waits for the end of its time.
type clock struct {
	m      *sessionmgr.Manager
	record storage.KeyVal
	every  time.Duration

	mu      sync.Mutex // guards what is below
	waiting int        // sessions
	timer   *time.Timer
	stopped bool
}

// clockEvery is how often that is: by so much the time of a session is longer after
// a kill.
const clockEvery = 15 * time.Second

// wait notes that more sessions wait, or fewer.
func (c *clock) wait(more int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting += more
	if c.timer == nil && !c.stopped {
		c.timer = time.AfterFunc(c.every, c.tick)
	}
}

func (c *clock) tick() {
	c.mu.Lock()
	needed := c.waiting > 0 && !c.stopped
	if c.timer = nil; needed {
		c.timer = time.AfterFunc(c.every, c.tick)
	}
	c.mu.Unlock()
	if needed {
		c.write()
	}
}

// stop writes the last time of all, exact.
func (c *clock) stop() {
	c.mu.Lock()
	needed := c.waiting > 0 && !c.stopped
	if c.stopped = true; c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()
	if needed {
		c.write()
	}
}

func (c *clock) write() {
	var w storage.Batch
	c.record.Set(&w, ofServer, binary.BigEndian.AppendUint64(nil, uint64(time.Now().UnixNano())))
	c.m.Submit(sessionmgr.Entry{Writes: w})
}

// last returns when an earlier process was last seen; the zero time if never.
func (c *clock) last(ctx context.Context) (time.Time, error) {
	b, err := c.record.Get(ctx, ofServer)
	switch {
	case errors.Is(err, storage.ErrNotFound) || err == nil && len(b) != 8:
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, err
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(b))), nil
}

// Tables names what is kept of an account, for its deletion.
func (h *Handler) Tables() []storage.Table {
	return []storage.Table{h.records.Table(), h.traces.records.Table(), h.targets.Table()}
}

// Start goes on with the sessions that hibernate since an earlier process: where
// contacts saw something else they go on to, and the time of the others goes on.
// Nobody is told, since nobody is there: who comes back learns what holds by then.
// Call it once, after Manager.Restore and before the first connection is
// accepted. It reads storage.
func (h *Handler) Start(ctx context.Context) error {
	if err := h.traces.start(ctx); err != nil {
		return fmt.Errorf("presence: who was here before: %w", err)
	}
	if err := h.startDirected(ctx); err != nil {
		return fmt.Errorf("presence: directed presence: %w", err)
	}
	last, err := h.clock.last(ctx)
	if err != nil {
		return fmt.Errorf("presence: until when the server ran: %w", err)
	}
	var w storage.Batch
	left, err := h.leftBehind(ctx, &w)
	if err != nil {
		return fmt.Errorf("presence: sessions that are away: %w", err)
	}
	h.m.Range(func(s *sessionmgr.Session) bool {
		if h.o.Hibernating != Stay {
			h.goOn(&w, s, left[s], last)
		}
		if s.Available() && h.traces.keep() > 0 { // an older server left none
			h.traces.put(&w, s.JID())
		}
		return true
	})
	if w.Len() > 0 {
		h.m.Submit(sessionmgr.Entry{Writes: w})
	}
	return nil
}

// leftBehind reads the records of sessions that are here, and has w remove all.
func (h *Handler) leftBehind(ctx context.Context, w *storage.Batch) (map[*sessionmgr.Session]awayRecord, error) {
	accounts, err := h.records.Table().AccountNames(ctx, h.store)
	if err != nil {
		return nil, err
	}
	left := make(map[*sessionmgr.Session]awayRecord)
	for _, account := range accounts {
		err := h.records.All(ctx, account, func(id string, b []byte) bool {
			h.records.Delete(w, account, id)
			s := h.m.Get(id)
			if s == nil || s.JID().Bare() != jid.MustParse(account) {
				return true
			}
			if r, err := readAway(b); err != nil {
				s.Log().Error("what contacts see of a session starts anew", "err", err)
			} else {
				left[s] = r
			}
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	return left, nil
}

// goOn takes a session up where an earlier process left it; was is zero for one
// that had a link then.
func (h *Handler) goOn(w *storage.Batch, s *sessionmgr.Session, was awayRecord, last time.Time) {
	since, is := s.Gone()
	if !is {
		return
	}
	a := new(absence)
	h.absent.Set(s, a)
	now := awayRecord{gone: since, masked: was.masked}
	if !was.gone.IsZero() {
		now.spent = was.until(last)
	}
	if was.masked || now.spent >= h.o.HibernatingAfter {
		now.masked = true
		a.since, a.written = since, true
		h.mask(s, a, h.o.masked(s.Presence()))
	} else {
		h.arm(s, a, since, h.o.HibernatingAfter-now.spent)
	}
	h.records.put(w, s, now)
}
