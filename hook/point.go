package hook

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
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

// Info describes one handler of a point.
type Info struct {
	Name   string // as given to Add
	Order  Order
	Calls  uint64 // how often it was run
	Panics uint64 // how often it panicked
}

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

// entry is one handler with its counters, which outlive the copies of the list.
type entry[F any] struct {
	name   string
	order  Order
	fn     F
	calls  atomic.Uint64
	panics atomic.Uint64
}

// list is a copy-on-write list of handlers: runs load it without a lock.
type list[F any] struct {
	mu      sync.Mutex // held by writers only
	entries atomic.Pointer[[]*entry[F]]
}

func (l *list[F]) load() []*entry[F] {
	if p := l.entries.Load(); p != nil {
		return *p
	}
	return nil
}

func (l *list[F]) add(name string, order Order, fn F) (remove func()) {
	e := &entry[F]{name: name, order: order, fn: fn}
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.load()
	at := len(old)
	for at > 0 && old[at-1].order > order {
		at--
	}
	next := slices.Insert(slices.Clone(old), at, e)
	l.entries.Store(&next)
	return func() { l.remove(e) }
}

func (l *list[F]) remove(e *entry[F]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := slices.DeleteFunc(slices.Clone(l.load()), func(x *entry[F]) bool { return x == e })
	l.entries.Store(&next)
}

func (l *list[F]) infos() []Info {
	var all []Info
	for _, e := range l.load() {
		all = append(all, Info{Name: e.name, Order: e.order, Calls: e.calls.Load(), Panics: e.panics.Load()})
	}
	return all
}

// recovered turns a panic into an error in *err; it must be deferred directly.
func (e *entry[F]) recovered(err *error) {
	if v := recover(); v != nil {
		e.panics.Add(1)
		*err = &PanicError{Handler: e.name, Value: v, Stack: debug.Stack()}
	}
}

// Point tells its handlers that something happened. The zero value has no
// handlers and is ready to use; it must not be copied.
type Point[E any] struct {
	list list[func(context.Context, E)]
}

// Add registers fn under a name that shows in listings and counters. The
// function it returns takes the handler away again.
func (p *Point[E]) Add(name string, order Order, fn func(context.Context, E)) (remove func()) {
	return p.list.add(name, order, fn)
}

// Run calls every handler with the event. A panic in one does not keep the
// others from running; the first is returned.
func (p *Point[E]) Run(ctx context.Context, event E) error {
	var first error
	for _, e := range p.list.load() {
		if err := tell(ctx, e, event); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func tell[E any](ctx context.Context, e *entry[func(context.Context, E)], event E) (err error) {
	defer e.recovered(&err)
	e.calls.Add(1)
	e.fn(ctx, event)
	return nil
}

// Empty reports whether nobody listens, so that an owner can skip building an
// event.
func (p *Point[E]) Empty() bool { return len(p.list.load()) == 0 }

// Handlers lists who is registered, in the order in which they run.
func (p *Point[E]) Handlers() []Info { return p.list.infos() }
