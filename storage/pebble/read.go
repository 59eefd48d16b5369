package pebble

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"weir/storage"

	"github.com/cockroachdb/pebble/v2"
)

// checkEach is after how many records a scan looks whether its context has ended.
const checkEach = 64

// read runs fn, which reads from the database, unless the store is closed. Reads
// go on after a failure as far as they can.
func (s *Store) read(ctx context.Context, fn func() error) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return storage.ErrClosed
	}
	s.reading++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.reading--
		if s.closing {
			s.idle.Broadcast()
		}
		s.mu.Unlock()
	}()
	err, panicked := guard(fn)
	switch {
	case err == nil, errors.Is(err, storage.ErrNotFound), errors.Is(err, context.Cause(ctx)):
		return err
	case panicked || pebble.IsCorruptionError(err):
		s.fail(fmt.Errorf("read: %w", err), panicked)
		return s.Err()
	}
	return fmt.Errorf("pebble: read from %s: %w", s.dir, err)
}

// Get implements storage.Store.
func (s *Store) Get(ctx context.Context, k storage.Key) (rec []byte, err error) {
	if err := checkKey(&k); err != nil {
		return nil, err
	}
	err = s.read(ctx, func() error {
		var buf [128]byte
		v, closer, err := s.db.Get(appendKey(buf[:0], &k))
		if errors.Is(err, pebble.ErrNotFound) {
			return storage.ErrNotFound
		}
		if err != nil {
			return err
		}
		rec = append(make([]byte, 0, len(v)), v...)
		return closer.Close()
	})
	return rec, err
}

// Scan implements storage.Store.
func (s *Store) Scan(ctx context.Context, k storage.Key, fn func(item string, value []byte) bool) error {
	if err := checkScanKey(k); err != nil {
		return err
	}
	prefix := appendPrefix(nil, &k)
	return s.iterate(ctx, appendKey(nil, &k), endOf(bytes.Clone(prefix)), (*pebble.Iterator).First, (*pebble.Iterator).Next,
		func(key, value []byte) bool { return fn(string(key[len(prefix):]), value) })
}

// ScanReverse implements storage.Store.
func (s *Store) ScanReverse(ctx context.Context, k storage.Key, fn func(item string, value []byte) bool) error {
	if err := checkScanKey(k); err != nil {
		return err
	}
	prefix := appendPrefix(nil, &k)
	upper := endOf(bytes.Clone(prefix))
	if k.Item != "" {
		upper = appendKey(nil, &k)
	}
	return s.iterate(ctx, prefix, upper, (*pebble.Iterator).Last, (*pebble.Iterator).Prev,
		func(key, value []byte) bool { return fn(string(key[len(prefix):]), value) })
}

// checkScanKey is checkKey for a key that only says where to begin.
func checkScanKey(k storage.Key) error {
	k.Item = ""
	return checkKey(&k)
}

// Accounts implements storage.Store.
func (s *Store) Accounts(ctx context.Context, kind storage.Kind, table, after string, fn func(account string) bool) error {
	k := storage.Key{Kind: kind, Table: table, Account: after}
	if err := checkKey(&k); err != nil {
		return err
	}
	prefix := appendTable(nil, kind, table)
	lower := prefix
	if after != "" {
		lower = endOf(appendPrefix(nil, &k))
	}
	var bad error
	var next []byte // the first key that is no longer the account's
	err := s.iterate(ctx, lower, endOf(bytes.Clone(prefix)), (*pebble.Iterator).First,
		func(it *pebble.Iterator) bool { return it.SeekGE(next) },
		func(key, _ []byte) bool {
			account, _, err := cutEscaped(key[len(prefix):])
			if err != nil {
				bad = err
				return false
			}
			next = endOf(appendEscaped(append(next[:0], prefix...), account))
			return fn(account)
		})
	return errors.Join(err, bad)
}

// iterate calls fn for the keys in [lower, upper), going from first by next.
func (s *Store) iterate(ctx context.Context, lower, upper []byte, first, next func(*pebble.Iterator) bool,
	fn func(key, value []byte) bool) error {
	var theirs any // a panic of fn, which is none of Pebble's
	err := s.read(ctx, func() (err error) {
		it, err := s.db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: lower, UpperBound: upper})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, it.Close()) }()
		n := 0
		for ok := first(it); ok; ok = next(it) {
			if n++; n%checkEach == 0 && ctx.Err() != nil {
				return context.Cause(ctx)
			}
			value, err := it.ValueAndErr()
			if err != nil {
				return err
			}
			more := false
			if theirs = try(func() { more = fn(it.Key(), value) }); theirs != nil || !more {
				return nil
			}
		}
		return it.Error()
	})
	if theirs != nil {
		panic(theirs)
	}
	return err
}

// try runs fn and returns what it panicked with.
func try(fn func()) (panicked any) {
	defer func() { panicked = recover() }()
	fn()
	return nil
}
