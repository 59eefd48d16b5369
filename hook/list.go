package hook

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Order is when a handler runs among the handlers of one point.
type Order int8

// The three orders. Most handlers are Normal; Early is for those that decide
// whether the rest should see the event at all, Late for those that look at
// what the others left.
const (
	Early  Order = -1
	Normal Order = 0
	Late   Order = 1
)

// String returns the order as it is printed in listings.
func (o Order) String() string {
	switch o {
	case Early:
		return "early"
	case Late:
		return "late"
	}
	return "normal"
}

// MarshalText writes the order as String does.
func (o Order) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (o *Order) UnmarshalText(text []byte) error {
	for _, x := range []Order{Early, Normal, Late} {
		if x.String() == string(text) {
			*o = x
			return nil
		}
	}
	return fmt.Errorf("hook: no order %q", text)
}

// Info describes one handler of a point.
type Info struct {
	Name     string        `json:"name"` // as given to Add
	Order    Order         `json:"order"`
	Calls    uint64        `json:"calls"`    // how often it was run
	Panics   uint64        `json:"panics"`   // how often it panicked
	Overruns uint64        `json:"overruns"` // how often it took longer than its point's limit
	Timed    uint64        `json:"timed"`    // of Calls, those whose time was measured
	Time     time.Duration `json:"time_ns"`  // of those, in all
	Longest  time.Duration `json:"longest_ns"`
}

// Mean is what a call took, of those that were measured.
func (i Info) Mean() time.Duration { return i.Time / time.Duration(max(1, i.Timed)) }

// PanicError says that a handler panicked. It is what the owner of a point gets
// instead of the panic.
type PanicError struct {
	Handler string // the name given to Add
	Value   any    // what was passed to panic
	Stack   []byte // the stack at that moment
}

// Error names the handler and the value; the stack is for the log.
func (e *PanicError) Error() string {
	return fmt.Sprintf("handler %q panicked: %v", e.Handler, e.Value)
}

// LogValue is what a log has of it: what Error says, and the stack.
func (e *PanicError) LogValue() slog.Value {
	return slog.GroupValue(slog.String("text", e.Error()), slog.String("stack", string(e.Stack)))
}

// entry is one handler with its counters, which outlive the copies of the list.
type entry[F any] struct {
	name  string
	order Order
	fn    F
	since uint64 // runs of the list before it was added

	skipped   atomic.Uint64 // runs that a veto before it has ended
	panics    atomic.Uint64
	overruns  atomic.Uint64
	times     atomic.Uint64 // calls that were timed
	nanos     atomic.Int64  // of those
	nanosMost atomic.Int64  // of one call
}

// list is a copy-on-write list of handlers: runs load it without a lock.
type list[F any] struct {
	entries atomic.Pointer[[]*entry[F]] // nil: none
	meta    atomic.Pointer[meta]        // nil: not declared
	runs    atomic.Uint64               // with at least one handler
	busy    atomic.Int64                // of those that are timed, those under way
	mu      sync.Mutex                  // held by writers of entries
}

func (l *list[F]) load() []*entry[F] {
	if p := l.entries.Load(); p != nil {
		return *p
	}
	return nil
}

func (l *list[F]) store(next []*entry[F]) {
	if len(next) == 0 {
		l.entries.Store(nil)
		return
	}
	l.entries.Store(&next)
}

func (l *list[F]) add(name string, order Order, fn F) (remove func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := &entry[F]{name: name, order: order, fn: fn, since: l.runs.Load()}
	old := l.load()
	at := len(old)
	for at > 0 && old[at-1].order > order {
		at--
	}
	l.store(slices.Insert(slices.Clone(old), at, e))
	return func() { l.remove(e) }
}

func (l *list[F]) remove(e *entry[F]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.store(slices.DeleteFunc(slices.Clone(l.load()), func(x *entry[F]) bool { return x == e }))
}

// infos describes the handlers. Every run calls each of them, but for those that
// a veto has ended, so runs are counted and not calls. Of runs under way while a
// handler is added it may be one off.
func (l *list[F]) infos() []Info {
	all := []Info{}
	for _, e := range l.load() {
		all = append(all, Info{
			Name: e.name, Order: e.order, Calls: l.runs.Load() - e.since - e.skipped.Load(), Panics: e.panics.Load(),
			Overruns: e.overruns.Load(), Timed: e.times.Load(), Time: time.Duration(e.nanos.Load()), Longest: time.Duration(e.nanosMost.Load()),
		})
	}
	return all
}

// sample is of how many runs one is timed, where a point's handlers must not block.
const sample = 256

// begin counts a run and says whether its handlers are to be timed.
func (l *list[F]) begin() (m *meta, exact bool) {
	m = l.meta.Load()
	return m, l.runs.Add(1)%sample == 1 || m != nil && m.blocks
}

// late notes a handler in which the clock has moved, by how many ticks.
func (e *entry[F]) late(m *meta, ticks int64) {
	if took := time.Duration(ticks) * tick; took >= m.limit() {
		e.most(took)
		e.overrun(m, took)
	}
}

// timed notes what a handler took since it began, and returns the time.
func (e *entry[F]) timed(m *meta, began time.Time) time.Time {
	now := time.Now()
	took := now.Sub(began)
	e.times.Add(1)
	e.nanos.Add(int64(took))
	e.most(took)
	if m != nil && took >= m.limit() {
		e.overrun(m, took)
	}
	return now
}

func (e *entry[F]) most(took time.Duration) {
	for {
		most := e.nanosMost.Load()
		if int64(took) <= most || e.nanosMost.CompareAndSwap(most, int64(took)) {
			return
		}
	}
}

// overrun counts a handler that took too long, and tells of the first time and
// of fewer and fewer thereafter.
func (e *entry[F]) overrun(m *meta, took time.Duration) {
	if n := e.overruns.Add(1); n&(n-1) == 0 && m.clock.Slow != nil {
		m.clock.Slow(m.name, e.name, took)
	}
}

// panicked counts a panic and makes an error of it.
func (e *entry[F]) panicked(v any) error {
	e.panics.Add(1)
	return &PanicError{Handler: e.name, Value: v, Stack: debug.Stack()}
}
