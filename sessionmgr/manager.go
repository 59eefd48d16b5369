package sessionmgr

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/hook"
	"weir/jid"
	"weir/policy"
	"weir/stanza"
	"weir/storage"

	"github.com/prometheus/client_golang/prometheus"
	"mellium.im/xmpp/stream"
)

// What happens when a resource is asked for that another session has (RFC 6120
// §7.7.2.2).
const (
	ConflictReplace = "replace" // the older session ends
	ConflictRefuse  = "refuse"  // the newer one is refused
	ConflictRename  = "rename"  // the newer one gets a resource made by the server
)

// Options are the settings of a Manager.
type Options struct {
	Domains     []string      // domains served; at least one
	Conflict    string        // "replace" (default), "refuse" or "rename"
	MaxSessions int           // bound sessions of an account, up to 255, default 20
	MaxLog      int64         // bytes owed to an account, default 256 MiB
	Retention   time.Duration // how long delivered messages stay in an account's log, default a year
	// Archive says which messages an account archives that hasn't said so itself:
	// "always" (default), "roster" (those of contacts) or "never".
	Archive string
	// Hibernate is how long a session may be without a connection until it ends,
	// where its client has turned resumption on: a second to 30 days, default 10 min.
	// The server's own downtime doesn't count. Negative: nothing is resumed.
	Hibernate time.Duration
	// InactiveHold is how long presence waits at the longest for a client that has
	// said that nobody looks at it: a second to a day, default 10 min. Negative: nothing waits.
	InactiveHold   time.Duration
	MaxHibernating int  // sessions of an account without a connection, default 5
	SilentUnknown  bool // messages to accounts that don't exist vanish instead of bouncing
	Log            *slog.Logger
	Metrics        prometheus.Registerer
}

// DefaultOptions returns the settings of a manager that nobody configured.
func DefaultOptions() Options {
	var o Options
	o.setDefaults()
	return o
}

