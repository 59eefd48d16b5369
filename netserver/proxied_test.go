package netserver

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
)

// header is what a proxy sends first.
func header(t *testing.T, change func(*proxyproto.Header)) string {
	t.Helper()
	h := proxyproto.HeaderProxyFromAddrs(2, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 4711}, &net.TCPAddr{IP: net.IPv4(198, 51, 100, 1), Port: 5222})
	if change != nil {
		change(h)
	}
	b, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// taker is a handler that tells what it got once it is as long as that.
func taker(n int) (*recorder, <-chan string) {
	r, got, all := newRecorder(), make(chan string, 1), ""
	r.onData = func(_ *Conn, b []byte) (int, error) {
		if all += string(b); len(all) == n {
			got <- all
		}
		return len(b), nil
	}
	return r, got
}

// TestProxied: whose a connection is says the proxy, and what comes behind its
// header, in the same segment or later, is the client's.
func TestProxied(t *testing.T) {
	plain := header(t, nil)
	six := header(t, func(h *proxyproto.Header) {
		h.TransportProtocol = proxyproto.TCPv6
		h.SourceAddr, h.DestinationAddr = &net.TCPAddr{IP: net.ParseIP("2001:db8::7"), Port: 1}, &net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 2}
	})
	local := header(t, func(h *proxyproto.Header) {
		h.Command, h.TransportProtocol, h.SourceAddr, h.DestinationAddr = proxyproto.LOCAL, proxyproto.UNSPEC, nil, nil
	})
	long := header(t, func(h *proxyproto.Header) {
		must(t, h.SetTLVs([]proxyproto.TLV{{Type: 0xEA, Value: make([]byte, 5000)}}))
	})
	some := header(t, func(h *proxyproto.Header) {
		must(t, h.SetTLVs([]proxyproto.TLV{{Type: 0xEA, Value: []byte("vpce-1")}}))
	})
	unix := header(t, func(h *proxyproto.Header) {
		h.TransportProtocol = proxyproto.UnixStream
		h.SourceAddr, h.DestinationAddr = &net.UnixAddr{Net: "unix", Name: "/a"}, &net.UnixAddr{Net: "unix", Name: "/b"}
	})
	for _, tt := range []struct {
		name, send string
		from       string // "" where it is refused, "itself"
	}{
		{"IPv4", plain, "192.0.2.7:4711"},
		{"IPv6", six, "[2001:db8::7]:1"},
		{"with more", some, "192.0.2.7:4711"},
		{"the proxy itself", local, "itself"},
		{"none", "<stream:stream xmlns='jabber:client'>", ""},
		{"version 1", "PROXY TCP4 192.0.2.7 198.51.100.1 4711 5222\r\n", ""},
		{"cut off", plain[:20], ""},
		{"too long", long, ""},
		{"no TCP", unix, ""},
		{"wrong version", plain[:12] + "\x31" + plain[13:], ""},
		{"too short for its family", plain[:14] + "\x00\x04abcd", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := testServer(t, Options{Proxies: []string{"127.0.0.0/8"}, HandshakeTimeout: 200 * time.Millisecond})
			r, got := taker(len("hello"))
			addr, err := s.Listen(Listen{Addr: "127.0.0.1:0", Proxied: true, New: r.New})
			must(t, err)
			nc, err := net.Dial("tcp", addr.String())
			must(t, err)
			defer nc.Close()
			_, err = nc.Write([]byte(tt.send + "hello"))
			must(t, err)
			if tt.from == "" {
				must(t, nc.SetReadDeadline(time.Now().Add(10*time.Second)))
				if n, err := nc.Read(make([]byte, 1)); n > 0 || err == nil || strings.Contains(err.Error(), "timeout") {
					t.Errorf("not refused: %v", err)
				}
				return
			}
			if a := (<-r.conn).RemoteAddr().String(); a != tt.from && !(tt.from == "itself" && a == nc.LocalAddr().String()) {
				t.Errorf("from %s", a)
			}
			if g := <-got; g != "hello" {
				t.Errorf("got %q", g)
			}
		})
	}
}

