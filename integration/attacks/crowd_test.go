package attacks

import (
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"weir/integration/testserver"
)

// Bounds of the server's memory, as told in docs: what one connection costs that
// has not logged in, and what a crowd that left may leave behind.
const (
	perStranger = 32 << 10
	leftBehind  = 24 << 20
)

// TestHalfOpen lets two thousand strangers stay in the middle of a login.
func TestHalfOpen(t *testing.T) {
	const strangers = 2000
	h := open(t, limits{"WEIR_STREAM_LOGIN_TIMEOUT": "2m"})
	before := h.rss(t)
	var all []net.Conn
	t.Cleanup(func() {
		for _, c := range all {
			_ = c.Close()
		}
	})
	for i := range strangers {
		conn, err := net.Dial("tcp", h.server.Addr(testserver.Insecure))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, conn)
		begin := []string{"", "<", header, header + "<auth mechanism='", header + "<message>" + strings.Repeat("x", 4000)}[i%5]
		if _, err := conn.Write([]byte(begin)); err != nil {
			t.Fatal(err)
		}
	}
	h.watcher.served(t)
	h.login(t, "victim", "through").sync()
	if after := h.rss(t); after > before+strangers*perStranger {
		t.Errorf("%d strangers cost %d KiB, %d each", strangers, (after-before)>>10, (after-before)/strangers)
	} else {
		t.Logf("%d strangers cost %d KiB, %d bytes each", strangers, (after-before)>>10, (after-before)/strangers)
	}
	if n := h.status(t, "Threads:"); n > 100 {
		t.Errorf("the server has %d threads", n)
	}
}

// TestGarbage makes ten thousand connections, one after the other, that send
// rubbish and are cut or ended. Nothing of them may stay.
func TestGarbage(t *testing.T) {
	const connections = 10_000
	h := open(t, nil)
	r := rand.New(rand.NewPCG(1, 2))
	rubbish := func() []byte {
		switch r.IntN(4) {
		case 0:
			return []byte(header + "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>")
		case 1:
			return []byte(header + inStream[r.IntN(len(inStream))].bytes)
		case 2:
			return []byte(header[:r.IntN(len(header))])
		}
		b := make([]byte, r.IntN(2000))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	round := func(n int) int {
		buf := make([]byte, 4096)
		for range n {
			conn, err := net.Dial("tcp", h.server.Addr([]string{testserver.Insecure, testserver.C2S, testserver.Direct}[r.IntN(3)]))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = conn.Write(rubbish()) // it may be ended already
			if r.IntN(8) == 0 {
				_ = conn.SetReadDeadline(time.Now().Add(time.Millisecond))
				_, _ = conn.Read(buf[:1+r.IntN(300)])
			}
			if r.IntN(2) == 0 {
				_ = conn.(*net.TCPConn).SetLinger(0)
			}
			_ = conn.Close()
		}
		h.watcher.served(t)
		return h.rss(t)
	}
	warm := round(connections / 5)
	after := round(connections - connections/5)
	if after > warm+leftBehind {
		t.Errorf("%d connections left %d KiB behind", connections, (after-warm)>>10)
	}
	t.Logf("%d KiB after a fifth of the connections, %d KiB after all", warm>>10, after>>10)
	if list := h.server.Run("session", "list", "--json", "--data", h.server.Dir); strings.Count(list, "\"id\"") > 50 {
		t.Errorf("sessions stayed: %.2000s", list)
	}
}
