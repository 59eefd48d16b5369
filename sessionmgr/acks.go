package sessionmgr

import (
	"sync/atomic"
	"time"

	"weir/stanza"
)

// Bounds of what a client may leave unacknowledged.
const (
	maxUnacked       = 16384     // stanzas; one more and the link is cut: nothing is lost, it is all in the log
	windowUnacked    = 4096      // stanzas from the log that are sent ahead of acknowledgements
	maxUnackedVolume = 256 << 10 // bytes of volatile stanzas kept for a resumption
	reserveNumbers   = 1024      // how far numbers may run ahead of the record
	ackEvery         = 8         // stanzas after which an acknowledgement goes out unasked
	askEvery         = 8         // unacknowledged stanzas after which one is asked for
	askAfter         = 500 * time.Millisecond
	lingerTime       = time.Second // until the rest is asked for, and acknowledgements are recorded
)

// acks is what a session with stream management knows of its stream (XEP-0198
// §4): the numbers of both directions, and what the client has not
// acknowledged. All of it belongs to the pipeline's token holder.
type acks struct {
	resumable bool
	key       [32]byte // SHA-256 of the secret in the stream's id
	keep      time.Duration

	// Stanzas of the client, modulo 2^32: taken into the pipeline, handled, and
	// what the newest record given to the store says of that.
	accepted, in, recorded uint32
	durable                uint32 // what the newest record that is durable says
	pressed                uint32 // of that, when it last was told unasked

	// Stanzas to the client, modulo 2^32. unacked has those from acked+1 to out.
	out, acked uint32
	unacked    []sent
	volume     int    // bytes of the volatile ones
	dropped    uint32 // the last group of them that was forgotten
	reserved   uint32

	// What the session took over of its account's owed messages, and how far it
	// was sent.
	claim      []segment
	claimSent  uint64
	claimsOpen int    // of unacked that are of claim
	claimLeft  uint32 // ledger.left when it was taken

	redo     []sent // sent on an earlier stream, to be sent again
	redoing  bool   // what is volatile waits for that
	missed   bool   // presence was dropped since the last resumption
	restored bool   // by a new process; not resumed since
	since    uint64 // numbers in records up to this id are of earlier streams
	maps     []numberMap
	nextMap  uint32
	mapBase  uint32 // maps up to this one are of earlier streams

	// The batch being sealed: what the numbers will be when it is released.
	sealNo              uint64
	sealedIn, sealedOut uint32
	record              bool // it has a record of this session

	dirty     bool          // the record in the store is behind
	snap      bool          // so is the snapshot
	lingering bool          // on the list of those to look at again
	asking    bool          // on that of those that were asked
	asked     int64         // unix nanoseconds when its client asked for what is not durable yet
	room      chan struct{} // closed when unacked has shrunk; nil if nobody waits
	redone    chan struct{} // closed when redoing ends; nil if nobody waits
}

// sent is a stanza that was given a number.
type sent struct {
	id    uint64         // of its record, 0 if it has none
	st    *stanza.Stanza // of one without a record, while it is kept
	claim bool           // its record is of the claim
	group uint32         // of the entry that it was part of, if that had several
	hide  bool           // its record is not of the archive: it goes when it is acknowledged
}

// forgotten reports whether the stanza can't be sent again.
func (x sent) forgotten() bool { return x.id == 0 && x.st == nil }

// window is what the pre-drain of one link reads of its session. The numbers are
// published by the token holder.
type window struct {
	link    Link
	handled atomic.Uint32 // the durable h
	sent    atomic.Uint32
	acked   atomic.Uint32
	wanted  atomic.Uint64 // the client wants an acknowledgement of so many, if wantAck is set
	overdue atomic.Bool   // that took long: it is told meanwhile what is durable

	// Owned by the link's drain token.
	told, request uint32
	requested     time.Time
}

// wantAck marks window.wanted as set.
const wantAck = 1 << 32

// answerable reports whether what the client wants acknowledged is durable; want
// is what that is.
func (w *window) answerable(h uint32) (want uint64, ok bool) {
	want = w.wanted.Load()
	return want, want&wantAck != 0 && int32(h-uint32(want)) >= 0
}

