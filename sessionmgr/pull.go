package sessionmgr

import (
	"context"
	"time"

	"weir/stanza"
)

// A session that doesn't get its messages as they come pulls them from the log:
// after a resumption, while it takes over what is owed, or because its client
// reads more slowly than others write. It costs no memory for each message that
// waits. What comes meanwhile joins the log, so that the order is kept.

// queue is where a session stands in its account's log. It belongs to the
// pipeline's token holder.
type queue struct {
	tag    uint64 // names the session in records
	after  uint64 // up to here everything is done with: acknowledged, or written
	sent   uint64 // the last record that was given to the link
	last   uint64 // the last record that names the session
	untold uint64 // the last of those that it has to pull
}

// chunk is some stanzas from a log on their way to a session.
type chunk struct {
	s       *Session
	epoch   uint32
	stanzas []*stanza.Stanza
	refs    []sent    // one for each
	redo    int       // how many of acks.redo it stands for
	again   int       // how many were sent on a stream before, without redo
	owed    bool      // of what the account was owed, and of the session's own queue that is between
	segs    []segment // the parts of it that this is of
	upTo    uint64    // the log was looked at up to here
	size    int64     // of the records
	copied  int64     // of those that are given as copies
	passed  int64     // of others that waited for a session alone which has ended
	lost    []uint64  // records for such a session, which go
	put     []segment // records that others may still get
	openPut int       // segments of put from here on may grow
	first   uint32    // number of the first, once sealed
	plain   bool      // it was planned without stream management
	void    bool      // it was not delivered
	both    bool      // the session's own queue was looked at too
	opens   *opening  // it goes with the resumption of its session; nil: it comes after
}

// reachable reports whether a session may get messages for its account:
// available with non-negative priority (XEP-0160 §2), on a link that takes them.
// Runs with the token.
func (s *Session) reachable() bool {
	return s.ledger != nil && !s.lost && s.reach.Load() >= 0 && s.State() == Bound
}

// eligible returns a session of the account, other than not, that may get owed
// messages; one that pulls already first. Runs with the token.
func (m *Manager) eligible(l *ledger, not *Session) (found *Session) {
	for _, s := range m.registry.bound(l.account) {
		if s == not || !s.reachable() {
			continue
		}
		if s.behind {
			return s
		}
		if found == nil {
			found = s
		}
	}
	return found
}

// setReach makes a session a receiver of messages, or not. Runs with the token,
// in the session's order.
func (m *Manager) setReach(s *Session, reach int32) {
	l := s.ledger
	if l == nil || !s.kept() { // it ended meanwhile
		s.reach.Store(unreachable)
		return
	}
	was := s.reach.Load()
	s.reach.Store(reach)
	switch {
	case reach >= 0 && was < 0 && (l.owes() || s.behind):
		m.startOwed(l, s)
	case reach < 0 && s.behind:
		m.startPull(s) // it waits for nobody any more
	}
}

// startPull begins to give a session what it has to pull. Runs with the token;
// again is harmless.
func (m *Manager) startPull(s *Session) {
	l := s.ledger
	link := s.Link()
	if l == nil || s.pulling || !s.behind || s.lost || link == nil { // who lost it just now says so next
		return
	}
	if s.newcomer() > 0 {
		return // it will say whether it takes what is owed, which comes first
	}
	if c := l.catching; c != nil && c != s && !c.reachable() && s.reachable() && !(s.sm != nil && s.sm.redoing) {
		return // s is the next to get what is owed, and that comes first
	}
	s.pulling = true
	epoch := s.epoch
	m.ledgers.pin(l)
	m.work.Go(func() {
		defer m.ledgers.release(l)
		m.pull(s, l, link, epoch)
	})
}

// pull gives a session chunk after chunk, each when the link has room for it,
// until nothing is left or the link is lost.
func (m *Manager) pull(s *Session, l *ledger, link Link, epoch uint32) {
	for {
		s.waitWritten(context.Background(), link, chunkBytes)
		var w want
		var c *chunk
		var bound uint64
		var room chan struct{}
		over := false
		m.inOrder(func() {
			if over = s.epoch != epoch || !s.up() || s.ledger != l; over {
				return
			}
			if room = s.fullWindow(); room == nil {
				c, w, bound, over = m.plan(s, l)
			}
		})
		switch {
		case over:
			if m.pulled(s, l, epoch) {
				if c, ok := link.(Catcher); ok {
					c.CaughtUp()
				}
				m.FlushTouched()
				return
			}
		case room != nil:
			m.pipe.run(func() { m.pipe.drain(s) }) // ask
			m.FlushTouched()
			<-room
		case c == nil: // what comes next isn't durable yet
			m.sync(s, l)
		default:
			if !m.pullChunk(s, l, link, c, &w, bound) {
				time.Sleep(100 * time.Millisecond) // the disk is full, or the log can't be read
			}
		}
	}
}

