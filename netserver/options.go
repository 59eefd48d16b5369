package netserver

import (
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options are the settings of a Server.
type Options struct {
	// HandshakeTimeout bounds a TLS handshake. Default 10 s.
	HandshakeTimeout time.Duration
	// MaxOutput is how many bytes may wait for a peer that reads slowly. What is
	// appended in the moment of a write that the kernel accepts may be eight
	// times as much. Default 256 KiB.
	MaxOutput int
	// MaxInput is how many bytes of input not taken by the handler are kept: a
	// last resort, the handler's own limits should be lower. Default 1 MiB.
	MaxInput int
	// StallTimeout is how long writing may make no progress. Default 30 s.
	StallTimeout time.Duration
	// CloseGrace is how long output may take after an end that the handler
	// didn't order by Conn.Close: an error of Data, a timeout, the peer's end.
	// Default 5 s.
	CloseGrace time.Duration
	// MaxPerAddr is how many connections an address (IPv6: a /64) may have.
	// Default 500.
	MaxPerAddr int
	// MaxUnauthPerAddr is how many of them may be not yet authenticated.
	// Default 50.
	MaxUnauthPerAddr int
	// LimitLoopback applies the two to loopback addresses too. Default false.
	LimitLoopback bool
	// Proxies are addresses or networks, like 10.0.0.0/8, of proxies in front of the
	// server. Each connection of clients from there has to begin with a header of the
	// PROXY protocol, version 2, and counts as from the address in it. Default: none.
	Proxies []string
	// Tickets lets clients resume TLS sessions. Default: none can.
	Tickets *Tickets
	// Log gets what an administrator should see. Default: nothing is logged.
	Log *slog.Logger
	// Metrics registers what is counted. Default: not registered.
	Metrics prometheus.Registerer
}

// Validate says which setting makes no sense.
func (o *Options) Validate() error {
	switch {
	case o.HandshakeTimeout < 0, o.StallTimeout < 0, o.CloseGrace < 0:
		return errors.New("netserver: a timeout is negative")
	case o.MaxOutput < 0, o.MaxInput < 0:
		return errors.New("netserver: a limit of bytes is negative")
	case o.MaxPerAddr < 0, o.MaxUnauthPerAddr < 0:
		return errors.New("netserver: a limit of connections is negative")
	}
	_, err := prefixes(o.Proxies)
	return err
}

// DefaultOptions returns the settings of a server that nobody configured.
func DefaultOptions() Options {
	var o Options
	o.setDefaults()
	return o
}

// setDefaults replaces what is not set (or negative) by the defaults.
func (o *Options) setDefaults() {
	setDefault(&o.HandshakeTimeout, 10*time.Second)
	setDefault(&o.StallTimeout, 30*time.Second)
	setDefault(&o.CloseGrace, 5*time.Second)
	setDefault(&o.MaxOutput, 256<<10)
	setDefault(&o.MaxInput, 1<<20)
	setDefault(&o.MaxPerAddr, 500)
	setDefault(&o.MaxUnauthPerAddr, 50)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}
