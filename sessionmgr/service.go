package sessionmgr

import (
	"context"

	"weir/jid"
	"weir/stanza"
)

// Service takes what is sent to a domain that isn't one of ours, and that is reached
// from here all the same: an external component.
type Service interface {
	// Ready returns nil where Deliver would take a stanza now, and else what it would
	// return. It must not block.
	Ready() error
	// Deliver takes a stanza for the domain. It must not block. An error that is a
	// stanza.Error is what the sender is told; the stanza is not taken then.
	Deliver(st *stanza.Stanza) error
}

// HandleService sets who takes what is for a domain. Call it before the first session;
// a domain of ours, or one that has a service, is a wiring mistake and panics.
func (m *Manager) HandleService(domain string, s Service) {
	if m.services[domain] != nil || m.Local(domain) {
		panic("sessionmgr: two services for " + domain)
	}
	if m.services == nil {
		m.services = make(map[string]Service)
	}
	m.services[domain] = s
}

// HasService reports whether a domain has a service.
func (m *Manager) HasService(domain string) bool { return m.services[domain] != nil }

// ToService gives a stanza to the service of its domain; where there is none, or it
// takes nothing, nobody is told: for presence and for answers.
func (m *Manager) ToService(st *stanza.Stanza) {
	if s := m.services[st.To.Domain()]; s != nil {
		_ = s.Deliver(st)
	}
}

// FromService routes what a service sends, by the rules of RFC 6121 §8 and in the
// order of the calls: its from is checked by the caller. It may read storage, and
// waits where the pipeline is at its bounds.
func (m *Manager) FromService(ctx context.Context, st *stanza.Stanza) error {
	if err := m.Route(ctx, m.unforged(st)); err != nil {
		m.bounce(nil, st, m.handlingError(ctx, err))
		m.FlushTouched()
	}
	room := make(chan struct{})
	if !m.pipe.waitRoom(func() { close(room) }) {
		return nil
	}
	select {
	case <-room:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// routeToService takes a message or an IQ of ours to another domain. Of a message
// the sender's other devices get copies (XEP-0280 §8), and its archive has it (XEP-0313
// §5), as of one to an account. Its place there is found before the service has it, or an
// answer could come before it; nothing waits there for a service.
func (m *Manager) routeToService(from *source, st *stanza.Stanza) {
	s := m.services[st.To.Domain()]
	if s == nil {
		m.bounce(from, st, stanza.RemoteServerNotFound()) // RFC 6120 §10.4
		return
	}
	if err := s.Ready(); err != nil {
		m.bounce(from, st, m.toError(m.ctx, err))
		return
	}
	if st.Kind == stanza.Message && from.session() != nil {
		it := item{one: Delivery{Stanza: st}, routed: true, away: true, carbons: m.carbonsOf(from, st, nil, nil)}
		from.sign(&it)
		m.pipe.submit(it)
	}
	if err := s.Deliver(st); err != nil { // it has gone just now
		m.bounce(from, st, m.toError(m.ctx, err))
	}
}

// logsAway reports whether a message that a service has goes into the log of its
// sender: where that archives it, and where sessions get their copies from there.
func (p *pipeline) logsAway(it *item, st *stanza.Stanza) bool {
	l := it.From.ledger
	must := l != nil && classOf(st).archived && p.m.archives(l, st.To.Bare())
	it.carbons.each(func(d *Delivery) { must = must || d.To.sm != nil || d.To.behind })
	return must
}

// sealAway gives a message that a service has its place in the log of its sender. The
// service is not told the id: it is that of an archive which isn't its own.
func (p *pipeline) sealAway(b *batch, it *item) {
	st, from := it.message(), p.senders(it)
	there := from != nil && !from.dead && classOf(st).archived && p.m.archives(from, st.To.Bare())
	id := p.m.ids.Next()
	p.sealSent(b, it, from, id, there, st)
	it.carbons.wrap(false, there, id)
	p.doneRendering()
}

// subscribes gives a service the subscription stanza of an account, which its roster
// has heard of (RFC 6121 §3.1.2).
func (m *Manager) subscribes(st *stanza.Stanza) {
	m.ToService(st.With(st.From.Bare(), st.To.Bare()))
}

// backTo gives an answer to where its question came from: a session, or a service.
func (m *Manager) backTo(from *source, to jid.JID, reply *stanza.Stanza) {
	s := from.session()
	if s == nil {
		s = m.registry.byJID(to)
	}
	if s != nil {
		m.deliver(from, s, reply)
		return
	}
	m.ToService(reply)
}
