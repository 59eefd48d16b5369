package hook

import (
	"context"
	"time"
)

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
	if all := f.list.entries.Load(); all != nil {
		return tellAll(ctx, &f.list, *all, event)
	}
	return nil
}

// Empty reports whether nobody listens.
func (f *Filter[E]) Empty() bool { return f.list.entries.Load() == nil }

// Handlers lists who is registered, in the order in which they run.
func (f *Filter[E]) Handlers() []Info { return f.list.infos() }

func (f *Filter[E]) declare(m *meta) { f.list.meta.Store(m) }

func (f *Filter[E]) listing() (kind string, handlers []Info, running int64) {
	return "filter", f.list.infos(), f.list.busy.Load()
}

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
	if all := v.list.entries.Load(); all != nil {
		return askAll(ctx, &v.list, *all, event)
	}
	return nil
}

func askAll[E any](ctx context.Context, l *list[func(context.Context, *E) error], all []*entry[func(context.Context, *E) error], event *E) (err error) {
	var at int
	if m, exact := l.begin(); !exact {
		at, err = askEach(ctx, all, event, m)
	} else {
		l.busy.Add(1)
		at, err = askTimed(ctx, all, event, m)
		l.busy.Add(-1)
	}
	if err != nil {
		for _, e := range all[at+1:] {
			e.skipped.Add(1)
		}
	}
	return err
}

// askEach returns which handler was the last to be asked, and its error.
func askEach[E any](ctx context.Context, all []*entry[func(context.Context, *E) error], event *E, m *meta) (at int, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = all[at].panicked(v)
		}
	}()
	tick := m.now()
	for ; at < len(all); at++ {
		err = all[at].fn(ctx, event)
		if now := m.now(); now != tick {
			all[at].late(m, now-tick)
			tick = now
		}
		if err != nil {
			return at, err
		}
	}
	return at, nil
}

// askTimed is askEach, and measures each handler.
func askTimed[E any](ctx context.Context, all []*entry[func(context.Context, *E) error], event *E, m *meta) (at int, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = all[at].panicked(v)
		}
	}()
	began := time.Now()
	for ; at < len(all); at++ {
		err = all[at].fn(ctx, event)
		began = all[at].timed(m, began)
		if err != nil {
			return at, err
		}
	}
	return at, nil
}

// Empty reports whether nobody would be asked.
func (v *Veto[E]) Empty() bool { return v.list.entries.Load() == nil }

// Handlers lists who is registered, in the order in which they run.
func (v *Veto[E]) Handlers() []Info { return v.list.infos() }

func (v *Veto[E]) declare(m *meta) { v.list.meta.Store(m) }

func (v *Veto[E]) listing() (kind string, handlers []Info, running int64) {
	return "veto", v.list.infos(), v.list.busy.Load()
}
