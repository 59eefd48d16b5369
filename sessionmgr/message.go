package sessionmgr

import (
	"context"

	"weir/jid"
	"weir/stanza"
)

// Types of a message (RFC 6121 §5.2.2); an unknown one is normal.
const (
	typeNormal    = "normal"
	typeChat      = "chat"
	typeGroupchat = "groupchat"
	typeHeadline  = "headline"
	typeError     = "error"
)

// action is what becomes of a message.
type action uint8

const (
	ignore action = iota // S: dropped in silence
	refuse               // E: service-unavailable to the sender
	keep                 // O: owed to the account
	match                // D: to the resource it names
	top                  // M: to the most available resources, those of the highest priority
	all                  // A: to all resources with non-negative priority
)

// The rows of the table: what the account has.
const (
	missing     = iota // no such account
	absent             // no available resource (connected ones perhaps)
	negative           // available resources, all with negative priority
	reachable          // one or more with non-negative priority
	rowsOfTable        // count
)

// The columns: what the address names.
const (
	toBare     = iota
	toMatch    // full JID of a bound resource
	toNoMatch  // full JID of none
	addressees // count
)

// messageColumn is the index of a message type in the table.
var messageColumn = map[string]int{typeNormal: 0, typeChat: 1, typeGroupchat: 2, typeHeadline: 3, typeError: 4}

// messageTable is RFC 6121 §8.5.4, table 1, with the choices this server makes:
// where silence and error are both allowed, an address that nobody answers for
// is answered with the same error whether the account exists or not, so that a
// full JID tells a stranger nothing. Columns: normal, chat, groupchat, headline,
// error.
var messageTable = [rowsOfTable][addressees][5]action{
	missing: {
		toBare:    {refuse, refuse, refuse, ignore, ignore}, // RFC 6121 §8.5.1
		toMatch:   {refuse, refuse, refuse, ignore, ignore},
		toNoMatch: {refuse, refuse, refuse, ignore, ignore},
	},
	absent: {
		toBare:    {keep, keep, refuse, ignore, ignore},   // RFC 6121 §8.5.2.2.1
		toMatch:   {match, match, match, match, match},    // RFC 6121 §8.5.3.1, a connected resource
		toNoMatch: {refuse, keep, refuse, ignore, ignore}, // RFC 6121 §8.5.3.2.1
	},
	negative: {
		toBare:    {keep, keep, refuse, ignore, ignore}, // RFC 6121 §8.5.2.1.1
		toMatch:   {match, match, match, match, match},
		toNoMatch: {refuse, keep, refuse, ignore, ignore},
	},
	reachable: {
		toBare:    {top, top, refuse, all, ignore},
		toMatch:   {match, match, match, match, match},
		toNoMatch: {refuse, top, refuse, ignore, ignore},
	},
}

// routeMessage decides about a message to a local account that is here now, or
// is known to exist. from is its session, or nil.
func (m *Manager) routeMessage(ctx context.Context, from *source, st *stanza.Stanza, sessions []*Session, exists bool, forgets uint64) error {
	row, best, leader := rowOf(sessions, exists)
	column, named := toBare, (*Session)(nil)
	if st.To.IsFull() {
		column = toNoMatch
		if named = find(sessions, st.To); named != nil {
			column = toMatch
		}
	}
	switch messageTable[row][column][messageColumn[st.Type]] {
	case match:
		m.deliverTo(from, st, sessions, []*Session{named})
	case top:
		m.deliverSome(from, st, sessions, best, leader)
	case all:
		m.deliverSome(from, st, sessions, 0, leader)
	case keep:
		c := m.carbonsOf(from, st, sessions, nil)
		if keptOffline(st) {
			return m.owe(ctx, from, st.To.Bare(), st, c, forgets)
		}
		if c != nil {
			it := item{routed: true, carbons: c}
			from.sign(&it)
			m.pipe.submit(it)
		}
		if c == nil || len(c.to) == 0 {
			m.undelivered(st, "")
		}
	case refuse:
		if row == missing && m.opts().SilentUnknown && messageTable[absent][column][messageColumn[st.Type]] == keep {
			m.undelivered(st, "") // as silent as an existing account would be
			return nil
		}
		m.bounce(from, st, stanza.ServiceUnavailable())
	case ignore:
		m.undelivered(st, "")
	}
	return nil
}

// rowOf says which row of the table an account is in, its highest priority, and
// a session that has it. A session that hibernates and that contacts are told isn't
// there is not the most available one where another can take messages ("according
// to the server's implementation-specific algorithm", RFC 6121 §8.5.2.1.1): its
// priority gets it messages, and doesn't keep them from others.
func rowOf(sessions []*Session, exists bool) (row int, best int32, leader *Session) {
	best = unreachable
	seen, first := int32(unreachable), (*Session)(nil)
	for _, s := range sessions {
		reach := s.reach.Load()
		if reach > best {
			best, leader = reach, s
		}
		if reach > seen && !s.Unseen() {
			seen, first = reach, s
		}
	}
	if seen >= 0 {
		best, leader = seen, first
	}
	switch {
	case !exists:
		return missing, best, leader
	case best == unreachable:
		return absent, best, leader
	case best < 0:
		return negative, best, leader
	}
	return reachable, best, leader
}

