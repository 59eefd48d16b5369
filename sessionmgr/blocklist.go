package sessionmgr

import (
	"context"

	"weir/jid"
	"weir/stanza"

	merr "mellium.im/xmpp/stanza"
)

// Blocklist is whom an account wants nothing to do with (XEP-0191). It never
// changes: an account that changes its mind gets another. Nil blocks nobody.
type Blocklist struct {
	owner   jid.JID // bare
	items   map[jid.JID]struct{}
	domains map[string]struct{}
}

// NewBlocklist makes the list of an account; nil for no items.
func NewBlocklist(owner jid.JID, items []jid.JID) *Blocklist {
	if len(items) == 0 {
		return nil
	}
	b := &Blocklist{owner: owner.Bare(), items: make(map[jid.JID]struct{}, len(items))}
	for _, j := range items {
		if j.Local() != "" || j.IsFull() {
			b.items[j] = struct{}{}
			continue
		}
		if b.domains == nil {
			b.domains = make(map[string]struct{})
		}
		b.domains[j.Domain()] = struct{}{}
	}
	return b
}

// Has reports whether an address is blocked: itself, its account or its domain
// (XEP-0191 §6). Never blocked are the owner's other sessions (XEP-0191 §5) and the
// owner's server itself, which answers what the account asks.
func (b *Blocklist) Has(peer jid.JID) bool {
	if b == nil || peer.IsZero() || peer.Bare() == b.owner || peer.Local() == "" && peer.Domain() == b.owner.Domain() {
		return false
	}
	if _, ok := b.domains[peer.Domain()]; ok {
		return true
	}
	if _, ok := b.items[peer]; ok {
		return true
	}
	_, ok := b.items[peer.Bare()]
	return ok
}

// BlocklistReader reads the list of an account that has no session. It may read
// storage.
type BlocklistReader func(ctx context.Context, account jid.JID) (*Blocklist, error)

// HandleBlocklists sets who reads lists. Who does also gives each session that of
// its account, with SetBlocklist, before it can be reached. Call it before the
// first session.
func (m *Manager) HandleBlocklists(read BlocklistReader) { m.blocklists = read }

// Blocklist returns the list that is in force for the session, nil for none.
func (s *Session) Blocklist() *Blocklist { return s.blocklist.Load() }

// SetBlocklist puts a list in force for a session; all sessions of an account
// are to have the same.
func (s *Session) SetBlocklist(b *Blocklist) {
	s.blocklist.Store(b)
	if b != nil {
		s.m.blocking.Store(true)
	}
}

// barred reports whether an account of ours, which has these sessions, blocks an
// address. Only where it has none storage is read.
func (m *Manager) barred(ctx context.Context, account jid.JID, sessions []*Session, peer jid.JID) (bool, error) {
	switch {
	case len(sessions) > 0:
		return sessions[0].blocklist.Load().Has(peer), nil
	case m.blocklists == nil || account.Local() == "" || peer.Bare() == account:
		return false, nil
	}
	b, err := m.blocklists(ctx, account)
	return b.Has(peer), err
}

// BlocklistOf returns the list of an account of ours (bare), for who has several addresses
// to ask about; nil has nobody. It may read storage where the account has no session.
func (m *Manager) BlocklistOf(ctx context.Context, account jid.JID) (*Blocklist, error) {
	if sessions := m.registry.bound(account); len(sessions) > 0 {
		return sessions[0].blocklist.Load(), nil
	}
	if m.blocklists == nil || account.Local() == "" {
		return nil, nil
	}
	return m.blocklists(ctx, account)
}

// Blocks reports whether an account of ours (bare) blocks an address. It may read
// storage where the account has no session.
func (m *Manager) Blocks(ctx context.Context, account, peer jid.JID) (bool, error) {
	return m.barred(ctx, account, m.registry.bound(account), peer)
}

// readsBlocklist reports whether barred would read storage.
func (m *Manager) readsBlocklist(account jid.JID) bool {
	return m.blocklists != nil && account.Local() != "" && m.Local(account.Domain()) && len(m.registry.bound(account.Bare())) == 0
}

// toBlocked answers a stanza that a session sends to whom its account blocks:
// "MUST NOT route the stanza" (XEP-0191 §3.3).
func (m *Manager) toBlocked(from *source, st *stanza.Stanza) {
	m.undelivered(st, string(merr.NotAcceptable))
	e := stanza.NewError(merr.NotAcceptable, merr.Cancel, "")
	m.refused(from, e)
	if reply := st.ErrorReplyWith(e, []byte("<blocked xmlns='urn:xmpp:blocking:errors'/>")); reply != nil {
		m.deliver(from, from.s, reply)
	}
}

// concealed leaves out presence between two of whom one blocks the other. All
// presence comes by here on its way out, so this is the one place that decides.
func (m *Manager) concealed(e *Entry) {
	if !m.blocking.Load() {
		return // nobody has a list
	}
	kept := e.Out[:0:0]
	var last jid.JID // whose list sender is
	var sender *Blocklist
	for _, d := range e.Out {
		if from := d.Stanza.From; d.Stanza.Kind == stanza.Presence && !from.IsZero() {
			if account := from.Bare(); account != last {
				last, sender = account, m.listOf(e.From, account)
			}
			if !e.Conceals && sender.Has(d.To.JID()) || d.To.blocklist.Load().Has(from) {
				continue
			}
		}
		kept = append(kept, d)
	}
	e.Out = kept
}

// listOf returns the list of an account that has sessions, or of the session
// that sends, which may have left already.
func (m *Manager) listOf(s *Session, account jid.JID) *Blocklist {
	if s != nil && s.JID().Bare() == account {
		return s.blocklist.Load()
	}
	if list := m.registry.bound(account); len(list) > 0 {
		return list[0].blocklist.Load()
	}
	return nil
}
