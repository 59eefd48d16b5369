package sessionmgr

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"weir/jid"
	"weir/stanza"

	merr "mellium.im/xmpp/stanza"
	"mellium.im/xmpp/stream"
)

// streamID is what a client is given to resume its stream: the session's tag
// and 128 random bits. It is looked up among the sessions of the account that
// has logged in, so it is of no use to another.
func streamID(tag uint64, secret [16]byte) string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 24), tag)
	return base64.RawURLEncoding.EncodeToString(append(b, secret[:]...))
}

func parseStreamID(id string) (tag uint64, key [32]byte, ok bool) {
	if len(id) > 64 {
		return 0, key, false
	}
	b, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil || len(b) != 24 {
		return 0, key, false
	}
	return binary.BigEndian.Uint64(b), sha256.Sum256(b[8:]), true
}

// ResumeError says why a stream is not resumed (XEP-0198 §5).
type ResumeError struct {
	Reason  stanza.Error
	Handled uint32 // stanzas of the client that the ended session had handled
	Known   bool   // Handled is known
	TooHigh bool   // the client has more than Sent, which is all that it was sent
	Sent    uint32
}

// Error returns the condition.
func (e *ResumeError) Error() string { return "sessionmgr: not resumed: " + string(e.Reason.Condition) }

func notResumed(c merr.Condition, text string) *ResumeError {
	return &ResumeError{Reason: stanza.NewError(c, merr.Cancel, text)}
}

// Resume continues a session of the account that temp has logged in to, on the
// link of temp. id names its stream, h is how many stanzas the client has of it.
// resumed is called with the session and the number of stanzas handled of the
// client, before anything is sent on the link. It waits for the store and may
// read it; meanwhile the stream must not read. An error is a *ResumeError.
func (m *Manager) Resume(ctx context.Context, temp *Session, link Link, id string, h uint32, resumed func(s *Session, h uint32)) error {
	if temp == nil {
		return notResumed(merr.ItemNotFound, "")
	}
	err := m.resume(ctx, temp, link, id, h, resumed)
	if err != nil {
		temp.fellBack(err)
	}
	return err
}

func (m *Manager) resume(ctx context.Context, temp *Session, link Link, id string, h uint32, resumed func(s *Session, h uint32)) error {
	account := temp.JID().Bare()
	tag, key, ok := parseStreamID(id)
	if !ok || temp.State() != Unbound {
		m.metrics.resumes.WithLabelValues("malformed").Inc()
		return notResumed(merr.ItemNotFound, "")
	}
	s := m.registry.byTag(account, tag)
	if s == nil {
		return m.resumeEnded(ctx, account, tag, key)
	}
	seen, err := m.seen(ctx, s, h)
	if err != nil {
		return m.resumeFailed(ctx, err)
	}
	done := make(chan error, 1)
	var old Link
	var o *opening
	var away time.Duration
	var missed, caught bool
	goOn := func() {
		m.pipe.number(&item{rec: true, prepare: func(b *batch) { m.pipe.sealOpening(b, s, o) }, Entry: Entry{From: s, Done: func(err error) {
			if err == nil {
				away, err = m.attach(s, temp, link, resumed)
				if missed = err == nil && s.sm.missed; err == nil {
					s.sm.missed = false
					caught = m.deliverOpening(s, o)
				}
			}
			done <- err
		}}})
	}
	m.inOrder(func() {
		if old, err = m.takeOver(s, link, key, h, seen); err != nil {
			return
		}
		if o = m.planOpening(s); !o.reads() {
			goOn()
		}
	})
	if err == nil {
		if o.reads() {
			m.readOpening(o)
			m.pipe.run(goOn)
		}
		err = <-done
		m.ledgers.release(o.l)
	}
	if old != nil { // XEP-0198 §5; the session has left it in any case
		old.Close(&stream.Error{Err: "conflict"})
	}
	if errors.Is(err, errOver) {
		_ = m.barrier(ctx) // what is remembered of it is in the store
		return m.resumeEnded(ctx, account, tag, key)
	}
	if err != nil {
		m.unattached(s, link)
		var re *ResumeError
		if errors.As(err, &re) {
			return re
		}
		return m.resumeFailed(ctx, err)
	}
	if c, ok := link.(Catcher); ok && caught {
		c.CaughtUp()
		m.FlushTouched()
	}
	m.absorb(temp, s)
	m.metrics.resumes.WithLabelValues("resumed").Inc()
	m.metrics.resumeAge.Observe(away.Seconds())
	s.Log().Info("session resumed", "jid", s.JID(), "away", away.Round(time.Millisecond))
	m.ran(s, m.Hooks.Resumed.Run(s.Context(), Resumption{Session: s, Restored: s.absence.Load().restarted.Swap(false), Missed: missed}))
	if m.stopping.Load() { // Stop may have looked at the session while it had no link
		link.Close(&stream.Error{Err: "system-shutdown"})
	}
	return nil
}

