// Package webhook tells programs in other languages what happens to sessions and
// accounts: it posts batches of events as JSON to HTTP addresses, signed, and again
// until they are taken.
//
// It owns a bounded queue and one goroutine for each target, so that one that is slow,
// down or lies holds up neither the server nor the other targets. It must not know where events
// come from: it is an [events.Sink]. Delivery is at least once and in order, over restarts too: what
// waits is kept in the store. What is left out is the oldest, once the queue is full: it is counted, and
// told to the target. It implements no specification; RFC 2104 is what it signs with.
//
// Start reading at [New], then target.go and backlog.go.
package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"weir/modules/events"
	"weir/storage"

	"github.com/prometheus/client_golang/prometheus"
)

// Options are the settings of a Hook.
type Options struct {
	// Targets are the addresses that events are posted to: https, or http on this machine. Default none.
	Targets []string
	// SecretFile is the file with what posts are signed with, on one line of 16 characters
	// or more. It has to be there if there are targets; SIGHUP has it read again.
	SecretFile string
	// Events are the kinds that are told, like "bound" or "closed". Default: all.
	Events []string
	// Timeout is how long a target has to take a post. Default 10 s.
	Timeout time.Duration
	// MaxBackoff is the longest that is waited before a post is tried again, after 1 s at first and
	// twice as long each time. Default 5 min.
	MaxBackoff time.Duration
	// Batch is how many events a post has at most. Default 100.
	Batch int
	// Queue is how many events may wait for one target; the oldest are dropped beyond. Default 10,000.
	Queue int

	// Store keeps what waits for a later process; nil: nothing does.
	Store storage.Store
	// Server is how the server calls itself in posts.
	Server string
	// Transport does the posts. Default: one without redirects, proxies and compression.
	Transport http.RoundTripper
	// Log takes what goes wrong. Default: discard.
	Log *slog.Logger
	// Metrics takes the counters, may be nil.
	Metrics prometheus.Registerer
}

// DefaultOptions returns the settings of a hook that nobody configured.
func DefaultOptions() Options {
	var o Options
	o.setDefaults()
	return o
}

func (o *Options) setDefaults() {
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.MaxBackoff == 0 {
		o.MaxBackoff = 5 * time.Minute
	}
	if o.Batch == 0 {
		o.Batch = 100
	}
	if o.Queue == 0 {
		o.Queue = 10_000
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Validate says which setting makes no sense. Zero fields are fine.
func (o Options) Validate() error {
	o.setDefaults()
	switch {
	case o.Timeout < 100*time.Millisecond || o.Timeout > 5*time.Minute:
		return fmt.Errorf("webhook: Timeout is %v, must be 100ms to 5m", o.Timeout)
	case o.MaxBackoff < time.Second || o.MaxBackoff > 24*time.Hour:
		return fmt.Errorf("webhook: MaxBackoff is %v, must be 1s to 24h", o.MaxBackoff)
	case o.Batch < 1 || o.Batch > 10_000:
		return fmt.Errorf("webhook: Batch is %d, must be 1 to 10000", o.Batch)
	case o.Queue < 1 || o.Queue > 1_000_000:
		return fmt.Errorf("webhook: Queue is %d, must be 1 to 1000000", o.Queue)
	case len(o.Targets) > maxTargets:
		return fmt.Errorf("webhook: Targets are %d, there may be %d", len(o.Targets), maxTargets)
	}
	for i, t := range o.Targets {
		if _, err := parseTarget(t); err != nil {
			return fmt.Errorf("webhook: Targets: number %d %w", i+1, err)
		}
	}
	if err := events.CheckKinds(o.Events); err != nil {
		return fmt.Errorf("webhook: Events: %w", err)
	}
	return nil
}

const maxTargets = 16

// parseTarget reads the address of a target. The error doesn't have it: a path may
// be a secret.
func parseTarget(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || u.Fragment != "":
		return nil, errors.New(`is no address like "https://hooks.example.org/weir"`)
	case u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()):
		return u, nil
	}
	return nil, errors.New("has to be https, or http on this machine: what it tells could be read and changed on the way")
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback() || host == "localhost"
}

// Hook is a number of targets.
type Hook struct {
	o        Options
	secret   atomic.Pointer[[]byte]
	targets  []*target
	stopping chan struct{} // closed at the end: a post that begins after that is the last try
	cancel   context.CancelFunc
	run      context.Context
	running  sync.WaitGroup
}

// New makes a hook that posts nothing before Start; events may be put already. It reads
// from the store what an earlier process left.
func New(ctx context.Context, o Options) (*Hook, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.setDefaults()
	if o.Transport == nil {
		o.Transport = transport()
	}
	h := &Hook{o: o, stopping: make(chan struct{})}
	h.run, h.cancel = context.WithCancel(context.Background())
	if err := h.Reload(); err != nil {
		return nil, err
	}
	m := newMetrics(o.Metrics)
	for _, t := range o.Targets {
		u, err := parseTarget(t)
		if err != nil {
			return nil, err
		}
		t := newTarget(h, u, m)
		if err := t.backlog.load(ctx); err != nil {
			return nil, fmt.Errorf("webhook: what waits for %s: %w", u.Host, err)
		}
		h.targets = append(h.targets, t)
	}
	if err := forgetOthers(ctx, &h.o, h.targets); err != nil {
		return nil, err
	}
	return h, nil
}

// Reload reads the secret again. What is wrong with it is returned; the old one then
// stays in use.
func (h *Hook) Reload() error {
	secret, err := readSecret(h.o.SecretFile, h.o.Log)
	if err != nil {
		return err
	}
	h.secret.Store(&secret)
	return nil
}

// Put implements events.Sink.
func (h *Hook) Put(e events.Event) {
	if !events.Chosen(h.o.Events, e.Kind) {
		return
	}
	for _, t := range h.targets {
		t.backlog.put(e)
	}
}

// Start begins to post.
func (h *Hook) Start() {
	for _, t := range h.targets {
		h.running.Go(t.work)
	}
}

// ending reports whether a post that begins now is the last try.
func (h *Hook) ending() bool {
	select {
	case <-h.stopping:
		return true
	default:
		return false
	}
}

// lastPosts is how long the posts at the end may take in all.
const lastPosts = 3 * time.Second

// Stop posts what waits, to targets that take it at once, for a few seconds or until
// ctx ends. What is left waits in the store for the next process; without one it is
// dropped. Either is told in the log.
func (h *Hook) Stop(ctx context.Context) {
	for _, t := range h.targets {
		t.backlog.queue.Close()
	}
	close(h.stopping)
	ctx, cancel := context.WithTimeout(ctx, lastPosts)
	defer cancel()
	defer context.AfterFunc(ctx, h.cancel)()
	h.running.Wait()
	h.cancel()
	for _, t := range h.targets {
		switch n := t.left + t.backlog.queue.Len(); {
		case n == 0:
		case h.o.Store != nil:
			h.o.Log.Warn("events wait for a webhook target until the next start", t.unmet(n)...)
		default:
			t.metrics.dropped.Add(float64(n))
			h.o.Log.Warn("events were not told to a webhook target before the end", t.unmet(n)...)
		}
	}
}
