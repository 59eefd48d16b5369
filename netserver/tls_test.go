package netserver

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestInjection(t *testing.T) {
	r := newRecorder()
	r.onData = func(c *Conn, b []byte) (int, error) {
		must(t, c.Append(say("proceed")))
		c.StartTLS(testCert(t).server(false), func(error) { t.Error("a handshake was made") })
		return bytes.IndexByte(b, '>') + 1, nil
	}
	k := dial(t, testServer(t, Options{}), r, false)
	k.send("<starttls/><auth>injected</auth>")
	if err := <-r.closed; err != ErrInjection {
		t.Errorf("cause %v", err)
	}
	if k.srv.m.injected.Load() != 1 {
		t.Error("not counted")
	}
}

// Data that comes in one packet with the client's last flight is inside
// crypto/tls before we ask, and the socket never becomes readable for it.
func TestDataWithLastFlight(t *testing.T) {
	s := testServer(t, Options{})
	r := newRecorder()
	r.onData = echoLines
	addr, err := s.Listen(Listen{Addr: "127.0.0.1:0", TLS: testCert(t).server(true), New: r.New})
	must(t, err)
	nc, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	// The client's Finished waits in corked until the first data is there too.
	corked := &corkedConn{Conn: nc}
	tc := tls.Client(corked, testCert(t).client(ALPN))
	must(t, tc.Handshake())
	corked.on = false
	if _, err := io.WriteString(tc, "with the last flight\n"); err != nil {
		t.Fatal(err)
	}
	k := &link{t: t, peer: tc}
	k.expect("with the last flight\n")
}

// corkedConn keeps all but the first write until it is switched off.
type corkedConn struct {
	net.Conn
	first, on bool
	kept      []byte
}

func (c *corkedConn) Write(b []byte) (int, error) {
	if !c.first {
		c.first, c.on = true, true
		return c.Conn.Write(b)
	}
	c.kept = append(c.kept, b...)
	if !c.on {
		if _, err := c.Conn.Write(c.kept); err != nil {
			return 0, err
		}
		c.kept = nil
	}
	return len(b), nil
}

func TestALPN(t *testing.T) {
	for _, v := range []struct {
		offer []string
		ok    bool
	}{{nil, true}, {[]string{ALPN}, true}, {[]string{"h2", ALPN}, true}, {[]string{"h2", "http/1.1"}, false}, {[]string{"xmpp-server"}, false}} {
		s := testServer(t, Options{})
		r := newRecorder()
		addr, err := s.Listen(Listen{Addr: "127.0.0.1:0", TLS: testCert(t).server(true), New: r.New})
		must(t, err)
		c, err := tls.Dial("tcp", addr.String(), testCert(t).client(v.offer...))
		if (err == nil) != v.ok {
			t.Errorf("offered %q: %v", v.offer, err)
		}
		if err == nil {
			c.Close()
		}
	}
}

func TestTLSVersions(t *testing.T) {
	for version, ok := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		s := testServer(t, Options{})
		r := newRecorder()
		r.onData = echoLines
		cfg := testCert(t).server(true)
		cfg.MinVersion = tls.VersionTLS10 // raised all the same
		addr, err := s.Listen(Listen{Addr: "127.0.0.1:0", TLS: cfg, New: r.New})
		must(t, err)
		client := testCert(t).client()
		client.MinVersion, client.MaxVersion = version, version
		c, err := tls.Dial("tcp", addr.String(), client)
		if (err == nil) != ok {
			t.Errorf("version %x: %v", version, err)
		}
		if err == nil {
			k := &link{t: t, peer: c}
			k.send("hello\n")
			k.expect("hello\n")
			c.Close()
		}
		i := version - tls.VersionTLS10
		if good := s.m.tlsOK[i].Load() == 1; good != ok {
			t.Errorf("version %x: not counted", version)
		}
	}
}

func TestChannelBinding(t *testing.T) {
	r := newRecorder()
	k := dial(t, testServer(t, Options{}), r, true)
	mine := k.peer.(*tls.Conn).ConnectionState()
	want, err := mine.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	must(t, err)
	got, err := k.conn.TLS().ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Error("the exporters differ")
	}
	if !bytes.Equal(k.conn.Certificate().Certificate[0], mine.PeerCertificates[0].Raw) {
		t.Error("the certificate isn't the one that was shown")
	}
}

