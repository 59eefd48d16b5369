package contacts

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"

	"weir/hook"
	"weir/jid"
	"weir/presence"
	"weir/roster"
	"weir/sessionmgr"
	"weir/stanza"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	merr "mellium.im/xmpp/stanza"
)

// Options are the settings of the module.
type Options struct {
	// RequestsPerMinute is how many subscription requests a session may send in
	// a minute. Default 20.
	RequestsPerMinute int
	// Log takes what goes wrong. Default: discard.
	Log *slog.Logger
	// Metrics takes the counters. Default: not registered.
	Metrics prometheus.Registerer
}

// DefaultOptions returns the settings of a module that nobody configured.
func DefaultOptions() Options {
	var o Options
	o.setDefaults()
	return o
}

func (o *Options) setDefaults() {
	if o.RequestsPerMinute == 0 {
		o.RequestsPerMinute = 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Validate says which setting makes no sense.
func (o *Options) Validate() error {
	if o.RequestsPerMinute < 0 {
		return errors.New("contacts: RequestsPerMinute can't be negative")
	}
	return nil
}

// Module is the module. A long roster is pushed to a resumed session on a goroutine that
// the manager waits for (resumed.go); it starts nothing else.
type Module struct {
	m        *sessionmgr.Manager
	rosters  *roster.Rosters
	presence *presence.Handler
	o        Options
	pinned   sessionmgr.Slot[*atomic.Bool]  // the session's account is loaded, until the swap to false
	requests sessionmgr.Slot[*rate.Limiter] // subscription requests of a session
	dropped  prometheus.Counter
	refused  *prometheus.CounterVec
}

// New makes the module and registers it with the manager.
func New(m *sessionmgr.Manager, r *roster.Rosters, p *presence.Handler, o Options) (*Module, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.setDefaults()
	c := &Module{
		m: m, rosters: r, presence: p, o: o,
		pinned:   sessionmgr.NewSlot[*atomic.Bool](m, "contacts.roster"),
		requests: sessionmgr.NewSlot[*rate.Limiter](m, "contacts.requests"),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "weir", Subsystem: "contacts",
			Name: "requests_dropped_total", Help: "Subscription requests to accounts with too many unanswered ones."}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "weir", Subsystem: "contacts",
			Name: "refused_total", Help: "Roster sets and subscription stanzas refused, by condition."}, []string{"condition"}),
	}
	if o.Metrics != nil {
		o.Metrics.MustRegister(c.dropped, c.refused)
	}
	m.HandleIQ(sessionmgr.IQHandler{NS: roster.NS, Local: "query", Scope: sessionmgr.OnSelf,
		Get: c.get, Set: c.set, Blocking: true})
	m.HandleIQ(sessionmgr.IQHandler{NS: roster.NS, Local: "query", Scope: sessionmgr.OnAccount,
		Get: c.forbid, Set: c.forbid, Silent: true})
	m.HandleSubscription(c)
	m.GuardPresence(c.mayKnow)
	m.Hooks.PreBind.Add("contacts", hook.Normal, c.load)
	m.Hooks.Restored.Add("contacts", hook.Normal, c.restored)
	m.Hooks.Resumed.Add("contacts", hook.Normal, c.resumed)
	m.Hooks.Closed.Add("contacts", hook.Late, c.unload)
	m.KnowContacts(c)
	p.Hooks.Initial.Add("contacts", hook.Normal, c.deliverRequests)
	return c, nil
}

// StreamFeatures returns the stream features that tell clients what they may use:
// roster versions (RFC 6121 §2.6.1) and pre-approval (RFC 6121 §3.4). They are
// offered once the client is authenticated, beside resource binding.
func StreamFeatures() []byte {
	return []byte("<ver xmlns='urn:xmpp:features:rosterver'/><sub xmlns='urn:xmpp:features:pre-approval'/>")
}

// load brings the account's roster into memory before the session is bound, and
// keeps it there: whoever is online can be asked about without storage.
func (c *Module) load(ctx context.Context, b *sessionmgr.PreBind) error {
	if p, ok := c.pinned.Get(b.Session); ok && p.Load() {
		return nil // a second try to bind
	}
	if err := c.rosters.Load(ctx, b.Account); err != nil {
		if ctx.Err() == nil { // else the session has ended meanwhile
			c.o.Log.Error("a roster can't be read", "account", b.Account, "sid", b.Session.ID(), "err", err)
		}
		return stanza.NewError(merr.InternalServerError, merr.Wait, "the roster can't be read at the moment")
	}
	p := new(atomic.Bool)
	p.Store(true)
	c.pinned.Set(b.Session, p)
	if b.Session.State() == sessionmgr.Destroyed {
		c.unpin(b.Session, b.Account) // Closed may have run before the slot was set
	}
	return nil
}

// restored brings the roster into memory for a session of an earlier process.
func (c *Module) restored(ctx context.Context, s *sessionmgr.Session) {
	if err := c.load(ctx, &sessionmgr.PreBind{Session: s, Account: s.JID().Bare()}); err != nil {
		c.o.Log.Error("a session is restored without its roster", "sid", s.ID(), "err", err)
	}
}

// IsContact implements sessionmgr.Contacts: whoever is listed in the roster.
func (c *Module) IsContact(account, peer jid.JID) (is, known bool) {
	i, known := c.rosters.Item(account, peer)
	return i.Listed, known
}

// unload runs after presence said goodbye, which needs the roster.
func (c *Module) unload(_ context.Context, e sessionmgr.Closing) {
	c.unpin(e.Session, e.Session.JID().Bare())
}

func (c *Module) unpin(s *sessionmgr.Session, account jid.JID) {
	if p, ok := c.pinned.Get(s); ok && p.CompareAndSwap(true, false) {
		c.rosters.Release(account)
	}
}

// mayKnow is the one guard of presence: a subscription, or directed presence
// that was not taken back (RFC 6121 §8.5.3.1).
func (c *Module) mayKnow(viewer, target jid.JID) bool {
	if s, ok := c.rosters.State(target.Bare(), viewer.Bare()); ok && s.HasFrom() {
		return true
	}
	return c.presence.Directed(target, viewer)
}

// randomID returns an id for a stanza of the server.
func randomID() string { return strings.ToLower(rand.Text()[:16]) }

// refuse counts a refusal and returns it.
func (c *Module) refuse(err error) error {
	if e, ok := stanza.AsError(err); ok {
		c.refused.WithLabelValues(string(e.Condition)).Inc()
	}
	return err
}
