package auth

import (
	"context"
	"sync"
	"testing"

	"weir/jid"
	"weir/storage"
	"weir/storage/pebble"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a store on a file system in memory, with counters and faults.
type memory struct {
	storage.Store

	mu      sync.Mutex
	gets    int
	commits int
	fail    error // what every call returns
	gone    error // what Err returns
	scrubs  int
	// What a commit or a scrub comes to instead; nil: itself.
	onCommit, onScrub func() error
}

func newMemory(t testing.TB) *memory {
	t.Helper()
	st, err := pebble.Open(pebble.Options{Dir: "store", FS: vfs.NewMem(), Durability: pebble.Process})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return &memory{Store: st}
}

func (m *memory) set(fail, gone error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail, m.gone = fail, gone
}

func (m *memory) Get(ctx context.Context, k storage.Key) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gets++
	if m.fail != nil {
		return nil, m.fail
	}
	return m.Store.Get(ctx, k)
}

func (m *memory) Commit(b *storage.Batch, done func(error)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.commits++
	if m.onCommit != nil {
		err := m.onCommit()
		go done(err)
		return
	}
	if m.fail != nil {
		go done(m.fail)
		return
	}
	m.Store.Commit(b, done)
}

func (m *memory) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone != nil {
		return m.gone
	}
	return m.Store.Err()
}

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
	st := newMemory(t)
	s, err := New(t.Context(), o, st)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), juliet(), password); err != nil {
		t.Fatal(err)
	}
	return s, st
}
