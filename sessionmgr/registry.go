package sessionmgr

import (
	"hash/maphash"
	"slices"
	"sync"

	"weir/jid"
)

// shardCount is a power of two: enough that unrelated accounts rarely meet, and that a
// shard of a hundred thousand sessions is listed, or grows, in a moment.
const shardCount = 256

// registry finds sessions by account and by public id. Its locks are held for a
// look-up only.
type registry struct {
	seed   maphash.Seed
	shards [shardCount]shard
}

type shard struct {
	mu       sync.RWMutex
	accounts table[account]      // by bare JID
	full     map[string]*Session // those that can be reached, by full JID; in the shard of the bare one
	sessions map[string]*Session // by public id
}

// account is a local account with sessions. It is guarded by the shard's lock. With its
// name and its hash it fills 64 bytes, as much as comes from memory at once.
type account struct {
	// sessions are those that can be reached. Copied on write: a reader keeps the
	// slice it found and needs no lock to walk it.
	sessions []*Session
	// leaving are those whose Unbound has not run to its end: nobody hears before
	// of who replaces them. nil where there are none, as a rule.
	leaving *[]*Session
	_       uint64
}

// left returns the sessions that are leaving.
func (a *account) left() []*Session {
	if a == nil || a.leaving == nil {
		return nil
	}
	return *a.leaving
}

func newRegistry() *registry {
	r := &registry{seed: maphash.MakeSeed()}
	for i := range r.shards {
		r.shards[i].full = make(map[string]*Session)
		r.shards[i].sessions = make(map[string]*Session)
	}
	return r
}

func (r *registry) hash(name string) uint64 { return maphash.String(r.seed, name) }

// shard returns that of a hash: by bits that don't say where in its tables it is.
func (r *registry) shard(hash uint64) *shard { return &r.shards[hash>>32%shardCount] }

// of returns the shard of an account, and the hash of its name.
func (r *registry) of(bare jid.JID) (*shard, uint64) {
	hash := r.hash(bare.String())
	return r.shard(hash), hash
}

// bound returns the account's sessions; the slice must not be changed.
func (r *registry) bound(bare jid.JID) []*Session {
	sh, hash := r.of(bare)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	if a := sh.accounts.at(hash, bare.String()); a != nil {
		return a.sessions
	}
	return nil
}

// parting returns the account's sessions that have left and whose Unbound has
// not run to its end.
func (r *registry) parting(bare jid.JID) []*Session {
	sh, hash := r.of(bare)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return slices.Clone(sh.accounts.at(hash, bare.String()).left())
}

// byJID returns the session with a full JID, or nil. It looks at no session: with
// many of them that is what costs.
func (r *registry) byJID(full jid.JID) *Session {
	sh, _ := r.of(full.Bare())
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.full[full.String()]
}

// byTag returns the account's session with a tag, or nil.
func (r *registry) byTag(bare jid.JID, tag uint64) *Session {
	for _, s := range r.bound(bare) {
		if s.queue.tag == tag { // never written once the session is here
			return s
		}
	}
	return nil
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
	sh, hash := r.of(bare)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	a := sh.accounts.make(hash, bare.String())
	a.sessions = append(slices.Clip(a.sessions), s)
	sh.full[s.JID().String()] = s
}

// holder returns the session that has a full JID, or is about to leave it.
func (r *registry) holder(full jid.JID) *Session {
	bare := full.Bare()
	sh, hash := r.of(bare)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	a := sh.accounts.at(hash, bare.String())
	if a == nil {
		return nil
	}
	if s := find(a.sessions, full); s != nil {
		return s
	}
	return find(a.left(), full)
}

// leave takes a session out of those that can be reached.
func (r *registry) leave(bare jid.JID, s *Session) {
	sh, hash := r.of(bare)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	a := sh.accounts.at(hash, bare.String())
	if a == nil {
		return
	}
	if at := slices.Index(a.sessions, s); at >= 0 {
		a.sessions = slices.Delete(slices.Clone(a.sessions), at, at+1)
		leaving := append(a.left(), s)
		a.leaving = &leaving
		if full := s.JID().String(); sh.full[full] == s {
			delete(sh.full, full)
		}
	}
}

// remove takes out a session that was leaving. Its account goes with the last.
func (r *registry) remove(bare jid.JID, s *Session) {
	sh, hash := r.of(bare)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	a := sh.accounts.at(hash, bare.String())
	if a == nil {
		return
	}
	leaving := a.left()
	if at := slices.Index(leaving, s); at >= 0 {
		leaving = slices.Delete(leaving, at, at+1)
	}
	if a.leaving = &leaving; len(leaving) == 0 {
		a.leaving = nil
	}
	if len(a.sessions) == 0 && a.leaving == nil {
		sh.accounts.drop(hash, bare.String())
	}
}

// add makes a session findable by its public id, drop undoes it.
func (r *registry) add(s *Session) {
	sh := r.shard(r.hash(s.id))
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.sessions[s.id] = s
}

func (r *registry) drop(s *Session) {
	sh := r.shard(r.hash(s.id))
	sh.mu.Lock()
	defer sh.mu.Unlock()
	delete(sh.sessions, s.id)
}

func (r *registry) byID(id string) *Session {
	sh := r.shard(r.hash(id))
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
		some = sh.list(some[:0])
		for _, s := range some {
			if !fn(s) {
				return
			}
		}
	}
}

// list appends the shard's sessions. This is the longest that a shard is locked,
// so the room for them is made before.
func (sh *shard) list(dst []*Session) []*Session {
	sh.mu.RLock()
	n := len(sh.sessions)
	sh.mu.RUnlock()
	dst = slices.Grow(dst, n+n/8) // some may come meanwhile
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	for _, s := range sh.sessions {
		dst = append(dst, s)
	}
	return dst
}
