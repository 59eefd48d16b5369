package presence

import (
	"context"
	"slices"

	"weir/jid"
	"weir/sessionmgr"
)

// What a client is told that comes back to a session and has missed presence for
// good: because the process is another, or because too much came while it was away.

// resumed tells such a session who is here and who isn't.
func (h *Handler) resumed(ctx context.Context, r sessionmgr.Resumption) {
	if !r.Restored && !r.Missed || !r.Session.Available() {
		return
	}
	t := h.tourOf(r.Session, true)
	snap := h.part(ctx, t)
	h.Submit(&snap)
	h.m.FlushTouched()
	h.goOnWith(t)
}

// tells reports whether a viewer may know which resources a contact had.
func (h *Handler) tells(ctx context.Context, contact, viewer jid.JID) bool {
	if len(h.m.ByAccount(contact)) > 0 { // whom it blocks is seen to as it goes out
		return h.subscribed(viewer.Bare(), contact)
	}
	if len(h.traces.of(contact)) == 0 {
		return false
	}
	blocks, err := h.m.Blocks(ctx, contact, viewer)
	return err == nil && !blocks
}

// missing returns those resources of an account that were available and aren't.
func (h *Handler) missing(s *sessionmgr.Session, account jid.JID) (all []jid.JID) {
	for _, x := range h.traces.of(account) {
		all = append(all, x.full)
	}
	if h.o.Hibernating != Unavailable {
		return all
	}
	for _, source := range h.m.ByAccount(account) {
		if source != s && source.Available() && h.hidden(source) {
			all = append(all, source.JID())
		}
	}
	return all
}

// isMissing reports whether nobody is seen at the address of a resource.
func (h *Handler) isMissing(s *sessionmgr.Session, full jid.JID) bool {
	source := h.m.ByJID(full)
	return source == nil || source != s && h.seen(source) == nil
}

// without adds that nobody is at an address.
func (snap *Snapshot) without(s *sessionmgr.Session, from jid.JID) {
	viewer := s.JID().Bare()
	st := goodbye(from).With(from, viewer)
	snap.Out = append(snap.Out, sessionmgr.Delivery{To: s, Stanza: st})
	snap.read = append(snap.read, reading{left: from, passed: st, viewer: viewer, to: []*sessionmgr.Session{s}})
}

// returned has those corrected who are at an address by now at which nobody was:
// their presence may have been submitted before the snapshot.
func (h *Handler) returned(snap *Snapshot) {
	for i := 0; i < len(snap.read); i++ {
		x := snap.read[i]
		if x.source != nil {
			continue
		}
		for _, source := range h.m.ByAccount(x.left.Bare()) {
			if !h.contradicts(source, &x) {
				continue
			}
			known := slices.ContainsFunc(snap.read, func(r reading) bool { return r.source == source }) // all of them: rarely looked at
			if !known {
				snap.read = append(snap.read, reading{source: source, viewer: x.viewer, to: x.to})
			}
		}
	}
}

// contradicts reports whether a session is at an address of which a snapshot says
// that nobody is.
func (h *Handler) contradicts(source *sessionmgr.Session, x *reading) bool {
	return (x.left.IsBare() || source.JID() == x.left) && !slices.Contains(x.to, source) && h.seen(source) != nil
}