func (o *Options) setDefaults() {
	if o.Conflict == "" {
		o.Conflict = ConflictReplace
	}
	if o.MaxSessions == 0 {
		o.MaxSessions = 20
	}
	if o.MaxLog == 0 {
		o.MaxLog = 256 << 20
	}
	if o.Retention == 0 {
		o.Retention = 365 * 24 * time.Hour
	}
	if o.Archive == "" {
		o.Archive = ArchiveAlways
	}
	if o.Hibernate == 0 {
		o.Hibernate = 10 * time.Minute
	}
	if o.InactiveHold == 0 {
		o.InactiveHold = 10 * time.Minute
	}
	if o.MaxHibernating == 0 {
		o.MaxHibernating = 5
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Validate reports what is wrong with the settings.
func (o *Options) Validate() error {
	switch {
	case len(o.Domains) == 0:
		return errors.New("sessionmgr: no domain to serve")
	case o.Conflict != "" && o.Conflict != ConflictReplace && o.Conflict != ConflictRefuse && o.Conflict != ConflictRename:
		return fmt.Errorf("sessionmgr: conflict policy %q is none of replace, refuse, rename", o.Conflict)
	case o.Archive != "" && o.Archive != ArchiveAlways && o.Archive != ArchiveRoster && o.Archive != ArchiveNever:
		return fmt.Errorf("sessionmgr: archive rule %q is none of always, roster, never", o.Archive)
	case o.MaxSessions < 0 || o.MaxLog < 0 || o.MaxHibernating < 0:
		return errors.New("sessionmgr: limits can't be negative")
	case o.MaxSessions > maxTargets:
		return fmt.Errorf("sessionmgr: MaxSessions is %d, must be up to %d", o.MaxSessions, maxTargets)
	case o.Retention < 0:
		return fmt.Errorf("sessionmgr: Retention is %v, a time can't be negative", o.Retention)
	case o.InactiveHold > 0 && (o.InactiveHold < time.Second || o.InactiveHold > 24*time.Hour):
		return fmt.Errorf("sessionmgr: InactiveHold is %v, must be a second to a day, or negative for none", o.InactiveHold)
	case o.Hibernate > 0 && (o.Hibernate < time.Second || o.Hibernate > maxHibernate):
		return fmt.Errorf("sessionmgr: Hibernate is %v, must be a second to 30 days, or negative for no resumption", o.Hibernate)
	}
	return nil
}

// maxHibernate is how long a session may be kept for its client at the longest.
const maxHibernate = 30 * 24 * time.Hour

// Accounts is what the manager asks about accounts.
type Accounts interface {
	// Exists reports whether a local account exists; it may read storage.
	Exists(ctx context.Context, bare jid.JID) (bool, error)
}

// Manager owns the sessions of a server.
type Manager struct {
	// Hooks is the catalogue of session events.
	Hooks Hooks

	// Immutable once the first session is opened.
	o            Options // as it was made with
	node         string  // the host's name
	log          *slog.Logger
	ctx          context.Context // of work that belongs to no session
	store        storage.Store
	logs         storage.Log
	ids          *storage.IDs
	sessions     sessionStore
	sentences    storage.Map
	accounts     Accounts
	contacts     Contacts
	domains      map[string]bool
	iqs          map[iqKey]*IQHandler
	features     map[Scope][]string
	availability PresenceHandler
	subscription PresenceHandler
	guard        func(viewer, target jid.JID) bool
	inbound      func(context.Context, *Session, *stanza.Stanza) (*stanza.Stanza, error) // nil: takes all
	services     map[string]Service                                                      // by domain
	blocklists   BlocklistReader                                                         // nil: nobody blocks anybody
	slotNames    []string
	keys         sync.Map // name of an attribute to its *declaration
	metrics      *metrics
	patience     time.Duration // newcomerTime; tests have less

	policies   atomic.Pointer[policies] // written with the token
	live       atomic.Pointer[Options]  // as they are now
	registry   *registry
	closed     closed // sessions that ended
	ledgers    ledgers
	pipe       pipeline
	work       crew                       // goroutines that work for the manager
	reports    reports                    // what trackers have to tell
	tracked    sync.Map                   // *source to the *Tracker of its stanza, while that is handled
	traits     sync.Map                   // traits to *traits
	traitCount atomic.Int32               // that were put into it, about
	failed     atomic.Bool                // the store is lost
	quiet      atomic.Bool                // stopped: nothing more is written
	retirement atomic.Pointer[time.Timer] // of the next round; nil before the first is set
	stopping   atomic.Bool
	draining   atomic.Bool
	restored   atomic.Bool // Restore has brought back what there was
	blocking   atomic.Bool // some session has had a list of whom it blocks

	touchMu     sync.Mutex // guards the two below
	touchedList []*Session
	touchSpare  []*Session
}

// New makes a Manager on a store; it starts nothing.
func New(o Options, st storage.Store, accounts Accounts) (*Manager, error) {
	o.setDefaults()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	ids, err := storage.NewIDs(context.Background(), st)
	if err != nil {
		return nil, fmt.Errorf("sessionmgr: ids of the log: %w", err)
	}
	node, _ := os.Hostname() // "" where it can't be known: it is only told
	m := &Manager{
		o: o, node: node, log: o.Log, ctx: context.Background(),
		store: st, logs: storage.NewLog(st, tableLog), ids: ids, accounts: accounts,
		domains:   make(map[string]bool, len(o.Domains)),
		iqs:       make(map[iqKey]*IQHandler),
		features:  make(map[Scope][]string),
		registry:  newRegistry(),
		sessions:  sessionStore{storage.NewMap(st, tableSession)},
		sentences: storage.NewMap(st, tableSentence),
		ledgers:   ledgers{cursors: storage.NewKeyVal(st, tableCursor), prefs: storage.NewKeyVal(st, tablePrefs), attributes: storage.NewKeyVal(st, tableAttributes), logs: storage.NewLog(st, tableLog), byJID: make(map[jid.JID]*ledger), forgetting: make(map[jid.JID]chan struct{})},
		metrics:   newMetrics(o.Metrics),
		patience:  newcomerTime,
	}
	m.pipe.m = m
	m.policies.Store(&policies{Set: new(policy.Set)})
	m.live.Store(&m.o)
	m.availability, m.subscription = nobody{}, nobody{}
	for _, d := range o.Domains {
		m.domains[d] = true
	}
	return m, nil
}

// Local reports whether a domain is one of ours.
func (m *Manager) Local(domain string) bool { return m.domains[domain] }

// Domains returns the domains served.
func (m *Manager) Domains() []string { return m.o.Domains }

// Exists reports whether a local account exists; it may read storage.
func (m *Manager) Exists(ctx context.Context, bare jid.JID) (bool, error) {
	if len(m.registry.bound(bare)) > 0 {
		return true, nil
	}
	return m.accounts.Exists(ctx, bare)
}

// Parting returns the sessions of an account that can't be reached any more and
// whose end others are still to be told of: Unbound has not run to its end.
func (m *Manager) Parting(bare jid.JID) []*Session { return m.registry.parting(bare) }

// Range calls fn for every session until it returns false. No lock is held
// meanwhile; a session that comes or goes may be missed.
func (m *Manager) Range(fn func(*Session) bool) { m.registry.walk(fn) }

// Open makes a session in state c2s_unauthed for a connection just accepted.
func (m *Manager) Open(l Link, info LinkInfo) *Session {
	id := randomName()
	s := &Session{m: m, id: id, created: time.Now().UnixNano(), attached: l, linked: true, traits: m.share(info), remote: info.Remote}
	s.reach.Store(unreachable)
	m.registry.add(s)
	m.metrics.opened.Inc()
	m.ran(s, m.Hooks.Connected.Run(s.Context(), s))
	return s
}

// StreamOpened notes the host of a valid stream header.
func (m *Manager) StreamOpened(s *Session, host string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	s.host = host
	if s.state == NotOpen {
		s.state = Unauthed
		s.pass(&s.way.header)
	}
	s.mu.Unlock()
	m.ran(s, m.Hooks.StreamOpened.Run(s.Context(), s))
}

// Authenticated moves a session to c2s_unbound.
func (m *Manager) Authenticated(s *Session, account jid.JID) {
	if s == nil {
		return
	}
	s.mu.Lock()
	if s.state == NotOpen || s.state == Unauthed {
		s.state, s.full = Unbound, account.Bare()
		s.pass(&s.way.login)
	}
	s.mu.Unlock()
	m.ran(s, m.Hooks.Authenticated.Run(s.Context(), s))
}

// Drained tells that a session's link has written everything; any goroutine.
func (m *Manager) Drained(s *Session) {
	if s == nil {
		return
	}
	s.mu.Lock()
	s.wakeDrained()
	s.mu.Unlock()
	if s.tailed.Load() {
		m.flushOthers(m.pipe.submit(item{trim: s}))
	}
}

// Closed takes notice that a session's link is gone. A session that its client
// may resume is kept for a while; any other ends. Only the first cause counts,
// and only for the link that the session has.
func (m *Manager) Closed(s *Session, link Link, why Cause) {
	if !s.attachedTo(link) {
		return // it has another since
	}
	if _, ok := m.hibernates(s, link, why); ok {
		return
	}
	if first, was, binding, _ := s.end(why); first {
		m.ended(s, was, binding)
	}
}

// Kick ends a session and closes its stream with an error element, or without
// one if goodbye is nil. When the server stops, a session that its client may
// resume is kept instead; so is one that a handler of PreClose wants to stay, whose
// error is then returned. ErrGone: s is nil, as that of an id that is gone.
func (m *Manager) Kick(s *Session, why Cause, goodbye *stream.Error) error {
	if s == nil {
		return ErrGone
	}
	if err := m.mayEnd(s, why, goodbye); err != nil {
		return err
	}
	if why.Code == ShuttingDown {
		if link, ok := m.hibernates(s, nil, why); ok {
			if link != nil {
				link.Close(goodbye)
			}
			return nil
		}
	}
	first, was, binding, link := s.end(why)
	if !first {
		return nil
	}
	m.ended(s, was, binding)
	if link != nil {
		link.Close(goodbye)
	}
	return nil
}

// mayEnd asks PreClose where somebody wants a session to end. Not asked is where it
// has to: the server stops, the account or the device has lost its right, another
// session takes its place, its stream is broken. A handler that panics keeps nothing.
func (m *Manager) mayEnd(s *Session, why Cause, goodbye *stream.Error) error {
	if why.Code != Kicked || goodbye != nil && goodbye.Err == stream.NotAuthorized.Err || m.Hooks.PreClose.Empty() {
		return nil
	}
	ev := Closing{Session: s, Cause: why}
	err := m.Hooks.PreClose.Run(s.Context(), &ev)
	var panicked *hook.PanicError
	if errors.As(err, &panicked) {
		s.Log().Error("handler failed", "err", err)
		return nil
	}
	return err
}

// ended does what follows an end: the session can't be found any more, then
// those who registered for it hear of it; after Bound, where that is running.
func (m *Manager) ended(s *Session, was State, binding bool) {
	m.registry.drop(s)
	m.metrics.ended(s.Cause().Code)
	m.logEnd(s, was)
	bound := was == Bound || was == Hibernating
	if bound {
		m.inOrder(func() { m.leave(s) })
	}
	if !binding {
		m.farewell(s, bound)
	}
}

// farewell runs the last hooks of a session.
func (m *Manager) farewell(s *Session, bound bool) {
	if bound {
		if err := m.Hooks.Unbound.Run(s.Context(), s); err != nil {
			s.Log().Error("handler failed", "err", err)
		}
	}
	m.registry.remove(s.JID().Bare(), s)
	s.parted()
	var end ending
	if bound {
		m.inOrder(func() { end = s.ending() })
	}
	m.closed.remember(s, end)
	why := s.Cause()
	if err := m.Hooks.Closed.Run(s.Context(), Closing{Session: s, Cause: why}); err != nil {
		s.Log().Error("handler failed", "err", err)
	}
	m.FlushTouched()
	level := slog.LevelDebug
	if why.Code == Expired { // it had no connection whose end was told
		level = slog.LevelInfo
	}
	s.Log().Log(s.Context(), level, "session ended", "jid", s.JID(), "cause", why.String())
}

// closeAll ends every session with system-shutdown, at once.
func (m *Manager) closeAll(why Cause) {
	m.KickAll(Filter{}, why, &stream.Error{Err: "system-shutdown"}) // RFC 6120 §4.9.3.20
}

// Stop ends every session and waits until everything submitted has been
// released, or ctx ends. Streams opened afterwards are refused by c2s.
func (m *Manager) Stop(ctx context.Context) error {
	m.stopping.Store(true)
	if t := m.retirement.Load(); t != nil {
		t.Stop()
	}
	if err := m.Hooks.Stopping.Run(ctx, struct{}{}); err != nil {
		m.log.Error("handler failed", "err", err)
	}
	m.CloseAll(Cause{ShuttingDown, "the server stops"}, &stream.Error{Err: "system-shutdown"})
	m.inOrder(func() {
		if len(m.pipe.behind) > 0 { // of those that have just lost their links, too
			m.pipe.openBatch()
		}
	})
	for quiet := false; !quiet; {
		if err := m.work.wait(ctx); err != nil {
			return err
		}
		// When this is answered, so is everything submitted before; and answers may
		// have led to more work.
		if err := storage.Commit(ctx, m.store, new(storage.Batch)); err != nil {
			return err
		}
		m.inOrder(func() { quiet = m.pipe.idle() && m.work.busy() == 0 })
	}
	m.quiet.Store(true)
	m.endTrackers()
	if err := m.ids.Close(ctx); err != nil {
		return err
	}
	return m.work.wait(ctx)
}

// Stopping reports whether the server is stopping.
func (m *Manager) Stopping() bool { return m.stopping.Load() }

// Refusing reports whether new streams are refused: the server stops, or is
// drained.
func (m *Manager) Refusing() bool { return m.stopping.Load() || m.draining.Load() }

// Forget removes what is kept for a deleted account: its log and its cursor, and
// what other packages keep in tables. What was on its way to the account is
// refused.
func (m *Manager) Forget(ctx context.Context, bare jid.JID, tables ...storage.Table) error {
	var b storage.Batch
	storage.DeleteAccount(&b, bare.String(), append(tables, m.logs.Table(), m.ledgers.cursors.Table(),
		m.ledgers.prefs.Table(), m.ledgers.attributes.Table(), m.sessions.records.Table(), m.sentences.Table())...)
	forgotten := m.ledgers.forget(bare)
	done := make(chan error, 1)
	m.pipe.run(func() {
		if l := m.ledgers.loaded(bare); l != nil {
			l.dead = true
			m.ledgers.release(l)
		}
		m.pipe.number(&item{Entry: Entry{Writes: b, Done: func(err error) {
			forgotten()
			done <- err
		}}})
	})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// randomName returns 80 random bits as lower-case letters and digits.
func randomName() string { return strings.ToLower(rand.Text()[:16]) }
