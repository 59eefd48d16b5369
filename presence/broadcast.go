package presence

import (
	"bytes"
	"context"
	"slices"
	"strconv"

	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/storage"
)

// available handles initial presence and updates (RFC 6121 §4.2.2, RFC 6121 §4.4.2).
func (h *Handler) available(ctx context.Context, s *sessionmgr.Session, st *stanza.Stanza) error {
	prio, err := priority(st)
	if err != nil {
		return err
	}
	initial := !s.Available()
	var trace storage.Batch
	if initial {
		trace = h.traces.came(s.JID())
	}
	s.SetPresence(st, prio)
	audience := h.audience(st.From.Bare())
	out := h.fanOut(make([]sessionmgr.Delivery, 0, len(audience.contacts)+4), audience, st)
	var learned Snapshot
	var rest *tour
	if initial {
		rest = h.tourOf(s, false)
		learned = h.part(ctx, rest)
		out = append(out, learned.Out...)
	}
	h.m.Submit(sessionmgr.Entry{
		From: s, Writes: trace, Out: out, Still: h.Still(&learned),
		Failed: func(error) []sessionmgr.Delivery { return out },
	})
	h.Recheck(&learned)
	h.takeBack(audience, st)
	if s.State() == sessionmgr.Destroyed {
		// Ended meanwhile: its goodbye may have been submitted before this presence.
		h.m.Submit(sessionmgr.Entry{Out: h.fanOut(nil, h.audience(st.From.Bare()), goodbye(st.From))})
		h.traces.went(st.From)
		return nil
	}
	if initial {
		h.goOnWith(rest)
		return h.Hooks.Initial.Run(ctx, s)
	}
	return nil
}

// unavailable handles the end of a presence session that the client announced
// (RFC 6121 §4.5.2). Of a session that wasn't available only those hear to whom
// it sent directed presence (RFC 6121 §4.6.3).
func (h *Handler) unavailable(s *sessionmgr.Session, st *stanza.Stanza) {
	was := s.Available()
	s.SetPresence(nil, 0)
	var out []sessionmgr.Delivery
	var trace storage.Batch
	if was {
		trace = h.traces.came(s.JID()) // or a crash would make it available again
		h.traces.went(s.JID())
		// "as well as to the resource that generated the unavailable presence"
		out = append(out, sessionmgr.Delivery{To: s, Stanza: st.With(st.From, st.From.Bare())})
	}
	h.leave(s, st, was, out, trace)
}

// ended says goodbye for a session that is gone, whatever ended it (RFC 6121
// §4.5.2).
func (h *Handler) ended(s *sessionmgr.Session) {
	was := s.Available()
	h.leave(s, goodbye(s.JID()), was, nil, storage.Batch{})
	if was {
		h.traces.went(s.JID())
	}
}

// leave tells everybody who may think that s is available, once w is written: nobody,
// where all were told before, as it hibernated.
func (h *Handler) leave(s *sessionmgr.Session, st *stanza.Stanza, was bool, out []sessionmgr.Delivery, w storage.Batch) {
	var told []jid.JID
	t, directed := h.directed.Get(s)
	if was {
		a := h.audience(st.From.Bare())
		told = a.contacts
		out = h.fanOut(out, a, st)
	}
	var gone []jid.JID
	if directed {
		gone = t.clear()
		for _, to := range gone {
			bare := to.Bare()
			if was && (bare == st.From.Bare() || slices.Contains(told, bare)) {
				continue
			}
			out = h.address(out, st.With(st.From, to))
		}
	}
	forget := func(error) {
		switch {
		case !directed:
		case s.State() == sessionmgr.Destroyed:
			h.unrememberAll(s, t)
		default:
			h.unremember(s, t, gone...)
		}
	}
	if len(out) == 0 || h.hidden(s) {
		forget(nil)
		return
	}
	h.m.Submit(sessionmgr.Entry{From: s, Writes: w, Out: out, Failed: func(error) []sessionmgr.Delivery { return out }, Done: forget})
}

// audience is who is subscribed to an account's presence at one moment.
type audience struct {
	account    jid.JID
	contacts   []jid.JID // of this server and its services, from or both
	generation uint64    // of the account's roster, read before contacts
}

func (h *Handler) audience(account jid.JID) audience {
	a := audience{account: account, generation: h.rosters.Generation(account)}
	a.contacts = h.rosters.Subscribers(account, nil)
	a.contacts = slices.DeleteFunc(a.contacts, func(j jid.JID) bool { return !h.m.Local(j.Domain()) && !h.m.HasService(j.Domain()) })
	return a
}

// fanOut appends a presence for all available resources of the audience, and of
// the account itself (RFC 6121 §4.2.2). Each gets it addressed to its bare JID,
// as the examples of RFC 6121 §4.2.3 have it.
func (h *Handler) fanOut(out []sessionmgr.Delivery, a audience, st *stanza.Stanza) []sessionmgr.Delivery {
	for _, contact := range a.contacts {
		out = h.toAvailable(out, contact, st)
	}
	return h.toAvailable(out, a.account, st)
}

func (h *Handler) toAvailable(out []sessionmgr.Delivery, account jid.JID, st *stanza.Stanza) []sessionmgr.Delivery {
	if h.m.HasService(account.Domain()) {
		h.m.ToService(st.With(st.From, account))
		return out
	}
	var addressed *stanza.Stanza // made when somebody is there
	for _, to := range h.m.ByAccount(account) {
		if !to.Available() {
			continue
		}
		if addressed == nil {
			addressed = st.With(st.From, account)
		}
		out = h.deliver(out, to, addressed)
	}
	return out
}

// takeBack tells those that they can't see an account any more who lost their
// subscription while a presence was on its way to them: the goodbye of
// [Handler.Gone] may have been submitted before it.
func (h *Handler) takeBack(a audience, st *stanza.Stanza) {
	if h.rosters.Generation(a.account) == a.generation {
		return
	}
	var out []sessionmgr.Delivery
	for _, contact := range a.contacts {
		if s, ok := h.rosters.State(a.account, contact); ok && !s.HasFrom() {
			out = h.toAvailable(out, contact, goodbye(st.From))
		}
	}
	if len(out) > 0 {
		h.m.Submit(sessionmgr.Entry{Out: out})
	}
}

// priority returns the priority of a presence (RFC 6121 §4.7.2.3): 0 if there is none.
func priority(st *stanza.Stanza) (int8, error) {
	if !st.HasChild(stanza.NSClient, "priority") {
		return 0, nil
	}
	var element []byte
	for name, xml := range st.Children() {
		if name.Space != stanza.NSClient || name.Local != "priority" {
			continue
		}
		if element != nil {
			return 0, stanza.BadRequest("more than one <priority/>")
		}
		element = xml
	}
	text, _, _ := bytes.Cut(element[bytes.IndexByte(element, '>')+1:], []byte("</"))
	n, err := strconv.ParseInt(string(bytes.Trim(text, " \t\r\n")), 10, 8)
	if err != nil {
		return 0, stanza.BadRequest("a priority is a number from -128 to 127")
	}
	return int8(n), nil
}
