package netserver

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// ticketHouse is a server with tickets for several names; which certificate each
// has can be changed.
type ticketHouse struct {
	t     *testing.T
	rec   *recorder
	srv   *Server
	addr  string
	roots *x509.CertPool

	mu    sync.Mutex
	certs map[string]*tls.Certificate // guarded by mu; "" for any other
}

func newTicketHouse(t *testing.T, tickets *Tickets, change ...func(*tls.Config)) *ticketHouse {
	t.Helper()
	h := &ticketHouse{t: t, rec: newRecorder(), roots: x509.NewCertPool(), certs: map[string]*tls.Certificate{}}
	h.rec.onData = echoLines
	h.rec.conn, h.rec.closed = make(chan *Conn, 100), make(chan error, 100)
	for _, name := range []string{"a.example", "b.example"} {
		h.renew(name)
	}
	cfg := TLSConfig(func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if c := h.certs[hello.ServerName]; c != nil {
			return c, nil
		}
		return h.certs["a.example"], nil
	}, true)
	for _, c := range change {
		c(cfg)
	}
	h.srv = testServer(t, Options{Tickets: tickets})
	addr, err := h.srv.Listen(Listen{Addr: "127.0.0.1:0", TLS: cfg, New: h.rec.New})
	must(t, err)
	h.addr = addr.String()
	return h
}

// renew gives a name a new certificate.
func (h *ticketHouse) renew(name string) {
	h.t.Helper()
	c, err := selfSigned(name, time.Now())
	must(h.t, err)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.certs[name] = c
	h.roots.AddCert(c.Leaf)
}

// visit connects as a client with a cache, sees that bytes go both ways and that
// both sides mean the same channel, and returns whether a session was resumed.
func (h *ticketHouse) visit(name string, cache tls.ClientSessionCache, change ...func(*tls.Config)) bool {
	h.t.Helper()
	cfg := &tls.Config{RootCAs: h.roots, ServerName: name, ClientSessionCache: cache, NextProtos: []string{ALPN}}
	for _, c := range change {
		c(cfg)
	}
	c, err := tls.Dial("tcp", h.addr, cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	defer c.Close()
	conn := <-h.rec.conn
	k := &link{t: h.t, peer: c}
	k.send("hello\n")
	k.expect("hello\n") // and with it came the ticket
	mine, its := c.ConnectionState(), conn.TLS()
	if mine.DidResume != its.DidResume {
		h.t.Errorf("resumed: client %v, server %v", mine.DidResume, its.DidResume)
	}
	a, err := mine.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	must(h.t, err)
	b, err := its.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	must(h.t, err)
	if !bytes.Equal(a, b) {
		h.t.Error("the exporters differ")
	}
	if !cfg.InsecureSkipVerify || len(mine.PeerCertificates) > 0 {
		if !bytes.Equal(conn.Certificate().Certificate[0], mine.PeerCertificates[0].Raw) {
			h.t.Error("the certificate isn't the one that the client knows")
		}
	}
	return mine.DidResume
}

func newCache() tls.ClientSessionCache { return tls.NewLRUClientSessionCache(8) }

func tlsVersion(v uint16) func(*tls.Config) {
	return func(c *tls.Config) { c.MinVersion, c.MaxVersion = v, v }
}

func TestTicketResumes(t *testing.T) {
	h := newTicketHouse(t, NewTickets(TicketOptions{}))
	cache := newCache()
	for i, want := range []bool{false, true, true} {
		if h.visit("a.example", cache) != want {
			t.Errorf("visit %d: resumed: %v", i, !want)
		}
	}
	if h.visit("a.example", newCache()) {
		t.Error("resumed without a ticket")
	}
}

func TestTicketsOff(t *testing.T) {
	for name, h := range map[string]*ticketHouse{
		"no keys":         newTicketHouse(t, nil),
		"TLS 1.2 at most": newTicketHouse(t, NewTickets(TicketOptions{}), func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }),
	} {
		cache := newCache()
		for range 2 {
			if h.visit("a.example", cache) {
				t.Error(name, ": resumed")
			}
		}
	}
	h := newTicketHouse(t, NewTickets(TicketOptions{}))
	cache := newCache()
	for range 2 {
		if h.visit("a.example", cache, tlsVersion(tls.VersionTLS12)) {
			t.Error("a session of TLS 1.2 was resumed")
		}
	}
	h.visit("b.example", cache)
	if !h.visit("b.example", cache) {
		t.Error("TLS 1.3 isn't resumed: the test proves nothing")
	}
}

// A session is resumed only with the certificate that it began with.
func TestTicketEndsWithCertificate(t *testing.T) {
	h := newTicketHouse(t, NewTickets(TicketOptions{}))
	cache := newCache()
	h.visit("a.example", cache)
	h.visit("b.example", cache)
	h.renew("a.example")
	if h.visit("a.example", cache) {
		t.Error("resumed with another certificate")
	}
	if !h.visit("a.example", cache) {
		t.Error("not resumed with the new one")
	}
	if !h.visit("b.example", cache) {
		t.Error("another name's certificate was not changed, and its session not resumed")
	}
}

