package performance

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// message is a chat message of 300 bytes for somebody.
func message(to string) []byte {
	head := "<message to='" + to + "' type='chat' id='abc123'><body>"
	tail := "</body><active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/></message>"
	return []byte(head + strings.Repeat("x", 300-len(head)-len(tail)) + tail)
}

// BenchmarkRelay measures the server's CPU time for a message from one client to
// another and back: 100 pairs with one message under way each, so that the server
// is busy and nothing can be batched, a single pair, where most of the time is
// sleeping and waking up, and 20 pairs with 32 under way each.
func BenchmarkRelay(b *testing.B) {
	for _, secure := range []bool{false, true} {
		for _, load := range []struct{ pairs, flying int }{{100, 1}, {1, 1}, {20, 32}} {
			b.Run(fmt.Sprintf("tls=%v/pairs=%d/flying=%d", secure, load.pairs, load.flying), func(b *testing.B) {
				relay(b, secure, load.pairs, load.flying)
			})
		}
	}
}

func relay(b *testing.B, secure bool, pairs, flying int) {
	s := startServer(b, "WEIR_PERFORMANCE_ARCHIVE=never")
	var wg sync.WaitGroup
	each := max(1, b.N/(2*pairs*flying)) // rounds of a pair: flying there, flying back
	type pair struct{ a, b *client }
	var all []pair
	for i := range pairs {
		all = append(all, pair{
			login(b, s, secure, fmt.Sprintf("user%d", 2*i), "x"),
			login(b, s, secure, fmt.Sprintf("user%d", 2*i+1), "x"),
		})
	}
	before := s.cpu()
	b.ResetTimer()
	for _, p := range all {
		there := []byte(strings.Repeat(string(message(p.b.jid)), flying))
		back := []byte(strings.Repeat(string(message(p.a.jid)), flying))
		wg.Go(func() {
			for range each {
				p.a.conn.Write(there)
				p.b.count(flying)
				p.b.conn.Write(back)
				p.a.count(flying)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	messages := float64(2 * each * flying * pairs)
	b.ReportMetric(float64((s.cpu()-before).Nanoseconds())/1000/messages, "server-cpu-µs/message")
}

// BenchmarkIdleSession measures the server's memory for a session that is logged
// in, available and idle, after a collection: what 2,000 more cost when 200 are
// there, so that code and tables that every server needs are not counted.
func BenchmarkIdleSession(b *testing.B) {
	for _, secure := range []bool{false, true} {
		b.Run(fmt.Sprintf("tls=%v", secure), func(b *testing.B) {
			const first, sessions = 200, 2000
			for b.Loop() {
				s := startServer(b)
				more := func(from, to int) memory {
					for i := from; i < to; i++ {
						login(b, s, secure, fmt.Sprintf("user%d", i%accounts), fmt.Sprint(i))
					}
					time.Sleep(4 * time.Second) // an idle connection lets go of its large stack after 2 s
					return s.memory()
				}
				before := more(0, first)
				after := more(first, first+sessions)
				b.ReportMetric(float64(after.live-before.live)/sessions/1024, "live-KiB/session")
				b.ReportMetric(float64(after.heap-before.heap)/sessions/1024, "heap-KiB/session")
				b.ReportMetric(float64(after.stack-before.stack)/sessions/1024, "stack-KiB/session")
				b.ReportMetric(float64(after.resident-before.resident)/sessions/1024, "resident-KiB/session")
			}
		})
	}
}
