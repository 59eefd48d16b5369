package sessionmgr

import (
	"context"
	"errors"
	"time"

	"weir/jid"
	"weir/stanza"

	"mellium.im/xmpp/stream"
)

// Send gives a stanza to one session, whatever its presence. Without a to it is
// addressed to the session, without a from it is the domain's. A message that is
// kept (class.go has which) waits in the log for a session that hibernates or is
// slow; it is owed to the account if the session ends before it got it. ErrGone:
// the session isn't bound, or has ended. It does not block.
func (m *Manager) Send(s *Session, st *stanza.Stanza) error {
	defer m.FlushTouched()
	return m.sendTo(s, st)
}

// sendTo is Send without the write.
func (m *Manager) sendTo(s *Session, st *stanza.Stanza) error {
	if !s.kept() {
		return ErrGone
	}
	full := s.JID()
	m.sendSome(nil, addressed(st, full), []*Session{s})
	return nil
}

// errNotMessage says what SendAs is for.
var errNotMessage = errors.New("sessionmgr: only a message is sent on behalf of a session")

// SendAs sends a message on behalf of a session, as if its client had: from is its
// full address, its account's other sessions get copies, its archive has the
// message, and an error that answers it goes to the session. Its client, which has
// not sent it, is neither told nor does it count; StanzaIn doesn't run, and no limit
// of rates applies. ErrGone: the session isn't bound, or has ended. It may read
// storage.
func (m *Manager) SendAs(ctx context.Context, s *Session, st *stanza.Stanza) error {
	switch {
	case st.Kind != stanza.Message:
		return errNotMessage
	case !s.kept():
		return ErrGone
	}
	defer m.FlushTouched()
	return m.route(ctx, &source{s: s, counted: true}, st.With(s.JID(), st.To))
}

// addressed returns the stanza with the addresses that it lacks.
func addressed(st *stanza.Stanza, to jid.JID) *stanza.Stanza {
	from := st.From
	if from.IsZero() {
		from = to.Host()
	}
	if !st.To.IsZero() {
		to = st.To
	}
	return st.With(from, to)
}

// sendSome gives a stanza to sessions of one account. from is nil, or says who
// follows it.
func (m *Manager) sendSome(from *source, st *stanza.Stanza, some []*Session) {
	if st.Kind == stanza.Message {
		m.deliverTo(from, st, some, some)
		return
	}
	for _, s := range some {
		m.deliver(from, s, st)
	}
}

// SendAccount gives a stanza to all bound sessions of an account, whatever their
// presence, and returns how many there are. With none, nothing happens: what has
// to wait for an account goes by [Manager.Route]. It does not block.
func (m *Manager) SendAccount(account jid.JID, st *stanza.Stanza) int {
	defer m.FlushTouched()
	all := m.registry.bound(account.Bare())
	if len(all) > 0 {
		m.sendSome(nil, addressed(st, account.Bare()), all)
	}
	return len(all)
}

// Broadcast gives a stanza to every bound session that a filter means, each as by
// [Manager.Send] with its own address, and returns how many that were. It waits
// where the pipeline is at its bounds, so that traffic goes on, and ends with ctx.
func (m *Manager) Broadcast(ctx context.Context, f Filter, st *stanza.Stanza) (n int, err error) {
	defer m.FlushTouched()
	m.RangeOf(f, func(s *Session) bool {
		if err = ctx.Err(); err != nil {
			err = context.Cause(ctx)
			return false
		}
		if m.sendTo(s, st.With(st.From, jid.JID{})) == nil {
			n++
		}
		if n%broadcastAtOnce == 0 {
			m.FlushTouched()
		}
		room := make(chan struct{})
		if m.pipe.waitRoom(func() { close(room) }) {
			select {
			case <-room:
			case <-ctx.Done():
			}
		}
		return true
	})
	return n, err
}

// broadcastAtOnce is how many sessions of a broadcast are written to at once.
const broadcastAtOnce = 256

// KickAll is [Manager.Kick] for every session that a filter means, and returns
// how many ended.
func (m *Manager) KickAll(f Filter, why Cause, goodbye *stream.Error) (n int) {
	m.RangeOf(f, func(s *Session) bool {
		if m.Kick(s, why, goodbye) == nil {
			n++
		}
		return true
	})
	return n
}

// drainLook is how often Drain looks who has not got everything yet.
const drainLook = 100 * time.Millisecond

// Drain empties a server that goes on running: new streams are refused from now
// on, and sessions stay until each has what it was sent: written, and acknowledged
// where its client does that. When all have, or ctx ends, the sessions end with
// system-shutdown; those that their clients may resume hibernate. It returns how
// many had not got everything. It can't be taken back.
func (m *Manager) Drain(ctx context.Context) (left int) {
	m.draining.Store(true)
	tick := time.NewTicker(drainLook)
	defer tick.Stop()
	for left = m.open(); left > 0; left = m.open() {
		select {
		case <-tick.C:
			continue
		case <-ctx.Done():
		}
		break
	}
	m.closeAll(Cause{ShuttingDown, "the server is emptied"})
	return left
}

// open counts the bound sessions with a link that have not got everything.
func (m *Manager) open() int {
	var all []*Session
	m.RangeOf(Filter{Phase: PhaseBound}, func(s *Session) bool { all = append(all, s); return true })
	n := 0
	for i := 0; i < len(all); i += describeAtOnce {
		some := all[i:min(i+describeAtOnce, len(all))]
		m.inOrder(func() {
			for _, s := range some {
				if m.pipe.owesTo(s) {
					n++
				}
			}
		})
	}
	return n
}

// owesTo reports whether something is on its way to a session that has a link:
// it waits for a commit or to be written, or is not acknowledged. Runs with the
// token. A client is asked for its acknowledgement.
func (p *pipeline) owesTo(s *Session) bool {
	link := s.Link()
	if link == nil || s.lost {
		return false
	}
	if a := s.sm; a != nil && len(a.unacked)+len(a.redo) > 0 {
		p.drain(s)
		p.m.work.Go(p.m.FlushTouched)
		return true
	}
	return s.behind || s.pendingBatch > p.released || link.Waiting() > 0
}
