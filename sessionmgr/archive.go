package sessionmgr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"weir/jid"
	"weir/stanza"
	"weir/storage"
)

// What an account wants archived, unless it says something else (XEP-0441 §2.1).
const (
	ArchiveAlways = "always" // everything
	ArchiveRoster = "roster" // what comes from or goes to contacts
	ArchiveNever  = "never"  // nothing
)

// maxPrefs is how many addresses the lists of an account may have.
const maxPrefs = 500

// ArchivePrefs says which of an account's messages are archived (XEP-0313 §7):
// by the lists first, else by Default. A bare JID in a list stands for all of
// its resources.
type ArchivePrefs struct {
	Default string    `json:"default"`
	Always  []jid.JID `json:"always,omitempty"`
	Never   []jid.JID `json:"never,omitempty"`
}

// Validate reports what is wrong with preferences.
func (p *ArchivePrefs) Validate() error {
	switch p.Default {
	case ArchiveAlways, ArchiveRoster, ArchiveNever:
	default:
		return fmt.Errorf("sessionmgr: archive default %q is none of always, roster, never", p.Default)
	}
	if n := len(p.Always) + len(p.Never); n > maxPrefs {
		return fmt.Errorf("sessionmgr: %d addresses in the archive preferences, %d is the most", n, maxPrefs)
	}
	return nil
}

// Contacts is what the manager asks about rosters, for accounts that archive
// their contacts' messages only.
type Contacts interface {
	// IsContact reports from memory whether peer (bare) is in the roster of
	// account; known is false where that isn't in memory. It must not block.
	IsContact(account, peer jid.JID) (is, known bool)
}

// KnowContacts sets who is asked about rosters. Call it before the first session.
func (m *Manager) KnowContacts(c Contacts) { m.contacts = c }

// Archived is one message of an account's archive.
type Archived struct {
	ID       uint64 // grows with time
	At       time.Time
	Outgoing bool           // sent by the account, else received by it
	Stanza   *stanza.Stanza // as it was sent on, without delay or stanza-id of ours
}

// ArchiveID is how an id of the archive is written on the wire: 16 digits of
// base 16, opaque to clients.
func ArchiveID(id uint64) string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := range b {
		b[i] = digits[id>>(60-4*i)&15]
	}
	return string(b[:])
}

// archives reports whether an account archives a message that it exchanges with
// peer. Runs with the token or without.
func (m *Manager) archives(l *ledger, peer jid.JID) bool {
	p := l.prefs.Load()
	rule := m.opts().Archive
	if p != nil {
		switch {
		case listed(p.Never, peer):
			return false
		case listed(p.Always, peer):
			return true
		}
		rule = p.Default
	}
	if rule == ArchiveRoster && m.contacts != nil {
		is, known := m.contacts.IsContact(l.account, peer.Bare())
		return is || !known // rather too much than a message lost
	}
	return rule == ArchiveAlways
}

func listed(list []jid.JID, peer jid.JID) bool {
	return slices.ContainsFunc(list, func(j jid.JID) bool { return j == peer || j.IsBare() && j == peer.Bare() })
}

// Archived calls fn for the account's archived messages with ids above after,
// oldest first, until fn returns false. It reads storage, and returns when all
// that fn saw is durable.
func (m *Manager) Archived(ctx context.Context, account jid.JID, after uint64, fn func(Archived) bool) error {
	return m.archived(ctx, account, fn, func(see func(uint64, []byte) bool) error {
		return m.logs.Scan(ctx, account.String(), after, see)
	})
}

// ArchivedBefore calls fn for the account's archived messages with ids below
// before, newest first, until fn returns false; math.MaxUint64 begins with the
// newest. It reads storage, and returns when all that fn saw is durable.
func (m *Manager) ArchivedBefore(ctx context.Context, account jid.JID, before uint64, fn func(Archived) bool) error {
	return m.archived(ctx, account, fn, func(see func(uint64, []byte) bool) error {
		return m.logs.ScanReverse(ctx, account.String(), before, see)
	})
}

func (m *Manager) archived(ctx context.Context, account jid.JID, fn func(Archived) bool,
	scan func(func(uint64, []byte) bool) error) error {
	var bad error
	err := scan(func(id uint64, b []byte) bool {
		if ctx.Err() != nil {
			bad = context.Cause(ctx)
			return false
		}
		r, err := viewRecord(b)
		var st *stanza.Stanza
		if err == nil && !r.hidden() {
			st, err = r.parse()
		}
		if err != nil { // damaged: told, and the rest is read
			m.log.Error("a record of the archive can't be read", "account", account, "id", id, "err", err)
			return true
		}
		return st == nil || fn(Archived{ID: id, At: r.at, Outgoing: r.outgoing(), Stanza: st})
	})
	if err == nil && bad == nil {
		err = m.durable(ctx)
	}
	return errors.Join(err, bad)
}

// durable waits until what could be read in the store so far is durable: the store
// shows what it was given before that is on the disk. The error is that of a store
// that has failed: then nobody knows. What a full disk refuses was never shown.
func (m *Manager) durable(ctx context.Context) error {
	flying := false
	m.inOrder(func() { flying = m.pipe.flying != nil })
	if !flying {
		return nil
	}
	if err := m.barrier(ctx); !errors.Is(err, storage.ErrFull) {
		return err
	}
	return nil
}

// FirstArchivedAt returns the lowest id that a message archived at t or later
// can have.
func (m *Manager) FirstArchivedAt(t time.Time) uint64 { return m.ids.FirstAt(t) }

// ArchivePrefs returns what an account wants archived. It may read storage.
func (m *Manager) ArchivePrefs(ctx context.Context, account jid.JID) (ArchivePrefs, error) {
	p, err := readPrefs(ctx, m.ledgers.prefs, account)
	if err != nil {
		return ArchivePrefs{}, err
	}
	if p == nil {
		return ArchivePrefs{Default: m.opts().Archive}, nil
	}
	return *p, nil
}

func readPrefs(ctx context.Context, kv storage.KeyVal, account jid.JID) (*ArchivePrefs, error) {
	b, err := kv.Get(ctx, account.String())
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("sessionmgr: archive preferences of %s: %w", account, err)
	}
	var p ArchivePrefs
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, fmt.Errorf("%w of %s: %w", errPrefs, account, err)
	}
	return &p, nil
}

// errPrefs is for preferences that are damaged.
var errPrefs = errors.New("sessionmgr: unreadable archive preferences")

// SetArchivePrefs changes what an account wants archived, from the next message
// on. It waits for the store.
func (m *Manager) SetArchivePrefs(ctx context.Context, account jid.JID, p ArchivePrefs) error {
	if err := p.Validate(); err != nil {
		return err
	}
	rec, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("sessionmgr: archive preferences of %s: %w", account, err)
	}
	l, err := m.ledgers.acquire(ctx, account)
	if err != nil {
		return err
	}
	defer m.ledgers.release(l)
	var b storage.Batch
	m.ledgers.prefs.Set(&b, account.String(), rec)
	done := make(chan error, 1)
	m.Submit(Entry{Writes: b, Done: func(err error) { done <- err }})
	select {
	case err = <-done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err == nil {
		l.prefs.Store(&p)
	}
	return err
}
