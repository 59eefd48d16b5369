package c2s

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"math/big"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/auth"
	"weir/jid"
	"weir/netserver"
	"weir/sessionmgr"
)

// house is a server for two domains with everything real but the sockets and
// the disk.
type house struct {
	*Server
	t    testing.TB
	sm   *sessionmgr.Manager
	auth *auth.Service
	net  *netserver.Server
	lis  Listener
	st   *memory

	mu     sync.Mutex
	causes []sessionmgr.Cause
}

type setup struct {
	o    Options
	net  netserver.Options
	sm   sessionmgr.Options
	auth auth.Options
	lis  Listener
}

const password = "correct horse"

// newHouse makes a server whose listener neither offers nor needs TLS; change
// makes it another.
func newHouse(t testing.TB, change ...func(*setup)) *house {
	t.Helper()
	u := setup{o: DefaultOptions(), auth: auth.DefaultOptions(),
		lis: Listener{Name: "test", Insecure: true, AllowPlain: true},
		sm:  sessionmgr.Options{Domains: []string{"verona.lit", "mantua.lit"}}}
	u.auth.Iterations, u.auth.SHA1Iterations = 4096, 4096
	u.o.Domain = "verona.lit"
	for _, c := range change {
		c(&u)
	}
	st := newMemory()
	as, err := auth.New(t.Context(), u.auth, st)
	must(t, err)
	for _, name := range []string{"juliet@verona.lit", "romeo@verona.lit", "juliet@mantua.lit"} {
		must(t, as.Create(t.Context(), jid.MustParse(name), password))
	}
	m, err := sessionmgr.New(u.sm, st, accounts{as})
	must(t, err)
	srv, err := New(u.o, m, as)
	must(t, err)
	h := &house{Server: srv, t: t, sm: m, auth: as, net: netserver.New(u.net), lis: u.lis, st: st}
	m.Hooks.Closed.Add("test", 0, func(_ context.Context, c sessionmgr.Closing) {
		h.mu.Lock()
		h.causes = append(h.causes, c.Cause)
		h.mu.Unlock()
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := m.Stop(ctx); err != nil {
			t.Error("stop:", err)
		}
		if err := h.net.Shutdown(ctx); err != nil {
			t.Error("shutdown:", err)
		}
		st.Close()
	})
	return h
}

type accounts struct{ *auth.Service }

func (a accounts) Exists(ctx context.Context, j jid.JID) (bool, error) {
	_, err := a.Lookup(ctx, j)
	if errors.Is(err, auth.ErrNoAccount) {
		return false, nil
	}
	return err == nil, err
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// cause waits for the next end of a session.
func (h *house) cause() sessionmgr.Cause {
	h.t.Helper()
	for range 2000 {
		h.mu.Lock()
		if len(h.causes) > 0 {
			c := h.causes[0]
			h.causes = h.causes[1:]
			h.mu.Unlock()
			return c
		}
		h.mu.Unlock()
		time.Sleep(5 * time.Millisecond)
	}
	h.t.Fatal("no session ended")
	return sessionmgr.Cause{}
}

// client is a raw client: it sends strings and looks for others in the answer.
type client struct {
	t    testing.TB
	h    *house
	conn net.Conn

	mu     sync.Mutex
	got    []byte
	seen   int   // got[:seen] was expected already
	err    error // of reading
	notify chan struct{}
	done   chan struct{}
}

func (h *house) dial() *client {
	here, there := net.Pipe()
	h.net.Serve(there, netserver.Listen{New: h.Accept(h.lis)})
	return h.client(here)
}

// dialTLS connects with TLS from the first byte.
func (h *house) dialTLS() *client {
	here, there := net.Pipe()
	h.net.Serve(there, netserver.Listen{New: h.Accept(h.lis), TLS: &tls.Config{Certificates: []tls.Certificate{certificate()}}})
	t := tls.Client(here, &tls.Config{InsecureSkipVerify: true, ServerName: "verona.lit"})
	must(h.t, t.HandshakeContext(h.t.Context()))
	return h.client(t)
}

// dialTCP connects over loopback, from an address.
func (h *house) dialTCP() *client {
	h.t.Helper()
	a, err := h.net.Listen(netserver.Listen{Addr: "127.0.0.1:0", New: h.Accept(h.lis)})
	must(h.t, err)
	conn, err := net.Dial("tcp", a.String())
	must(h.t, err)
	return h.client(conn)
}

func (h *house) client(conn net.Conn) *client {
	c := &client{t: h.t, h: h, conn: conn}
	c.read()
	h.t.Cleanup(func() { c.conn.Close() })
	return c
}

// read collects in the background what the server sends, so that it can write.
func (c *client) read() {
	c.notify, c.done = make(chan struct{}, 1), make(chan struct{})
	conn, done := c.conn, c.done
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, err := conn.Read(buf)
			c.mu.Lock()
			c.got = append(c.got, buf[:n]...)
			c.err = err
			c.mu.Unlock()
			select {
			case c.notify <- struct{}{}:
			default:
			}
			if err != nil {
				return
			}
		}
	}()
}

