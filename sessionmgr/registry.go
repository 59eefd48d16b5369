package sessionmgr

import (
	"hash/maphash"
	"slices"
	"sync"

	"weir/jid"
)

// shardCount is a power of two: enough that unrelated accounts rarely meet.
const shardCount = 64

// registry finds sessions by account and by public id. Its locks are held for a
// map access only.
type registry struct {
	seed   maphash.Seed
	shards [shardCount]shard
}

type shard struct {
	mu       sync.RWMutex
	accounts map[string]*account // by bare JID
	sessions map[string]*Session // by public id
}

// account is a local account with at least one bound session, or with owed
// messages on their way.
type account struct {
	bare jid.JID

	// Guarded by the shard's lock. Copied on write: a reader keeps the slice it
	// found and needs no lock to walk it.
	sessions []*Session

	// Owned by the pipeline's token holder.
	catching *Session // the session that owed messages are delivered to
	again    bool     // something was owed since catching up looked
}

func newRegistry() *registry {
	r := &registry{seed: maphash.MakeSeed()}
	for i := range r.shards {
		r.shards[i].accounts = make(map[string]*account)
		r.shards[i].sessions = make(map[string]*Session)
	}
	return r
}

func (r *registry) shard(key string) *shard {
	return &r.shards[maphash.String(r.seed, key)%shardCount]
}

// account returns the entry of an account that has bound sessions, or nil.
func (r *registry) account(bare jid.JID) *account {
	sh := r.shard(bare.String())
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.accounts[bare.String()]
}

// bound returns the account's sessions; the slice must not be changed.
func (r *registry) bound(bare jid.JID) []*Session {
	sh := r.shard(bare.String())
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	if a := sh.accounts[bare.String()]; a != nil {
		return a.sessions
	}
	return nil
}

// byJID returns the session with a full JID, or nil.
func (r *registry) byJID(full jid.JID) *Session {
	return find(r.bound(full.Bare()), full)
}

// find looks for a full JID among an account's sessions.
func find(sessions []*Session, full jid.JID) *Session {
	for _, s := range sessions {
		if s.JID() == full {
			return s
		}
	}
	return nil
}

// insert adds a bound session to its account.
func (r *registry) insert(bare jid.JID, s *Session) {
	sh := r.shard(bare.String())
	sh.mu.Lock()
	defer sh.mu.Unlock()
	a := sh.accounts[bare.String()]
	if a == nil {
		a = &account{bare: bare}
		sh.accounts[bare.String()] = a
	}
	a.sessions = append(slices.Clip(a.sessions), s)
}

// remove takes a session out of its account, which goes when it was the last.
// It reports whether it was there.
func (r *registry) remove(bare jid.JID, s *Session) bool {
	sh := r.shard(bare.String())
	sh.mu.Lock()
	defer sh.mu.Unlock()
	a := sh.accounts[bare.String()]
	if a == nil {
		return false
	}
	at := slices.Index(a.sessions, s)
	if at < 0 {
		return false
	}
	a.sessions = slices.Delete(slices.Clone(a.sessions), at, at+1)
	if len(a.sessions) == 0 {
		delete(sh.accounts, bare.String())
	}
	return true
}

// add makes a session findable by its public id, drop undoes it.
func (r *registry) add(s *Session) {
	sh := r.shard(s.id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.sessions[s.id] = s
}

func (r *registry) drop(s *Session) {
	sh := r.shard(s.id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	delete(sh.sessions, s.id)
}

func (r *registry) byID(id string) *Session {
	sh := r.shard(id)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.sessions[id]
}

// walk calls fn for every session, with no lock held, until it returns false. A
// session that comes or goes meanwhile may be missed or seen.
func (r *registry) walk(fn func(*Session) bool) {
	var some []*Session
	for i := range r.shards {
		sh := &r.shards[i]
		some = some[:0]
		sh.mu.RLock()
		for _, s := range sh.sessions {
			some = append(some, s)
		}
		sh.mu.RUnlock()
		for _, s := range some {
			if !fn(s) {
				return
			}
		}
	}
}
