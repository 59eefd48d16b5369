package netserver

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// recorder is a Handler made of functions; what isn't set does nothing. Lines
// are the elements of its little protocol.
type recorder struct {
	onData     func(c *Conn, b []byte) (int, error)
	onBatchEnd func(c *Conn)
	onPreDrain func(c *Conn, b []byte) []byte
	onDrained  func(c *Conn)
	onTimeout  func(c *Conn, deadline bool) time.Duration

	conn   chan *Conn // gets the Conn once
	closed chan error // gets each cause of Closed

	mu  sync.Mutex
	got []byte // all that Data took, if onData isn't set
}

func newRecorder() *recorder {
	return &recorder{conn: make(chan *Conn, 1), closed: make(chan error, 4)}
}

func (r *recorder) New(c *Conn) (Handler, error) {
	r.conn <- c
	return r, nil
}

func (r *recorder) Data(c *Conn, b []byte) (int, error) {
	if r.onData != nil {
		return r.onData(c, b)
	}
	r.mu.Lock()
	r.got = append(r.got, b...)
	r.mu.Unlock()
	return len(b), nil
}

func (r *recorder) BatchEnd(c *Conn) {
	if r.onBatchEnd != nil {
		r.onBatchEnd(c)
		return
	}
	c.Drain()
}

func (r *recorder) PreDrain(c *Conn, b []byte) []byte {
	if r.onPreDrain != nil {
		return r.onPreDrain(c, b)
	}
	return b
}

func (r *recorder) Drained(c *Conn) {
	if r.onDrained != nil {
		r.onDrained(c)
	}
}

func (r *recorder) ReadTimeout(c *Conn, deadline bool) time.Duration {
	if r.onTimeout != nil {
		return r.onTimeout(c, deadline)
	}
	return 0
}

func (r *recorder) Closed(_ *Conn, cause error) { r.closed <- cause }

func (r *recorder) received() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.got)
}

// link is how a test reaches the server.
type link struct {
	t    *testing.T
	srv  *Server
	rec  *recorder
	conn *Conn
	peer net.Conn // the client's end, TLS if asked for
	tcp  *net.TCPConn
}

func testServer(t *testing.T, o Options) *Server {
	t.Helper()
	s := New(o)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Shutdown(ctx)
		if n := s.Connections(); n != 0 {
			t.Errorf("%d connections left after Shutdown", n)
		}
	})
	return s
}

// dial connects over loopback; secure: by direct TLS.
func dial(t *testing.T, s *Server, r *recorder, secure bool) *link {
	t.Helper()
	l := Listen{Addr: "127.0.0.1:0", New: r.New}
	if secure {
		l.TLS = testCert(t).server(true)
	}
	addr, err := s.Listen(l)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	k := &link{t: t, srv: s, rec: r, peer: nc, tcp: nc.(*net.TCPConn)}
	if secure {
		tc := tls.Client(nc, testCert(t).client(ALPN))
		if err := tc.Handshake(); err != nil {
			t.Fatal(err)
		}
		k.peer = tc
	}
	k.conn = <-r.conn
	// From here on a Drain runs on the test's goroutine.
	eventually(t, "the start's end", func() bool {
		k.conn.mu.Lock()
		defer k.conn.mu.Unlock()
		return !k.conn.draining
	})
	return k
}

func (k *link) send(s string) {
	k.t.Helper()
	if _, err := io.WriteString(k.peer, s); err != nil {
		k.t.Fatal(err)
	}
}

func (k *link) expect(want string) {
	k.t.Helper()
	b := make([]byte, len(want))
	if _, err := io.ReadFull(k.peer, b); err != nil {
		k.t.Fatalf("reading: %v, wanted %q", err, want)
	}
	if string(b) != want {
		k.t.Fatalf("got %q, wanted %q", b, want)
	}
}

// rest reads until the end.
func (k *link) rest() string {
	k.t.Helper()
	b, err := io.ReadAll(bufio.NewReader(k.peer))
	if err != nil {
		k.t.Fatal(err)
	}
	return string(b)
}

// eventually waits for something that another goroutine does.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for i := 0; !f(); i++ {
		if i > 5000 {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// both runs a test over plain TCP and over TLS.
func both(t *testing.T, f func(t *testing.T, secure bool)) {
	t.Run("plain", func(t *testing.T) { f(t, false) })
	t.Run("tls", func(t *testing.T) { f(t, true) })
}

func say(s string) func([]byte) []byte {
	return func(dst []byte) []byte { return append(dst, s...) }
}

type certificate struct {
	cert tls.Certificate
	pool *x509.CertPool
}

var testCerts = sync.OnceValues(func() (*certificate, error) {
	cert, err := selfSigned("localhost", time.Now())
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert.Leaf)
	return &certificate{*cert, pool}, nil
})

func testCert(tb testing.TB) *certificate {
	tb.Helper()
	c, err := testCerts()
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func (c *certificate) server(direct bool) *tls.Config {
	return TLSConfig(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &c.cert, nil }, direct)
}

func (c *certificate) client(alpn ...string) *tls.Config {
	return &tls.Config{RootCAs: c.pool, ServerName: "localhost", NextProtos: alpn}
}

// secure makes the client's side of a StartTLS.
func (k *link) secure(t *testing.T) {
	t.Helper()
	tc := tls.Client(k.tcp, testCert(t).client())
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	k.peer = tc
}

// cutConn sends each write in two parts with a pause between.
type cutConn struct {
	net.Conn
	on bool
}

func (c *cutConn) Write(b []byte) (int, error) {
	if !c.on || len(b) < 10 {
		return c.Conn.Write(b)
	}
	n, err := c.Conn.Write(b[:len(b)/2])
	if err != nil {
		return n, err
	}
	time.Sleep(50 * time.Millisecond)
	m, err := c.Conn.Write(b[n:])
	return n + m, err
}

func tlsClient(nc net.Conn, cert *certificate) net.Conn {
	tc := tls.Client(nc, cert.client())
	if tc.Handshake() != nil {
		nc.Close()
		return nil
	}
	return tc
}
