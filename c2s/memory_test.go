package c2s

import (
	"context"
	"slices"
	"strings"
	"sync"

	"weir/storage"
)

// memory is a store without a disk: enough for streams, and nothing in it waits
// for real time.
type memory struct {
	mu     sync.Mutex
	m      map[storage.Key][]byte
	todo   chan func()
	closed sync.Once
	end    chan struct{}
}

func newMemory() *memory {
	s := &memory{m: map[storage.Key][]byte{}, todo: make(chan func(), 4096), end: make(chan struct{})}
	go func() {
		defer close(s.end)
		for f := range s.todo {
			f()
		}
	}()
	return s
}

func (s *memory) Get(_ context.Context, k storage.Key) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.m[k]
	if !ok {
		return nil, storage.ErrNotFound
	}
	return slices.Clone(v), nil
}

func (s *memory) keys(keep func(storage.Key) bool) []storage.Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []storage.Key
	for k := range s.m {
		if keep(k) {
			all = append(all, k)
		}
	}
	slices.SortFunc(all, func(a, b storage.Key) int {
		return strings.Compare(a.Account+"\x00"+a.Item, b.Account+"\x00"+b.Item)
	})
	return all
}

func sameList(a, b storage.Key) bool {
	return a.Kind == b.Kind && a.Table == b.Table && a.Account == b.Account
}

func (s *memory) walk(keys []storage.Key, fn func(string, []byte) bool) error {
	for _, k := range keys {
		s.mu.Lock()
		v := s.m[k]
		s.mu.Unlock()
		if !fn(k.Item, v) {
			break
		}
	}
	return nil
}

func (s *memory) Scan(_ context.Context, k storage.Key, fn func(string, []byte) bool) error {
	return s.walk(s.keys(func(x storage.Key) bool { return sameList(x, k) && x.Item >= k.Item }), fn)
}

func (s *memory) ScanReverse(_ context.Context, k storage.Key, fn func(string, []byte) bool) error {
	all := s.keys(func(x storage.Key) bool { return sameList(x, k) && (k.Item == "" || x.Item < k.Item) })
	slices.Reverse(all)
	return s.walk(all, fn)
}

func (s *memory) Accounts(_ context.Context, kind storage.Kind, table, after string, fn func(string) bool) error {
	all := s.keys(func(x storage.Key) bool { return x.Kind == kind && x.Table == table && x.Account > after })
	last := ""
	for _, k := range all {
		if k.Account == last {
			continue
		}
		if last = k.Account; !fn(last) {
			break
		}
	}
	return nil
}

func (s *memory) Commit(b *storage.Batch, done func(error)) {
	s.todo <- func() {
		s.mu.Lock()
		for _, op := range b.Ops {
			switch {
			case op.Range:
				for k := range s.m {
					if sameList(k, op.Key) && k.Item >= op.Key.Item && (op.Until == "" || k.Item < op.Until) {
						delete(s.m, k)
					}
				}
			case op.Value == nil:
				delete(s.m, op.Key)
			default:
				s.m[op.Key] = slices.Clone(op.Value)
			}
		}
		s.mu.Unlock()
		done(nil)
	}
}

func (s *memory) Err() error { return nil }

func (s *memory) Close() error {
	s.closed.Do(func() { close(s.todo) })
	<-s.end
	return nil
}
