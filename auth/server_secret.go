package auth

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"

	"weir/storage"
)

const (
	tableServer   = "auth.server" // KeyVal: one record
	serverAccount = "server"      // where tableServer keeps it

	serverKeyHere = 1  // version of a record that has the key of tokens
	serverKeyAway = 2  // version of one that knows which key is in the file
	secretLength  = 32 // in bytes
	keyIDLength   = 8  // in bytes
	// countsKept is how many iteration counts are remembered for each hash.
	countsKept = 8
)

// The flags of a record of version serverKeyAway.
const (
	withNames = 1 << iota // it has the secret that names come from
	keyMoved              // the key was here, and is still in files of the store
)

// counts are the iteration counts that were in force at some time, by hash, the
// oldest first. Accounts keep the count of their last password, so a name without
// an account must be able to have an old one too: else a change of the setting
// would tell who exists.
type counts map[byte][]uint32

// serverRecord is what is stored of the server's secrets. There are two: the key,
// of which tokens are made, and the one that names come from: salts of accounts
// that don't exist, and what devices are called. Where the key is in a file, the store
// has no more of it than what tells whether the file is still the same.
type serverRecord struct {
	key    secret // nil: it is in a file
	id     [keyIDLength]byte
	names  secret // nil: names come from the key, as they did where both were one
	moved  bool
	counts counts
}

// encode writes: version; then the key, or flags, the key's id, and the secret for names if
// there is one; then for each count the hash and the iterations (4 bytes, big endian).
func (r *serverRecord) encode() []byte {
	var b []byte
	if r.key != nil {
		b = append([]byte{serverKeyHere}, r.key...)
	} else {
		var flags byte
		if r.names != nil {
			flags |= withNames
		}
		if r.moved {
			flags |= keyMoved
		}
		b = append(append([]byte{serverKeyAway, flags}, r.id[:]...), r.names...)
	}
	for _, hash := range slices.Sorted(maps.Keys(r.counts)) {
		for _, n := range r.counts[hash] {
			b = binary.BigEndian.AppendUint32(append(b, hash), n)
		}
	}
	return b
}

var errServer = errors.New("auth: the record of the server's secrets is damaged or of a newer version")

// decodeServer reads what encode wrote. It keeps no reference to b.
func decodeServer(b []byte) (*serverRecord, error) {
	r := &serverRecord{counts: make(counts)}
	b = bytes.Clone(b)
	switch {
	case len(b) >= 1+secretLength && b[0] == serverKeyHere:
		r.key, b = b[1:1+secretLength:1+secretLength], b[1+secretLength:]
	case len(b) >= 2+keyIDLength && b[0] == serverKeyAway && b[1]&^(withNames|keyMoved) == 0:
		flags := b[1]
		r.moved = flags&keyMoved != 0
		b = b[2+copy(r.id[:], b[2:]):]
		if flags&withNames == 0 {
			break
		}
		if len(b) < secretLength {
			return nil, errServer
		}
		r.names, b = b[:secretLength:secretLength], b[secretLength:]
	default:
		return nil, errServer
	}
	if len(b)%5 != 0 {
		return nil, errServer
	}
	for ; len(b) > 0; b = b[5:] {
		r.counts[b[0]] = append(r.counts[b[0]], binary.BigEndian.Uint32(b[1:]))
	}
	return r, nil
}

// note adds a count unless it is known.
func (c counts) note(hash byte, iterations uint32) {
	if slices.Contains(c[hash], iterations) {
		return
	}
	c[hash] = append(c[hash], iterations)
	if over := len(c[hash]) - countsKept; over > 0 {
		c[hash] = slices.Delete(c[hash], 0, over)
	}
}

// loadSecrets reads the server's secrets, or makes them when the store is new, and
// notes the counts that are in force now.
func (s *Service) loadSecrets(ctx context.Context) error {
	table := storage.NewKeyVal(s.store, tableServer)
	var r *serverRecord
	b, err := table.Get(ctx, serverAccount)
	if err == nil {
		r, err = decodeServer(b)
	} else if errors.Is(err, storage.ErrNotFound) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("auth: the server's secrets: %w", err)
	}
	if s.opts.KeyFile == "" {
		r, err = s.keyInStore(r)
	} else {
		r, err = s.keyInFile(ctx, r)
	}
	if err != nil {
		return err
	}
	s.secret, s.counts = r.names, r.counts
	if s.secret == nil {
		s.secret = s.key
	}
	for _, a := range s.algorithms {
		s.counts.note(a.id, uint32(s.iterations(a)))
	}
	keep := func() error {
		now := r.encode()
		if bytes.Equal(now, b) {
			return nil
		}
		var batch storage.Batch
		table.Set(&batch, serverAccount, now)
		if err := s.commit(&batch); err != nil {
			return fmt.Errorf("auth: the server's secrets: %w", err)
		}
		b = now
		return nil
	}
	if err := keep(); err != nil || !r.moved {
		return err
	}
	if err := s.scrub(ctx, table.Table()); err != nil {
		return err
	}
	r.moved = false
	s.log.Info("the key of tokens was moved out of the store", "file", s.opts.KeyFile)
	return keep()
}