// send writes; an error shows in what is then missing.
func (c *client) send(x string) {
	_, _ = io.WriteString(c.conn, x)
}

const patience = 10 * time.Second

var noDeadline time.Time

// wait returns the unseen text up to and including what match finds in it.
func (c *client) wait(what string, match func(unseen []byte) (end int)) string {
	c.t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		c.mu.Lock()
		unseen, err := c.got[c.seen:], c.err
		if end := match(unseen); end >= 0 {
			c.seen += end
			c.mu.Unlock()
			return string(unseen[:end])
		}
		c.mu.Unlock()
		if err != nil {
			c.t.Fatalf("the connection ended (%v) before %s\nunseen: %s", err, what, unseen)
		}
		select {
		case <-c.notify:
		case <-limit.C:
			c.t.Fatalf("no %s\nunseen: %s", what, unseen)
		}
	}
}

// expect waits for text and returns everything up to its end.
func (c *client) expect(text string) string {
	c.t.Helper()
	return c.wait(text, func(b []byte) int {
		if i := bytes.Index(b, []byte(text)); i >= 0 {
			return i + len(text)
		}
		return -1
	})
}

// expectAll waits for several texts, in this order.
func (c *client) expectAll(texts ...string) (all string) {
	c.t.Helper()
	for _, x := range texts {
		all += c.expect(x)
	}
	return all
}

// expectEnd waits for the end of the connection and returns what came before it.
func (c *client) expectEnd() string {
	c.t.Helper()
	select {
	case <-c.done:
	case <-time.After(patience):
		c.t.Fatalf("the connection did not end\nunseen: %s", c.unseen())
	}
	rest := c.unseen()
	c.mu.Lock()
	c.seen = len(c.got)
	c.mu.Unlock()
	return rest
}

func (c *client) unseen() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.got[c.seen:])
}

// expectError waits for a stream error and the end of the stream, and closes.
func (c *client) expectError(condition string) (text string) {
	c.t.Helper()
	all := c.expect("</stream:stream>")
	if !strings.Contains(all, "<stream:error><"+condition+" xmlns='"+nsErrors+"'") {
		c.t.Fatalf("want stream error %s, got: %s", condition, all)
	}
	c.send("</stream:stream>")
	if rest := c.expectEnd(); rest != "" {
		c.t.Fatalf("after the end came: %s", rest)
	}
	if m := regexp.MustCompile(`<text [^>]*>([^<]*)</text></stream:error>`).FindStringSubmatch(all); m != nil {
		return m[1]
	}
	return ""
}

