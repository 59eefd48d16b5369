package pebble

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"weir/storage"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// cpu returns the CPU time of this process.
func cpu(b *testing.B) time.Duration {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		b.Fatal(err)
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

// BenchmarkCommit commits messages of 350 bytes with two index entries each,
// so many at a time: the figures of docs/performance.md.
func BenchmarkCommit(b *testing.B) {
	for _, d := range []Durability{Disk, Process} {
		for _, writers := range []int{1, 10, 64, 100, 1000} {
			for _, depth := range []int{1, groupsUnderWay} {
				b.Run(fmt.Sprintf("%s/writers=%d/stages=%d", d, writers, depth), func(b *testing.B) {
					st := open(b, Options{Dir: b.TempDir(), Durability: d})
					st.depth = depth
					benchCommit(b, st, writers)
					if err := st.Close(); err != nil {
						b.Fatal(err)
					}
				})
			}
		}
	}
}

func benchCommit(b *testing.B, st *Store, writers int) {
	b.ReportAllocs()
	l, byID, byPeer := storage.NewLog(st, "log"), storage.NewMap(st, "by-id"), storage.NewMap(st, "by-peer")
	msg := bytes.Repeat([]byte("<message>0123456789abcdefghi</message>"), 10)[:350]
	var next atomic.Int64
	var wg sync.WaitGroup
	wg.Add(writers)
	before := cpu(b)
	start := time.Now()
	for w := range writers {
		account := fmt.Sprintf("user%d@example.com", w)
		batch := new(storage.Batch)
		var done func(error)
		send := func() bool {
			n := next.Add(1)
			if n > int64(b.N) {
				return false
			}
			batch.Reset()
			id := uint64(n)
			l.Append(batch, account, id, msg)
			byID.Put(batch, account, storage.LogItem(id*0x9E3779B97F4A7C15), nil)
			byPeer.Put(batch, account, "peer@example.com"+storage.LogItem(id), nil)
			st.Commit(batch, done)
			return true
		}
		done = func(err error) {
			if err != nil {
				b.Error(err)
			}
			if err != nil || !send() {
				wg.Done()
			}
		}
		if !send() {
			wg.Done()
		}
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/msg")
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "msg/s")
}

// BenchmarkOpen opens a store that was closed with records in its log.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	for range b.N {
		st := open(b, Options{Dir: dir})
		b.StopTimer()
		if err := st.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkRead reads from a store of 100,000 messages.
func BenchmarkRead(b *testing.B) {
	st := open(b, Options{Dir: "/store", FS: vfs.NewMem()})
	defer st.Close()
	l, kv := storage.NewLog(st, "log"), storage.NewKeyVal(st, "roster")
	for u := range 100 {
		var batch storage.Batch
		account := fmt.Sprintf("user%d@example.com", u)
		kv.Set(&batch, account, make([]byte, 4000))
		for i := range uint64(1000) {
			l.Append(&batch, account, i<<20|1<<60, make([]byte, 350))
		}
		if err := storage.Commit(b.Context(), st, &batch); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			if _, err := kv.Get(b.Context(), fmt.Sprintf("user%d@example.com", i%100)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("page of 50", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			n := 0
			if err := l.Scan(b.Context(), fmt.Sprintf("user%d@example.com", i%100), 500<<20|1<<60,
				func(uint64, []byte) bool { n++; return n < 50 }); err != nil || n != 50 {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("last", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			if _, _, err := l.Last(b.Context(), fmt.Sprintf("user%d@example.com", i%100)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// resident returns the most memory that this process had resident, in MiB.
func resident(b *testing.B) float64 {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		b.Fatal(err)
	}
	return float64(ru.Maxrss) / 1024
}
