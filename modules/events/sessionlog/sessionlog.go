// Package sessionlog writes what happens to sessions and accounts to a file: one
// JSON object on each line, for the tools that admins have for logs.
//
// It owns the file and its turning over, by size or when somebody else has moved it
// away. It must not know where events come from: it is an [events.Sink]. One goroutine
// of its own writes, from a bounded queue: a disk that is slow or full holds
// nobody up. What got lost is counted, and stands in the file as an event. It implements no
// specification.
//
// Start reading at [New], then [Log.Start].
package sessionlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"weir/modules/events"

	"github.com/prometheus/client_golang/prometheus"
)

// Options are the settings of a Log.
type Options struct {
	// File is where the log of sessions is written to: each event on a line of its own, as JSON.
	// The folder has to exist. Default "" (none).
	File string
	// Events are the kinds that are written, like "bound" or "closed". Default: all.
	Events []string
	// MaxSize is how many bytes a file may have before it is turned over: it
	// becomes FILE.1, that one FILE.2 and so on. Negative: never, for those whose
	// own tools do that and send SIGHUP. Default 64 MiB.
	MaxSize int64
	// Keep is how many files of before are kept. Default 5.
	Keep int
	// Queue is how many events may wait for the disk; the oldest are dropped beyond. Default 4,096.
	Queue int
	// Log takes what goes wrong. Default: discard.
	Log *slog.Logger
	// Metrics takes the counters, may be nil.
	Metrics prometheus.Registerer
}

// DefaultOptions returns the settings of a log that nobody configured.
func DefaultOptions() Options {
	var o Options
	o.setDefaults()
	return o
}

func (o *Options) setDefaults() {
	if o.MaxSize == 0 {
		o.MaxSize = 64 << 20
	}
	if o.Keep == 0 {
		o.Keep = 5
	}
	if o.Queue == 0 {
		o.Queue = 4096
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// minSize is the smallest file that is worth a name of its own.
const minSize = 4 << 10

// Validate says which setting makes no sense. Zero fields are fine.
func (o Options) Validate() error {
	o.setDefaults()
	switch {
	case o.MaxSize > 0 && o.MaxSize < minSize:
		return fmt.Errorf("sessionlog: MaxSize is %d, must be at least %d, or negative", o.MaxSize, minSize)
	case o.Keep < 1 || o.Keep > 1000:
		return fmt.Errorf("sessionlog: Keep is %d, must be 1 to 1000", o.Keep)
	case o.Queue < 1 || o.Queue > 1_000_000:
		return fmt.Errorf("sessionlog: Queue is %d, must be 1 to 1000000", o.Queue)
	}
	if err := events.CheckKinds(o.Events); err != nil {
		return fmt.Errorf("sessionlog: Events: %w", err)
	}
	return nil
}

// Log is one file with its writer.
type Log struct {
	o       Options
	queue   *events.Queue
	written prometheus.Counter
	done    chan struct{} // nil before Start; closed when the writer has ended
	cancel  context.CancelFunc

	mu      sync.Mutex // held while the disk is at work: the writer and Reopen only
	file    *file      // guarded by mu; nil while there is none
	failing bool       // guarded by mu: that it can't be written was told
}

// New makes a log that nothing is written to before Start; events may be put
// already.
func New(o Options) (*Log, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.File == "" {
		return nil, errors.New("sessionlog: no file")
	}
	o.setDefaults()
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "weir", Subsystem: "sessionlog", Name: name, Help: help})
	}
	l := &Log{o: o, written: counter("written_total", "Events written to the log of sessions.")}
	dropped := counter("dropped_total", "Events that the log of sessions has lost.")
	if o.Metrics != nil {
		o.Metrics.MustRegister(l.written, dropped)
	}
	l.queue = events.NewQueue(o.Queue, func(n uint64) { dropped.Add(float64(n)) })
	return l, nil
}

// Put implements events.Sink.
func (l *Log) Put(e events.Event) {
	if events.Chosen(l.o.Events, e.Kind) {
		l.queue.Put(e)
	}
}

// Start opens the file and begins to write.
func (l *Log) Start() error {
	if err := l.Reopen(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.done, l.cancel = make(chan struct{}), cancel
	go l.run(ctx)
	return nil
}

// Reopen closes the file and opens it again by its name: for those who have moved it
// away. It waits for the disk. After an error it is tried again with the next event.
func (l *Log) Reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.close()
	if err := l.open(); err != nil {
		return fmt.Errorf("the log of sessions can't be opened: %w", err)
	}
	return nil
}

// Stop writes what waits and closes the file, unless ctx ends before.
func (l *Log) Stop(ctx context.Context) error {
	l.queue.Close()
	if l.done == nil {
		return nil
	}
	defer l.cancel()
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the log of sessions was not written to its end: %w", context.Cause(ctx))
	}
}