// errOver says that a session ended while it was being resumed.
var errOver = errors.New("sessionmgr: the session has ended meanwhile")

// resumeEnded answers for a session that isn't there (XEP-0198 §5).
func (m *Manager) resumeEnded(ctx context.Context, account jid.JID, tag uint64, key [32]byte) error {
	e := notResumed(merr.ItemNotFound, "")
	h, known, err := m.sessions.ended(ctx, account, tag, func(k []byte) bool {
		return subtle.ConstantTimeCompare(k, key[:]) == 1
	})
	if err != nil {
		return m.resumeFailed(ctx, err)
	}
	m.metrics.resumes.WithLabelValues("not found").Inc()
	e.Handled, e.Known = h, known
	return e
}

// received is how far a client has come in what it was sent before a restart.
type received struct {
	own, claim uint64
	hidden     []uint64 // records of that which aren't of the archive: they go
}

// seen finds out what a client has that says h, where that isn't known any more:
// by the numbers in the log and the maps.
func (m *Manager) seen(ctx context.Context, s *Session, h uint32) (received, error) {
	var r received
	var restored bool
	var after, since, tag uint64
	m.inOrder(func() {
		a := s.sm
		if a == nil || !a.restored || s.ledger == nil {
			return
		}
		restored, after, since, tag = true, s.queue.after, a.since, s.queue.tag
		for _, nm := range a.maps {
			for i, x := range nm.refs {
				n := nm.first + uint32(i)
				switch {
				case int32(h-n) < 0 || int32(n-a.acked) <= 0: // what was acknowledged is in the cursors
				case x.claim:
					r.claim = max(r.claim, x.id)
				default:
					r.own = max(r.own, x.id)
				}
			}
		}
	})
	if !restored {
		return r, nil
	}
	account := s.JID().Bare().String()
	err := m.logs.Scan(ctx, account, max(after, since), func(id uint64, b []byte) bool {
		rec, err := viewRecord(b)
		if err != nil {
			return true
		}
		t, ok := rec.names(tag)
		if ok && t.live {
			if int32(h-t.n) < 0 {
				return false
			}
			r.own = max(r.own, id)
			if rec.hidden() && rec.single() && len(r.hidden) < maxHidden {
				r.hidden = append(r.hidden, id)
			}
		}
		return true
	})
	return r, err
}

