package netserver

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/pires/go-proxyproto"
)

// A proxy in front says whose connection it passes on, in a header before anything
// else (the PROXY protocol, version 2). It is believed only where the connection
// comes from one of Options.Proxies, and asked of all that do: anybody else could
// say anything.

const (
	proxyFixed  = 16      // what every header begins with: signature, command, family, length
	maxProxyTLV = 4 << 10 // what follows: addresses, and what the proxy tells besides
)

// prefixes reads addresses and networks.
func prefixes(list []string) (all []netip.Prefix, err error) {
	for _, text := range list {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			a, err := netip.ParseAddr(text)
			if err != nil {
				return nil, fmt.Errorf("netserver: the proxy %q is no address and no network like 10.0.0.0/8", text)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

// fromProxy reports whether a connection begins with a proxy's header.
func (s *Server) fromProxy(nc net.Conn, l *Listen) bool {
	a := addrPort(nc.RemoteAddr()).Addr()
	return l.Proxied && slices.ContainsFunc(s.proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// serveProxied is Serve for a connection that begins with a proxy's header.
func (s *Server) serveProxied(nc net.Conn, l Listen) {
	remote, err := s.readProxy(nc)
	if err != nil {
		s.log.Warn("connection refused: a proxy didn't say whose it is", "proxy", nc.RemoteAddr(), "err", err)
		nc.Close()
		return
	}
	c := s.newConn(nc)
	if remote.IsValid() {
		c.remote = remote
	}
	l.Proxied = false // the one header has come
	s.serve(c, l)
}

// Headers of the PROXY protocol as far as they tell themselves from everything else,
// by version.
var (
	proxyBegins  = map[int]string{1: "PROXY ", 2: string(proxyproto.SIGV2)}
	recordBegins = map[int]string{1: "PROXY", 2: string(proxyproto.SIGV2[:5])} // as much as TLS looks at
)

// maxStrange bounds the addresses whose headers are told in the log: anybody can send
// one.
const maxStrange = 100

// strangeProxy tells in the log if the first bytes of a connection are the header of a
// proxy from which none is believed: most likely the admin's own, not named yet.
func (c *Conn) strangeProxy(b []byte) {
	for version, begin := range proxyBegins {
		if bytes.HasPrefix(b, []byte(begin)) {
			c.srv.tellStrange(c, version)
		}
	}
}

// strangeRecord is strangeProxy for bytes that stood where TLS was to begin.
func (c *Conn) strangeRecord(err error) {
	var no tls.RecordHeaderError
	if !errors.As(err, &no) {
		return
	}
	for version, begin := range recordBegins {
		if string(no.RecordHeader[:]) == begin {
			c.srv.tellStrange(c, version)
		}
	}
}

// tellStrange warns once of each address.
func (s *Server) tellStrange(c *Conn, version int) {
	place := c.place()
	s.mu.Lock()
	_, told := s.strange[place]
	if told = told || len(s.strange) >= maxStrange; !told {
		s.strange[place] = struct{}{}
	}
	s.mu.Unlock()
	if !told {
		s.log.Warn("a connection refused: it begins with a header of the PROXY protocol, and none is expected from its address; "+
			"if a proxy of yours is there, name it in network.proxies, and have it send version 2", "addr", c.remote.Addr(), "version", version)
	}
}

// readProxy reads the header and nothing behind it. remote is not valid where the
// proxy speaks for itself, to see whether the server is there.
func (s *Server) readProxy(nc net.Conn) (remote netip.AddrPort, err error) {
	if err := nc.SetReadDeadline(time.Now().Add(s.opt.HandshakeTimeout)); err != nil {
		return remote, err
	}
	b := make([]byte, proxyFixed, proxyFixed+256)
	if _, err := io.ReadFull(nc, b); err != nil {
		return remote, err
	}
	if !bytes.Equal(b[:len(proxyproto.SIGV2)], proxyproto.SIGV2) {
		return remote, errors.New("it sends no header of the PROXY protocol, version 2")
	}
	n := int(binary.BigEndian.Uint16(b[proxyFixed-2:]))
	if n > maxProxyTLV {
		return remote, fmt.Errorf("its header has %d bytes, more than %d", n, maxProxyTLV)
	}
	b = append(b, make([]byte, n)...)
	if _, err := io.ReadFull(nc, b[proxyFixed:]); err != nil {
		return remote, err
	}
	h, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(b), len(b)))
	if err != nil {
		return remote, err
	}
	if !h.Command.IsLocal() {
		from, _, ok := h.TCPAddrs()
		if !ok {
			return remote, errors.New("it passes on something that isn't TCP")
		}
		remote = addrPort(from)
	}
	return remote, nc.SetReadDeadline(time.Time{})
}