func TestNoCertificateWithoutTLS(t *testing.T) {
	k := dial(t, testServer(t, Options{}), newRecorder(), false)
	if k.conn.TLS() != nil || k.conn.Certificate() != nil {
		t.Error("TLS state of a plain connection")
	}
}

// The certificate is known also where a config chooses it in other ways.
func TestCertificateChosenByConfig(t *testing.T) {
	cert := testCert(t)
	inner := &tls.Config{Certificates: []tls.Certificate{cert.cert}}
	for name, cfg := range map[string]*tls.Config{
		"list":      inner,
		"by client": {GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return inner, nil }},
	} {
		s := testServer(t, Options{})
		r := newRecorder()
		addr, err := s.Listen(Listen{Addr: "127.0.0.1:0", TLS: cfg, New: r.New})
		must(t, err)
		c, err := tls.Dial("tcp", addr.String(), cert.client())
		if err != nil {
			t.Fatal(name, err)
		}
		if conn := <-r.conn; conn.Certificate() == nil {
			t.Errorf("%s: not known", name)
		}
		c.Close()
	}
}

func TestNotTLS(t *testing.T) {
	s := testServer(t, Options{})
	addr, err := s.Listen(Listen{Addr: "127.0.0.1:0", TLS: testCert(t).server(true), New: newRecorder().New})
	must(t, err)
	nc, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_, _ = io.WriteString(nc, "<stream:stream to='localhost'>\n")
	_, _ = io.Copy(io.Discard, nc)
	eventually(t, "the failure counted", func() bool { return s.m.tlsFailed[4].Load() == 1 })
}

// One large write is one record after the other and one write of the socket.
func TestOneWriteUnderTLS(t *testing.T) {
	k := dial(t, testServer(t, Options{}), newRecorder(), true)
	text := strings.Repeat("r", 10_000)
	before := k.srv.m.bytesOut.Load()
	must(t, k.conn.Append(say(text)))
	k.conn.Drain()
	k.expect(text)
	// 22 bytes a record: with dynamic sizes it would be four of them and more.
	eventually(t, "one record", func() bool { return k.srv.m.bytesOut.Load()-before == 10_000+22 })
}

// close_notify is sent behind the last bytes.
func TestCloseNotify(t *testing.T) {
	r := newRecorder()
	k := dial(t, testServer(t, Options{}), r, true)
	must(t, k.conn.Append(say("bye")))
	k.conn.Close(nil, time.Second)
	if got := k.rest(); got != "bye" { // fails on an end without it
		t.Errorf("got %q", got)
	}
}

// A pause loses nothing, even if the peer's end is already known.
func TestPausedAtTheEnd(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		r := newRecorder()
		calls := make(chan string, 10)
		r.onData = func(c *Conn, b []byte) (int, error) {
			n := bytes.IndexByte(b, '\n') + 1
			c.Pause()
			calls <- string(b[:n])
			return n, nil
		}
		k := dial(t, testServer(t, Options{}), r, secure)
		k.send("one\ntwo\n")
		k.peer.Close()
		for _, want := range []string{"one\n", "two\n"} {
			if got := <-calls; got != want {
				t.Errorf("got %q, wanted %q", got, want)
			}
			k.conn.Resume()
		}
		if err := <-r.closed; !errors.Is(err, io.EOF) {
			t.Errorf("cause %v", err)
		}
	})
}

// A client's certificate pool that doesn't know ours ends the handshake.
func TestHandshakeRefusedByClient(t *testing.T) {
	s := testServer(t, Options{})
	addr, err := s.Listen(Listen{Addr: "127.0.0.1:0", TLS: testCert(t).server(true), New: newRecorder().New})
	must(t, err)
	if c, err := tls.Dial("tcp", addr.String(), &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost"}); err == nil {
		c.Close()
		t.Error("the client didn't care")
	}
	eventually(t, "the end of the connection", func() bool { return s.Connections() == 0 })
}