// sync proves that the stream is alive and that everything sent was handled.
func (c *client) sync() string {
	c.t.Helper()
	c.send("<iq type='set' id='sync' to='verona.lit'><session xmlns='" + nsSession + "'/></iq>")
	return c.wait("answer to the session request", func(b []byte) int {
		i := bytes.Index(b, []byte("id='sync'"))
		if i < 0 {
			return -1
		}
		if j := bytes.IndexByte(b[i:], '>'); j >= 0 {
			return i + j + 1
		}
		return -1
	})
}

func header(to string) string {
	return "<?xml version='1.0'?><stream:stream to='" + to + "' version='1.0' xmlns='jabber:client' xmlns:stream='" + nsStream + "'>"
}

const (
	headerVerona = "<?xml version='1.0'?><stream:stream to='verona.lit' version='1.0' xml:lang='it' xmlns='jabber:client' xmlns:stream='" + nsStream + "'>"
	endFeatures  = "</stream:features>"
	bindIQ       = "<iq type='set' id='b1'><bind xmlns='" + nsBind + "'><resource>balcony</resource></bind></iq>"
	starttls     = "<starttls xmlns='" + nsTLS + "'/>"
)

// plain is a PLAIN login.
func plain(user, pass string) string {
	return "<auth xmlns='" + nsSASL + "' mechanism='PLAIN'>" +
		base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+pass)) + "</auth>"
}

// open sends a header and waits for the features.
func (c *client) open() string {
	c.t.Helper()
	c.send(headerVerona)
	return c.expect(endFeatures)
}

// login opens the stream and logs in.
func (c *client) login(user string) {
	c.t.Helper()
	c.open()
	c.send(plain(user, password))
	c.expect("<success")
	c.open()
}

// bind logs in and binds.
func (c *client) bind(user, resource string) *client {
	c.t.Helper()
	c.login(user)
	c.send(strings.Replace(bindIQ, "balcony", resource, 1))
	c.expect("<jid>" + user + "@verona.lit/" + resource + "</jid></bind></iq>")
	return c
}

// upgrade makes the TLS handshake of STARTTLS.
func (c *client) upgrade() {
	c.t.Helper()
	c.open()
	c.send(starttls)
	c.expect("<proceed xmlns='" + nsTLS + "'/>")
	c.handshake()
}

// handshake makes the connection a TLS connection. The reader in the background
// would swallow the server's part of it, so it is stopped meanwhile.
func (c *client) handshake() {
	c.t.Helper()
	must(c.t, c.conn.SetReadDeadline(time.Unix(1, 0)))
	<-c.done
	must(c.t, c.conn.SetReadDeadline(time.Time{}))
	t := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true, ServerName: "verona.lit"})
	must(c.t, t.HandshakeContext(c.t.Context()))
	c.conn = t
	c.err = nil
	c.read()
}

var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"verona.lit"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// withTLS makes the listener one that requires TLS.
func withTLS(u *setup) {
	cfg := &tls.Config{Certificates: []tls.Certificate{certificate()}}
	u.lis = Listener{Name: "tls", StartTLS: func(string) *tls.Config { return cfg }}
}

// wellFormed fails unless the text is a well-formed stream, up to where it ends.
func wellFormed(t testing.TB, text []byte) {
	t.Helper()
	// Each restart begins a new document.
	for _, doc := range bytes.Split(text, []byte("<?xml version='1.0'?>")) {
		d := xml.NewDecoder(bytes.NewReader(doc))
		d.Strict = true
		for {
			_, err := d.Token()
			if err == io.EOF {
				break
			}
			var se *xml.SyntaxError
			if errors.As(err, &se) && se.Msg == "unexpected EOF" {
				break // an open stream
			}
			if err != nil {
				t.Fatalf("the server sent %q: %v", doc, err)
			}
		}
	}
}

// stall makes the client stop reading.
func (c *client) stall() {
	must(c.t, c.conn.SetReadDeadline(time.Unix(1, 0)))
	<-c.done
}
