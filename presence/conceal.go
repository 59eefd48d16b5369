package presence

import (
	"slices"

	"weir/jid"
	"weir/sessionmgr"
)

// Conceal returns unavailable presence from each available resource of owner to
// those of its audience that match, for an account that begins to block them
// (XEP-0191 §3.3). Directed presence that went to them ends with it.
func (h *Handler) Conceal(owner jid.JID, match func(jid.JID) bool) []sessionmgr.Delivery {
	var out []sessionmgr.Delivery
	contacts := h.audience(owner).contacts
	for _, source := range slices.Concat(h.m.ByAccount(owner), h.m.Parting(owner)) {
		told := make(map[*sessionmgr.Session]bool)
		tell := func(account jid.JID, direct bool) {
			for _, to := range h.m.ByAccount(account) {
				if !told[to] && match(to.JID()) && (direct || to.Available()) {
					told[to] = true
					out = append(out, sessionmgr.Delivery{To: to, Stanza: goodbye(source.JID()).With(source.JID(), to.JID().Bare())})
				}
			}
		}
		if source.Available() && !h.hidden(source) {
			for _, contact := range contacts {
				tell(contact, false)
			}
		}
		if t, ok := h.directed.Get(source); ok {
			for _, x := range t.all() {
				if match(x.to) {
					if t.drop(x.to) {
						h.unremember(source, t, x.to)
					}
					tell(x.to.Bare(), true)
				}
			}
		}
	}
	return out
}

// Reveal returns the presence of each available resource of owner for those of
// its audience that match, for an account that blocks them no longer (XEP-0191
// §3.4), and theirs for owner, which it hasn't heard meanwhile. Give it to
// [Handler.Recheck] when its deliveries have been submitted.
func (h *Handler) Reveal(owner jid.JID, match func(jid.JID) bool) Snapshot {
	var snap Snapshot
	for _, contact := range h.audience(owner).contacts {
		to := h.availableOf(contact, match)
		for _, source := range h.m.ByAccount(owner) {
			h.pass(&snap, source, contact, to)
		}
	}
	to := h.availableOf(owner, func(jid.JID) bool { return true })
	for _, contact := range h.rosters.Subscriptions(owner, nil) {
		if !h.m.Local(contact.Domain()) || !h.subscribed(owner, contact) {
			continue
		}
		for _, source := range h.m.ByAccount(contact) {
			if match(source.JID()) {
				h.pass(&snap, source, owner, to)
			}
		}
	}
	return snap
}

// availableOf returns the available sessions of an account that match.
func (h *Handler) availableOf(account jid.JID, match func(jid.JID) bool) (all []*sessionmgr.Session) {
	for _, s := range h.m.ByAccount(account) {
		if s.Available() && match(s.JID()) {
			all = append(all, s)
		}
	}
	return all
}