// keyInStore is for a service without a file for the key.
func (s *Service) keyInStore(r *serverRecord) (*serverRecord, error) {
	switch {
	case r == nil:
		r = &serverRecord{key: newSecret(), counts: make(counts)}
	case r.key == nil:
		return nil, errors.New("auth: the key of tokens is in a file, and none is named")
	}
	s.key = r.key
	return r, nil
}

// keyInFile reads the key from its file, makes one if there is none, and moves one
// there that is in the store. A kill at any point leaves what the next start goes on
// from: the file is durable before the store forgets the key, and devices are
// forgotten before the store takes notice of another key.
func (s *Service) keyInFile(ctx context.Context, r *serverRecord) (_ *serverRecord, err error) {
	file := keyFile(s.opts.KeyFile)
	if s.key, err = file.read(s.log); err != nil {
		return nil, err
	}
	if s.key == nil {
		if s.key = newSecret(); r != nil && r.key != nil {
			s.key = r.key
		}
		if err := file.write(s.key); err != nil {
			return nil, err
		}
	}
	id := keyID(s.key)
	switch {
	case r == nil:
		return &serverRecord{id: id, names: newSecret(), counts: make(counts)}, nil
	case r.key == nil && r.id == id:
		return r, nil
	case r.key != nil && subtle.ConstantTimeCompare(r.key, s.key) == 1:
		r.moved = true
	default: // it was lost, or another was put there
		if err := s.forgetDevices(ctx); err != nil {
			return nil, err
		}
		if r.names == nil {
			r.names = r.key // of no use for tokens any more, and names stay the same
		}
		if r.names == nil {
			r.names = newSecret()
		}
	}
	r.key, r.id = nil, id
	return r, nil
}

// keyID tells keys apart, and nothing else about them.
func keyID(key secret) (id [keyIDLength]byte) {
	copy(id[:], sha256Algorithm.hmac(key, []byte("weir key id\x00")))
	return id
}

// forgetDevices takes the devices of all accounts away: the key that their tokens
// were made of is gone.
func (s *Service) forgetDevices(ctx context.Context) error {
	n, last := 0, ""
	for {
		var b storage.Batch
		page := 0
		err := s.devices.Table().Accounts(ctx, s.store, last, func(account string) bool {
			last = account
			b.DeleteRange(storage.Key{Kind: storage.KindMap, Table: tableDevices, Account: account}, "")
			page++
			return page < accountsPage
		})
		if err == nil && page > 0 {
			err = s.commit(&b)
		}
		if err != nil {
			return fmt.Errorf("auth: the devices of a lost key: %w", err)
		}
		if n += page; page < accountsPage {
			s.log.Warn("the key of tokens is not the one from before: every device needs its password once", "file", s.opts.KeyFile, "accounts", n)
			return nil
		}
	}
}

// scrubber is a store that can take what was overwritten out of its files.
type scrubber interface {
	Scrub(ctx context.Context, t storage.Table) error
}

// scrub has the store's files forget what was overwritten in a table.
func (s *Service) scrub(ctx context.Context, t storage.Table) error {
	st, ok := s.store.(scrubber)
	if !ok {
		return nil
	}
	if err := st.Scrub(ctx, t); err != nil {
		return fmt.Errorf("auth: the key of tokens can't be taken out of the store's files: %w", err)
	}
	return nil
}

// falseKeys are what a name without an account has: a salt and a count that stay
// the same as an account's do, and a StoredKey that nothing fits.
func (s *Service) falseKeys(a *algorithm, name string) keys {
	m, ok := s.salts.Get().(hash.Hash)
	if !ok {
		m = hmac.New(sha256.New, s.secret)
	}
	m.Reset()
	_, _ = io.WriteString(m, a.name)
	_, _ = io.WriteString(m, "\x00")
	_, _ = io.WriteString(m, name)
	count := s.falseCount(a, name)
	_, _ = m.Write(binary.BigEndian.AppendUint32([]byte{0}, count)) // accounts with a new count have a new salt too
	salt := m.Sum(nil)
	s.salts.Put(m)
	return keys{hash: a.id, iterations: count, salt: salt[:saltLength], stored: a.none, server: a.none}
}

// falseCount gives each name one of the counts. A count that is added takes its
// share of the names, which looks as if they had set new passwords; all others
// keep what they had.
func (s *Service) falseCount(a *algorithm, name string) uint32 {
	own := s.counts[a.id]
	if len(own) < 2 {
		return uint32(s.iterations(a))
	}
	var best []byte
	var chosen uint32
	for _, n := range own {
		score := sha256Algorithm.hmac(s.secret, binary.BigEndian.AppendUint32([]byte{a.id}, n), []byte(name))
		if bytes.Compare(score, best) > 0 {
			best, chosen = score, n
		}
	}
	return chosen
}