// deliverSome delivers to every session whose priority is at least least, and to
// those that see all that there is, unless their priority says that they take no
// messages. If
// there is none any more, the leader has left or changed its priority since the
// decision was made: it gets the message, or misses it, and then it is owed.
func (m *Manager) deliverSome(from *source, st *stanza.Stanza, sessions []*Session, least int32, leader *Session) {
	var few [8]*Session
	some := few[:0]
	for _, s := range sessions {
		if reach := s.reach.Load(); reach >= least || reach >= 0 && s.carbons.forced() { // RFC 6121 §8.5.2.1.1 leaves it to the server
			some = append(some, s)
		}
	}
	if len(some) == 0 {
		some = append(some, leader)
	}
	m.deliverTo(from, st, sessions, some)
}

// deliverTo delivers a message to some sessions of an account, and copies to
// others.
func (m *Manager) deliverTo(from *source, st *stanza.Stanza, sessions, some []*Session) {
	it := item{routed: true, carbons: m.carbonsOf(from, st, sessions, some)}
	if len(some) == 1 {
		it.one = Delivery{To: some[0], Stanza: st}
		if !m.Hooks.StanzaOut.Empty() && !m.mayGoOut(some[0], st) {
			return
		}
	} else {
		out := make([]Delivery, len(some))
		for i, s := range some {
			out[i] = Delivery{To: s, Stanza: st}
		}
		if it.Out = m.filterOut(out); len(it.Out) == 0 {
			return
		}
		it.copies = true
	}
	from.sign(&it)
	m.leads(from, &it)
	m.pipe.submit(it)
}

// toAccount routes a message whose account has to be looked up; it may read
// storage.
func (m *Manager) toAccount(ctx context.Context, from *source, st *stanza.Stanza) error {
	account, forgets := st.To.Bare(), m.ledgers.forgets.Load()
	sessions := m.registry.bound(account)
	exists := len(sessions) > 0
	if !exists {
		var err error
		if exists, err = m.accounts.Exists(ctx, account); err != nil {
			return err
		}
	}
	if barred, err := m.barred(ctx, account, sessions, st.From); err != nil {
		return err
	} else if barred {
		m.fromBlocked(from, st)
		return nil
	}
	return m.routeMessage(ctx, from, st, sessions, exists, forgets)
}

// fromBlocked takes a message to whom blocks its sender (XEP-0191 §3.3): it is in
// no archive, has no copies and is owed to nobody. What an account that isn't here
// would take in silence is so here too.
func (m *Manager) fromBlocked(from *source, st *stanza.Stanza) {
	if st.Type == typeHeadline || st.Type == typeError {
		m.undelivered(st, "")
		return
	}
	m.bounce(from, st, stanza.ServiceUnavailable())
}

// here reports whether a message can be decided about without reading storage.
func (m *Manager) here(st *stanza.Stanza, sessions []*Session) bool {
	row, _, _ := rowOf(sessions, len(sessions) > 0)
	return row == reachable || st.To.IsFull() && find(sessions, st.To) != nil
}

// bounce answers a stanza with an error, where an answer is allowed. from is
// the session that sent it; nil looks it up.
func (m *Manager) bounce(from *source, st *stanza.Stanza, e stanza.Error) {
	m.refused(from, e)
	m.undelivered(st, string(e.Condition))
	reply := st.ErrorReply(e)
	if reply == nil {
		return
	}
	m.backTo(from, st.From, reply)
}

// undelivered tells the hook.
func (m *Manager) undelivered(st *stanza.Stanza, condition string) {
	if m.Hooks.Undelivered.Empty() {
		return
	}
	if err := m.Hooks.Undelivered.Run(m.ctx, Undelivered{Stanza: st, Error: condition}); err != nil {
		m.log.Error("hook failed", "err", err)
	}
}

// Route sends a stanza of the server or of a module, as if st.From had sent it,
// by the rules of RFC 6121 §8. It may read storage. Answers to it go to st.From
// if that is a session here.
func (m *Manager) Route(ctx context.Context, st *stanza.Stanza) error {
	defer m.FlushTouched()
	return m.route(ctx, nil, st)
}

// route is Route without the write; from is nil, or says who follows the stanza.
func (m *Manager) route(ctx context.Context, from *source, st *stanza.Stanza) error {
	if !m.Local(st.To.Domain()) {
		m.routeToService(from, st)
		return nil
	}
	switch {
	case st.Kind == stanza.IQ:
		return m.routeIQ(ctx, from, st)
	case st.Kind == stanza.Presence:
		if barred, err := m.Blocks(ctx, st.To.Bare(), st.From); barred || err != nil {
			return err // XEP-0191 §3.3: in silence
		}
		return m.presenceFor(st).ToAccount(ctx, st)
	case st.To.Local() == "":
		return m.toServer(from, st)
	}
	return m.toAccount(ctx, from, st)
}

// toServer takes messages to a domain of ours: nothing reads them (RFC 6120
// §10.5.2).
func (m *Manager) toServer(from *source, st *stanza.Stanza) error {
	m.bounce(from, st, stanza.ServiceUnavailable())
	return nil
}

// sender is the bare JID that stands in for a missing to (RFC 6120 §10.3).
func sender(s *Session) jid.JID { return s.JID().Bare() }