// Due tells the pre-drain of a link what to append: an acknowledgement of h
// stanzas, a request for one, or neither. It is called with the link's drain
// token, for each batch about to be written, and counts as told what it
// returns (XEP-0198 §4).
func (s *Session) Due(link Link) (h uint32, ack, ask bool) {
	w := s.window.Load()
	if w == nil || w.link != link {
		return 0, false, false
	}
	h = w.handled.Load()
	overdue := w.overdue.Load() && w.overdue.Swap(false)
	if want, asked := w.answerable(h); asked || overdue || h-w.told >= ackEvery {
		if asked {
			w.wanted.CompareAndSwap(want, 0) // another may have come
		}
		ack, w.told = true, h
		s.m.metrics.acksOut.Inc()
	}
	sent, acked := w.sent.Load(), w.acked.Load()
	if sent == w.request || sent == acked {
		return h, ack, false // nothing new to ask for
	}
	open := int32(w.request-acked) > 0
	switch now := time.Now(); {
	case open && sent-w.request < 8*askEvery:
	case sent-acked >= askEvery || now.Sub(w.requested) >= askAfter:
		ask, w.request, w.requested = true, sent, now
		s.m.metrics.acksAsked.Inc()
	}
	return h, ack, ask
}

// LastAck returns the h that a link's last acknowledgement has to tell.
func (s *Session) LastAck(link Link) (h uint32, ok bool) {
	w := s.window.Load()
	if w == nil || w.link != link {
		return 0, false
	}
	return w.handled.Load(), true
}

// push gives the next number to a stanza that was appended.
func (a *acks) push(x sent) {
	a.out++
	a.unacked = append(a.unacked, x)
	if x.claim {
		a.claimsOpen++
	}
	if x.st == nil {
		return
	}
	if x.group != 0 && x.group == a.dropped {
		a.unacked[len(a.unacked)-1].st = nil // the rest of something that is missing already
		return
	}
	for a.volume += x.st.Size(); a.volume > maxUnackedVolume; {
		a.forgetVolatile()
	}
}

// forgetVolatile drops the oldest half of the volatile stanzas that wait for an
// acknowledgement. They keep their numbers; after a resumption they are missing.
func (a *acks) forgetVolatile() {
	for i := range a.unacked {
		if st := a.unacked[i].st; st != nil {
			if a.volume <= maxUnackedVolume/2 && (a.unacked[i].group == 0 || a.unacked[i].group != a.dropped) {
				return
			}
			a.volume -= st.Size()
			a.unacked[i].st = nil
			a.dropped = a.unacked[i].group
		}
	}
	a.volume = 0
}

// pop takes out what the client has acknowledged. It returns false for an h that
// is higher than what was sent; one that is lower than before changes nothing
// (xmpp.js sends one around <enabled/>).
func (a *acks) pop(h uint32, done func(sent)) bool {
	n := h - a.acked
	if int32(n) <= 0 {
		return true
	}
	if n > a.out-a.acked {
		return false
	}
	for _, x := range a.unacked[:n] {
		if x.claim {
			a.claimsOpen--
		}
		if x.st != nil {
			a.volume -= x.st.Size()
		}
		done(x)
	}
	rest := copy(a.unacked, a.unacked[n:])
	clear(a.unacked[rest:])
	a.unacked = a.unacked[:rest]
	if rest == 0 && cap(a.unacked) > 256 {
		a.unacked = nil
	}
	a.acked = h
	if rest < windowUnacked/2 {
		a.wake()
	}
	return true
}

// begin sets the numbers of the batch being sealed to those of now, once.
func (a *acks) begin(no uint64) {
	if a.sealNo != no {
		a.sealNo, a.sealedIn, a.sealedOut, a.record = no, a.in, a.out, false
	}
}

// Acknowledge takes an acknowledgement of a client: link is where it came, h how
// many stanzas it has handled. tooHigh is called, on a goroutine of its own, if
// it was sent fewer (XEP-0198 §6).
func (m *Manager) Acknowledge(s *Session, link Link, h uint32, tooHigh func(sent uint32)) {
	if s == nil {
		return
	}
	m.pipe.run(func() {
		a := s.sm
		if a == nil || !s.attachedTo(link) || s.lost {
			return
		}
		if !m.pipe.acknowledged(s, h) {
			out := a.out
			m.work.Go(func() { tooHigh(out) })
			return
		}
		m.metrics.acksIn.Inc()
		s.absence.Load().lastAck.Store(time.Now().UnixNano())
	})
}

