package sessionmgr

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"weir/jid"
	"weir/storage"
)

// Names of the tables of this package.
const (
	tableLog        = "log"           // the account's messages, by id
	tableCursor     = "cursor"        // where the account stands in it
	tableSession    = "session"       // its sessions with stream management
	tablePrefs      = "archive-prefs" // what it wants archived
	tableAttributes = "attributes"    // what modules keep with it
)

// ledger is where an account stands in its log: which parts of it are owed to
// whoever comes next. Its content belongs to the pipeline's token holder.
//
// It is in memory while the account has a bound session, so that what a session
// can't be given is owed without reading anything.
type ledger struct {
	account jid.JID
	uses    int32  // guarded by ledgers.mu
	left    uint32 // sessions that have ended so far

	// owed is what no session has to get: first the messages that reached nobody,
	// an open segment, then what sessions left behind that have ended.
	owed []segment
	// undecided is what is owed if none of the other sessions that have still to get
	// it does.
	undecided []segment
	owedLast  uint64 // id of the last record that names nobody, or above
	last      uint64 // id of the last message given to the store
	durable   uint64 // id of the last message that is in the log for good, or never will be
	sealed    uint64 // the last batch that has something for the log
	waiting   int64  // bytes of messages that wait for somebody, about
	size      int64  // bytes of the log, about
	written   int64  // what the stored record says of size

	hidden   []uint64    // records that are not of the archive, to go once nobody needs them
	trimFrom int64       // the size from which trimming is tried again
	trimmed  int64       // unix nanoseconds when the retention was last applied
	lately   *sentLately // what its sessions have sent, nil where there is one at most
	catching *Session    // without stream management: gets what is owed, or nil
	parting  []*Session  // have ended meanwhile and still pull: each is the next, until it is known what it has
	dead     bool        // the account was deleted: nothing is written any more
	trims    bool        // a goroutine applies the retention

	attributes *attributes // what modules keep with the account; nil where none does, guarded by its own mu

	prefs atomic.Pointer[ArchivePrefs] // nil: the server's default
}

// owes reports whether something is owed that a session could get.
func (l *ledger) owes() bool { return len(l.owed) > 1 || l.owedLast > l.owed[0].after }

// take hands what is owed so far to a session.
func (l *ledger) take() []segment {
	segs := l.owed
	l.owed = []segment{{after: l.last}}
	segs[0].upTo = l.last
	return segs
}

// takeOpen hands what has reached nobody to a session, and nothing else.
func (l *ledger) takeOpen() segment {
	g := l.owed[0]
	g.upTo = l.last
	l.owed[0] = segment{after: l.last}
	return g
}

// caught notes that a session has nothing to pull any more. It reports whether
// others waited for it.
func (l *ledger) caught(s *Session) bool {
	l.parting = slices.DeleteFunc(l.parting, func(x *Session) bool { return x == s })
	if l.catching != s {
		return false
	}
	l.catching = nil
	if len(l.parting) > 0 {
		l.catching, l.parting = l.parting[0], l.parting[1:]
	}
	return true
}

// decide has what was undecided be looked at again, since a session has ended.
func (l *ledger) decide() {
	l.owed = append(l.owed, l.undecided...)
	l.undecided = nil
}

// leave adds what a session did not get. Empty segments are dropped.
func (l *ledger) leave(segs ...segment) {
	for _, g := range segs {
		if g.upTo > g.after {
			l.owed = append(l.owed, g)
		}
	}
}

// gave notes that of these segments, which were owed, everything up to an id was
// written to somebody. What has come to be owed since is not among it.
func (l *ledger) gave(segs []segment, upTo uint64) {
	l.owed[0].after = max(l.owed[0].after, upTo)
	l.advance(upTo, func(g segment) bool { return slices.Contains(segs, g) })
}

// got notes that of what a session left everything up to an id was written to it
// after all.
func (l *ledger) got(tag, upTo uint64) {
	l.advance(upTo, func(g segment) bool { return g.tag == tag })
}

// advance moves some of what sessions have left up to an id, and drops what is
// empty then.
func (l *ledger) advance(upTo uint64, some func(segment) bool) {
	kept := l.owed[:1]
	for _, g := range l.owed[1:] {
		if some(g) {
			g.after = max(g.after, upTo)
		}
		if g.after < g.upTo {
			kept = append(kept, g)
		}
	}
	l.owed = kept
}

// ledgerVersion is the first byte of a cursor record. Version 1 had one cursor
// and nothing else.
const ledgerVersion = 2

// encode returns the record; unread is what sessions have to pull that a later
// process will not know.
func (l *ledger) encode(unread ...segment) []byte {
	if !l.owes() {
		l.owed[0].after = l.last // so that the next process needn't look
	}
	b := make([]byte, 0, 19+segmentLength*len(l.owed))
	b = append(b, ledgerVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(l.waiting))
	b = binary.BigEndian.AppendUint64(b, uint64(l.size))
	l.written = l.size
	return appendSegments(b, append(append(l.owed[:len(l.owed):len(l.owed)], l.undecided...), unread...))
}

func (l *ledger) decode(b []byte) error {
	bad := fmt.Errorf("sessionmgr: the cursor record of %s can't be read: % x", l.account, b)
	switch {
	case len(b) == 25 && b[0] == 1:
		l.owed = []segment{{after: binary.BigEndian.Uint64(b[1:])}}
		l.waiting = int64(binary.BigEndian.Uint64(b[17:]))
		return nil
	case len(b) < 17 || b[0] != ledgerVersion:
		return bad
	}
	segs, rest, ok := readSegments(b[17:])
	if !ok || len(rest) > 0 || len(segs) == 0 || segs[0].tag != 0 || segs[0].upTo != 0 {
		return bad
	}
	l.owed = segs
	l.waiting = int64(binary.BigEndian.Uint64(b[1:]))
	l.size = int64(binary.BigEndian.Uint64(b[9:]))
	l.written = l.size
	return nil
}

// maxIdleLedgers is how many ledgers nobody uses are kept for next time.
const maxIdleLedgers = 4096

// ledgers holds the ledgers in use, and some that were.
type ledgers struct {
	cursors    storage.KeyVal
	prefs      storage.KeyVal
	attributes storage.KeyVal
	logs       storage.Log
	keeps      atomic.Bool   // a module keeps attributes with accounts: else they are not read
	forgets    atomic.Uint64 // accounts forgotten so far

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
	l := &ledger{account: account, owed: []segment{{}}}
	rec, err := ls.cursors.Get(ctx, account.String())
	if err == nil {
		err = l.decode(rec)
	}
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, err
	}
	l.last, _, err = ls.logs.Last(ctx, account.String())
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, err
	}
	l.durable, l.owedLast = l.last, l.last
	for i := range l.owed[1:] {
		g := &l.owed[1+i]
		g.upTo = min(g.upTo, l.last)
	}
	prefs, err := readPrefs(ctx, ls.prefs, account)
	if err != nil && !errors.Is(err, errPrefs) {
		return nil, err
	}
	if ls.keeps.Load() {
		if l.attributes, err = readAttributes(ctx, ls.attributes, account); err != nil {
			return nil, err
		}
	}
	l.prefs.Store(prefs) // nil where they can't be read: who asks for them is told
	return l, nil
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
