package performance

import (
	"bytes"
	"fmt"
	"strconv"
	"sync"
	"testing"
)

// BenchmarkDurable measures the server's CPU time for a message that is archived
// for both sides, acknowledged to its sender when it is durable and acknowledged
// by its receiver: each of 64 senders has a number under way, and asks for an
// acknowledgement behind the last of them.
func BenchmarkDurable(b *testing.B) {
	for _, durability := range []string{"disk", "process"} {
		for _, flying := range []int{1, 8, 32} {
			b.Run(fmt.Sprintf("durability=%s/flying=%d", durability, flying), func(b *testing.B) {
				durable(b, durability, 64, flying)
			})
		}
	}
}

func durable(b *testing.B, durability string, senders, flying int) {
	s := startServer(b, "WEIR_PERFORMANCE_DURABILITY="+durability)
	var all []*client
	for i := range senders {
		c := login(b, s, false, fmt.Sprintf("user%d", i), "x")
		c.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
		c.until("<enabled ")
		c.until(">")
		all = append(all, c)
	}
	each := max(1, b.N/(senders*flying))
	var wg sync.WaitGroup
	before := s.cpu()
	b.ResetTimer()
	for i, c := range all {
		batch := append(bytes.Repeat(message(all[(i+1)%senders].jid), flying), "<r xmlns='urn:xmpp:sm:3'/>"...)
		wg.Go(func() { c.acknowledged(each, flying, batch) })
	}
	wg.Wait()
	b.StopTimer()
	messages := float64(each * flying * senders)
	b.ReportMetric(float64((s.cpu()-before).Nanoseconds())/1000/messages, "server-cpu-µs/message")
}

// acknowledged sends a batch so many times, each when the one before it has been
// acknowledged, and answers requests for acknowledgements; then it waits for as
// many messages of others.
func (c *client) acknowledged(rounds, flying int, batch []byte) {
	sent, handled, got := 0, 0, 0
	chunk := make([]byte, 64<<10)
	for handled < rounds*flying || got < rounds*flying {
		if handled == sent && sent < rounds*flying {
			if _, err := c.conn.Write(batch); err != nil {
				c.b.Error(err)
				return
			}
			sent += flying
		}
		n, err := c.conn.Read(chunk)
		if err != nil {
			c.b.Error(err)
			return
		}
		c.buf = append(c.buf, chunk[:n]...)
		asked := false
		for {
			end := bytes.IndexByte(c.buf, '>')
			if end < 0 {
				break
			}
			switch tag := c.buf[:end+1]; {
			case bytes.HasSuffix(tag, []byte("</message>")):
				got++
			case bytes.HasPrefix(tag, []byte("<r ")):
				asked = true
			case bytes.HasPrefix(tag, []byte("<a ")):
				h := tag[bytes.Index(tag, []byte("h='"))+3:]
				handled, _ = strconv.Atoi(string(h[:bytes.IndexByte(h, '\'')]))
			}
			c.buf = c.buf[end+1:]
		}
		if asked {
			if _, err := fmt.Fprintf(c.conn, "<a xmlns='urn:xmpp:sm:3' h='%d'/>", got); err != nil {
				c.b.Error(err)
				return
			}
		}
	}
}
