package performance

import (
	"fmt"
	"io"
	"net"
	"strings"
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
// back at once: each logs in, resumes and has its message again. What is reported is of
// one restart, whatever b.N is.
func BenchmarkRestart(b *testing.B) {
	data := b.TempDir()
	s := startOn(b, data, fmt.Sprintf("WEIR_PERFORMANCE_ACCOUNTS=%d", crowd))
	all := make([]*sleeper, crowd)
	together(b, crowd, func(i int) error { all[i] = newSleeper(b, s, i); return nil })
	if err := s.cmd.Process.Kill(); err != nil {
		b.Fatal(err)
	}
	s.cmd.Wait()
	for _, c := range all {
		c.conn.Close()
	}

	began := time.Now()
	s = startOn(b, data, "WEIR_PERFORMANCE_ACCOUNTS=0")
	ready, cost := time.Since(began), s.cpu()
	resident := s.memory().resident
	cost2 := s.cpu()
	began = time.Now()
	b.ResetTimer()
	var longest atomic.Int64
	together(b, crowd, func(i int) error {
		one := time.Now()
		err := all[i].resume(s)
		for took := int64(time.Since(one)); ; {
			if was := longest.Load(); took <= was || longest.CompareAndSwap(was, took) {
				return err
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(ready.Seconds()*1000, "ms-to-listen")
	b.ReportMetric(cost.Seconds()*1e6/crowd, "server-cpu-µs/session-restored")
	b.ReportMetric(float64(resident)/1024/crowd, "resident-KiB/session")
	b.ReportMetric((s.cpu()-cost2).Seconds()*1e6/crowd, "server-cpu-µs/return")
	b.ReportMetric(time.Since(began).Seconds(), "s-until-all-are-back")
	b.ReportMetric(time.Duration(longest.Load()).Seconds()*1000, "ms-longest-return")
}

// together calls fn for 0 to n-1, 64 at a time.
func together(b *testing.B, n int, fn func(i int) error) {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && !b.Failed(); i = int(next.Add(1)) - 1 {
				if err := fn(i); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if b.Failed() {
		b.FailNow()
	}
}

// sleeper is a client whose session may be resumed.
type sleeper struct {
	*client
	user, id string
}

func newSleeper(b *testing.B, s *server, i int) *sleeper {
	c := &sleeper{user: fmt.Sprintf("user%d", i)}
	c.client = login(b, s, false, c.user, "x")
	c.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
	enabled := c.text("/>")
	_, rest, _ := strings.Cut(enabled, " id='")
	c.id, _, _ = strings.Cut(rest, "'")
	c.send("%s", message(c.jid))
	c.until("</message>")
	return c
}

// resume comes back to another process.
func (c *sleeper) resume(s *server) error {
	var err error
	if c.conn, err = net.Dial("tcp", s.addrs["c2s-insecure"]); err != nil {
		return err
	}
	c.conn.SetDeadline(time.Now().Add(time.Minute))
	c.buf = c.buf[:0]
	plain := sasl2("PLAIN", "\x00"+c.user+"\x00password", "<resume xmlns='urn:xmpp:sm:3' h='0' previd='"+c.id+"'/>")
	if _, err := io.WriteString(c.conn, plain); err != nil {
		return err
	}
	c.until("<resumed ")
	c.until("</message>")
	return nil
}
