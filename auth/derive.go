package auth

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"hash"
	"sync/atomic"
)

// saltLength is in bytes. XEP-0438 §6.2
const saltLength = 16

// algorithm is a hash that SCRAM is used with.
type algorithm struct {
	name string // of the mechanism without -PLUS
	id   byte   // in stored records
	new  func() hash.Hash
	size int
	none []byte // a StoredKey that nothing fits
}

// The algorithms; sha256Algorithm is the one that PLAIN is checked with.
var (
	sha1Algorithm   = &algorithm{name: "SCRAM-SHA-1", id: 1, new: sha1.New, size: sha1.Size, none: make([]byte, sha1.Size)}
	sha256Algorithm = &algorithm{name: "SCRAM-SHA-256", id: 2, new: sha256.New, size: sha256.Size, none: make([]byte, sha256.Size)}
)

func algorithmByID(id byte) *algorithm {
	switch id {
	case sha1Algorithm.id:
		return sha1Algorithm
	case sha256Algorithm.id:
		return sha256Algorithm
	}
	return nil
}

func (a *algorithm) hmac(key []byte, parts ...[]byte) []byte {
	m := hmac.New(a.new, key)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}

func (a *algorithm) sum(b []byte) []byte {
	h := a.new()
	h.Write(b)
	return h.Sum(nil)
}

// derive computes StoredKey and ServerKey. It takes about a millisecond for
// 5,000 iterations. RFC 5802 §3
func (a *algorithm) derive(password string, salt []byte, iterations int) (stored, server secret, err error) {
	salted, err := pbkdf2.Key(a.new, password, salt, iterations, a.size)
	if err != nil {
		// A salt or key too short for the FIPS mode, or no memory: nothing of the
		// password is in it, but nothing of it is needed either.
		return nil, nil, errors.New("auth: keys can't be derived")
	}
	stored, server = a.fromSalted(salted)
	return stored, server, nil
}

// fromSalted computes StoredKey and ServerKey of a SaltedPassword. RFC 5802 §3
func (a *algorithm) fromSalted(salted []byte) (stored, server secret) {
	return a.sum(a.hmac(salted, []byte("Client Key"))), a.hmac(salted, []byte("Server Key"))
}

// fresh makes keys for a new password with a salt of their own.
func (a *algorithm) fresh(password string, iterations int) (keys, error) {
	salt := make([]byte, saltLength)
	_, _ = rand.Read(salt) // never fails (crypto/rand)
	stored, server, err := a.derive(password, salt, iterations)
	return keys{hash: a.id, iterations: uint32(iterations), salt: salt, stored: stored, server: server}, err
}

// errBusy says that too many derivations are waiting.
var errBusy = errors.New("auth: too many passwords being checked")

// pool bounds how many derivations run and how many wait: they are the one
// thing at login that a stranger can make the server work hard with.
type pool struct {
	slots   chan struct{} // one for each core
	queue   int64
	waiting atomic.Int64  // running and waiting, without bulk work
	done    atomic.Uint64 // finished derivations
}

func newPool(workers, queue int) *pool {
	return &pool{slots: make(chan struct{}, workers), queue: int64(workers + queue)}
}

// run calls fn when a core is free. It returns errBusy at once when too many
// wait, or the context's error.
func (p *pool) run(ctx context.Context, fn func() error) error {
	defer p.waiting.Add(-1)
	if p.waiting.Add(1) > p.queue {
		return errBusy
	}
	return p.wait(ctx, fn)
}

// wait is run without the bound, for callers that are few by themselves.
func (p *pool) wait(ctx context.Context, fn func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-p.slots }()
	defer p.done.Add(1)
	return fn()
}
