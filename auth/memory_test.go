package auth

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"weir/jid"
	"weir/storage"
)

// memory is a Store in a map, with counters and faults.
type memory struct {
	mu      sync.Mutex
	records map[storage.Key][]byte
	gets    int
	commits int
	fail    error // what every call returns
	gone    error // what Err returns
}

func newMemory() *memory { return &memory{records: make(map[storage.Key][]byte)} }

func (m *memory) set(fail, gone error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail, m.gone = fail, gone
}

func (m *memory) Get(_ context.Context, k storage.Key) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gets++
	if m.fail != nil {
		return nil, m.fail
	}
	b, ok := m.records[k]
	if !ok {
		return nil, storage.ErrNotFound
	}
	return slices.Clone(b), nil
}

func (m *memory) Scan(_ context.Context, k storage.Key, fn func(string, []byte) bool) error {
	m.mu.Lock()
	if m.fail != nil {
		defer m.mu.Unlock()
		return m.fail
	}
	all := maps.Clone(m.records)
	m.mu.Unlock()
	keys := slices.SortedFunc(maps.Keys(all), func(a, b storage.Key) int { return strings.Compare(a.Item, b.Item) })
	for _, key := range keys {
		same := key.Kind == k.Kind && key.Table == k.Table && key.Account == k.Account
		if same && key.Item >= k.Item && !fn(key.Item, all[key]) {
			break
		}
	}
	return nil
}

func (m *memory) ScanReverse(context.Context, storage.Key, func(string, []byte) bool) error {
	return errors.ErrUnsupported
}

func (m *memory) Accounts(context.Context, storage.Kind, string, string, func(string) bool) error {
	return errors.ErrUnsupported
}

func (m *memory) Commit(b *storage.Batch, done func(error)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.commits++
	err := m.fail
	if err == nil {
		for _, op := range b.Ops {
			if op.Value == nil {
				delete(m.records, op.Key)
			} else {
				m.records[op.Key] = slices.Clone(op.Value)
			}
		}
	}
	go done(err)
}

func (m *memory) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.gone
}

func (m *memory) Close() error { return nil }

const (
	domain   = "example.net"
	password = "r0m30myr0m30"
)

func juliet() jid.JID { return jid.MustParse("juliet@" + domain) }

// cheap are options that keep tests fast.
func cheap() Options {
	o := DefaultOptions()
	o.Iterations, o.SHA1Iterations = minIterations, minIterations
	return o
}

// newService makes a service on a memory store with one account, juliet.
func newService(t testing.TB, o Options) (*Service, *memory) {
	t.Helper()
	st := newMemory()
	s, err := New(t.Context(), o, st)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), juliet(), password); err != nil {
		t.Fatal(err)
	}
	return s, st
}
