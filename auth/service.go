package auth

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"weir/hook"
	"weir/jid"
	"weir/storage"
)

// tableAccounts is a Map: domain → localpart → record.
const tableAccounts = "auth.accounts"

// Hooks are the moments of this package that others may take part in.
type Hooks struct {
	// AccountChanged runs after a change is durable and before the call that
	// made it returns, on the caller's goroutine. Sessions, and streams that
	// have authenticated but not bound yet, are ended from here; a login that comes
	// to its end at the same time asks [Exchange.Confirm]. A change that a command makes
	// while no server runs is that process's: the next server's handlers don't hear of it.
	AccountChanged hook.Point[AccountChange] `hook:"blocks"`
	// PreCreate asks before an account is added, on the goroutine of [Service.Create]:
	// it may block. What refuses it is what Create returns.
	PreCreate hook.Veto[PreCreate] `hook:"blocks"`
}

// PreCreate is an account about to be added.
type PreCreate struct{ JID jid.JID }

// AccountChange says what happened to an account.
type AccountChange struct {
	JID  jid.JID // bare
	Kind ChangeKind
}

// ChangeKind is what happened to an account.
type ChangeKind byte

// The kinds of change. After the first three who is logged in must prove it
// again, or go.
const (
	PasswordChanged ChangeKind = iota + 1
	AccountDisabled
	AccountDeleted
	RoleChanged
	AccountCreated
)

// String names the kind for logs.
func (k ChangeKind) String() string {
	switch k {
	case PasswordChanged:
		return "password changed"
	case AccountDisabled:
		return "account disabled"
	case AccountDeleted:
		return "account deleted"
	case RoleChanged:
		return "role changed"
	case AccountCreated:
		return "account created"
	}
	return "unknown change"
}

// Service keeps accounts and runs SASL exchanges. Safe for concurrent use.
type Service struct {
	// Hooks may be added to at any time.
	Hooks Hooks

	// immutable
	opts       Options
	store      storage.Store
	accounts   storage.Map
	devices    storage.Map
	key        secret // tokens are made of it
	secret     secret // names come from it: salts without an account, devices
	counts     counts // iterations that were in force at some time
	log        *slog.Logger
	algorithms []*algorithm // best first
	offers     [offerCount]offer

	// safe by themselves
	salts     sync.Pool // of HMACs keyed with secret
	endPoints endPoints
	pool      *pool
	cache     *cache
	throttle  *throttle
	metrics   *metrics
	lookups   atomic.Uint64 // of accounts, for a login
	proofs    atomic.Uint64 // client proofs computed

	// writing is held from the check of an account to the commit of its change:
	// changes are rare, and two that meet must not both see the old state.
	writing sync.Mutex
	// deviceLocks is the same for the devices of an account: see deviceLock.
	deviceLocks [deviceLocks]sync.Mutex
	uses        lastUses // of devices
	// epochs count the changes of accounts: see epoch.
	epochs [accountEpochs]atomic.Uint64
}

// accountEpochs is a power of two: enough that a login rarely meets the change of
// another account, after which it looks at its own once more.
const accountEpochs = 256

// epoch counts the changes of an account, and of some others with it. It is raised once
// nobody reads the account as it was any more, and before handlers hear of the change.
func (s *Service) epoch(j jid.JID) *atomic.Uint64 {
	return &s.epochs[s.cache.index(j)%accountEpochs]
}

// New makes a Service on a store. It loads the server's secrets, or makes them
// when the store is new.
func New(ctx context.Context, o Options, st storage.Store) (*Service, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.setDefaults()
	s := &Service{
		opts:       o,
		store:      st,
		accounts:   storage.NewMap(st, tableAccounts),
		devices:    storage.NewMap(st, tableDevices),
		log:        o.Log,
		algorithms: []*algorithm{sha256Algorithm},
		pool:       newPool(runtime.GOMAXPROCS(0), o.KDFQueue),
		cache:      newCache(),
		throttle:   newThrottle(o),
	}
	if o.SHA1 {
		s.algorithms = append(s.algorithms, sha1Algorithm)
	}
	s.makeOffers()
	if err := s.loadSecrets(ctx); err != nil {
		return nil, err
	}
	var err error
	s.metrics, err = newMetrics(o.Metrics, s)
	return s, err
}

// Format prints nothing of what the service holds.
func (s *Service) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("auth.Service")) }

// commit writes a batch and waits until it is durable, however long the caller
// would: it has to know how the change ended.
func (s *Service) commit(b *storage.Batch) error {
	return storage.Commit(context.Background(), s.store, b)
}

// Allow asks whether an address may try to log in now; when not, it says how
// long it has to wait. Begin and Step ask by themselves; this is for those who
// want to know before (or to tell the peer).
func (s *Service) Allow(a netip.Addr) (ok bool, wait time.Duration) {
	return s.throttle.allow(a)
}

// iterations is how many are used for new keys and told to unknown names.
func (s *Service) iterations(a *algorithm) int {
	if a == sha1Algorithm {
		return s.opts.SHA1Iterations
	}
	return s.opts.Iterations
}