// TestNotProxied: who isn't one of the proxies is believed nothing.
func TestNotProxied(t *testing.T) {
	for _, proxies := range [][]string{nil, {"192.0.2.1", "10.0.0.0/8"}} {
		s := testServer(t, Options{Proxies: proxies})
		r, got := taker(len(header(t, nil)))
		addr, err := s.Listen(Listen{Addr: "127.0.0.1:0", Proxied: true, New: r.New})
		must(t, err)
		nc, err := net.Dial("tcp", addr.String())
		must(t, err)
		defer nc.Close()
		_, err = nc.Write([]byte(header(t, nil)))
		must(t, err)
		if g := <-got; g != header(t, nil) {
			t.Errorf("got %q", g)
		}
	}
	for _, bad := range []string{"proxy.example", "10.0.0.0/33", ""} {
		if err := (&Options{Proxies: []string{bad}}).Validate(); err == nil {
			t.Errorf("%q is a proxy", bad)
		}
	}
}

// TestStrangeProxy: the log names the key to set, once for each address, for both
// versions, under TLS too; nothing else that clients send is taken for a header.
func TestStrangeProxy(t *testing.T) {
	v2 := header(t, nil)
	for _, tt := range []struct {
		name, send string
		tls        bool
		want       string
	}{
		{"version 2", v2, false, "version=2"},
		{"version 1", "PROXY TCP4 192.0.2.7 198.51.100.1 4711 5222\r\n", false, "version=1"},
		{"version 2 before TLS", v2, true, "version=2"},
		{"version 1 before TLS", "PROXY TCP4 192.0.2.7 198.51.100.1 4711 5222\r\n", true, "version=1"},
		{"a stream", "<stream:stream>", false, ""},
		{"a stream where TLS belongs", "<stream:stream>", true, ""},
		{"line ends", "\r\n\r\n<stream:stream>", false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log safeBuffer
			s := testServer(t, Options{Proxies: []string{"192.0.2.1"}, Log: slog.New(slog.NewTextHandler(&log, nil))})
			r := newRecorder()
			r.conn, r.closed = make(chan *Conn, 3), make(chan error, 3)
			r.onData = func(*Conn, []byte) (int, error) { return 0, errors.New("nonsense") }
			l := Listen{Addr: "127.0.0.1:0", Proxied: true, New: r.New}
			if tt.tls {
				l.TLS = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("none") }}
			}
			addr, err := s.Listen(l)
			must(t, err)
			for range 3 {
				nc, err := net.Dial("tcp", addr.String())
				must(t, err)
				_, err = nc.Write([]byte(tt.send))
				must(t, err)
				must(t, nc.SetReadDeadline(time.Now().Add(10*time.Second)))
				_, _ = io.Copy(io.Discard, nc) // until it is refused
				nc.Close()
			}
			told := log.String()
			switch {
			case tt.want == "" && strings.Contains(told, "PROXY"):
				t.Errorf("told: %s", told)
			case tt.want != "" && (strings.Count(told, "network.proxies") != 1 || !strings.Contains(told, tt.want) || !strings.Contains(told, "addr=127.0.0.1 ")):
				t.Errorf("told: %s", told)
			}
		})
	}
}

// TestStrangeProxies: strangers can't fill the log.
func TestStrangeProxies(t *testing.T) {
	var log safeBuffer
	s := testServer(t, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	for i := range 3 * maxStrange {
		s.tellStrange(&Conn{srv: s, remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}), 1)}, 2)
	}
	if n := strings.Count(log.String(), "network.proxies"); n != maxStrange {
		t.Errorf("%d lines, want %d", n, maxStrange)
	}
}

// safeBuffer is a log that several goroutines write.
type safeBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
