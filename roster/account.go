package roster

import (
	"container/list"
	"context"
	"slices"
	"strings"
	"sync"

	"weir/jid"
	"weir/storage"
)

// account is the roster of one account in memory.
type account struct {
	// immutable
	jid jid.JID

	// turn orders changes: it is held from the computation of a change until its
	// batch was handed on. Readers don't need it.
	turn sync.Mutex

	// guarded by the shard's mutex
	refs int           // pins, transactions and commits under way
	idle *list.Element // in the shard's list while refs is 0

	// guarded by mu, which is never held while anything is waited for
	mu      sync.RWMutex
	loaded  bool
	items   []*Item // sorted by address; an item is replaced, never changed
	listed  int
	bytes   int
	pending int // requests that wait for an answer
	ver     version
	// generation counts every change of this copy.
	generation uint64

	inflight int        // changes handed on whose commit isn't known yet
	failed   bool       // one of them failed: read again once the rest is known
	settled  *sync.Cond // inflight became 0; made by who waits
}

// cost is about what an account takes in memory, for the cache's bound.
func (a *account) cost() int { return 256 + a.bytes + 112*len(a.items) }

// ready reports whether the roster is in memory and sound.
func (a *account) ready() bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.loaded && !a.failed
}

// find returns the item of a contact, or nil. mu is held.
func (a *account) find(contact jid.JID) *Item {
	if n, ok := a.search(contact); ok {
		return a.items[n]
	}
	return nil
}

func (a *account) search(contact jid.JID) (int, bool) {
	return slices.BinarySearchFunc(a.items, contact.String(), func(i *Item, s string) int {
		return strings.Compare(i.JID.String(), s)
	})
}

// apply puts an item in its place, or takes it out (now nil), and keeps the
// sums. mu is held for writing.
func (a *account) apply(contact jid.JID, now *Item) {
	n, found := a.search(contact)
	if found {
		a.count(a.items[n], -1)
	}
	switch {
	case now == nil && found:
		a.items = slices.Delete(a.items, n, n+1)
	case now != nil && found:
		a.items[n] = now
	case now != nil:
		a.items = slices.Insert(a.items, n, now)
	}
	if now != nil {
		a.count(now, +1)
	}
}

// count adds (or takes away) an item in the sums that limits are about.
func (a *account) count(i *Item, sign int) {
	if i.Listed {
		a.listed += sign
		a.bytes += sign * i.size()
	}
	if i.State.PendingIn() {
		a.pending += sign
	}
}

// waitSettled returns when every change that was handed on is committed or has
// failed. The turn is held, so no new one comes.
func (a *account) waitSettled() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.inflight > 0 && a.settled == nil {
		a.settled = sync.NewCond(&a.mu)
	}
	for a.inflight > 0 {
		a.settled.Wait()
	}
}

// refresh reads the roster from storage unless it is in memory and sound. The turn
// is held.
func (a *account) refresh(ctx context.Context, st storage.Store) error {
	if a.ready() {
		return nil
	}
	a.waitSettled()
	fresh := account{jid: a.jid}
	var bad error
	from := storage.Key{Kind: storage.KindMap, Table: tableItems, Account: a.jid.String()}
	err := st.Scan(ctx, from, func(item string, b []byte) bool {
		if item == versionItem {
			fresh.ver, bad = decodeVersion(b)
			return bad == nil
		}
		i, err := decodeItem(item, b)
		if err != nil {
			bad = err
			return false
		}
		fresh.items = append(fresh.items, i) // in order: the scan is
		fresh.count(i, +1)
		return true
	})
	if err == nil {
		err = bad
	}
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.items, a.listed, a.bytes, a.pending = fresh.items, fresh.listed, fresh.bytes, fresh.pending
	a.ver, a.loaded, a.failed = fresh.ver, true, false
	a.generation++
	return nil
}

// shard is a part of the accounts in memory.
type shard struct {
	mu       sync.RWMutex
	accounts map[jid.JID]*account
	unused   list.List // accounts with no refs, the latest used in front
	used     int       // their cost
	room     int       // the bound of used
}

// peek returns an account if it is in memory.
func (s *shard) peek(j jid.JID) *account {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.accounts[j]
}

// take returns an account, loaded or not, and keeps it in memory until release.
func (s *shard) take(j jid.JID) *account {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[j]
	if a == nil {
		a = &account{jid: j}
		s.accounts[j] = a
	}
	if a.idle != nil {
		s.used -= a.cost()
		s.unused.Remove(a.idle)
		a.idle = nil
	}
	a.refs++
	return a
}

// release undoes one take and makes room if needed.
func (s *shard) release(a *account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.refs--; a.refs > 0 {
		return
	}
	if !a.ready() {
		delete(s.accounts, a.jid)
		return
	}
	a.idle = s.unused.PushFront(a)
	s.used += a.cost() // can't change without refs
	for s.used > s.room && s.unused.Len() > 0 {
		last := s.unused.Remove(s.unused.Back()).(*account)
		s.used -= last.cost()
		last.idle = nil
		delete(s.accounts, last.jid)
	}
}