// fullWindow returns a channel to wait for where the client has to acknowledge
// something first. Runs with the token.
func (s *Session) fullWindow() chan struct{} {
	a := s.sm
	if a == nil || len(a.unacked) < windowUnacked {
		return nil
	}
	if a.room == nil {
		a.room = make(chan struct{})
	}
	return a.room
}

// sync waits until everything that the session waits for was released, and what
// is being written to its account's log.
func (m *Manager) sync(s *Session, l *ledger) {
	done := make(chan struct{})
	m.pipe.run(func() {
		if l.sealed > m.pipe.released {
			s.waitFor(l.sealed)
		}
		m.pipe.after(s, func() { close(done) })
	})
	<-done
}

// Settle waits until everything that a session's client has sent by a link was
// handled, as far as it ever will be, and what came for the session by then was
// appended. With stream management the count of that is durable then.
func (m *Manager) Settle(ctx context.Context, s *Session, link Link) {
	if s == nil {
		return
	}
	done := make(chan struct{})
	m.pipe.run(func() {
		it := item{Entry: Entry{From: s, Done: func(error) { close(done) }}}
		it.rec = s.sm != nil && s.attachedTo(link) && s.sm.accepted != s.sm.durable
		m.pipe.number(&it)
	})
	m.FlushTouched()
	select {
	case <-done:
	case <-ctx.Done():
	}
	m.FlushTouched()
}

// pullChunk reads a chunk, gives it to the session and waits until it is out.
// It reports whether anything was got on with.
func (m *Manager) pullChunk(s *Session, l *ledger, link Link, c *chunk, w *want, bound uint64) bool {
	var err error
	if c.redo > 0 {
		err = m.readRedo(l, c)
	} else {
		err = m.readChunk(l, c, w, bound)
	}
	if err != nil {
		s.Log().Error("messages can't be delivered", "err", err)
		return false
	}
	m.tellOut(c)
	done := make(chan struct{})
	m.pipe.submit(item{chunk: c, Entry: Entry{Done: func(error) { close(done) }}})
	<-done
	m.FlushTouched()
	if c.plain {
		m.written(s, l, link, c)
	}
	return !c.void
}

// tellOut tells StanzaOut of the stanzas of a chunk: one that is durable is told, and
// not dropped.
func (m *Manager) tellOut(c *chunk) {
	if m.Hooks.StanzaOut.Empty() {
		return
	}
	for _, st := range c.stanzas {
		m.mayGoOut(c.s, st)
	}
}

// written moves the cursors of a session without stream management, once its
// link has written a chunk.
func (m *Manager) written(s *Session, l *ledger, link Link, c *chunk) {
	all := s.waitWritten(context.Background(), link, 0)
	m.inOrder(func() {
		if !all || c.void { // it stays where it was
			return
		}
		m.pipe.hiddenWritten(l, c)
		switch {
		case c.owed: // also where the session has ended since: it was written
			m.gave(l, c)
		case s.ledger != l: // it has ended since, and left what it had to pull
			l.got(s.queue.tag, c.upTo)
			l.served(c.served())
			m.saveLedger(l)
		default:
			s.queue.after = max(s.queue.after, c.upTo)
			l.served(c.served())
			if s.sm != nil { // turned on meanwhile
				m.pipe.dirty(s)
			}
		}
	})
}

// waitWritten waits until at most some bytes wait in the link, the session has lost
// it, or ctx ends. It reports whether that few wait.
func (s *Session) waitWritten(ctx context.Context, link Link, most int) bool {
	for link.Waiting() > most && s.Link() == link && ctx.Err() == nil {
		select {
		case <-s.waitDrained():
		case <-ctx.Done():
		}
	}
	return link.Waiting() <= most
}

// sealChunk numbers the stanzas of a chunk and writes down which record has
// which number.
func (p *pipeline) sealChunk(b *batch, c *chunk) {
	s := c.s
	a := s.sm
	if c.plain && a == nil {
		return
	}
	here := s.up() || c.opens != nil // it has a link by then
	if c.void = c.void || a == nil || c.plain || c.epoch != s.epoch || !here || s.ledger == nil || s.ledger.dead; c.void {
		return
	}
	if len(c.put) > 0 {
		s.ledger.undecided = append(s.ledger.undecided, c.put...)
		b.ledger(s.ledger)
		a.claim = without(a.claim, c.put) // or it would be owed twice when the session ends
		p.record(b, s)
	}
	if len(c.refs) == 0 {
		return
	}
	a.begin(b.no)
	c.first = a.sealedOut + 1
	a.sealedOut += uint32(len(c.refs))
	p.m.sessions.writeMap(&b.writes, s, c)
}

