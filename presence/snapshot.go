package presence

import (
	"slices"

	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
)

// recheckRounds bounds how often a snapshot is corrected; each round needs a
// presence that changed within microseconds.
const recheckRounds = 16

// Snapshot is presence that was read to be passed on: the deliveries, and what
// is needed to see whether it still holds once they are submitted.
type Snapshot struct {
	Out  []sessionmgr.Delivery
	read []reading
}

// reading is one presence of a snapshot.
type reading struct {
	source *sessionmgr.Session   // nil: nobody was at left
	left   jid.JID               // full, or bare for all of an account
	was    *stanza.Stanza        // what was passed on; nil: unavailable
	passed *stanza.Stanza        // the same as it is in the snapshot's deliveries
	denied bool                  // who is at left isn't to be seen
	viewer jid.JID               // bare
	to     []*sessionmgr.Session // who got it
}

// pass adds the presence of an available session to a snapshot.
func (h *Handler) pass(snap *Snapshot, source *sessionmgr.Session, viewer jid.JID, to []*sessionmgr.Session) {
	st := h.seen(source)
	if st == nil || len(to) == 0 {
		return
	}
	st2 := st.With(st.From, viewer)
	for _, s := range to {
		snap.Out = append(snap.Out, sessionmgr.Delivery{To: s, Stanza: st2})
	}
	snap.read = append(snap.read, reading{source: source, was: st, passed: st2, viewer: viewer, to: to})
}

// subscribed reports whether target's roster, which is in memory if target is
// online, grants viewer its presence (bare JIDs).
func (h *Handler) subscribed(viewer, target jid.JID) bool {
	s, ok := h.rosters.State(target, viewer)
	return ok && s.HasFrom()
}

// Current returns the presence of each available resource of owner for each
// available resource of viewer (bare JIDs; RFC 6121 §3.1.5). Give it to
// [Handler.Recheck] when its deliveries have been submitted.
func (h *Handler) Current(owner, viewer jid.JID) Snapshot {
	var snap Snapshot
	var to []*sessionmgr.Session
	for _, s := range h.m.ByAccount(viewer) {
		if s.Available() {
			to = append(to, s)
		}
	}
	for _, source := range h.m.ByAccount(owner) {
		if st := h.seen(source); st != nil && h.m.HasService(viewer.Domain()) {
			h.m.ToService(st.With(st.From, viewer))
		}
		h.pass(&snap, source, viewer, to)
	}
	return snap
}

// Submit has a snapshot delivered, as far as it still holds when its turn comes,
// and corrected where it doesn't.
func (h *Handler) Submit(snap *Snapshot) {
	h.m.Submit(sessionmgr.Entry{Out: snap.Out, Still: h.Still(snap)})
	h.Recheck(snap)
}

// Recheck corrects what a snapshot passed on and what is not so any more: a
// change of presence, or of the subscription, whose own deliveries may have been
// submitted before those of the snapshot.
func (h *Handler) Recheck(snap *Snapshot) {
	for range recheckRounds {
		var c Snapshot
		h.returned(snap)
		for i := range snap.read {
			h.correct(&c, &snap.read[i])
		}
		if len(c.Out) == 0 {
			return
		}
		h.m.Submit(sessionmgr.Entry{Out: c.Out, Still: h.Still(&c)})
	}
}

// correct adds what those have to hear who were given a reading.
func (h *Handler) correct(c *Snapshot, r *reading) {
	if r.source == nil {
		return
	}
	from := r.source.JID()
	now := h.seen(r.source)
	cut := from.Bare() != r.viewer && !h.subscribed(r.viewer, from.Bare())
	if r.source.State() == sessionmgr.Destroyed || cut {
		now = nil
	}
	if now == r.was {
		return
	}
	r.was = now
	x := reading{source: r.source, was: now, viewer: r.viewer, to: r.to}
	if now == nil {
		x.source, x.left, now = nil, from, goodbye(from)
	}
	x.passed = now.With(from, r.viewer)
	for _, to := range r.to {
		if x.source == nil && h.hidden(r.source) { // it is not seen, and yet there
			c.Out = append(c.Out, sessionmgr.Delivery{To: to, Stanza: x.passed})
			continue
		}
		c.Out = h.deliver(c.Out, to, x.passed)
	}
	if !cut { // that is so whoever is there
		c.read = append(c.read, x)
	}
}

// Still is what has an entry with the deliveries of snapshots leave out, as it finds
// its place in the order, what isn't so any more: whatever has changed by then is told
// by deliveries of its own, and may have been told before; what changes later is told
// after it.
func (h *Handler) Still(snaps ...*Snapshot) func([]sessionmgr.Delivery) []sessionmgr.Delivery {
	var read []reading // Recheck may be at work meanwhile
	for _, snap := range snaps {
		read = append(read, snap.read...)
	}
	if read == nil {
		return nil
	}
	return func(out []sessionmgr.Delivery) []sessionmgr.Delivery {
		var over []*stanza.Stanza
		for i := range read {
			if !h.holds(&read[i]) {
				over = append(over, read[i].passed)
			}
		}
		if over == nil {
			return out
		}
		return slices.DeleteFunc(slices.Clone(out), func(d sessionmgr.Delivery) bool { return slices.Contains(over, d.Stanza) })
	}
}

// holds reports whether what was read is so yet, as far as sessions go.
func (h *Handler) holds(x *reading) bool {
	if x.source != nil {
		return h.seen(x.source) == x.was && x.source.State() != sessionmgr.Destroyed
	}
	return x.denied || !slices.ContainsFunc(h.m.ByAccount(x.left.Bare()), func(s *sessionmgr.Session) bool { return h.contradicts(s, x) })
}

// Gone returns unavailable presence from each available resource of owner to
// each available resource of viewer (bare JIDs), whose subscription ends
// (RFC 6121 §3.2.2, RFC 6121 §3.3.3). What owner's sessions sent viewer as
// directed presence ends with it (RFC 6121 §4.6.1).
func (h *Handler) Gone(owner, viewer jid.JID) []sessionmgr.Delivery {
	var out []sessionmgr.Delivery
	// Who is just ending finds the subscription gone when it says goodbye itself.
	for _, source := range slices.Concat(h.m.ByAccount(owner), h.m.Parting(owner)) {
		t, ok := h.directed.Get(source)
		var direct []jid.JID
		if ok {
			direct = t.remove(viewer)
			h.unremember(source, t, direct...)
		}
		if source.Available() || len(direct) > 0 {
			out = h.toAvailable(out, viewer, goodbye(source.JID()))
		}
	}
	return out
}