// acknowledged moves a session's cursors behind what its client has.
func (p *pipeline) acknowledged(s *Session, h uint32) bool {
	a := s.sm
	if h == a.acked {
		return true
	}
	ok := a.pop(h, func(x sent) {
		switch {
		case x.id == 0:
		case x.claim:
			for i := range a.claim {
				a.claim[i].after = max(a.claim[i].after, x.id)
			}
		default:
			s.queue.after = max(s.queue.after, x.id)
		}
		if x.hide {
			p.hidden = append(p.hidden, hiddenRecord{s.ledger, x.id})
		}
	})
	if !ok {
		return false
	}
	if w := s.window.Load(); w != nil {
		w.acked.Store(a.acked)
	}
	if s.followed != nil {
		s.followAcked(a.acked)
	}
	p.dirty(s)
	if s.ledger != nil {
		p.forgetHidden(s.ledger)
	}
	p.claimDone(s)
	if len(a.unacked) > 0 {
		p.linger(s)
	}
	return true
}

// mayClaim reports whether a session may take over what its account is owed:
// where it has taken something over already, that has to come behind all its
// client was sent of it, since an acknowledgement moves the whole claim.
func (a *acks) mayClaim(l *ledger) bool {
	return len(a.claim) == 0 || l.owedLast > l.owed[0].after &&
		l.owed[0].after >= max(a.claimSent, (&want{segs: a.claim}).from())
}

// take takes over what an account is owed, where it may: all of it, or besides
// what it has already what has reached nobody since.
func (a *acks) take(l *ledger) {
	if len(a.claim) == 0 {
		a.claim, a.claimSent, a.claimLeft = l.take(), 0, l.left
		return
	}
	more := l.takeOpen()
	for i := range a.claim { // as a rule it takes up where the other ends
		if g := &a.claim[i]; g.tag == more.tag && g.upTo == more.after {
			g.upTo = more.upTo
			return
		}
	}
	a.claim = append(a.claim, more)
}

// claimDone gives a claim up that was acknowledged whole, and takes over what is
// owed since.
func (p *pipeline) claimDone(s *Session) {
	a := s.sm
	if len(a.claim) == 0 || a.claimsOpen > 0 || len(a.redo) > 0 || a.claimSent < (&want{segs: a.claim}).end(^uint64(0)) {
		return
	}
	a.claim, a.claimSent = nil, 0
	p.dirty(s)
	l := s.ledger
	if l == nil {
		return
	}
	p.forgetHidden(l)
	if a.claimLeft != l.left { // who has ended meanwhile may have decided something
		l.decide()
	}
	if l.owes() && s.reachable() {
		p.after(s, func() { p.m.startOwed(l, s) })
	}
}

// drain has a session's link call its pre-drain, even with nothing to write.
func (p *pipeline) drain(s *Session) {
	if link := s.Link(); link != nil {
		link.WantDrain()
		p.m.touch(s)
	}
}

// dirty notes that the session's record in the store is behind. It goes with the
// next batch, or with one of its own in a moment.
func (p *pipeline) dirty(s *Session) {
	if a := s.sm; !a.dirty {
		a.dirty = true
		p.behind = append(p.behind, s)
		p.linger(s)
	}
}

// linger looks at a session again in a moment: what its client has not
// acknowledged by then is asked for, and what it has is recorded.
func (p *pipeline) linger(s *Session) {
	if a := s.sm; a.lingering {
		return
	}
	s.sm.lingering = true
	p.lingering = append(p.lingering, s)
	if len(p.lingering) == 1 {
		p.later(p.lingered)
	}
}

// lingered is linger's moment.
func (p *pipeline) lingered() {
	list := p.lingering
	p.lingering = nil
	for _, s := range list {
		a := s.sm
		if a == nil {
			continue
		}
		a.lingering = false
		if len(a.unacked) > 0 && !s.lost {
			p.drain(s)
		}
	}
	if len(p.behind) > 0 {
		p.openBatch()
	}
}
