package attacks

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/integration/testserver"
)

// TestSlowClients lets clients waste time, against a server whose times are
// short. What is checked is that the server ends them by itself, and how.
func TestSlowClients(t *testing.T) {
	h := open(t, limits{
		"WEIR_STREAM_LOGIN_TIMEOUT": "2s", "WEIR_STREAM_BIND_TIMEOUT": "2s", "WEIR_STREAM_CLOSE_TIMEOUT": "1s",
		"WEIR_STREAM_IDLE_TIMEOUT": "2s", "WEIR_STREAM_PING_TIMEOUT": "1s", "WEIR_NETWORK_HANDSHAKE_TIMEOUT": "1s",
	})
	for _, a := range []struct {
		name  string
		open  func(t *testing.T) *wire
		bytes string // sent again and again
		want  string // "" for an end without a word
	}{
		{"a header byte by byte", func(t *testing.T) *wire { return h.dial(t, testserver.Insecure) }, " ", "stream policy-violation|stream connection-timeout"},
		{"silence", func(t *testing.T) *wire { return h.dial(t, testserver.C2S) }, "", "stream policy-violation|stream connection-timeout"},
		// Openfire OF-1941: keep-alives keep nothing alive before login.
		{"white space before login", func(t *testing.T) *wire { return h.opened(t, testserver.Insecure) }, " ", "stream policy-violation|stream connection-timeout"},
		{"a long attribute", func(t *testing.T) *wire { return h.opened(t, testserver.Insecure).send("<auth mechanism='") }, "A", "stream policy-violation|stream connection-timeout"},
		{"an exchange without end", func(t *testing.T) *wire {
			w := h.opened(t, testserver.Insecure)
			w.begin(newExchange("attacker", "x"))
			return w
		}, " ", "stream policy-violation|stream connection-timeout"},
		{"no resource", func(t *testing.T) *wire { return h.authed(t, "attacker") }, " ", "stream policy-violation|stream connection-timeout"},
		{"no TLS handshake", func(t *testing.T) *wire {
			w := h.opened(t, testserver.C2S).send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
			w.find("<proceed")
			go w.read(w.conn)
			return w
		}, "", ""},
		{"half a TLS record", func(t *testing.T) *wire {
			w := h.dial(t, testserver.C2S) // a wire for its bytes, on the address of direct TLS
			w.cut()
			conn, err := net.Dial("tcp", h.server.Addr(testserver.Direct))
			if err != nil {
				t.Fatal(err)
			}
			w = &wire{t: t, conn: conn, news: make(chan struct{}, 1)}
			t.Cleanup(w.cut)
			go w.read(conn)
			return w.send("\x16\x03\x01\x40\x00")
		}, "\x01", ""},
		{"no answer to a ping", func(t *testing.T) *wire { return h.login(t, "attacker", "dead") }, "", "stream connection-timeout"},
	} {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			w := a.open(t)
			w.drip(a.bytes)
			w.ended()
			if a.want == "" {
				return
			}
			i := strings.Index(w.all(), "<stream:error>")
			if i < 0 {
				t.Fatalf("ended without a word\n%s", w.tail())
			}
			w.expect(firstPiece(w.all()[i:]), a.want)
		})
	}
	t.Run("white space is a sign of life", func(t *testing.T) { // RFC 6120 §4.6.1
		t.Parallel()
		w := h.login(t, "friend", "alive")
		for range 8 {
			time.Sleep(500 * time.Millisecond)
			w.send(" ")
		}
		w.sync()
	})
}

// drip sends bytes again and again until the connection ends.
func (w *wire) drip(bytes string) {
	if bytes == "" {
		return
	}
	for start := time.Now(); time.Since(start) < patience; time.Sleep(20 * time.Millisecond) {
		w.mu.Lock()
		over := w.over
		w.mu.Unlock()
		if over != nil || strings.Contains(w.all(), "</stream:stream>") {
			return
		}
		w.send(bytes)
	}
}

// TestConnectionsPerAddress opens more connections than one address may have.
func TestConnectionsPerAddress(t *testing.T) {
	h := open(t, limits{"WEIR_NETWORK_LIMIT_LOOPBACK": "true", "WEIR_NETWORK_MAX_PER_ADDR": "8",
		"WEIR_NETWORK_MAX_UNAUTH_PER_ADDR": "4", "WEIR_STREAM_LOGIN_TIMEOUT": "20s"})
	var waiting []*wire
	for range 4 {
		waiting = append(waiting, h.opened(t, testserver.Insecure))
	}
	for _, l := range []string{testserver.Insecure, testserver.C2S} {
		w := h.dial(t, l).send(header)
		w.ended()
		if strings.Contains(w.all(), "<stream:features") {
			t.Error("a fifth stranger was let in")
		}
	}
	for _, w := range waiting {
		w.authenticate("attacker") // who was in may go on
	}
	for range 3 { // with the watcher: eight
		h.opened(t, testserver.Insecure).authenticate("attacker")
	}
	w := h.dial(t, testserver.Insecure).send(header)
	w.ended()
	if strings.Contains(w.all(), "<stream:features") {
		t.Error("a ninth connection was let in")
	}
	waiting[0].send("</stream:stream>").ended()
	h.login(t, "victim", "room-again")
	h.watcher.served(t)
}