// deliverChunk gives a chunk to the session's link.
func (p *pipeline) deliverChunk(c *chunk) {
	s := c.s
	if c.void = c.void || c.plain == s.numbered() || c.epoch != s.epoch || !s.up() || s.ledger == nil; c.void {
		return
	}
	a := s.sm
	if !c.plain && len(c.refs) > 0 && a.out+1 != c.first {
		p.cut(s, "numbers don't fit: a fault of the server")
		c.void = true
		return
	}
	var rest []sent
	for i, st := range c.stanzas {
		if !p.appendTo(s, st, c.refs[i]) {
			if c.plain {
				c.cutOff(i)
				p.lose(s)
				return
			}
			c.void = true
			rest = c.refs[i:] // the link may have written what it took: only these wait for another
			break
		}
	}
	if c.redo > 0 {
		p.m.metrics.redone.Add(float64(len(c.stanzas)))
	} else {
		p.m.metrics.redone.Add(float64(c.again))
		p.m.metrics.pulled.Add(float64(len(c.stanzas) - c.again))
	}
	if !c.plain {
		if a.redo = a.redo[c.redo:]; len(rest) > 0 {
			a.redo = append(rest, a.redo...)
		}
	}
	switch {
	case c.redo > 0:
	case c.owed && !c.plain:
		a.claimSent = max(a.claimSent, c.upTo)
		if c.both {
			s.queue.sent = max(s.queue.sent, c.upTo)
		}
		s.ledger.served(c.served())
		p.letRecordsGo(s.ledger, c.lost)
		p.claimDone(s)
	case !c.owed:
		s.queue.sent = max(s.queue.sent, c.upTo)
		if !c.plain {
			s.ledger.served(c.served())
			if len(a.unacked) == 0 && len(a.redo) == 0 && s.queue.after < c.upTo { // nothing in between was for it
				s.queue.after = c.upTo
			}
		}
	}
}

// pulled ends pulling, unless more came meanwhile: it then returns false.
func (m *Manager) pulled(s *Session, l *ledger, epoch uint32) (ended bool) {
	m.inOrder(func() {
		// Where the epoch is another a resumption has begun a pull of its own.
		ended = s.epoch != epoch || m.caughtUp(s, l)
	})
	return ended
}

// caughtUp is pulled, with the token.
func (m *Manager) caughtUp(s *Session, l *ledger) bool {
	if s.up() && s.ledger == l {
		if _, _, _, over := m.plan(s, l); !over {
			return false
		}
	}
	s.pulling = false
	if l.caught(s) {
		defer m.goOn(l)
	}
	if s.up() && s.ledger == l {
		s.behind = false
		m.pipe.letGo(s)
		m.forgotten(s, l)
	}
	if next := m.eligible(l, s); next != nil && (l.owes() || next.behind && !next.pulling) {
		m.pipe.after(next, func() { m.startOwed(l, next) })
	} else if l.owes() && s.reachable() {
		m.pipe.after(s, func() { m.startOwed(l, s) })
	}
	return true
}

// leave ends everything that a session takes part in: it can't be found any
// more, and what it didn't get is owed. Runs with the token; again is harmless.
func (m *Manager) leave(s *Session) {
	l := s.ledger
	if l == nil {
		return
	}
	m.registry.leave(l.account, s)
	s.reach.Store(unreachable)
	m.pipe.lose(s)
	if s.sm == nil {
		m.pipe.letGo(s)
	}
	s.behind = false
	m.pipe.bury(s, l)
	s.followEnd()
	s.ledger = nil
	if s.pulling && s.sm == nil && l.catching != s { // until it is known what its link has written
		if l.catching == nil {
			l.catching = s
		} else {
			l.parting = append(l.parting, s)
		}
	}
	l.left++
	l.decide()
	if len(m.registry.bound(l.account)) < 2 {
		l.lately = nil
	}
	m.pipe.forgetHidden(l)
	if next := m.eligible(l, s); next != nil && l.owes() {
		m.pipe.after(next, func() { m.startOwed(l, next) })
	}
	m.ledgers.release(l)
}
