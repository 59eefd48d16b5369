package presence

import (
	"context"
	"fmt"
	"time"

	"weir/hook"
	"weir/jid"
	"weir/roster"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/storage"
)

// Types of presence that are handled here (RFC 6121 §4.7.1); "" is available.
const (
	typeUnavailable  = "unavailable"
	typeProbe        = "probe"
	typeUnsubscribed = "unsubscribed"
)

// Hooks is the catalogue of this package's events.
type Hooks struct {
	// Initial: a session became available and its contacts were told. It runs in
	// the session's order; where the account has unanswered subscription
	// requests its handlers may block, else they must not.
	Initial hook.Point[*sessionmgr.Session]
}

// Handler is the manager's handler of availability.
type Handler struct {
	// Hooks is the catalogue of events. Add handlers before the first session.
	Hooks Hooks

	m        *sessionmgr.Manager
	rosters  *roster.Rosters
	o        Options
	directed sessionmgr.Slot[*targets]
	tours    sessionmgr.Slot[*tour] // that a session is given now

	traces  *traces         // of whom clients may think to be here
	targets directedRecords // of directed presence

	// What contacts see of sessions that hibernate.
	store   storage.Store
	records awayRecords
	absent  sessionmgr.Slot[*absence]
	clock   clock
}

var _ sessionmgr.PresenceHandler = (*Handler)(nil)

// New makes the handler and registers it with the manager. The rosters of
// accounts with sessions must be in memory (roster.Rosters.Load). What a later
// process has to know of sessions that hibernate is kept in st; Start goes on with it.
func New(m *sessionmgr.Manager, r *roster.Rosters, st storage.Store, o Options) (*Handler, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.setDefaults()
	h := &Handler{
		m: m, rosters: r, o: o, directed: sessionmgr.NewSlot[*targets](m, "presence.directed"),
		tours:  sessionmgr.NewSlot[*tour](m, "presence.tour"),
		traces: newTraces(m, st, o.Log), targets: directedRecords{storage.NewMap(st, tableDirected)},
		store: st, records: awayRecords{storage.NewMap(st, tableAway)}, absent: sessionmgr.NewSlot[*absence](m, "presence.away"),
		clock: clock{m: m, record: storage.NewKeyVal(st, tableClock), every: max(time.Second/4, min(o.HibernatingAfter/16, clockEvery))},
	}
	m.HandleAvailability(h)
	h.watch()
	m.Hooks.Resumed.Add("presence", hook.Early, h.resumed)
	m.Hooks.Unbound.Add("presence", hook.Early, func(_ context.Context, s *sessionmgr.Session) { h.ended(s) })
	m.Hooks.Stopping.Add("presence", hook.Normal, func(context.Context, struct{}) { h.traces.stop() })
	return h, nil
}

// Blocking reports whether FromClient would read storage: for a probe to an
// account whose roster isn't in memory, and at initial presence where
// subscription requests have to be delivered.
func (h *Handler) Blocking(s *sessionmgr.Session, st *stanza.Stanza) bool {
	switch st.Type {
	case typeProbe:
		_, known := h.rosters.State(st.To.Bare(), s.JID().Bare())
		return !known
	case "":
		return st.To.IsZero() && h.rosters.Pending(st.From.Bare()) > 0 && !s.Available()
	}
	return false
}

// FromClient handles a presence without type, an unavailable one or a probe of
// a session. The error is a stanza error.
func (h *Handler) FromClient(ctx context.Context, s *sessionmgr.Session, st *stanza.Stanza) error {
	switch {
	case st.Type == typeProbe:
		return h.probeFrom(ctx, s, st)
	case !st.To.IsZero():
		return h.direct(s, st)
	case st.Type == "":
		return h.available(ctx, s, st)
	case st.Type == typeUnavailable:
		h.unavailable(s, st)
		return nil
	}
	return stanza.BadRequest("no such type of presence") // RFC 6121 §4.7.1
}

// ToAccount handles a presence that another account, or a server, sent to an
// account of ours.
func (h *Handler) ToAccount(ctx context.Context, st *stanza.Stanza) error {
	if st.Type == typeProbe {
		replies, err := h.answerProbe(ctx, st)
		if err != nil {
			return err
		}
		var out []sessionmgr.Delivery
		for _, r := range replies {
			out = h.address(out, r)
		}
		h.m.Submit(sessionmgr.Entry{Out: out})
		return nil
	}
	h.m.Submit(sessionmgr.Entry{Out: h.address(nil, st)})
	return nil
}

// address appends the deliveries of a presence to an address of ours: all
// available resources of a bare JID (RFC 6121 §8.5.2.1.2), the one resource of a
// full JID (RFC 6121 §8.5.3.1), nobody where there is none (RFC 6121 §8.5.1,
// RFC 6121 §8.5.2.2.2, RFC 6121 §8.5.3.2.2).
func (h *Handler) address(out []sessionmgr.Delivery, st *stanza.Stanza) []sessionmgr.Delivery {
	if h.m.HasService(st.To.Domain()) {
		h.m.ToService(st)
		return out
	}
	if st.To.IsFull() {
		if to := h.m.ByJID(st.To); to != nil {
			out = h.deliver(out, to, st)
		}
		return out
	}
	for _, to := range h.m.ByAccount(st.To) {
		if to.Available() {
			out = h.deliver(out, to, st)
		}
	}
	return out
}

// deliver appends one delivery. Who hears that somebody went forgets that it
// once sent that somebody directed presence (RFC 6121 §4.6.1).
func (h *Handler) deliver(out []sessionmgr.Delivery, to *sessionmgr.Session, st *stanza.Stanza) []sessionmgr.Delivery {
	if st.Type == typeUnavailable {
		if t, ok := h.directed.Get(to); ok && t.drop(st.From) {
			h.unremember(to, t, st.From)
		}
	}
	return append(out, sessionmgr.Delivery{To: to, Stanza: st})
}

// goodbye makes the unavailable presence of a session that sent none.
func goodbye(from jid.JID) *stanza.Stanza {
	return &stanza.Stanza{Kind: stanza.Presence, Type: typeUnavailable, From: from}
}

// limitError refuses a directed presence beyond the limit.
func (h *Handler) limitError() error {
	return stanza.ResourceConstraint(fmt.Sprintf("the limit is %d directed-presence targets of a session", h.o.MaxDirected))
}
