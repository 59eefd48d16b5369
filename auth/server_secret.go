package auth

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
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

	serverVersion = 1
	secretLength  = 32 // in bytes
	// countsKept is how many iteration counts are remembered for each hash.
	countsKept = 8
)

// counts are the iteration counts that were in force at some time, by hash, the
// oldest first. Accounts keep the count of their last password, so a name without
// an account must be able to have an old one too: else a change of the setting
// would tell who exists.
type counts map[byte][]uint32

// encodeServer writes: version, secret, and for each count the hash and the
// iterations (4 bytes, big endian).
func encodeServer(secret []byte, all counts) []byte {
	b := append([]byte{serverVersion}, secret...)
	for _, hash := range slices.Sorted(maps.Keys(all)) {
		for _, n := range all[hash] {
			b = binary.BigEndian.AppendUint32(append(b, hash), n)
		}
	}
	return b
}

func decodeServer(b []byte) (secret, counts, error) {
	if len(b) < 1+secretLength || (len(b)-1-secretLength)%5 != 0 || b[0] != serverVersion {
		return nil, nil, errors.New("auth: the server's secret is damaged or of a newer version")
	}
	all := make(counts)
	for rest := b[1+secretLength:]; len(rest) > 0; rest = rest[5:] {
		all[rest[0]] = append(all[rest[0]], binary.BigEndian.Uint32(rest[1:]))
	}
	return secret(bytes.Clone(b[1 : 1+secretLength])), all, nil
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

// loadSecret reads the server's secret, or makes it when the store is new, and
// notes the counts that are in force now.
func (s *Service) loadSecret(ctx context.Context) error {
	table := storage.NewKeyVal(s.store, tableServer)
	b, err := table.Get(ctx, serverAccount)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		s.counts = make(counts)
		s.secret = make(secret, secretLength)
		_, _ = rand.Read(s.secret) // never fails (crypto/rand)
	case err == nil:
		s.secret, s.counts, err = decodeServer(b)
		if err != nil {
			return err
		}
	default:
		return fmt.Errorf("auth: the server's secret: %w", err)
	}
	for _, a := range s.algorithms {
		s.counts.note(a.id, uint32(s.iterations(a)))
	}
	now := encodeServer(s.secret, s.counts)
	if bytes.Equal(now, b) {
		return nil
	}
	var batch storage.Batch
	table.Set(&batch, serverAccount, now)
	if err := s.commit(&batch); err != nil {
		return fmt.Errorf("auth: the server's secret: %w", err)
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
	salt := m.Sum(nil)
	s.salts.Put(m)
	return keys{hash: a.id, iterations: s.falseCount(a, name), salt: salt[:saltLength], stored: a.none, server: a.none}
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