// TestFailedLogins guesses passwords on one connection after the other.
func TestFailedLogins(t *testing.T) {
	h := open(t, limits{"WEIR_AUTH_LIMIT_LOOPBACK": "true", "WEIR_AUTH_FAILURE_BURST": "6", "WEIR_AUTH_FAILURES_PER_ADDR": "0.5"})
	wrong, refused := 0, 0
	for range 10 {
		e := h.opened(t, testserver.Direct).auth("PLAIN", "\x00victim\x00wrong")
		switch verdict(t, e) {
		case "sasl not-authorized":
			wrong++
		case "sasl temporary-auth-failure", "stream policy-violation":
			refused++
		default:
			t.Errorf("a guess is answered by %s", e)
		}
	}
	if wrong != 6 || refused != 4 {
		t.Errorf("%d guesses were looked at and %d refused, not 6 and 4", wrong, refused)
	}
	// The right password tells nothing more while the door is closed.
	w := h.opened(t, testserver.Direct)
	w.expect(w.auth("PLAIN", "\x00victim\x00victim-password"), "sasl temporary-auth-failure|stream policy-violation")
	h.watcher.served(t)
}

// TestFloods sends more than the rates allow: the client is read more slowly,
// and nothing is dropped.
func TestFloods(t *testing.T) {
	h := open(t, limits{"WEIR_STREAM_STANZA_RATE": "500", "WEIR_STREAM_STANZA_BURST": "50", "WEIR_STREAM_BYTE_RATE": "200000", "WEIR_STREAM_BYTE_BURST": "50000"})
	h.run(t, "stanzas", func(t *testing.T, h *house) {
		v, w := h.online(t, "victim", "calm"), h.login(t, "attacker", "flood")
		const n = 600
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "<message to='victim@localhost/calm' id='f%d'><body>x</body></message>", i)
		}
		w.send(b.String())
		for i := range n {
			if e := v.next(); !strings.Contains(e, fmt.Sprintf("id='f%d'", i)) {
				t.Fatalf("message %d is %s", i, e)
			}
		}
		w.sync()
	})
	h.run(t, "bytes", func(t *testing.T, h *house) {
		v, w := h.online(t, "victim", "calm"), h.login(t, "attacker", "flood")
		for i := range 4 {
			w.send(fmt.Sprintf("<message to='victim@localhost/calm' id='b%d'><body>%s</body></message>", i, strings.Repeat("x", 60_000)))
		}
		for i := range 4 {
			if e := v.next(); !strings.Contains(e, fmt.Sprintf("id='b%d'", i)) {
				t.Fatalf("message %d is %.200s", i, e)
			}
		}
		w.sync()
	})
}

// TestNeverReading fills a client that reads nothing: it is ended, its sender
// and all others are served.
func TestNeverReading(t *testing.T) {
	h := open(t, limits{"WEIR_STREAM_STANZA_RATE": "0", "WEIR_STREAM_BYTE_RATE": "0", "WEIR_NETWORK_MAX_OUTPUT": "65536",
		"WEIR_NETWORK_STALL_TIMEOUT": "3s", "WEIR_STREAM_CLOSE_TIMEOUT": "1s"})
	conn, err := net.Dial("tcp", h.server.Addr(testserver.Insecure))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	v := &wire{t: t, conn: conn, news: make(chan struct{}, 1)}
	stop := make(chan struct{})
	go v.readUntil(conn, stop)
	v.reopen()
	v.authenticate("victim")
	v.bind("deaf")
	v.send("<presence/>").find("<presence")
	close(stop)
	v.send(" ")
	w := h.login(t, "attacker", "loud")
	before := h.rss(t)
	body := strings.Repeat("x", 10_000)
	for i := range 3000 {
		id := fmt.Sprintf("p%d", i)
		w.send("<message to='victim@localhost/deaf' type='headline'><body>" + body + "</body></message>" +
			"<iq type='get' id='" + id + "' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>").find("id='" + id + "'")
	}
	if after := h.rss(t); after > before+64<<20 {
		t.Errorf("memory grew from %d to %d KiB", before>>10, after>>10)
	}
	for start := time.Now(); strings.Contains(h.server.Run("session", "list", "--data", h.server.Dir), "victim@localhost/deaf"); {
		if time.Since(start) > patience {
			t.Fatal("the session of a client that reads nothing doesn't end")
		}
		time.Sleep(50 * time.Millisecond)
	}
	h.online(t, "victim", "deaf").sync()
	h.watcher.served(t)
}

// readUntil is read that ends when stop is closed.
func (w *wire) readUntil(c net.Conn, stop chan struct{}) {
	buf := make([]byte, 4096)
	for {
		select {
		case <-stop:
			return
		default:
		}
		n, err := c.Read(buf)
		w.mu.Lock()
		w.got = append(w.got, buf[:n]...)
		w.over = err
		w.mu.Unlock()
		select {
		case w.news <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// rss is the memory of the server's process in bytes.
func (h *house) rss(t *testing.T) int { return h.status(t, "VmRSS:") << 10 }

// status returns a number of /proc/PID/status.
func (h *house) status(t *testing.T, key string) int {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", h.server.PID()))
	if err != nil {
		t.Skipf("the memory of a process can't be seen on this system: %v", err)
	}
	defer f.Close()
	for in := bufio.NewScanner(f); in.Scan(); {
		if v, ok := strings.CutPrefix(in.Text(), key); ok {
			n, err := strconv.Atoi(strings.Fields(v)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %s in the status of the process", key)
	return 0
}