// takeOver moves a session to a new stream: from here on nothing of the old one
// counts. The client has the first h stanzas; what it hasn't is sent again. Runs
// with the token.
func (m *Manager) takeOver(s *Session, link Link, key [32]byte, h uint32, seen received) (old Link, err error) {
	a, p := s.sm, &m.pipe
	if a == nil || s.ledger == nil || !s.kept() {
		return nil, errOver
	}
	if !a.resumable || subtle.ConstantTimeCompare(a.key[:], key[:]) != 1 {
		m.metrics.resumes.WithLabelValues("not found").Inc()
		return nil, notResumed(merr.ItemNotFound, "")
	}
	most := a.out
	if a.restored {
		most = a.reserved + reserveNumbers // it ran ahead of the record
	}
	if int32(h-a.acked) < 0 || int32(most-h) < 0 {
		m.metrics.resumes.WithLabelValues("wrong count").Inc()
		e := notResumed(merr.BadRequest, fmt.Sprintf("h is %d, and %d to %d were sent and not acknowledged", h, a.acked, most))
		e.TooHigh, e.Sent = int32(h-a.acked) >= 0, most
		return nil, e
	}
	s.mu.Lock()
	if s.state != Bound && s.state != Hibernating {
		s.mu.Unlock()
		return nil, errOver
	}
	old = s.linkNow()
	s.linked, s.attached = false, link
	s.generation++
	s.fence++
	s.wakeDrained()
	s.mu.Unlock()
	s.epoch++
	s.window.Store(nil)
	s.inactive.Store(false) // XEP-0352 §5.2
	s.tail = nil            // its client has <enabled/>, and so what came before
	if a.restored {
		a.restored = false
		a.acked, a.out = h, h
		p.letRecordsGo(s.ledger, seen.hidden)
		s.queue.after = max(s.queue.after, seen.own)
		s.queue.sent = s.queue.after
		for i := range a.claim {
			a.claim[i].after = max(a.claim[i].after, seen.claim)
		}
		s.queue.untold = s.ledger.last
		a.claimSent = 0
	} else {
		p.acknowledged(s, h)
	}
	a.redo = append(append([]sent(nil), a.unacked...), a.redo...)
	a.missed = a.missed || slices.ContainsFunc(a.redo, sent.forgotten)
	a.unacked, a.volume, a.claimsOpen = nil, 0, 0
	s.followed.again()
	a.out = h
	a.since = s.ledger.last
	a.redoing = true
	a.wake()
	s.queue.untold = max(s.queue.untold, s.queue.last)
	s.behind, s.pulling, s.lost = true, false, true // until it is attached
	for i := range a.maps {
		a.maps[i].last = h // they go with the record
	}
	a.mapBase = a.nextMap
	return old, nil
}

// attach gives a session its new link. Runs with the token, when it is durable
// that the session goes on there.
func (m *Manager) attach(s, temp *Session, link Link, resumed func(*Session, uint32)) (away time.Duration, err error) {
	temp.mu.Lock()
	traits, remote, device, alive := temp.traits, temp.remote, temp.device, temp.state == Unbound
	temp.mu.Unlock()
	s.mu.Lock()
	if s.state != Bound && s.state != Hibernating {
		s.mu.Unlock()
		return 0, errOver
	}
	if s.attached != link || !alive {
		s.mu.Unlock()
		m.metrics.resumes.WithLabelValues("overtaken").Inc()
		return 0, notResumed(merr.ItemNotFound, "")
	}
	s.linked, s.state = true, Bound
	absence := s.absence.Load()
	if t := absence.expiry.Swap(nil); t != nil { // a client that comes and goes leaves no timers behind
		t.Stop()
	}
	if t := absence.goneAt.Swap(0); t != 0 {
		away = time.Since(time.Unix(0, t))
	}
	s.generation++
	s.step("resumed", Cause{})
	s.traits, s.remote = traits, remote
	if device != nil { // it is whose it is now
		s.device = device
	}
	s.mu.Unlock()
	a := s.sm
	if device != nil {
		m.mark(s)
		a.snap = true
		m.pipe.dirty(s)
	}
	w := &window{link: link}
	w.handled.Store(a.durable)
	w.told = a.durable
	w.sent.Store(a.out)
	w.acked.Store(a.acked)
	w.request = a.out
	a.pressed = a.durable
	s.lost = false
	absence.resumes.Add(1)
	absence.away.Store(time.Now().UnixNano())
	resumed(s, a.durable)
	s.window.Store(w)
	m.touch(s)
	return away, nil
}

// unattached has a session hibernate, or go on hibernating, that could not be
// given its new link.
func (m *Manager) unattached(s *Session, link Link) {
	s.mu.Lock()
	alone := s.attached == link && !s.linked
	state, gen, away := s.state, s.generation, s.absence.Load()
	s.mu.Unlock()
	switch {
	case !alone:
	case state == Bound:
		m.hibernates(s, link, Cause{LinkLost, "a resumption failed"})
	case state == Hibernating: // the time that it had is over with its old generation
		m.expireAfter(s, max(0, away.keep-time.Since(time.Unix(0, away.goneAt.Load()))), gen)
	}
}

// absorb ends the session that a connection had until it resumed another.
func (m *Manager) absorb(temp, s *Session) {
	if first, was, binding, _ := temp.end(Cause{Merged, "session " + s.id + " goes on"}); first {
		m.ended(temp, was, binding)
	}
}

// wake lets go of whoever waits for acknowledgements, or for the end of redoing.
func (a *acks) wake() {
	if a.room != nil {
		close(a.room)
		a.room = nil
	}
	a.wakeRedone()
}
