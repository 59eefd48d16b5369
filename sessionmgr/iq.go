package sessionmgr

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"weir/stanza"
	"weir/xmlstream"
)

// Scope says for whom an IQ handler answers. Values can be or-ed.
type Scope uint8

// The scopes.
const (
	OnServer  Scope = 1 << iota // addressed to a domain of ours
	OnSelf                      // the sender's own account: no to, or its own bare JID
	OnAccount                   // another account's bare JID, where the sender may know its presence
)

// scopes lists the single scopes.
var scopes = [...]Scope{OnServer, OnSelf, OnAccount}

// IQHandler answers the requests of one payload.
type IQHandler struct {
	NS    string // namespace of the payload
	Local string // its name; "" takes every name of the namespace
	Scope Scope
	// Get and Set return the payload of the result (as stanza.Result takes it).
	// An error that is a stanza.Error is the answer; ErrAnswered says that the
	// handler submitted its answer; any other is a fault of ours, logged and
	// answered internal-server-error. A nil function refuses that type.
	Get, Set func(ctx context.Context, iq *stanza.Stanza) (payload any, err error)
	// Blocking handlers may read storage: they run on a goroutine of their own
	// while the sender's stream pauses, so that order is kept.
	Blocking bool
	// Public handlers answer for accounts whose presence the sender may not know:
	// they must not tell whether an account exists.
	Public bool
	// Feature is announced in service discovery for the scopes; "" announces
	// NS. Silent announces nothing.
	Feature string
	Silent  bool
}

// ErrAnswered is returned by a handler that has submitted its answer itself.
var ErrAnswered = errors.New("sessionmgr: answered by the handler")

// iqKey finds handlers.
type iqKey struct {
	name  xmlstream.Name
	scope Scope
}

// HandleIQ registers a handler and announces its feature. Register everything
// before the first session is opened; a second handler for the same payload and
// scope is a wiring mistake and panics.
func (m *Manager) HandleIQ(h IQHandler) {
	feature := h.Feature
	if feature == "" {
		feature = h.NS
	}
	for _, sc := range scopes {
		if h.Scope&sc == 0 {
			continue
		}
		key := iqKey{xmlstream.Name{Space: h.NS, Local: h.Local}, sc}
		if _, twice := m.iqs[key]; twice {
			panic(fmt.Sprintf("sessionmgr: two IQ handlers for %s %s", h.NS, h.Local))
		}
		m.iqs[key] = &h
		if !h.Silent {
			m.Advertise(sc, feature)
		}
	}
}

// Advertise announces a feature in service discovery for the scopes.
func (m *Manager) Advertise(scope Scope, feature string) {
	for _, sc := range scopes {
		if scope&sc != 0 && !slices.Contains(m.features[sc], feature) {
			m.features[sc] = append(m.features[sc], feature)
			slices.Sort(m.features[sc])
		}
	}
}

// Features returns what is announced for one scope, sorted.
func (m *Manager) Features(scope Scope) []string { return slices.Clone(m.features[scope]) }

func (m *Manager) iqHandler(st *stanza.Stanza, scope Scope) *IQHandler {
	name := st.Payload()
	if h := m.iqs[iqKey{name, scope}]; h != nil {
		return h
	}
	return m.iqs[iqKey{xmlstream.Name{Space: name.Space}, scope}]
}

// iqBlocks reports whether answering this IQ of s may read storage.
func (m *Manager) iqBlocks(s *Session, st *stanza.Stanza) bool {
	if st.To.IsFull() {
		return false
	}
	scope := m.scopeOf(s, st)
	h := m.iqHandler(st, scope)
	return h != nil && (h.Blocking || scope == OnAccount && m.readsBlocklist(st.To))
}

// scopeOf tells for whom an IQ that isn't for a full JID is answered.
func (m *Manager) scopeOf(s *Session, st *stanza.Stanza) Scope {
	switch {
	case s != nil && (st.To.IsZero() || st.To == sender(s)):
		return OnSelf
	case st.To.Local() == "":
		return OnServer
	}
	return OnAccount
}

// routeIQ applies RFC 6121 §8.5 and RFC 6120 §10.3 and §10.5 to an IQ for this
// server. from is its session, or nil.
func (m *Manager) routeIQ(ctx context.Context, from *source, st *stanza.Stanza) error {
	if st.To.IsFull() && st.To.Local() != "" {
		m.iqToResource(from, st)
		return nil
	}
	if !st.IsRequest() {
		return nil // an answer to a push or a ping of ours: nobody waits for it
	}
	scope := m.scopeOf(from.session(), st)
	h := m.iqHandler(st, scope)
	refused := st.To.IsFull() || h == nil || scope == OnAccount && !h.Public && !m.MayKnowPresence(st.From, st.To)
	if refused {
		m.bounce(from, st, stanza.ServiceUnavailable()) // RFC 6120 §8.4, RFC 6121 §8.5.1
		return nil
	}
	if scope == OnAccount {
		if barred, err := m.Blocks(ctx, st.To, st.From); err != nil {
			return err
		} else if barred {
			m.bounce(from, st, stanza.ServiceUnavailable()) // XEP-0191 §3.3
			return nil
		}
	}
	m.answer(ctx, from, st, h)
	return nil
}

// iqToResource delivers an IQ to the resource it names. A request passes only
// where the sender may know that the resource is there (RFC 6121 §8.5.3.1).
func (m *Manager) iqToResource(from *source, st *stanza.Stanza) {
	to := m.registry.byJID(st.To)
	switch {
	case to != nil && to.blocklist.Load().Has(st.From) && !st.IsRequest():
		m.undelivered(st, "") // "MUST be silently dropped" (XEP-0191 §3.3)
	case to != nil && (!st.IsRequest() || m.MayKnowPresence(st.From, st.To)):
		m.deliver(from, to, st)
	case st.IsRequest():
		m.bounce(from, st, stanza.ServiceUnavailable()) // RFC 6121 §8.5.3.2.3
	default:
		m.undelivered(st, "")
	}
}

// answer runs a handler and sends what it returns.
func (m *Manager) answer(ctx context.Context, from *source, st *stanza.Stanza, h *IQHandler) {
	reply, err := m.ask(ctx, st, h)
	if err != nil && !errors.Is(err, ErrAnswered) {
		m.bounce(from, st, m.toError(ctx, err))
		return
	}
	m.turns(from, Report{Fate: Taken})
	if err != nil {
		return
	}
	m.backTo(from, st.From, reply)
}

// ask runs the handler's function for the type. A panic is a fault of ours like
// any other error: it takes this one stanza.
func (m *Manager) ask(ctx context.Context, st *stanza.Stanza, h *IQHandler) (reply *stanza.Stanza, err error) {
	defer func() {
		if v := recover(); v != nil {
			m.metrics.panics.Inc()
			err = panicked(h.NS, v)
		}
	}()
	fn := h.Get
	if st.Type == "set" {
		fn = h.Set
	}
	if fn == nil {
		return nil, stanza.ServiceUnavailable()
	}
	payload, err := fn(ctx, st)
	if err != nil {
		return nil, err
	}
	return st.Result(payload)
}

// toError turns what a handler returned into what the peer gets.
func (m *Manager) toError(ctx context.Context, err error) stanza.Error {
	if e, ok := stanza.AsError(err); ok {
		return e
	}
	log := m.log
	if s, ok := FromContext(ctx); ok {
		log = s.Log()
	}
	log.Error("handler failed", "err", err)
	return stanza.InternalServerError()
}
