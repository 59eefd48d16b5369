package storage

import (
	"context"
	"errors"
)

// Errors that every driver returns, wrapped with what happened and where.
var (
	// ErrNotFound: there is no such record.
	ErrNotFound = errors.New("storage: no such record")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("storage: closed")
	// ErrFull: no space (or quota) left. The store stays open; a later commit
	// may succeed.
	ErrFull = errors.New("storage: no space left")
	// ErrFailed: a sync failed or the store is damaged. It is final for this
	// process: nothing more is committed.
	ErrFailed = errors.New("storage: failed")
	// ErrInvalid: a key that can't be, a fault of the caller. Nothing of its
	// batch is written.
	ErrInvalid = errors.New("storage: invalid key")
	// ErrLocked: another process has the store open.
	ErrLocked = errors.New("storage: in use by another process")
)

// Kind is one of the three kinds of record.
type Kind byte

// The kinds.
const (
	KindKeyVal Kind = 'k' // one record for each account
	KindMap    Kind = 'm' // many records of an account, by key
	KindLog    Kind = 'l' // an ordered log of an account, by id
)

// Valid reports whether k is one of the kinds.
func (k Kind) Valid() bool { return k == KindKeyVal || k == KindMap || k == KindLog }

// Key names one record. An account's records of one table are one range.
type Key struct {
	Kind    Kind
	Table   string // fixed name given by the package that owns the records, not empty
	Account string // bare JID, or a domain; any bytes
	Item    string // KeyVal: ""; Map: the key, any bytes; Log: the id, 8 bytes big endian
}

// Op is one write of a batch.
type Op struct {
	Key   Key
	Value []byte // nil deletes; an empty record is not nil
	Until string // with Range: delete Items in [Key.Item, Until); "" = to the end
	Range bool
}

// Store is what a driver supplies. All methods are safe for concurrent use.
// What a batch wrote can be read from the time its done is called, and may be
// seen somewhat earlier.
type Store interface {
	// Get returns a copy of the record or ErrNotFound. It may read from disk.
	Get(ctx context.Context, k Key) ([]byte, error)
	// Scan calls fn for the records with k's kind, table and account, from
	// k.Item on, in order of Item, until fn returns false. It sees the store as
	// it was when Scan was called. The slices are valid during the call of fn,
	// which may read but must not call Close.
	Scan(ctx context.Context, k Key, fn func(item string, value []byte) bool) error
	// ScanReverse is Scan backwards: from the last record whose Item is below
	// k.Item, or from the very last if k.Item is "".
	ScanReverse(ctx context.Context, k Key, fn func(item string, value []byte) bool) error
	// Accounts calls fn for each account that has a record of a kind in a table,
	// in order and once each, beginning after the account named after ("" =
	// with the first), until fn returns false.
	Accounts(ctx context.Context, kind Kind, table, after string, fn func(account string) bool) error
	// Commit makes the batch durable, as the store's durability setting says,
	// and calls done with the result: exactly once, on another goroutine, in
	// the order of the Commit calls. done must not block. Several batches
	// share one sync. The batch, its values included, belongs to the store
	// until done is called. Ops apply in their order, the last one wins.
	Commit(b *Batch, done func(error))
	// Err returns nil, or ErrFailed (wrapped) once nothing can be committed.
	Err() error
	// Close waits for commits under way and releases the store. Afterwards
	// everything answers ErrClosed.
	Close() error
}

// Commit commits b and waits for the result. If ctx ends first it returns the
// context's error; the batch is then still the store's and may be committed or not.
func Commit(ctx context.Context, st Store, b *Batch) error {
	res := make(chan error, 1)
	st.Commit(b, func(err error) { res <- err })
	select {
	case err := <-res:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
