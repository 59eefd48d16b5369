package roster

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"

	"weir/jid"
	"weir/stanza"
	"weir/storage"
)

// shardCount spreads accounts over locks, so that two accounts rarely share one.
const shardCount = 16

// Rosters are the rosters of all accounts. Safe for concurrent use.
type Rosters struct {
	store  storage.Store
	o      Options
	seed   maphash.Seed
	shards [shardCount]shard
}

// New returns the rosters kept in st.
func New(st storage.Store, o Options) (*Rosters, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.setDefaults()
	r := &Rosters{store: st, o: o, seed: maphash.MakeSeed()}
	for i := range r.shards {
		r.shards[i].accounts = make(map[jid.JID]*account)
		r.shards[i].room = o.Cache / shardCount
	}
	return r, nil
}

// Tables names what this package keeps in storage.
func (r *Rosters) Tables() []storage.Table {
	return []storage.Table{{Kind: storage.KindMap, Name: tableItems}, {Kind: storage.KindMap, Name: tableRequests}, {Kind: storage.KindMap, Name: tableRemoved}}
}

func (r *Rosters) shard(account jid.JID) *shard {
	return &r.shards[maphash.Comparable(r.seed, account)%shardCount]
}

// Load reads the roster of an account into memory and keeps it there until
// Release was called as often as Load. It may read storage and so block.
func (r *Rosters) Load(ctx context.Context, account jid.JID) error {
	a := r.shard(account).take(account)
	if a.ready() {
		return nil
	}
	a.turn.Lock()
	err := a.refresh(ctx, r.store)
	a.turn.Unlock()
	if err != nil {
		r.shard(account).release(a)
	}
	return err
}

// Release undoes one Load.
func (r *Rosters) Release(account jid.JID) {
	s := r.shard(account)
	if a := s.peek(account); a != nil {
		s.release(a)
	}
}

// Item returns what account knows of a contact. ok is false if the roster isn't
// in memory; a contact that isn't in it has the zero item's state and is not Listed.
func (r *Rosters) Item(account, contact jid.JID) (i Item, ok bool) {
	a := r.shard(account).peek(account)
	if a == nil {
		return Item{}, false
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	if !a.loaded {
		return Item{}, false
	}
	if p := a.find(contact); p != nil {
		return *p, true
	}
	return Item{JID: contact}, true
}

// State returns the state of a contact. ok is false if the account's roster isn't
// in memory.
func (r *Rosters) State(account, contact jid.JID) (s State, ok bool) {
	a := r.shard(account).peek(account)
	if a == nil {
		return None, false
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	if p := a.find(contact); p != nil {
		return p.State, a.loaded
	}
	return None, a.loaded
}

// Subscribers appends the contacts that are subscribed to the account's
// presence (from, both), by address. It appends nothing if the roster isn't in memory.
func (r *Rosters) Subscribers(account jid.JID, dst []jid.JID) []jid.JID {
	return r.collect(account, dst, State.HasFrom)
}

// Subscriptions appends the contacts to whose presence the account is
// subscribed (to, both), by address. It appends nothing if the roster isn't in memory.
func (r *Rosters) Subscriptions(account jid.JID, dst []jid.JID) []jid.JID {
	return r.collect(account, dst, State.HasTo)
}

func (r *Rosters) collect(account jid.JID, dst []jid.JID, want func(State) bool) []jid.JID {
	a := r.shard(account).peek(account)
	if a == nil {
		return dst
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	dst = slices.Grow(dst, len(a.items))
	for _, i := range a.items {
		if want(i.State) {
			dst = append(dst, i.JID)
		}
	}
	return dst
}

// Generation returns a number that changes whenever the account's roster does;
// 0 if it isn't in memory. Who acts on what a read returned compares it before and after.
func (r *Rosters) Generation(account jid.JID) uint64 {
	a := r.shard(account).peek(account)
	if a == nil {
		return 0
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.generation
}

// Lookup is State for a roster that may have to be read from storage.
func (r *Rosters) Lookup(ctx context.Context, account, contact jid.JID) (State, error) {
	if err := r.Load(ctx, account); err != nil {
		return None, err
	}
	defer r.Release(account)
	s, _ := r.State(account, contact)
	return s, nil
}

// Pending returns how many subscription requests wait for the account's answer;
// 0 if its roster isn't in memory.
func (r *Rosters) Pending(account jid.JID) int {
	a := r.shard(account).peek(account)
	if a == nil {
		return 0
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.pending
}

// Requests returns the subscription requests that wait for the account's answer, each
// as it was sent, by address (RFC 6121 §3.1.3), those included whose commit is under
// way. It reads storage.
func (r *Rosters) Requests(ctx context.Context, account jid.JID) (requests []*stanza.Stanza, err error) {
	a := r.shard(account).take(account)
	defer r.shard(account).release(a)
	a.turn.Lock()
	defer a.turn.Unlock()
	a.waitSettled()
	var bad error
	err = r.store.Scan(ctx, requestKey(account, jid.JID{}), func(_ string, b []byte) bool {
		st, err := stanza.Parse(b)
		if err != nil {
			bad = fmt.Errorf("%w: request: %w", errRecord, err)
			return true // the others still get through
		}
		requests = append(requests, st)
		return true
	})
	return requests, errors.Join(err, bad)
}
