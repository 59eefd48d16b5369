package sessionmgr

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"weir/jid"
	"weir/storage"
)

// Names of the tables of this package.
const (
	tableLog    = "log"    // the account's messages, by id
	tableCursor = "cursor" // where the account stands in it
)

// ledger is where an account stands in its log: what lies behind the cursor is
// owed. Its content belongs to the pipeline's token holder.
type ledger struct {
	account jid.JID
	uses    int // guarded by ledgers.mu

	cursor uint64 // id of the last message that was written to a session
	last   uint64 // id of the last message in the log
	owed   int64  // bytes behind the cursor

	trimmed time.Time // when the retention was last applied
}

// ledgerVersion is the first byte of a cursor record.
const ledgerVersion = 1

func (l *ledger) encode() []byte {
	b := make([]byte, 0, 25)
	b = append(b, ledgerVersion)
	b = binary.BigEndian.AppendUint64(b, l.cursor)
	b = binary.BigEndian.AppendUint64(b, l.last)
	return binary.BigEndian.AppendUint64(b, uint64(l.owed))
}

func (l *ledger) decode(b []byte) error {
	if len(b) != 25 || b[0] != ledgerVersion {
		return fmt.Errorf("sessionmgr: the cursor record of %s can't be read: % x", l.account, b)
	}
	l.cursor = binary.BigEndian.Uint64(b[1:])
	l.last = binary.BigEndian.Uint64(b[9:])
	l.owed = int64(binary.BigEndian.Uint64(b[17:]))
	return nil
}

// maxIdleLedgers is how many ledgers nobody uses are kept for next time.
const maxIdleLedgers = 4096

// ledgers holds the ledgers in use, and some that were.
type ledgers struct {
	cursors storage.KeyVal
	mu      sync.Mutex
	byJID   map[jid.JID]*ledger
	idle    int
}

// acquire returns an account's ledger; it may read storage. Each acquire wants
// a release.
func (ls *ledgers) acquire(ctx context.Context, account jid.JID) (*ledger, error) {
	if l := ls.take(account, nil); l != nil {
		return l, nil
	}
	l := &ledger{account: account}
	rec, err := ls.cursors.Get(ctx, account.String())
	switch {
	case errors.Is(err, storage.ErrNotFound):
	case err != nil:
		return nil, err
	default:
		if err := l.decode(rec); err != nil {
			return nil, err
		}
	}
	return ls.take(account, l), nil
}

// take counts a use of the ledger in the table; if there is none, fresh is put
// there, unless it is nil.
func (ls *ledgers) take(account jid.JID, fresh *ledger) *ledger {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.byJID[account]
	switch {
	case l == nil && fresh == nil:
		return nil
	case l == nil:
		l = fresh
		ls.byJID[account] = l
	case l.uses == 0:
		ls.idle--
	}
	l.uses++
	return l
}

// loaded returns a ledger that is in use now and counts one more use, or nil.
func (ls *ledgers) loaded(account jid.JID) *ledger { return ls.take(account, nil) }

func (ls *ledgers) release(l *ledger) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l.uses--
	if l.uses > 0 || ls.byJID[l.account] != l {
		return
	}
	ls.idle++
	if ls.idle <= maxIdleLedgers {
		return
	}
	for j, old := range ls.byJID { // any idle one will do
		if old.uses == 0 {
			delete(ls.byJID, j)
			ls.idle--
			return
		}
	}
}

// forget drops the ledger of a deleted account. Who still uses it goes on with
// a value that nothing reads any more.
func (ls *ledgers) forget(account jid.JID) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l := ls.byJID[account]; l != nil {
		if l.uses == 0 {
			ls.idle--
		}
		delete(ls.byJID, account)
	}
}
