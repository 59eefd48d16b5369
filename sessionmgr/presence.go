package sessionmgr

import (
	"context"

	"weir/jid"
	"weir/stanza"
)

// PresenceHandler takes presence stanzas. There are two: one for availability
// (no type, unavailable, probe), one for subscriptions (the four types of RFC
// 6121 §3).
type PresenceHandler interface {
	// FromClient handles a presence of s, in the order of its stream: from is
	// stamped, to may be zero. An error that is a stanza.Error is the answer.
	FromClient(ctx context.Context, s *Session, st *stanza.Stanza) error
	// ToAccount handles a presence that another account sent to one of ours. It
	// may read storage.
	ToAccount(ctx context.Context, st *stanza.Stanza) error
	// Blocking reports whether FromClient would read storage for this stanza.
	Blocking(s *Session, st *stanza.Stanza) bool
}

// HandleAvailability sets who handles presence without type, unavailable
// presence, probes and presence errors. Call it before the first session.
func (m *Manager) HandleAvailability(h PresenceHandler) { m.availability = h }

// HandleSubscription sets who handles the four subscription types.
func (m *Manager) HandleSubscription(h PresenceHandler) { m.subscription = h }

// GuardPresence sets the one function that tells whether viewer may know the
// presence of target (both bare or full). It must not block; it is asked only
// about targets that have sessions here.
func (m *Manager) GuardPresence(may func(viewer, target jid.JID) bool) { m.guard = may }

// MayKnowPresence reports whether viewer may know that target is here: always
// for one's own account, else as the guard says; never without a guard.
func (m *Manager) MayKnowPresence(viewer, target jid.JID) bool {
	if viewer.Bare() == target.Bare() {
		return true
	}
	return m.guard != nil && m.guard(viewer, target) && !m.listOf(nil, target.Bare()).Has(viewer)
}

// isSubscription reports whether a presence manages a subscription.
func isSubscription(st *stanza.Stanza) bool {
	switch st.Type {
	case "subscribe", "subscribed", "unsubscribe", "unsubscribed":
		return true
	}
	return false
}

func (m *Manager) presenceFor(st *stanza.Stanza) PresenceHandler {
	if isSubscription(st) {
		return m.subscription
	}
	return m.availability
}

// routePresence hands a client's presence to its handler.
func (m *Manager) routePresence(ctx context.Context, from *source, st *stanza.Stanza) error {
	if st.Type == "error" {
		m.presenceError(from, st)
		return nil
	}
	unreached := !st.To.IsZero() && !m.Local(st.To.Domain())
	served := unreached && m.HasService(st.To.Domain())
	if unreached && !served && (st.Type == "" || st.Type == "subscribe" || st.Type == "probe") {
		m.bounce(from, st, stanza.RemoteServerNotFound()) // RFC 6120 §10.4
		return nil
	}
	if !isSubscription(st) && !unreached && st.To.Local() != "" {
		// "the server MUST NOT respond and MUST NOT return an error" (XEP-0191 §3.3).
		// Of subscriptions the sender's own roster hears all the same.
		if barred, err := m.Blocks(ctx, st.To.Bare(), st.From); barred || err != nil {
			return err
		}
	}
	err := m.presenceFor(st).FromClient(ctx, from.s, st)
	if served && err == nil && isSubscription(st) {
		m.subscribes(st)
	}
	return err
}

// presenceError passes an error on to the resource it names; nothing answers it
// (RFC 6120 §8.3.1).
func (m *Manager) presenceError(from *source, st *stanza.Stanza) {
	if to := m.registry.byJID(st.To); to != nil {
		m.deliver(from, to, st)
		return
	}
	m.ToService(st)
}
