package sessionmgr

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
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
//
// It is in memory while the account has a bound session, so that what a session
// can't be given is owed without reading anything.
type ledger struct {
	account jid.JID
	uses    int // guarded by ledgers.mu

	cursor uint64 // id of the last message that was written to a session
	last   uint64 // id of the last message in the log
	owed   int64  // bytes behind the cursor

	trimmed time.Time // when the retention was last applied

	blocked  uint64   // last batch that a delivery to one of its sessions waits for
	catching *catchUp // the session that owed messages are delivered to, or nil
	dead     bool     // the account was deleted: nothing is written any more
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
	forgets atomic.Uint64 // accounts forgotten so far

	mu         sync.Mutex
	byJID      map[jid.JID]*ledger
	idle       int
	dropped    uint64                    // ledgers taken out so far
	forgetting map[jid.JID]chan struct{} // accounts being deleted: closed afterwards
}

// acquire returns an account's ledger; it may read storage. Each acquire wants
// a release.
func (ls *ledgers) acquire(ctx context.Context, account jid.JID) (*ledger, error) {
	for {
		l, dropped, busy := ls.look(account)
		if busy != nil {
			select {
			case <-busy:
				continue
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
		if l != nil {
			return l, nil
		}
		l, err := ls.read(ctx, account)
		if err != nil {
			return nil, err
		}
		if l = ls.put(l, dropped); l != nil {
			return l, nil
		}
	}
}

func (ls *ledgers) read(ctx context.Context, account jid.JID) (*ledger, error) {
	l := &ledger{account: account}
	rec, err := ls.cursors.Get(ctx, account.String())
	if errors.Is(err, storage.ErrNotFound) {
		return l, nil
	}
	if err == nil {
		err = l.decode(rec)
	}
	return l, err
}

// look counts a use of the ledger in the table, if it is there. busy is not nil
// while the account is being deleted.
func (ls *ledgers) look(account jid.JID) (l *ledger, dropped uint64, busy chan struct{}) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if busy = ls.forgetting[account]; busy != nil {
		return nil, 0, busy
	}
	return ls.use(ls.byJID[account]), ls.dropped, nil
}

// use counts a use; mu is held.
func (ls *ledgers) use(l *ledger) *ledger {
	if l != nil {
		if l.uses == 0 {
			ls.idle--
		}
		l.uses++
	}
	return l
}

// put puts a ledger that was read into the table and counts a use, unless
// another is there: that one is then returned. It returns nil where a ledger was
// dropped since it was read: it could be this one, changed in between.
func (ls *ledgers) put(fresh *ledger, dropped uint64) *ledger {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l := ls.use(ls.byJID[fresh.account]); l != nil {
		return l
	}
	if ls.dropped != dropped || ls.forgetting[fresh.account] != nil {
		return nil
	}
	ls.byJID[fresh.account] = fresh
	fresh.uses = 1
	return fresh
}

// loaded returns a ledger that is in memory and counts one more use, or nil.
func (ls *ledgers) loaded(account jid.JID) *ledger {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.use(ls.byJID[account])
}

// pin counts one more use of a ledger that is in use.
func (ls *ledgers) pin(l *ledger) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l.uses++
}

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
			ls.dropped++
			return
		}
	}
}

// forget begins the deletion of an account: until done is called, acquire waits.
func (ls *ledgers) forget(account jid.JID) (done func()) {
	ls.forgets.Add(1)
	ls.mu.Lock()
	defer ls.mu.Unlock()
	end := make(chan struct{})
	ls.forgetting[account] = end
	return func() {
		ls.mu.Lock()
		defer ls.mu.Unlock()
		if l := ls.byJID[account]; l != nil {
			if l.uses == 0 {
				ls.idle--
			}
			delete(ls.byJID, account)
			ls.dropped++
		}
		if ls.forgetting[account] == end {
			delete(ls.forgetting, account)
		}
		close(end)
	}
}
