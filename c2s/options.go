package c2s

import (
	"fmt"
	"log/slog"
	"time"

	"weir/xmlstream"

	"github.com/prometheus/client_golang/prometheus"
)

// Options are the settings of a Server. A zero field means its default, but for
// ByteRate and StanzaRate, where it means no limit: start from [DefaultOptions].
type Options struct {
	// Domain is named as our address where a client asked for a host that we
	// don't serve (RFC 6120 §4.9.1.3). Default: the empty string, which tells
	// a stranger nothing.
	Domain string

	LoginBytes    int // size of one element before login, default 8 KiB
	LoginElements int // elements in it, default 32
	LoginDepth    int // nesting, default 8

	StanzaBytes    int // size of one stanza after login, at least 10,000 (RFC 6120 §13.12), default 256 KiB
	StanzaElements int // elements in it, default 2,000
	StanzaDepth    int // nesting, default 64
	StanzaAttrs    int // attributes of one element, before login too, default 64

	LoginTimeout time.Duration // from accept to login, whatever the client sends, default 30 s
	BindTimeout  time.Duration // from login to a bound resource, default 60 s
	CloseTimeout time.Duration // wait for the peer's closing tag after ours, default 5 s
	IdleTimeout  time.Duration // nothing read until the client is asked for a sign of life, default 5 min
	PingTimeout  time.Duration // wait for that sign, default 60 s

	MaxWrong     int // wrong credentials on one stream, 2 to 5 (RFC 6120 §6.4.5), default 5
	MaxAuthTries int // SASL attempts on one stream of any outcome, default 10
	MaxBindTries int // refused binds on one stream, 5 to 10 (RFC 6120 §7.7.3), default 10

	ByteRate    int // bytes a second taken from one client, default 64 KiB in DefaultOptions; 0: no limit
	ByteBurst   int // bytes above that rate, default 512 KiB
	StanzaRate  int // stanzas a second taken from one client, default 100 in DefaultOptions; 0: no limit
	StanzaBurst int // stanzas above that rate, default 1,000

	Log     *slog.Logger          // default: discard
	Metrics prometheus.Registerer // default: counted, not registered
}

// DefaultOptions returns the settings of a server that nobody configured.
func DefaultOptions() Options {
	o := Options{ByteRate: 64 << 10, StanzaRate: 100}
	o.setDefaults()
	return o
}

func (o *Options) setDefaults() {
	for _, d := range []struct {
		field *int
		value int
	}{
		{&o.LoginBytes, 8 << 10}, {&o.LoginElements, 32}, {&o.LoginDepth, 8},
		{&o.StanzaBytes, 256 << 10}, {&o.StanzaElements, 2000}, {&o.StanzaDepth, 64}, {&o.StanzaAttrs, 64},
		{&o.MaxWrong, 5}, {&o.MaxAuthTries, 10}, {&o.MaxBindTries, 10},
		{&o.ByteBurst, 512 << 10}, {&o.StanzaBurst, 1000},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.LoginTimeout, 30 * time.Second}, {&o.BindTimeout, time.Minute},
		{&o.CloseTimeout, 5 * time.Second}, {&o.IdleTimeout, 5 * time.Minute}, {&o.PingTimeout, time.Minute},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Validate reports the first setting that makes no sense. Zero fields are fine.
func (o Options) Validate() error {
	o.setDefaults()
	for _, r := range []struct {
		name          string
		value, lo, hi int
	}{
		{"LoginBytes", o.LoginBytes, 1024, 1 << 20},
		{"LoginElements", o.LoginElements, 4, 10_000},
		{"LoginDepth", o.LoginDepth, 3, 256},
		{"StanzaBytes", o.StanzaBytes, 10_000, 64 << 20}, // RFC 6120 §13.12
		{"StanzaElements", o.StanzaElements, 16, 1_000_000},
		{"StanzaDepth", o.StanzaDepth, 8, 256},
		{"StanzaAttrs", o.StanzaAttrs, 16, 10_000},
		{"MaxWrong", o.MaxWrong, 2, 5},            // RFC 6120 §6.4.5
		{"MaxAuthTries", o.MaxAuthTries, 2, 1000}, // at least one fall-back
		{"MaxBindTries", o.MaxBindTries, 5, 10},   // RFC 6120 §7.7.3
		{"ByteRate", o.ByteRate, 0, 1 << 30},
		{"StanzaRate", o.StanzaRate, 0, 1 << 30},
		{"ByteBurst", o.ByteBurst, 1, 1 << 30},
		{"StanzaBurst", o.StanzaBurst, 1, 1 << 30},
	} {
		if r.value < r.lo || r.value > r.hi {
			return fmt.Errorf("c2s: %s is %d, must be %d to %d", r.name, r.value, r.lo, r.hi)
		}
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"LoginTimeout", o.LoginTimeout}, {"BindTimeout", o.BindTimeout}, {"CloseTimeout", o.CloseTimeout},
		{"IdleTimeout", o.IdleTimeout}, {"PingTimeout", o.PingTimeout},
	} {
		if d.value < time.Second {
			return fmt.Errorf("c2s: %s is %v, must be at least a second", d.name, d.value)
		}
	}
	return nil
}

// loginLimits are the scanner's limits before login.
func (o *Options) loginLimits() xmlstream.Limits {
	return xmlstream.Limits{Bytes: o.LoginBytes, Elements: o.LoginElements, Depth: o.LoginDepth, Attrs: o.StanzaAttrs}
}

// stanzaLimits are the scanner's limits after login.
func (o *Options) stanzaLimits() xmlstream.Limits {
	return xmlstream.Limits{Bytes: o.StanzaBytes, Elements: o.StanzaElements, Depth: o.StanzaDepth, Attrs: o.StanzaAttrs}
}

// limited is the options of the moment, and what is made of them.
type limited struct {
	o     Options
	rates rates
}

func newLimited(o Options) *limited { return &limited{o: o, rates: newRates(&o)} }

// SetOptions changes the settings of a server that runs. Each holds from its next
// use on: the bounds of what one client sends for streams that open or log in
// from now on, rates and times for all. Domain, Log and Metrics stay as they are. An
// error changes nothing.
func (srv *Server) SetOptions(o Options) error {
	if err := o.Validate(); err != nil {
		return err
	}
	o.setDefaults()
	o.Domain, o.Log, o.Metrics = srv.o.Domain, srv.o.Log, srv.o.Metrics
	srv.live.Store(newLimited(o))
	return nil
}

// opts are the settings of the moment.
func (srv *Server) opts() *Options { return &srv.live.Load().o }

// limits are the rates of the moment.
func (srv *Server) limits() *rates { return &srv.live.Load().rates }
