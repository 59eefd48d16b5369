package presence

import (
	"context"
	"slices"

	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
)

// An account may have thousands of contacts. What a session learns of them is read
// and given to it part by part, each when the one before has been written: neither
// the server's memory nor the client's connection has to hold all of it at once.
// Whatever changes meanwhile is told as ever; a part says what is so when it is read.

// partBytes is the size of a part, about: as a rule all there is.
const partBytes = 64 << 10

// tour is who is still to be told of to one session.
type tour struct {
	s       *sessionmgr.Session
	account jid.JID
	// whole says that its client may know of others who aren't there any more.
	whole    bool
	contacts []jid.JID
	// What is left of the last one.
	sources []*sessionmgr.Session
	missing []jid.JID // resources, or the account itself
}

// tourOf is what a newly available resource learns: the presence of the account's
// other resources and of the contacts that it may see. It stands for the probes and
// their answers (RFC 6121 §4.3.1: "the server does not need to send a presence probe
// to a contact if the contact's account resides on the same server"). Contacts that
// aren't online stay silent, unless it is the whole.
func (h *Handler) tourOf(s *sessionmgr.Session, whole bool) *tour {
	t := &tour{s: s, account: s.JID().Bare(), whole: whole}
	t.sources = h.m.ByAccount(t.account)
	if whole {
		t.missing = h.missing(s, t.account)
	}
	t.contacts = h.rosters.Subscriptions(t.account, nil)
	if old, _ := h.tours.Get(s); old != nil {
		h.tours.Set(s, nil) // this one takes its place
	}
	return t
}

// over reports whether nothing is left.
func (t *tour) over() bool { return len(t.contacts)+len(t.sources)+len(t.missing) == 0 }

// part reads the next part.
func (h *Handler) part(ctx context.Context, t *tour) Snapshot {
	var snap Snapshot
	to := []*sessionmgr.Session{t.s}
	for size, n := 0, 0; size < partBytes; n = len(snap.Out) {
		switch {
		case len(t.sources) > 0:
			source := t.sources[0]
			if from := source.JID().Bare(); source != t.s && (from == t.account || h.subscribed(t.account, from)) {
				h.pass(&snap, source, t.account, to)
			}
			t.sources = t.sources[1:]
		case len(t.missing) > 0:
			h.passMissing(&snap, t.s, t.missing[0])
			t.missing = t.missing[1:]
		case len(t.contacts) > 0:
			h.visit(ctx, t, t.contacts[0])
			t.contacts = t.contacts[1:]
		default:
			return snap
		}
		for _, d := range snap.Out[n:] {
			size += d.Stanza.Size()
		}
	}
	return snap
}

// visit looks who is there of a contact.
func (h *Handler) visit(ctx context.Context, t *tour, contact jid.JID) {
	if !h.m.Local(contact.Domain()) {
		h.m.ToService(&stanza.Stanza{Kind: stanza.Presence, Type: typeProbe, From: t.s.JID(), To: contact}) // RFC 6121 §4.3.1
		return
	}
	sources := h.m.ByAccount(contact)
	if !t.whole { // part looks whether they may be seen
		t.sources = sources
		return
	}
	if len(sources) > 0 && h.subscribed(t.account, contact) {
		t.sources = sources
	}
	if h.tells(ctx, contact, t.s.JID()) {
		t.missing = h.missing(t.s, contact)
	}
	if !slices.ContainsFunc(t.sources, func(s *sessionmgr.Session) bool { return h.seen(s) != nil }) {
		t.missing = append(t.missing, contact)
	}
}

// passMissing adds that nobody is at an address, if that is so.
func (h *Handler) passMissing(snap *Snapshot, s *sessionmgr.Session, at jid.JID) {
	switch {
	case at.IsBare():
		snap.without(s, at)
		snap.read[len(snap.read)-1].denied = len(h.m.ByAccount(at)) > 0 && !h.subscribed(s.JID().Bare(), at)
	case h.isMissing(s, at):
		snap.without(s, at)
	}
}

// goOnWith has a session be given the rest of a tour, unless another takes its place.
func (h *Handler) goOnWith(t *tour) {
	if t.over() {
		return
	}
	h.tours.Set(t.s, t)
	h.m.Go(func() {
		for !t.over() && h.m.Ready(t.s, partBytes/2) { // where it isn't, it will be told all of it anew
			if now, _ := h.tours.Get(t.s); now != t || !t.s.Available() {
				break
			}
			snap := h.part(t.s.Context(), t)
			h.Submit(&snap)
			h.m.FlushTouched()
		}
		*t = tour{s: t.s} // nothing of it is needed any more
	})
}
