package pebble

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

// logger is what Pebble logs to. Pebble expects Fatalf to end the process. Ours
// ends only the goroutine, because going on as if nothing had happened would let
// Pebble remove files that the disk may still need.
type logger struct {
	log *slog.Logger
	// fatal marks the store failed and never to be closed the ordinary way.
	fatal func(error)
}

// fatalError is the panic by which a fatal error leaves Pebble on a
// goroutine that entered it through this package, which recovers it.
type fatalError struct{ msg string }

func (e fatalError) Error() string { return e.msg }

// Infof implements pebble.Logger.
func (l *logger) Infof(format string, args ...any) { l.log.Debug(fmt.Sprintf(format, args...)) }

// Errorf implements pebble.Logger.
func (l *logger) Errorf(format string, args ...any) { l.log.Warn(fmt.Sprintf(format, args...)) }

// Fatalf implements pebble.Logger.
func (l *logger) Fatalf(format string, args ...any) {
	err := fatalError{fmt.Sprintf(format, args...)}
	l.fatal(err)
	if calledByUs() {
		panic(err)
	}
	// A goroutine of Pebble's own (flush, compaction): run its deferred unlocks and end it.
	runtime.Goexit()
}

// calledByUs reports whether this goroutine came into Pebble through guard.
func calledByUs() bool {
	var pcs [128]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs[:])])
	for {
		f, more := frames.Next()
		if strings.HasSuffix(f.Function, "storage/pebble.guard") {
			return true
		}
		if !more {
			return false
		}
	}
}

// guard runs fn, which calls into Pebble, and turns a panic of Pebble's into
// an error. panicked says that there was one: locks of Pebble's may still be held.
func guard(fn func() error) (err error, panicked bool) {
	defer func() {
		if r := recover(); r != nil {
			panicked = true
			if e, ok := r.(error); ok {
				err = e
				return
			}
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return fn(), false
}

// events tells the log, and the store where it matters, what Pebble does on its own.
func (s *Store) events() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			s.log.Warn("storage: work in the background failed and will be repeated", "dir", s.dir, "err", err)
		},
		DataCorruption: func(i pebble.DataCorruptionInfo) {
			s.fail(fmt.Errorf("the file %s is damaged: %w", i.Path, i.Details), false)
		},
		WriteStallBegin: func(i pebble.WriteStallBeginInfo) {
			s.log.Warn("storage: writing waits for the disk", "dir", s.dir, "why", i.Reason)
		},
	}
}
