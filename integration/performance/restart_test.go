package performance

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// crowd is how many sessions a restart has to bring back.
const crowd = 8_000

// BenchmarkRestart kills a server that has 8,000 sessions, each of an account of its
// own, available, with an unread message. It measures how long the next process takes
// until it listens, what that costs it, and then what it costs when all of them come
// back at once: each logs in by a token, resumes and has its message again. What is
// reported is of one restart, whatever b.N is.
func BenchmarkRestart(b *testing.B) {
	data := b.TempDir()
	s := startOn(b, data, fmt.Sprintf("WEIR_PERFORMANCE_ACCOUNTS=%d", crowd))
	all := make([]*device, crowd)
	for i := range all {
		all[i] = newDevice(b, s, fmt.Sprintf("user%d", i), true, 1)
		all[i].send("<presence/>")
		all[i].until("<presence ")
	}
	if err := s.cmd.Process.Kill(); err != nil {
		b.Fatal(err)
	}
	s.cmd.Wait()

	began := time.Now()
	s = startOn(b, data, "WEIR_PERFORMANCE_ACCOUNTS=0")
	ready, cost := time.Since(began), s.cpu()
	resident := s.memory().resident
	before := s.cpu() // what was asked costs too
	began = time.Now()
	b.ResetTimer()
	longest := allBack(b, s, all)
	b.StopTimer()
	b.ReportMetric(ready.Seconds()*1000, "ms-to-listen")
	b.ReportMetric(cost.Seconds()*1e6/crowd, "server-cpu-µs/session-restored")
	b.ReportMetric(float64(resident)/1024/crowd, "resident-KiB/session")
	b.ReportMetric((s.cpu()-before).Seconds()*1e6/crowd, "server-cpu-µs/return")
	b.ReportMetric(time.Since(began).Seconds(), "s-until-all-are-back")
	b.ReportMetric(longest.Seconds()*1000, "ms-longest-return")
}

// allBack has devices come back to a server, 64 at a time, and returns what the slowest
// of them took.
func allBack(b *testing.B, s *server, all []*device) time.Duration {
	b.Helper()
	const workers = 64
	var longest [workers]time.Duration
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range longest {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(all); i = int(next.Add(1)) - 1 {
				all[i].s = s
				began := time.Now()
				if err := all[i].reconnect(); err != nil {
					b.Error(err)
					return
				}
				longest[w] = max(longest[w], time.Since(began))
			}
		})
	}
	wg.Wait()
	return slices.Max(longest[:])
}
