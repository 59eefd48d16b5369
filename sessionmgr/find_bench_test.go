package sessionmgr

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"

	"weir/jid"
	"weir/storage/pebble"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// crowd is how many sessions the benchmarks of finding have.
const crowd = 100_000

// newCrowd makes a manager with many sessions of accounts of their own, without
// links.
func newCrowd(b *testing.B) (m *Manager, all []*Session) {
	b.Helper()
	st, err := pebble.Open(pebble.Options{FS: vfs.NewMem(), Dir: "data"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	if m, err = New(Options{Domains: []string{"verona.lit"}}, st, people{}); err != nil {
		b.Fatal(err)
	}
	shared := m.share(LinkInfo{Transport: "tcp"})
	for i := range crowd {
		full := jid.MustParse(fmt.Sprintf("user%d@verona.lit/balcony", i))
		s := &Session{m: m, id: randomName(), created: time.Now().UnixNano(), traits: shared, host: "verona.lit", full: full, state: Bound}
		m.registry.add(s)
		m.registry.insert(full.Bare(), s)
		all = append(all, s)
	}
	return m, all
}

func BenchmarkFind(b *testing.B) {
	m, all := newCrowd(b)
	ids, jids := make([]string, len(all)), make([]jid.JID, len(all))
	for i, s := range all {
		ids[i], jids[i] = s.id, s.full
	}
	at := 0
	next := func() int { at = (at + 7919) % crowd; return at }
	b.Run("Get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.Get(ids[next()])
		}
	})
	// What is asked for is in no cache either, as it isn't when the benchmark comes to it:
	// this is what that costs, without a look-up.
	b.Run("Address", func(b *testing.B) {
		n := byte(0)
		for b.Loop() {
			name := jids[next()].String()
			n += name[0] + name[len(name)-1]
		}
		runtime.KeepAlive(n)
	})
	b.Run("ByJID", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.ByJID(jids[next()])
		}
	})
	b.Run("ByAccount", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.ByAccount(jids[next()].Bare())
		}
	})
	b.Run("Primary", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.Primary(jids[next()].Bare(), Oldest)
		}
	})
}

// BenchmarkWalk counts and lists all sessions. most-µs is the longest that
// others had to wait for anything: a shard's lock when sessions are collected,
// the pipeline's token when they are described; typical-µs is the median of those.
func BenchmarkWalk(b *testing.B) {
	m, all := newCrowd(b)
	report := func(b *testing.B, took []time.Duration) {
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)-1].Nanoseconds())/1e3, "most-µs")
		b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e3, "typical-µs")
	}
	b.Run("Count", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if n := m.Count(Filter{Phase: PhaseBound, Host: "verona.lit"}); n != crowd {
				b.Fatal(n)
			}
		}
	})
	b.Run("Shards", func(b *testing.B) {
		var took []time.Duration
		room := make([]*Session, 0, crowd)
		for b.Loop() {
			for i := range m.registry.shards {
				began := time.Now()
				m.registry.shards[i].list(room)
				took = append(took, time.Since(began))
			}
		}
		report(b, took)
	})
	b.Run("Describe", func(b *testing.B) {
		var took []time.Duration
		for b.Loop() {
			for i := 0; i < crowd; i += describeAtOnce {
				some := all[i : i+describeAtOnce]
				descriptions := make([]Description, len(some))
				for k, s := range some {
					descriptions[k] = s.describe()
				}
				m.inOrder(func() {
					began := time.Now()
					for k, s := range some {
						descriptions[k].Acks = s.describeAcks(&descriptions[k])
					}
					took = append(took, time.Since(began))
				})
			}
		}
		report(b, took)
	})
	one, err := NewKey[string](m, "bench.one", KeyOptions{})
	if err != nil {
		b.Fatal(err)
	}
	two, err := NewKey[int](m, "bench.two", KeyOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Size", func(b *testing.B) {
		for b.Loop() {
		}
		b.ReportMetric(float64(unsafe.Sizeof(Session{})), "session-B")
		for _, s := range all {
			s.attributes.Store(nil) // of a run before
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for _, s := range all {
			if err := errors.Join(one.Set(s, "x"), two.Set(s, 1)); err != nil {
				b.Fatal(err)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/crowd, "attributes-B")
	})
}