// The same certificate, read again from its file, is the same.
func TestTicketOutlivesReload(t *testing.T) {
	h := newTicketHouse(t, NewTickets(TicketOptions{}))
	cache := newCache()
	h.visit("a.example", cache)
	for range maxResumable + 3 {
		h.mu.Lock()
		c := *h.certs["a.example"]
		h.certs["a.example"] = &c
		h.mu.Unlock()
		if !h.visit("a.example", cache) {
			t.Fatal("not resumed")
		}
	}
}

// sharedCache is a client that mistakes one name's tickets for another's.
type sharedCache struct{ tls.ClientSessionCache }

func (c sharedCache) Get(string) (*tls.ClientSessionState, bool) {
	return c.ClientSessionCache.Get("x")
}
func (c sharedCache) Put(_ string, s *tls.ClientSessionState) { c.ClientSessionCache.Put("x", s) }

// A ticket of one name is not taken for another, also where both have one certificate.
func TestTicketOfAnotherName(t *testing.T) {
	h := newTicketHouse(t, NewTickets(TicketOptions{}))
	both, err := selfSigned("a.example", time.Now())
	must(t, err)
	h.mu.Lock()
	h.certs["a.example"], h.certs["b.example"] = both, both
	h.mu.Unlock()
	// A client that verifies wouldn't even try.
	careless := func(c *tls.Config) { c.InsecureSkipVerify = true }
	cache := sharedCache{newCache()}
	if h.visit("a.example", cache, careless); h.visit("b.example", cache, careless) {
		t.Error("a ticket of a.example was taken for b.example")
	}
	if h.visit("b.example", cache, careless); !h.visit("B.example", cache, careless) {
		t.Error("spelling counts")
	}
}

// badCache changes the tickets that it is asked for.
type badCache struct {
	tls.ClientSessionCache
	change func([]byte) []byte
}

func (c badCache) Get(key string) (*tls.ClientSessionState, bool) {
	s, ok := c.ClientSessionCache.Get(key)
	if !ok {
		return nil, false
	}
	ticket, state, err := s.ResumptionState()
	if err != nil {
		return nil, false
	}
	s, err = tls.NewResumptionState(c.change(bytes.Clone(ticket)), state)
	return s, err == nil
}

// Whatever is sent as a ticket, the client gets a full handshake.
func TestGarbageTickets(t *testing.T) {
	h := newTicketHouse(t, NewTickets(TicketOptions{}))
	random := make([]byte, 300)
	_, _ = rand.Read(random)
	for name, change := range map[string]func([]byte) []byte{
		"one byte":       func([]byte) []byte { return []byte{0} },
		"random":         func([]byte) []byte { return random },
		"long":           func([]byte) []byte { return bytes.Repeat([]byte{0xff}, 30_000) },
		"cut":            func(b []byte) []byte { return b[:len(b)-1] },
		"first bit":      func(b []byte) []byte { b[0] ^= 1; return b },
		"bit in the mid": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"last bit":       func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"twice":          func(b []byte) []byte { return append(b, b...) },
	} {
		inner := newCache()
		h.visit("a.example", inner)
		if h.visit("a.example", badCache{inner, change}) {
			t.Error(name, ": resumed")
		}
	}
}

// A good ticket without the secret that belongs to it is worth nothing.
func TestStolenTicket(t *testing.T) {
	h := newTicketHouse(t, NewTickets(TicketOptions{}))
	victim, thief := newCache(), newCache()
	h.visit("a.example", victim)
	h.visit("a.example", thief)
	s, ok := victim.Get("a.example")
	if !ok {
		t.Fatal("no ticket")
	}
	ticket, _, err := s.ResumptionState()
	must(t, err)
	c, err := tls.Dial("tcp", h.addr, &tls.Config{RootCAs: h.roots, ServerName: "a.example", NextProtos: []string{ALPN},
		ClientSessionCache: badCache{thief, func([]byte) []byte { return ticket }}})
	if err == nil {
		c.Close()
		t.Error("taken")
	}
}

func TestTicketOfAnotherServer(t *testing.T) {
	one, other := newTicketHouse(t, NewTickets(TicketOptions{})), newTicketHouse(t, NewTickets(TicketOptions{}))
	one.mu.Lock()
	other.mu.Lock()
	other.certs, other.roots = one.certs, one.roots // even of the same certificate
	other.mu.Unlock()
	one.mu.Unlock()
	cache := newCache()
	if one.visit("a.example", cache); other.visit("a.example", cache) {
		t.Error("resumed what another server began")
	}
}

// The keys stay the same over a restart, are for us only, and are in no text.
func TestTicketKeysAreKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "below", "keys")
	one := NewTickets(TicketOptions{File: file})
	fi, err := os.Stat(file)
	must(t, err)
	if fi.Mode() != 0o600 {
		t.Errorf("mode %v", fi.Mode())
	}
	two := NewTickets(TicketOptions{File: file})
	if !reflect.DeepEqual(one.keys, two.keys) {
		t.Error("the keys are not those of before")
	}
	if s := fmt.Sprintf("%v %+v", one.keys[0], one.keys); strings.Contains(s, fmt.Sprint(one.keys[0].key[0])+" ") {
		t.Errorf("printed as %s", s)
	}
	h, cache := newTicketHouse(t, one), newCache()
	h.visit("a.example", cache)
	again := newTicketHouse(t, two)
	again.mu.Lock()
	again.certs, again.roots = h.certs, h.roots
	again.mu.Unlock()
	if !again.visit("a.example", cache) {
		t.Error("not resumed with the keys of before")
	}
}

