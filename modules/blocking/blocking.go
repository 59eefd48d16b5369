package blocking

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"

	"weir/hook"
	"weir/jid"
	"weir/presence"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/storage"
	"weir/xmlstream"

	merr "mellium.im/xmpp/stanza"
)

// NS is the namespace of blocking.
const NS = "urn:xmpp:blocking"

// tableLists is a KeyVal: bare JID → list.
const tableLists = "blocking"

// Options are the settings of a Module.
type Options struct {
	MaxItems int // addresses that an account blocks, default 1,000
	MaxBytes int // of those addresses, default 64 KiB
	// Log takes what goes wrong. Default: discard.
	Log *slog.Logger
}

// DefaultOptions returns the settings of a module that nobody configured.
func DefaultOptions() Options {
	var o Options
	o.setDefaults()
	return o
}

func (o *Options) setDefaults() {
	if o.MaxItems == 0 {
		o.MaxItems = 1000
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 64 << 10
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Validate says which setting makes no sense. Zero fields are fine.
func (o *Options) Validate() error {
	if o.MaxItems < 0 || o.MaxBytes < 0 {
		return errors.New("blocking: limits can't be negative")
	}
	return nil
}

// Presence tells others that an account has left or is there. *presence.Handler
// has it.
type Presence interface {
	Conceal(owner jid.JID, match func(jid.JID) bool) []sessionmgr.Delivery
	Reveal(owner jid.JID, match func(jid.JID) bool) presence.Snapshot
	Recheck(snap *presence.Snapshot)
}

// lockCount is a power of two: enough that unrelated accounts rarely meet.
const lockCount = 64

// Module keeps the lists of one manager's accounts.
type Module struct {
	m        *sessionmgr.Manager
	lists    storage.KeyVal
	presence Presence
	o        Options
	asked    sessionmgr.Slot[bool]   // the client has asked for the list, and is told of changes
	seen     sessionmgr.Slot[uint64] // changes, as the session's list was read

	seed    maphash.Seed
	locks   [lockCount]sync.Mutex // of an account's list, from its reading to its commit
	changes atomic.Uint64         // of any list
}

// New registers with m and keeps its lists in st.
func New(m *sessionmgr.Manager, st storage.Store, p Presence, o Options) (*Module, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.setDefaults()
	mod := &Module{
		m: m, lists: storage.NewKeyVal(st, tableLists), presence: p, o: o, seed: maphash.MakeSeed(),
		asked: sessionmgr.NewSlot[bool](m, "blocking.asked"),
		seen:  sessionmgr.NewSlot[uint64](m, "blocking.seen"),
	}
	for _, h := range []sessionmgr.IQHandler{
		{Local: "blocklist", Get: mod.get}, {Local: "block", Set: mod.block}, {Local: "unblock", Set: mod.unblock},
	} {
		h.NS, h.Scope, h.Silent, h.Blocking = NS, sessionmgr.OnSelf, true, true
		m.HandleIQ(h)
	}
	m.Advertise(sessionmgr.OnServer, NS) // XEP-0191 §3.1
	m.HandleBlocklists(mod.list)
	m.Hooks.PreBind.Add("blocking", hook.Normal, func(ctx context.Context, b *sessionmgr.PreBind) error {
		err := mod.load(ctx, b.Session, b.Account)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil { // else the session has ended meanwhile
			mod.o.Log.Error("a block list can't be read", "account", b.Account, "err", err)
		}
		return stanza.NewError(merr.InternalServerError, merr.Wait, "the block list can't be read at the moment")
	})
	m.Hooks.Bound.Add("blocking", hook.Early, mod.bound)
	m.Hooks.Restored.Add("blocking", hook.Early, mod.restored)
	return mod, nil
}

// Table names the records, for the deletion of an account.
func (mod *Module) Table() storage.Table { return mod.lists.Table() }

func (mod *Module) lock(account jid.JID) *sync.Mutex {
	return &mod.locks[maphash.String(mod.seed, account.String())%lockCount]
}

// load puts the list of an account in force for a session that nobody can reach
// yet.
func (mod *Module) load(ctx context.Context, s *sessionmgr.Session, account jid.JID) error {
	mu := mod.lock(account)
	mu.Lock()
	defer mu.Unlock()
	mod.seen.Set(s, mod.changes.Load())
	b, err := mod.list(ctx, account)
	if err == nil {
		s.SetBlocklist(b)
	}
	return err
}

// bound looks again where a list has changed since: the session wasn't among
// those of its account then.
func (mod *Module) bound(ctx context.Context, s *sessionmgr.Session) {
	if n, ok := mod.seen.Get(s); ok && n == mod.changes.Load() {
		return
	}
	if err := mod.load(ctx, s, s.JID().Bare()); err != nil && ctx.Err() == nil { // else the session has ended
		s.Log().Error("a block list can't be read", "err", err)
	}
}

// restored loads the list for a session of an earlier process. Whether its client
// had asked for it isn't known any more: it is told of changes.
func (mod *Module) restored(ctx context.Context, s *sessionmgr.Session) {
	if err := mod.load(ctx, s, s.JID().Bare()); err != nil {
		s.Log().Error("a session is restored without its block list", "err", err)
	}
	mod.asked.Set(s, true)
}

// list reads what is in force for an account.
func (mod *Module) list(ctx context.Context, account jid.JID) (*sessionmgr.Blocklist, error) {
	items, err := mod.items(ctx, account)
	return sessionmgr.NewBlocklist(account, items), err
}

// items reads whom an account blocks, in the order in which it did.
func (mod *Module) items(ctx context.Context, account jid.JID) ([]jid.JID, error) {
	rec, err := mod.lists.Get(ctx, account.String())
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return decode(rec)
}

// recordVersion is the first byte of a record.
const recordVersion = 1

var errRecord = errors.New("blocking: damaged block list")

// encode writes: version, then each address after its length.
func encode(items []jid.JID) []byte {
	rec := []byte{recordVersion}
	for _, j := range items {
		rec = binary.AppendUvarint(rec, uint64(len(j.String())))
		rec = j.AppendTo(rec)
	}
	return rec
}

func decode(rec []byte) (items []jid.JID, err error) {
	if len(rec) == 0 || rec[0] != recordVersion {
		return nil, fmt.Errorf("%w: not of version %d", errRecord, recordVersion)
	}
	for rec = rec[1:]; len(rec) > 0; {
		n, size := binary.Uvarint(rec)
		if size <= 0 || n > uint64(len(rec)-size) {
			return nil, fmt.Errorf("%w: it ends in an address", errRecord)
		}
		j, err := jid.ParseBytes(rec[size : size+int(n)])
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errRecord, err)
		}
		items, rec = append(items, j), rec[size+int(n):]
	}
	return items, nil
}

// CheckRecord reports whether a record of the table of lists can be read; nil
// for records of other tables. It is for those who check a store.
func CheckRecord(table string, value []byte) error {
	if table != tableLists {
		return nil
	}
	_, err := decode(value)
	return err
}

// element is a payload of this namespace.
func element(name string, items []jid.JID) []byte {
	b := []byte("<" + name + " xmlns='" + NS + "'>")
	for _, j := range items {
		b = append(b, "<item jid='"...)
		b = xmlstream.AppendAttr(b, j.String())
		b = append(b, "'/>"...)
	}
	return append(b, "</"+name+">"...)
}
