package presence

import (
	"context"

	"weir/sessionmgr"
	"weir/stanza"
)

// probeFrom handles a probe that a client sent. Clients should not, but
// that is no error (RFC 6121 §4.3).
func (h *Handler) probeFrom(ctx context.Context, s *sessionmgr.Session, st *stanza.Stanza) error {
	if st.To.Local() == "" || !h.m.Local(st.To.Domain()) {
		h.m.ToService(st)
		return nil
	}
	if own, ok := h.rosters.State(st.From.Bare(), st.To.Bare()); ok && own.PendingOut() {
		// "unsubscribed" would read as the answer to the request that is waiting.
		return nil
	}
	replies, err := h.answerProbe(ctx, st)
	if err != nil {
		return err
	}
	out := make([]sessionmgr.Delivery, 0, len(replies))
	for _, r := range replies {
		out = append(out, sessionmgr.Delivery{To: s, Stanza: r})
	}
	h.m.Submit(sessionmgr.Entry{From: s, Out: out})
	return nil
}

// answerProbe is the table of RFC 6121 §4.3.2. Whether the account exists makes no
// difference to who may not see it: who isn't in a roster, or has none, is a stranger.
func (h *Handler) answerProbe(ctx context.Context, st *stanza.Stanza) ([]*stanza.Stanza, error) {
	target, viewer := st.To.Bare(), st.From.Bare()
	allowed := target == viewer
	if !allowed {
		state, err := h.rosters.Lookup(ctx, target, viewer)
		if err != nil {
			return nil, err
		}
		allowed = state.HasFrom()
	}
	switch {
	case allowed && st.To.IsFull():
		return []*stanza.Stanza{h.mere(st)}, nil
	case allowed:
		return h.full(st), nil
	case st.To.IsFull() && h.Directed(st.To, st.From):
		// RFC 6121 §4.6.6: "only mere presence … and only for that full JID"
		return []*stanza.Stanza{h.mere(st)}, nil
	}
	// Rule 1. The 'id' mirrors the probe's (RFC 6121 §4.3.2.1).
	return []*stanza.Stanza{{Kind: stanza.Presence, Type: typeUnsubscribed, ID: st.ID, From: target, To: st.From}}, nil
}

// full is rules 3 and 4: the last presence of each available resource, or that
// there is none.
func (h *Handler) full(st *stanza.Stanza) []*stanza.Stanza {
	var replies []*stanza.Stanza
	for _, s := range h.m.ByAccount(st.To) {
		if p := h.seen(s); p != nil {
			replies = append(replies, p.With(p.From, st.From))
		}
	}
	if replies == nil {
		r := goodbye(st.To).With(st.To, st.From)
		r.ID = st.ID
		replies = append(replies, r)
	}
	return replies
}

// mere tells of one resource no more than whether it is there. A session that
// sent directed presence is, available or not.
func (h *Handler) mere(st *stanza.Stanza) *stanza.Stanza {
	if s := h.m.ByJID(st.To); s != nil {
		if p := h.seen(s); p != nil {
			return &stanza.Stanza{Kind: stanza.Presence, ID: p.ID, From: st.To, To: st.From}
		}
		if h.sentTo(s, st.From) {
			return &stanza.Stanza{Kind: stanza.Presence, From: st.To, To: st.From}
		}
	}
	r := goodbye(st.To).With(st.To, st.From)
	r.ID = st.ID
	return r
}
