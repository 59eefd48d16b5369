package presence

import (
	"context"
	"slices"
	"sync"
	"time"

	"weir/hook"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/storage"
)

// What contacts see of a session that hibernates. The session itself knows nothing
// of it: it is available, collects and keeps its priority. Whoever tells somebody
// else of its presence asks [Handler.seen]: the broadcast when the time is over,
// probes, new subscribers, and who logs in meanwhile. So all of them say the same.

// absence is what is known of a session since it lost its link.
type absence struct {
	mu      sync.Mutex
	since   time.Time      // when it lost its link; zero while it has one
	timer   *time.Timer    // of the end of the time, nil once that is over
	masked  bool           // others see shown in place of its presence
	shown   *stanza.Stanza // nil: unavailable
	written bool           // there is a record of it
}

// watch registers what the policy needs; nothing where nothing changes.
func (h *Handler) watch() {
	if h.o.Hibernating == Stay {
		return
	}
	h.m.Hooks.Hibernated.Add("presence", hook.Early, func(_ context.Context, c sessionmgr.Closing) { h.gone(c.Session) })
	h.m.Hooks.Resumed.Add("presence.away", hook.Early, func(_ context.Context, r sessionmgr.Resumption) { h.back(r.Session) })
	h.m.Hooks.Unbound.Add("presence.away", hook.Normal, func(_ context.Context, s *sessionmgr.Session) { h.over(s) })
	h.m.Hooks.Stopping.Add("presence.away", hook.Normal, func(context.Context, struct{}) { h.clock.stop() })
}

// seen returns what others see of a session's presence, nil for unavailable. As
// long as that is the same, so is the pointer.
func (h *Handler) seen(s *sessionmgr.Session) *stanza.Stanza {
	st := s.Presence()
	if st == nil || h.o.Hibernating == Stay {
		return st
	}
	if a, ok := h.absent.Get(s); ok {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.masked {
			return a.shown
		}
	}
	return st
}

// masked reports whether others see a session otherwise than it wants to be seen.
func (h *Handler) masked(s *sessionmgr.Session) bool {
	a, ok := h.absent.Get(s)
	if !ok {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.masked
}

// hidden reports whether everybody was told that a session isn't available which
// hibernates.
func (h *Handler) hidden(s *sessionmgr.Session) bool {
	return h.o.Hibernating == Unavailable && h.masked(s)
}

// gone begins to count when a session loses its link.
func (h *Handler) gone(s *sessionmgr.Session) {
	since, is := s.Gone()
	if !is || h.m.Stopping() { // the next process begins to count for it
		return
	}
	a, ok := h.absent.Get(s)
	if !ok {
		a = new(absence)
		h.absent.Set(s, a)
	}
	if !h.arm(s, a, since, h.o.HibernatingAfter) {
		return
	}
	var w storage.Batch
	h.records.put(&w, s, awayRecord{gone: since})
	h.m.Submit(sessionmgr.Entry{Writes: w})
	if now, is := s.Gone(); !is || !now.Equal(since) {
		h.disarm(s, a, since) // it was resumed, and that was told before we came
	}
}

// arm has the time of a hibernation end; false where it is counted already.
func (h *Handler) arm(s *sessionmgr.Session, a *absence, since time.Time, left time.Duration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.since.Equal(since) {
		return false
	}
	h.release(a)
	a.since, a.written = since, true
	a.timer = time.AfterFunc(left, func() { h.due(s, since) })
	h.clock.wait(1)
	return true
}

// disarm has no time counted any more, and no record be there, unless the session
// has lost its next link already.
func (h *Handler) disarm(s *sessionmgr.Session, a *absence, since time.Time) {
	var w storage.Batch
	a.mu.Lock()
	if a.since.Equal(since) {
		h.release(a)
		a.since = time.Time{}
	}
	if a.since.IsZero() {
		a.written = false
		h.records.delete(&w, s)
	}
	a.mu.Unlock()
	h.m.Submit(sessionmgr.Entry{Writes: w})
}

// release stops the timer; mu is held.
func (h *Handler) release(a *absence) {
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
		h.clock.wait(-1)
	}
}

// due tells others that a session is away, if it still is.
func (h *Handler) due(s *sessionmgr.Session, since time.Time) {
	if now, is := s.Gone(); !is || !now.Equal(since) || h.m.Stopping() {
		return
	}
	a, ok := h.absent.Get(s)
	if !ok {
		return
	}
	real := s.Presence()
	shown := h.o.masked(real)
	a.mu.Lock()
	if a.masked || !a.since.Equal(since) {
		a.mu.Unlock()
		return
	}
	h.release(a)
	h.mask(s, a, shown)
	a.mu.Unlock()
	var w storage.Batch
	h.records.put(&w, s, awayRecord{gone: since, masked: true})
	s.Log().Info("contacts see a session as "+h.o.Hibernating, "jid", s.JID())
	h.retell(s, w, shown == real)
	if now, is := s.Gone(); !is || !now.Equal(since) {
		h.disarm(s, a, since) // our record may have come behind its removal
	}
}

