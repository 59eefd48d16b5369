package hook

import "context"

// Filter lets its handlers change an event before its owner goes on with it.
// The zero value is ready to use; it must not be copied.
type Filter[E any] struct {
	list list[func(context.Context, *E)]
}

// Add registers fn under a name that shows in listings and counters. The
// function it returns takes the handler away again.
func (f *Filter[E]) Add(name string, order Order, fn func(context.Context, *E)) (remove func()) {
	return f.list.add(name, order, fn)
}

// Run passes the event through every handler. After a panic the remaining
// handlers still run; the first panic is returned.
func (f *Filter[E]) Run(ctx context.Context, event *E) error {
	var first error
	for _, e := range f.list.load() {
		if err := tell(ctx, e, event); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// Empty reports whether nobody listens.
func (f *Filter[E]) Empty() bool { return len(f.list.load()) == 0 }

// Handlers lists who is registered, in the order in which they run.
func (f *Filter[E]) Handlers() []Info { return f.list.infos() }

// Veto lets its handlers refuse what is about to happen, or change how it
// happens. The zero value is ready to use; it must not be copied.
type Veto[E any] struct {
	list list[func(context.Context, *E) error]
}

// Add registers fn under a name that shows in listings and counters. The
// function it returns takes the handler away again.
func (v *Veto[E]) Add(name string, order Order, fn func(context.Context, *E) error) (remove func()) {
	return v.list.add(name, order, fn)
}

// Run asks the handlers in order. The first error ends the run and is returned:
// a protocol error goes to the peer as it is, a [*PanicError] ends the stream.
func (v *Veto[E]) Run(ctx context.Context, event *E) error {
	for _, e := range v.list.load() {
		if err := ask(ctx, e, event); err != nil {
			return err
		}
	}
	return nil
}

func ask[E any](ctx context.Context, e *entry[func(context.Context, *E) error], event *E) (err error) {
	defer e.recovered(&err)
	e.calls.Add(1)
	return e.fn(ctx, event)
}

// Empty reports whether nobody would be asked.
func (v *Veto[E]) Empty() bool { return len(v.list.load()) == 0 }

// Handlers lists who is registered, in the order in which they run.
func (v *Veto[E]) Handlers() []Info { return v.list.infos() }