// A file that can't be read is no reason to stay down.
func TestTicketKeysDamaged(t *testing.T) {
	good := string(formatTicketKeys([]ticketKey{{made: time.Now()}}))
	for name, text := range map[string]string{
		"empty":       "",
		"nonsense":    "nonsense\n",
		"newer":       strings.Replace(good, "keys 1", "keys 2", 1),
		"cut":         good[:len(good)-2],
		"no time":     ticketFileHead + "\nyesterday " + strings.Repeat("A", 43) + "=\n",
		"short key":   strings.Replace(good, "AAAA=", "AA==", 1),
		"many":        ticketFileHead + "\n" + strings.Repeat(strings.TrimPrefix(good, ticketFileHead+"\n"), maxTicketKeys),
		"more behind": good + "more",
	} {
		file := filepath.Join(t.TempDir(), "keys")
		must(t, os.WriteFile(file, []byte(text), 0o600))
		n := NewTickets(TicketOptions{File: file})
		if len(n.keys) != 1 || n.keys[0].key == [32]byte{} {
			t.Errorf("%s: %d keys", name, len(n.keys))
		}
		b, err := os.ReadFile(file)
		must(t, err)
		if !bytes.Equal(b, formatTicketKeys(n.keys)) {
			t.Errorf("%s: the file was not made anew", name)
		}
	}
	if n := NewTickets(TicketOptions{File: filepath.Join(os.DevNull, "keys")}); len(n.keys) != 1 {
		t.Error("without a file there are no tickets")
	}
}

// A key makes tickets for a day and opens them for a week more, then it is gone.
func TestTicketKeysTurn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	tickets := NewTickets(TicketOptions{File: file})
	start := tickets.keys[0].made
	h, cache := newTicketHouse(t, tickets), newCache()
	first := tickets.keys[0]
	for day := range 20 {
		tickets.now = func() time.Time { return start.Add(time.Duration(day) * ticketKeyUse) }
		tickets.turn()
		if got := len(tickets.keys); got != min(day+1, 8) {
			t.Errorf("day %d: %d keys", day, got)
		}
		if has := tickets.keys[len(tickets.keys)-1] == first; has != (day < 8) {
			t.Errorf("day %d: the first key is there: %v", day, has)
		}
		b, err := os.ReadFile(file)
		must(t, err)
		if !bytes.Equal(b, formatTicketKeys(tickets.keys)) {
			t.Errorf("day %d: not kept", day)
		}
		if resumed := h.visit("a.example", cache); resumed != (day > 0) {
			t.Errorf("day %d: resumed: %v", day, resumed)
		}
	}
	old := newCache()
	h.visit("a.example", old)
	tickets.now = func() time.Time { return start.Add(40 * ticketKeyUse) }
	if tickets.turn(); len(tickets.keys) != 1 || h.visit("a.example", old) {
		t.Error("a ticket outlived its key")
	}
	tickets.now = func() time.Time { return start }
	if tickets.turn(); len(tickets.keys) != 1 || !tickets.keys[0].made.Equal(start) {
		t.Error("a key of the future is believed")
	}
}

// The ticket comes with the server's first flight: nothing is written for it
// later, when the client has finished or when it says something.
func TestTicketComesWithTheFirstFlight(t *testing.T) {
	h, cache := newTicketHouse(t, NewTickets(TicketOptions{})), newCache()
	for _, resumed := range []bool{false, true} {
		nc, err := net.Dial("tcp", h.addr)
		if err != nil {
			t.Fatal(err)
		}
		before := h.srv.m.bytesOut.Load()
		corked := &corkedConn{Conn: nc} // keeps the client's Finished
		c := tls.Client(corked, &tls.Config{RootCAs: h.roots, ServerName: "a.example", NextProtos: []string{ALPN}, ClientSessionCache: cache})
		must(t, c.Handshake())
		eventually(t, "the flight counted", func() bool { return h.srv.m.bytesOut.Load() > before })
		written := h.srv.m.bytesOut.Load()
		corked.on = false
		k := &link{t: t, peer: c}
		k.send("x\n")
		k.expect("x\n")
		if c.ConnectionState().DidResume != resumed {
			t.Errorf("resumed: %v", !resumed)
		}
		eventually(t, "the answer counted", func() bool { return h.srv.m.bytesOut.Load() > written })
		if n := h.srv.m.bytesOut.Load() - written; n != 2+22 {
			t.Errorf("%d bytes written behind the first flight for 2", n)
		}
		<-h.rec.conn
		c.Close()
	}
	if n := h.srv.m.tlsResumed.Load(); n != 1 {
		t.Errorf("%d resumptions counted", n)
	}
}
