package auth

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// recordVersion is the first byte of a stored account. A record of a newer
// version is refused, never guessed at.
const recordVersion = 1

const (
	flagDisabled = 1 << 0
	flagRole     = 1 << 1 // a role comes last; without it the account has RoleUser
	flagOrigin   = 1 << 2 // an origin follows the keys: some of them were replaced
)

// errRecord says that a stored account can't be read.
var errRecord = errors.New("auth: damaged account record")

// keys are what one hash needs to check a proof: never a password, nor anything
// that is as good as one. RFC 5802 §3
type keys struct {
	hash       byte // algorithm.id
	iterations uint32
	salt       []byte
	stored     secret
	server     secret
}

// Format prints no keys, also where the struct is printed field by field.
func (k keys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "keys") }

// record is a stored account. It is never changed once it is shared: who changes an
// account changes a copy.
type record struct {
	created  time.Time
	disabled bool
	role     string // "" is RoleUser
	keys     []keys
	first    []byte // the origin, once the keys that it comes from are gone; else nil
}

// originLength is in bytes.
const originLength = 16

// origin names the password that the keys are of, and tells nothing about it: it is the
// same for as long as the password is, whichever keys are added or replaced. It comes
// from the first keys that were made of the password, whose salt is random.
func (r *record) origin() []byte {
	if r.first != nil || len(r.keys) == 0 {
		return r.first
	}
	sum := sha256.Sum256(r.keys[0].stored)
	return sum[:originLength]
}

// with returns the record with keys in place of those of the same hash, or added to
// the others.
func (r *record) with(k keys) *record {
	next := *r
	next.keys = slices.Clone(r.keys)
	if old := next.of(algorithmByID(k.hash)); old != nil {
		next.first = r.origin()
		*old = k
	} else {
		next.keys = append(next.keys, k)
	}
	return &next
}

// Format prints no keys, also where the struct is printed field by field.
func (r record) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "account record")
}

// of returns the keys for a hash, or nil.
func (r *record) of(a *algorithm) *keys {
	for i := range r.keys {
		if r.keys[i].hash == a.id {
			return &r.keys[i]
		}
	}
	return nil
}

// encode writes: version, flags, created (seconds, 8 bytes), number of keys, and
// for each: hash, iterations (4 bytes), then salt, StoredKey and ServerKey, each
// after its length in one byte. The origin is next, if it can't be told from the keys
// any more. A role other than RoleUser comes last, after its length too. Numbers are big endian.
func (r *record) encode() []byte {
	b := make([]byte, 0, 11+len(r.keys)*(8+16+64))
	var flags byte
	if r.disabled {
		flags |= flagDisabled
	}
	if r.role != "" {
		flags |= flagRole
	}
	if r.first != nil {
		flags |= flagOrigin
	}
	b = append(b, recordVersion, flags)
	b = binary.BigEndian.AppendUint64(b, uint64(r.created.Unix()))
	b = append(b, byte(len(r.keys)))
	for _, k := range r.keys {
		b = append(b, k.hash)
		b = binary.BigEndian.AppendUint32(b, k.iterations)
		for _, part := range [][]byte{k.salt, k.stored, k.server} {
			b = append(b, byte(len(part)))
			b = append(b, part...)
		}
	}
	b = append(b, r.first...)
	if r.role != "" {
		b = append(b, byte(len(r.role)))
		b = append(b, r.role...)
	}
	return b
}

// decodeRecord reads what encode wrote. It keeps no reference to b.
func decodeRecord(b []byte) (*record, error) {
	if len(b) < 1 {
		return nil, errRecord
	}
	if b[0] != recordVersion {
		return nil, fmt.Errorf("%w: version %d, this program knows %d", errRecord, b[0], recordVersion)
	}
	if len(b) < 11 || b[1]&^byte(flagDisabled|flagRole|flagOrigin) != 0 {
		return nil, errRecord
	}
	r := &record{
		disabled: b[1]&flagDisabled != 0,
		created:  time.Unix(int64(binary.BigEndian.Uint64(b[2:])), 0).UTC(),
		keys:     make([]keys, b[10]),
	}
	hasRole, hasOrigin := b[1]&flagRole != 0, b[1]&flagOrigin != 0
	b = append([]byte(nil), b[11:]...)
	for i := range r.keys {
		k := &r.keys[i]
		if len(b) < 5 {
			return nil, errRecord
		}
		k.hash, k.iterations = b[0], binary.BigEndian.Uint32(b[1:])
		b = b[5:]
		for _, part := range []*[]byte{&k.salt, (*[]byte)(&k.stored), (*[]byte)(&k.server)} {
			if len(b) < 1 || len(b) < 1+int(b[0]) {
				return nil, errRecord
			}
			n := 1 + int(b[0])
			*part, b = b[1:n:n], b[n:]
		}
		if !k.sound() {
			return nil, errRecord
		}
	}
	if hasOrigin {
		if len(b) < originLength {
			return nil, errRecord
		}
		r.first, b = b[:originLength:originLength], b[originLength:]
	}
	if hasRole {
		if len(b) < 2 || int(b[0]) != len(b)-1 || CheckRole(string(b[1:])) != nil {
			return nil, errRecord
		}
		r.role, b = string(b[1:]), nil
	}
	if len(b) != 0 {
		return nil, errRecord
	}
	return r, nil
}

// sound reports whether keys can be used to check a proof: an empty StoredKey
// must never be compared with anything.
func (k *keys) sound() bool {
	a := algorithmByID(k.hash)
	return a != nil && k.iterations > 0 && len(k.salt) > 0 &&
		len(k.stored) == a.size && len(k.server) == a.size
}
