package c2s

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"weir/netserver"
)

// relay makes two bound clients on loopback sockets and takes what they are
// without their readers.
func relay(b *testing.B) (from, to net.Conn) {
	h := newHouse(b, func(u *setup) { u.o.ByteRate, u.o.StanzaRate = 0, 0 })
	juliet, romeo := h.dialTCP().bind("juliet", "balcony"), h.dialTCP().bind("romeo", "orchard")
	for _, c := range []*client{juliet, romeo} {
		c.sync()
		c.stall()
		must(b, c.conn.SetReadDeadline(noDeadline))
	}
	return juliet.conn, romeo.conn
}

// message300 is a message of 300 bytes with three children.
var message300 = func() string {
	x := "<message to='romeo@verona.lit/orchard' type='chat' id='0123456789'><body></body>" +
		"<active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/></message>"
	return strings.Replace(x, "<body>", "<body>"+strings.Repeat("x", 300-len(x)), 1)
}()

// BenchmarkRelay is one message at a time, and 32 at a time, from one bound
// client to another; client and server share the process.
func BenchmarkRelay(b *testing.B) {
	for _, bb := range []struct {
		name string
		at   int
	}{{"1", 1}, {"32", 32}} {
		b.Run(bb.name, func(b *testing.B) {
			from, to := relay(b)
			batch := []byte(strings.Repeat(message300, bb.at))
			buf := make([]byte, 64<<10)
			end := []byte("</message>")
			b.ReportAllocs()
			for n := 0; n < b.N; n += bb.at {
				if _, err := from.Write(batch); err != nil {
					b.Fatal(err)
				}
				for got, have := 0, 0; got < bb.at; {
					k, err := to.Read(buf[have:])
					if err != nil && err != io.EOF {
						b.Fatal(err)
					}
					have += k
					got = bytes.Count(buf[:have], end)
				}
			}
		})
	}
}

// BenchmarkData is what c2s, the scanner, stanza and sessionmgr do for one
// message, without sockets: fed by hand, and thrown away by the router.
func BenchmarkData(b *testing.B) {
	h := newHouse(b, func(u *setup) { u.o.ByteRate, u.o.StanzaRate = 0, 0 })
	h.dial().bind("juliet", "balcony").sync()
	s := h.link()
	x := []byte(strings.ReplaceAll(message300, "to='romeo@verona.lit/orchard'", "to='verona.lit' from='juliet@verona.lit/balcony'"))
	x = bytes.Replace(x, []byte("type='chat'"), []byte("type='error'"), 1)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		n, err := s.Data(s.conn, x)
		s.BatchEnd(s.conn)
		if n != len(x) || err != nil {
			b.Fatal(n, err)
		}
	}
}

// BenchmarkIdle is the memory of a bound client that does nothing, with all that
// belongs to it in all packages. The sockets' other ends are no part of it, but
// live in this process too: they are subtracted by a first round without streams.
func BenchmarkIdle(b *testing.B) {
	const n = 500
	var keep []net.Conn
	measure := func(f func()) float64 {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&before)
		f()
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&after)
		return float64(after.HeapAlloc+after.StackInuse-before.HeapAlloc-before.StackInuse) / n
	}
	for range b.N {
		h := newHouse(b, func(u *setup) { u.sm.MaxSessions = n })
		a, err := h.net.Listen(netserver.Listen{Addr: "127.0.0.1:0", New: h.Accept(h.lis)})
		must(b, err)
		bytes := measure(func() {
			for range n {
				conn, err := net.Dial("tcp", a.String())
				must(b, err)
				keep = append(keep, conn)
				loginQuietly(b, conn)
			}
		})
		b.ReportMetric(bytes, "B/session")
		for _, c := range keep {
			c.Close()
		}
		keep = nil
	}
}

// loginQuietly logs in and binds without a client's bookkeeping.
func loginQuietly(b *testing.B, conn net.Conn) {
	buf := make([]byte, 4096)
	for _, step := range [][2]string{
		{headerVerona, endFeatures}, {plain("juliet", password), "</success>"}, {headerVerona, endFeatures},
		{"<iq type='set' id='b'><bind xmlns='" + nsBind + "'/></iq>", "</iq>"},
	} {
		_, err := io.WriteString(conn, step[0])
		must(b, err)
		for have := 0; !bytes.Contains(buf[:have], []byte(step[1])); {
			k, err := conn.Read(buf[have:])
			must(b, err)
			have += k
		}
	}
}

// BenchmarkLoginByToken measures everything between accept and a bound session, but
// for TLS: header, token, binding. The client's part is in it.
func BenchmarkLoginByToken(b *testing.B) {
	h := newHouse(b)
	c := h.dial()
	c.open()
	c.send(plain2("juliet", theAgent+"<request-token xmlns='"+nsFast+"' mechanism='HT-SHA-256-NONE'/>"))
	_, rest, _ := strings.Cut(c.expect("</success>"), " token='")
	token, _, _ := strings.Cut(rest, "'")
	m := hmac.New(sha256.New, []byte(token))
	m.Write([]byte("Initiator"))
	login := headerVerona + authenticate("HT-SHA-256-NONE", b64("juliet\x00"+string(m.Sum(nil))), theAgent+"<fast xmlns='"+nsFast+"'/>"+bind2)
	b.ReportAllocs()
	for b.Loop() {
		c := h.dial()
		c.send(login)
		c.expect("</success>")
		c.conn.Close()
		<-c.done
	}
}
