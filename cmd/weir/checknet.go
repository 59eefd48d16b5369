package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"weir/admin"
	"weir/config"
)

// ports looks whether the addresses can be listened on, or are by our own server
// already.
func (c *checker) ports(ctx context.Context, cfg config.Config) {
	held := map[string]string{}
	if t, err := running(cfg); err == nil {
		if st, err := t.Status(ctx); err == nil {
			held = st.Listeners
			c.add(checkOK, "server", "", "one runs on the data folder (process %d)", st.PID)
		} else {
			c.add(checkWarn, "server", "", "one runs on the data folder: %v", err)
		}
		t.Client.Close()
	} else if !errors.Is(err, admin.ErrNotRunning) && !strings.HasPrefix(err.Error(), "no server runs") {
		c.add(checkWarn, "server", "", "%v", err)
	}
	l := cfg.Listen
	var ours []net.Listener // they stay open meanwhile, so that nothing is free twice
	defer func() {
		for _, l := range ours {
			l.Close()
		}
	}()
	for _, x := range []struct{ name, addr string }{
		{"c2s", l.C2S}, {"c2s-tls", l.C2STLS}, {"c2s-insecure", l.C2SInsecure}, {"component", l.Component}, {"metrics", l.Metrics},
	} {
		if x.addr != "" {
			ours = c.port(x.name, x.addr, held[x.name], ours)
		}
	}
	if host, _, err := net.SplitHostPort(l.Metrics); err == nil && !private(host) {
		c.add(checkWarn, "metrics "+l.Metrics, `take an address like "127.0.0.1:9222"`, "everybody who reaches this address can read the metrics")
	}
	if l.C2SInsecure != "" {
		c.add(checkWarn, "c2s-insecure "+l.C2SInsecure, "leave it out unless you measure, or a proxy ends TLS", "clients may stay without TLS there")
	}
}

func private(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && (a.IsLoopback() || a.IsPrivate())
}

// port looks whether an address can be listened on beside ours, and returns these with it.
func (c *checker) port(name, addr, held string, ours []net.Listener) []net.Listener {
	subject := name + " " + addr
	l, err := net.Listen("tcp", addr)
	switch {
	case err == nil:
		c.add(checkOK, subject, "", "free")
		return append(ours, l)
	case errors.Is(err, syscall.EADDRINUSE) && samePort(addr, held):
		c.add(checkOK, subject, "", "our own server listens there")
	case errors.Is(err, syscall.EADDRINUSE) && slices.ContainsFunc(ours, func(l net.Listener) bool { return samePort(addr, l.Addr().String()) }):
		c.add(checkFail, subject, "choose another", "another listener of the configuration has that port")
	case errors.Is(err, syscall.EADDRINUSE):
		c.add(checkFail, subject, "`ss -ltnp` shows which; stop it, or choose another address", "another program listens there")
	case errors.Is(err, os.ErrPermission):
		c.add(checkFail, subject, "choose a port above 1023, or give the program CAP_NET_BIND_SERVICE", "not permitted: ports below 1024 need a privilege")
	default:
		c.add(checkFail, subject, "", "%v", err)
	}
	return ours
}

func samePort(a, b string) bool {
	_, p, errA := net.SplitHostPort(a)
	_, q, errB := net.SplitHostPort(b)
	return errA == nil && errB == nil && p == q
}

// lookupTime bounds each look-up of a name.
const lookupTime = 5 * time.Second

// domain looks whether clients find the way to a domain (RFC 6120 §3.2, XEP-0368).
func (c *checker) domain(ctx context.Context, cfg config.Config, domain string) {
	subject := "DNS " + domain
	if _, err := netip.ParseAddr(strings.Trim(domain, "[]")); err == nil || config.IsLoopback(domain) {
		c.add(checkOK, subject, "", "needs no names")
		return
	}
	found := false
	for _, x := range []struct{ service, addr string }{{"xmpp-client", cfg.Listen.C2S}, {"xmpps-client", cfg.Listen.C2STLS}} {
		_, port, err := net.SplitHostPort(x.addr)
		if err != nil {
			continue // no such listener
		}
		found = c.srv(ctx, domain, x.service, port) || found
	}
	if addrs, err := c.lookupHost(ctx, domain); err == nil {
		c.add(checkOK, subject, "", "%s is at %s", domain, strings.Join(addrs, ", "))
	} else if !found {
		c.add(checkWarn, subject, "add an A or AAAA record for "+domain, "%s has no address: %s", domain, lookupError(err))
	}
}

// srv looks for one kind of SRV record and what it points to.
func (c *checker) srv(ctx context.Context, domain, service, port string) bool {
	subject := "DNS _" + service + "._tcp." + domain
	one, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	_, records, err := c.names.LookupSRV(one, service, "tcp", domain)
	if err != nil || len(records) == 0 {
		c.add(checkWarn, subject, "add: _"+service+"._tcp."+domain+". SRV 5 0 "+port+" "+domain+".", "no SRV record: %s", lookupError(err))
		return false
	}
	if !slices.ContainsFunc(records, func(r *net.SRV) bool { return strconv.Itoa(int(r.Port)) == port }) {
		c.add(checkWarn, subject, "change the record, or the address to listen on", "no record names port %s", port)
	}
	ok := false
	for _, r := range records {
		target := strings.TrimSuffix(r.Target, ".")
		addrs, err := c.lookupHost(ctx, target)
		if err != nil {
			c.add(checkWarn, subject, "add an A or AAAA record for "+target, "it points to %s, which has no address: %s", target, lookupError(err))
			continue
		}
		ok = true
		c.add(checkOK, subject, "", "%s port %d, at %s", target, r.Port, strings.Join(addrs, ", "))
	}
	return ok
}

func (c *checker) lookupHost(ctx context.Context, host string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	return c.names.LookupHost(ctx, host)
}

// lookupError is what a failed look-up said, without the address of the name
// server.
func lookupError(err error) string {
	var d *net.DNSError
	switch {
	case err == nil:
		return "none"
	case errors.As(err, &d) && d.IsNotFound:
		return "no such name"
	case errors.As(err, &d) && d.IsTimeout:
		return "no answer in time"
	case errors.As(err, &d):
		return d.Err
	}
	return err.Error()
}
