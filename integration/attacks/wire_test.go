package attacks

import (
	"crypto/tls"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/integration/testserver"
)

// patience bounds each wait for the server. Nothing is measured by it.
const patience = 30 * time.Second

// wire is one connection to the server, nothing but bytes. A goroutine takes
// what the server sends, so that the server never waits for a test.
type wire struct {
	t    testing.TB
	conn net.Conn
	user string // once logged in
	jid  string // once bound

	mu   sync.Mutex
	got  []byte
	over error // how the connection ended, guarded by mu
	news chan struct{}

	from int // what was taken by next
}

// dial connects to a listener. At the end of the test the connection is cut, and
// everything that came on it must have been well-formed.
func (h *house) dial(t testing.TB, listener string) *wire {
	t.Helper()
	conn, err := net.DialTimeout("tcp", h.server.Addr(listener), patience)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t: t, conn: conn, news: make(chan struct{}, 1)}
	if listener == testserver.Direct {
		w.conn = tls.Client(conn, clientTLS("xmpp-client"))
	}
	t.Cleanup(func() {
		_ = conn.Close()
		if err := checkOutput(w.all()); err != nil {
			t.Errorf("what the server sent isn't well-formed: %v\n%s", err, w.tail())
		}
	})
	go w.read(w.conn)
	return w
}

func clientTLS(protocols ...string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", NextProtos: protocols}
}

func (w *wire) read(c net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := c.Read(buf)
		w.mu.Lock()
		w.got = append(w.got, buf[:n]...)
		proceed := strings.HasSuffix(string(w.got), "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
		if err != nil {
			w.over = err
		}
		w.mu.Unlock()
		select {
		case w.news <- struct{}{}:
		default:
		}
		if err != nil || proceed {
			return
		}
	}
}

// secure goes on with TLS after <proceed/>.
func (w *wire) secure() {
	w.conn = tls.Client(w.conn, clientTLS())
	go w.read(w.conn)
}

// send writes. That the server closed the connection meanwhile is no mistake:
// what it said before will be looked at.
func (w *wire) send(s string) *wire {
	w.t.Helper()
	if err := w.conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return w
	}
	_, err := io.WriteString(w.conn, s)
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		w.t.Fatalf("the server took no more input: %v\n%s", err, w.tail())
	}
	return w
}

func (w *wire) all() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.got)
}

// tail is the last that came, for messages.
func (w *wire) tail() string {
	s := w.all()
	if len(s) > 2000 {
		s = "…" + s[len(s)-2000:]
	}
	return "received: " + s
}

// wait returns when done likes what has come, and false if the connection ended before.
func (w *wire) wait(what string, done func() bool) bool {
	w.t.Helper()
	timeout := time.After(patience)
	for {
		w.mu.Lock()
		ok, over := done(), w.over
		w.mu.Unlock()
		if ok || over != nil {
			return ok
		}
		select {
		case <-w.news:
		case <-timeout:
			w.t.Fatalf("waited in vain for %s\n%s", what, w.tail())
		}
	}
}

// next returns what came next at the top level of the stream: a header, an
// element or the closing tag, as it was written; "" when the connection ended.
func (w *wire) next() string {
	w.t.Helper()
	var piece string
	w.wait("the next element", func() bool {
		piece = firstPiece(string(w.got[w.from:]))
		return piece != ""
	})
	w.from += len(piece)
	return strings.TrimPrefix(strings.TrimSpace(piece), "<?xml version='1.0'?>")
}

// firstPiece returns the first complete piece of a stream, "" if there is none yet.
func firstPiece(s string) string {
	d := xml.NewDecoder(strings.NewReader(s))
	depth := 0
	for {
		tok, err := d.RawToken()
		if err != nil {
			return ""
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if depth++; tok.Name.Space == "stream" && tok.Name.Local == "stream" {
				return s[:d.InputOffset()]
			}
		case xml.EndElement:
			if depth--; depth <= 0 {
				return s[:d.InputOffset()]
			}
		}
	}
}

// find returns the next element that contains all of the texts and skips those
// before it; the end of the connection fails the test.
func (w *wire) find(texts ...string) string {
	w.t.Helper()
	for {
		e := w.next()
		if e == "" {
			w.t.Fatalf("the connection ended before %q came: %v\n%s", texts, w.over, w.tail())
		}
		if containsAll(e, texts) {
			return e
		}
	}
}

func containsAll(s string, texts []string) bool {
	for _, t := range texts {
		if !strings.Contains(s, t) {
			return false
		}
	}
	return true
}

// until returns everything that comes before the element with the texts.
func (w *wire) until(texts ...string) []string {
	w.t.Helper()
	var before []string
	for {
		e := w.next()
		if e == "" {
			w.t.Fatalf("the connection ended before %q came: %v\n%s", texts, w.over, w.tail())
		}
		if containsAll(e, texts) {
			return before
		}
		before = append(before, e)
	}
}

// ended waits until the server has ended the connection.
func (w *wire) ended() {
	w.t.Helper()
	w.wait("the end of the connection", func() bool { return w.over != nil })
}

// cut ends the connection as a dying network does.
func (w *wire) cut() {
	raw := w.conn
	if t, ok := raw.(*tls.Conn); ok {
		raw = t.NetConn()
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = raw.Close()
}

// dialTLS makes a TLS connection for a protocol.
func dialTLS(addr, protocol string) (net.Conn, error) {
	conn, err := tls.Dial("tcp", addr, clientTLS(protocol))
	if err != nil {
		return nil, err
	}
	return conn, conn.Handshake()
}
