package sessionmgr

import (
	"context"
	"errors"
	"time"

	"weir/jid"
	"weir/stanza"
	"weir/storage"
)

// readChunk reads what is wanted of the log behind c.upTo.
func (m *Manager) readChunk(l *ledger, c *chunk, w *want, bound uint64) error {
	account, after := l.account, c.upTo
	stop := w.end(bound)
	if stop == 0 {
		stop = bound
	}
	err := m.logs.Scan(m.ctx, account.String(), after, func(id uint64, b []byte) bool {
		if id > stop {
			return false
		}
		if c.full(int64(len(b))) {
			stop = c.upTo
			return false
		}
		c.upTo = id
		r, err := viewRecord(b)
		if err == nil {
			err = c.look(id, &r, w, account, int64(len(b)))
		}
		if err != nil { // a damaged record is skipped and told, the rest is delivered
			c.s.Log().Error("log record can't be read", "account", account, "id", id, "err", err)
		}
		return true
	})
	c.upTo = max(c.upTo, stop) // nothing more up to there
	return err
}

// full reports whether a record of that size is for the next chunk. Each has one at
// least, unless it is what is left of an opening.
func (c *chunk) full(size int64) bool {
	room := int64(chunkBytes)
	if c.opens != nil {
		if room = c.opens.room; c.opens.looked == openingLooks {
			return true
		}
		c.opens.looked++
	}
	return c.size+size > room && (c.size > 0 || room < chunkBytes) || len(c.stanzas) >= chunkCount
}

// look takes a record of the log, where it is wanted.
func (c *chunk) look(id uint64, r *record, w *want, account jid.JID, size int64) error {
	v := w.takes(id, r)
	if v != put {
		c.closePut(r)
	}
	own := v != give && w.takesOwn(id, r)
	if v == give || own {
		if err := c.add(id, r, account, size, c.owed && !own); err != nil {
			return err
		}
	}
	if lost, waited := w.lost(id, r); lost {
		if waited {
			c.passed += size
		}
		if r.single() && len(c.lost) < maxHidden {
			c.lost = append(c.lost, id)
		}
	}
	if v == put {
		for i := range r.count() {
			if t := r.target(i); !t.copy && !covered(w.alive, t.tag, id) {
				c.putBack(t.tag, id)
			}
		}
		if r.originals() == 0 {
			c.putBack(0, id)
		}
	}
	return nil
}

// add takes a record; claim says that it was owed.
func (c *chunk) add(id uint64, r *record, account jid.JID, size int64, claim bool) error {
	st, err := r.parse()
	if err != nil {
		return err
	}
	c.size += size
	t, _ := r.names(c.s.queue.tag)
	if t.copy && !claim {
		c.copied += size
	}
	if t.live && !claim { // by the process before
		c.again++
	}
	late := c.opens != nil || r.at.UnixNano() < c.s.awayUntil() // at an opening it has no link yet
	st = c.shown(st, id, r, account, claim, late)
	c.stanzas = append(c.stanzas, st)
	c.refs = append(c.refs, sent{id: id, claim: claim, hide: r.hidden() && r.single()})
	return nil
}

// served is the size of what waits no more once the chunk is delivered. Copies
// don't count as waiting.
func (c *chunk) served() int64 { return c.size - c.copied + c.passed }

// putBack notes a record that others may still get. Those of one tag make up one
// segment as long as nothing else that names it comes between.
func (c *chunk) putBack(tag, id uint64) {
	for i := c.openPut; i < len(c.put); i++ {
		if c.put[i].tag == tag {
			c.put[i].upTo = id
			return
		}
	}
	c.put = append(c.put, segment{tag: tag, after: id - 1, upTo: id})
}

// closePut ends the segments of c.put that the record would be of.
func (c *chunk) closePut(r *record) {
	for _, g := range c.put[c.openPut:] {
		if _, ok := r.names(g.tag); ok {
			c.openPut = len(c.put)
			return
		}
	}
}

// cutOff has a chunk be only its first n stanzas, which a link took before it was
// lost: the rest stays where it was.
func (c *chunk) cutOff(n int) {
	if c.void = n == 0; c.void {
		return
	}
	c.upTo = c.refs[n-1].id
	c.stanzas, c.refs = c.stanzas[:n], c.refs[:n]
	put := c.put[:0]
	for _, g := range c.put {
		if g.upTo = min(g.upTo, c.upTo); g.upTo > g.after {
			put = append(put, g)
		}
	}
	c.put = put
}

// shown is a message from the log as the session gets it: claim says that it was
// owed, and so has waited for somebody to come (XEP-0160 §2); late, that it came
// while the session had no link.
func (c *chunk) shown(st *stanza.Stanza, id uint64, r *record, account jid.JID, claim, late bool) *stanza.Stanza {
	if !r.hidden() {
		st = st.WithStanzaID(account, ArchiveID(id))
	}
	t, _ := r.names(c.s.queue.tag)
	switch {
	case claim:
		return st.WithChild(stanza.Delay(account.Host(), r.at, "Offline Storage"))
	case t.copy && late:
		return carbonOf(st, account, r.at).With(account, c.s.JID())
	case t.copy:
		return carbonOf(st, account, time.Time{}).With(account, c.s.JID())
	case late:
		return st.WithChild(stanza.Delay(account.Host(), r.at, ""))
	}
	return st
}

// readRedo reads the records of what was sent on an earlier stream. A volatile
// stanza is there, or was dropped.
func (m *Manager) readRedo(l *ledger, c *chunk) error {
	refs := c.refs[:0]
	for i, x := range c.refs {
		if c.size > chunkBytes {
			c.redo = i // the rest is for the next chunk
			break
		}
		st := x.st
		if st != nil {
			c.size += int64(st.Size())
		}
		if x.id > 0 {
			b, err := m.logs.Get(context.Background(), l.account.String(), x.id)
			if err != nil && !errors.Is(err, storage.ErrNotFound) {
				return err
			}
			if err != nil {
				c.s.Log().Error("a message is not in the log any more", "id", x.id, "err", err)
				continue
			}
			r, err := viewRecord(b)
			if err == nil {
				st, err = r.parse()
			}
			if err != nil {
				c.s.Log().Error("log record can't be read", "id", x.id, "err", err)
				continue
			}
			c.size += int64(len(b))
			st = c.shown(st, x.id, &r, l.account, x.claim, false) // it was not late when it was first sent
		}
		if st != nil {
			refs = append(refs, x)
			c.stanzas = append(c.stanzas, st)
		}
	}
	c.refs = refs
	return nil
}