// mask has others see something else; mu is held.
func (h *Handler) mask(s *sessionmgr.Session, a *absence, shown *stanza.Stanza) {
	a.masked, a.shown = true, shown
	s.SetUnseen(h.o.Hibernating == Unavailable)
}

// back shows others a session's own presence again, when it has a link.
func (h *Handler) back(s *sessionmgr.Session) {
	masked, same, w := h.unmask(s, true)
	switch {
	case masked:
		h.retell(s, w, same)
	case w.Len() > 0:
		h.m.Submit(sessionmgr.Entry{Writes: w})
	}
}

// over forgets a session that has ended. What others see of it stays: who was told
// that it isn't available isn't told again.
func (h *Handler) over(s *sessionmgr.Session) {
	if _, _, w := h.unmask(s, false); w.Len() > 0 {
		h.m.Submit(sessionmgr.Entry{Writes: w})
	}
}

// unmask ends the counting, and the masking if show says so. It reports whether
// others saw something else, whether that was its own presence nevertheless, and
// what has to be written.
func (h *Handler) unmask(s *sessionmgr.Session, show bool) (masked, same bool, w storage.Batch) {
	a, ok := h.absent.Get(s)
	if !ok {
		return false, false, w
	}
	real := s.Presence()
	a.mu.Lock()
	defer a.mu.Unlock()
	h.release(a)
	a.since = time.Time{}
	masked, same = a.masked, a.shown == real
	if show {
		a.masked, a.shown = false, nil
		s.SetUnseen(false)
	}
	if a.written {
		a.written = false
		h.records.delete(&w, s)
	}
	return masked, same, w
}

// retell tells everybody who may think otherwise what is to be seen of a session
// from now on: again, where that has changed until it was submitted. The first
// time w is written with it; same says that its audience sees no difference so far.
func (h *Handler) retell(s *sessionmgr.Session, w storage.Batch, same bool) {
	told, masked := new(stanza.Stanza), false // nothing yet
	if same {
		told = s.Presence()
	}
	for round := range recheckRounds {
		now, mask := h.seen(s), h.masked(s)
		if s.State() == sessionmgr.Destroyed {
			now = nil
		}
		if round > 0 && now == told && mask == masked {
			break
		}
		h.tell(s, w, now, now != told)
		told, masked, w = now, mask, storage.Batch{}
	}
	h.m.FlushTouched()
}

// tell is one round of retell: now is what is seen, nil for unavailable; all says
// that not only those with directed presence have to hear it.
func (h *Handler) tell(s *sessionmgr.Session, w storage.Batch, now *stanza.Stanza, all bool) {
	a := h.audience(s.JID().Bare())
	if now == nil {
		now = goodbye(s.JID())
	}
	var out []sessionmgr.Delivery
	if all && s.Available() {
		out = h.fanOutBut(s, a, now)
	}
	out = h.redirect(out, s, a)
	h.m.Submit(sessionmgr.Entry{From: s, Writes: w, Out: out, Failed: func(error) []sessionmgr.Delivery { return out }})
	h.takeBack(a, now)
}

// fanOutBut is fanOut without the session itself, whose client knows better. That
// somebody is not seen is not that it went: who sent it directed presence
// doesn't forget that, as it still gets what follows.
func (h *Handler) fanOutBut(s *sessionmgr.Session, a audience, st *stanza.Stanza) (out []sessionmgr.Delivery) {
	for _, account := range append(slices.Clip(a.contacts), a.account) {
		addressed := st.With(st.From, account)
		for _, to := range h.m.ByAccount(account) {
			if to != s && to.Available() {
				out = append(out, sessionmgr.Delivery{To: to, Stanza: addressed})
			}
		}
	}
	return out
}

// redirect appends what those are told to whom a session sent directed presence,
// and who are not of its audience.
func (h *Handler) redirect(out []sessionmgr.Delivery, s *sessionmgr.Session, a audience) []sessionmgr.Delivery {
	t, ok := h.directed.Get(s)
	if !ok {
		return out
	}
	from, available, mask := s.JID(), s.Available(), h.masked(s)
	for _, d := range t.all() {
		bare := d.to.Bare()
		if available && (bare == a.account || slices.Contains(a.contacts, bare)) {
			continue
		}
		st := d.last
		if st == nil { // too much to keep: "only mere presence" (RFC 6121 §4.6.6)
			st = &stanza.Stanza{Kind: stanza.Presence}
		}
		masked := h.o.masked(st)
		switch {
		case masked == st:
			continue
		case s.State() == sessionmgr.Destroyed || mask && masked == nil:
			st = goodbye(from)
		case mask:
			st = masked
		}
		out = h.addressBut(out, s, st.With(from, d.to))
	}
	return out
}

// addressBut is address for what fanOutBut tells others.
func (h *Handler) addressBut(out []sessionmgr.Delivery, s *sessionmgr.Session, st *stanza.Stanza) []sessionmgr.Delivery {
	for _, to := range h.m.ByAccount(st.To.Bare()) {
		if to != s && (to.JID() == st.To || st.To.IsBare() && to.Available()) {
			out = append(out, sessionmgr.Delivery{To: to, Stanza: st})
		}
	}
	return out
}
