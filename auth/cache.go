package auth

import (
	"hash/maphash"
	"sync"

	"weir/jid"
)

const (
	cacheShards = 16
	// cacheKnown and cacheUnknown are how many accounts and how many names
	// without an account are remembered, in all: about 8 MB at worst. They are
	// apart so that guessed names can't push out accounts.
	cacheKnown   = 16384
	cacheUnknown = 8192
)

// cache remembers account records, and names that have none: both, so that the
// second login attempt for an unknown name is as fast as for a known one.
type cache struct {
	seed   maphash.Seed
	shards [cacheShards]cacheShard
}

type cacheShard struct {
	// guarded by mu
	mu      sync.RWMutex
	gen     uint64 // counts invalidations
	known   map[jid.JID]*record
	unknown map[jid.JID]struct{}
}

func newCache() *cache {
	c := &cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].known = make(map[jid.JID]*record)
		c.shards[i].unknown = make(map[jid.JID]struct{})
	}
	return c
}

func (c *cache) shard(j jid.JID) *cacheShard { return &c.shards[c.index(j)%cacheShards] }

// index is a number for an account, the same as long as the process lives.
func (c *cache) index(j jid.JID) uint64 { return maphash.Comparable(c.seed, j) }

// get returns the record (nil: there is no such account) and whether anything is
// remembered. gen goes to put when nothing is.
func (c *cache) get(j jid.JID) (r *record, ok bool, gen uint64) {
	s := c.shard(j)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r, ok = s.known[j]; ok {
		return r, true, s.gen
	}
	_, ok = s.unknown[j]
	return nil, ok, s.gen
}

// put remembers what was read from storage after get returned gen, unless
// something was changed since: then what was read may be old.
func (c *cache) put(j jid.JID, r *record, gen uint64) {
	s := c.shard(j)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.gen != gen:
	case r != nil:
		shrink(s.known, cacheKnown/cacheShards)
		s.known[j] = r
	default:
		shrink(s.unknown, cacheUnknown/cacheShards)
		s.unknown[j] = struct{}{}
	}
}

// shrink makes room for one more; the runtime's random order picks who goes.
func shrink[V any](m map[jid.JID]V, limit int) {
	for j := range m {
		if len(m) < limit {
			return
		}
		delete(m, j)
	}
}

// forget is called after a change of j was committed.
func (c *cache) forget(j jid.JID) {
	s := c.shard(j)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gen++
	delete(s.known, j)
	delete(s.unknown, j)
}
