package hook

import (
	"context"
	"time"
)

// Point tells its handlers that something happened. The zero value has no
// handlers and is ready to use; it must not be copied.
type Point[E any] struct {
	list list[func(context.Context, E)]
}

// Add registers fn under a name that shows in listings and counters. The
// function it returns takes the handler away again; fn may call it, but may also run
// before Add has returned it.
func (p *Point[E]) Add(name string, order Order, fn func(context.Context, E)) (remove func()) {
	return p.list.add(name, order, fn)
}

// Run calls every handler with the event. A panic in one does not keep the
// others from running; the first is returned.
func (p *Point[E]) Run(ctx context.Context, event E) error {
	if all := p.list.entries.Load(); all != nil {
		return tellAll(ctx, &p.list, *all, event)
	}
	return nil
}

// tellAll runs the handlers of a point or a filter: quickly, or asking for the
// time.
func tellAll[E any](ctx context.Context, l *list[func(context.Context, E)], all []*entry[func(context.Context, E)], event E) error {
	if m, exact := l.begin(); !exact {
		at, first := tellFrom(ctx, all, 0, event, m)
		if first == nil {
			return nil
		}
		for at < len(all) {
			at, _ = tellFrom(ctx, all, at, event, m)
		}
		return first
	}
	return tellAllTimed(ctx, l, all, event)
}

func tellAllTimed[E any](ctx context.Context, l *list[func(context.Context, E)], all []*entry[func(context.Context, E)], event E) (first error) {
	l.busy.Add(1)
	defer l.busy.Add(-1)
	for at := 0; at < len(all); {
		var err error
		if at, err = tellTimed(ctx, all, at, event, l.meta.Load()); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// tellFrom runs handlers until one panics, and returns which is the next.
func tellFrom[E any](ctx context.Context, all []*entry[func(context.Context, E)], at int, event E, m *meta) (next int, err error) {
	next = at
	defer func() {
		if v := recover(); v != nil {
			err = all[next].panicked(v)
			next++
		}
	}()
	tick := m.now()
	for ; next < len(all); next++ {
		all[next].fn(ctx, event)
		if now := m.now(); now != tick {
			all[next].late(m, now-tick)
			tick = now
		}
	}
	return next, nil
}

// tellTimed is tellFrom, and measures each handler.
func tellTimed[E any](ctx context.Context, all []*entry[func(context.Context, E)], at int, event E, m *meta) (next int, err error) {
	next = at
	defer func() {
		if v := recover(); v != nil {
			err = all[next].panicked(v)
			next++
		}
	}()
	began := time.Now()
	for ; next < len(all); next++ {
		all[next].fn(ctx, event)
		began = all[next].timed(m, began)
	}
	return next, nil
}

// Empty reports whether nobody listens, so that an owner can skip building an
// event.
func (p *Point[E]) Empty() bool { return p.list.entries.Load() == nil }

// Handlers lists who is registered, in the order in which they run.
func (p *Point[E]) Handlers() []Info { return p.list.infos() }

func (p *Point[E]) declare(m *meta) { p.list.meta.Store(m) }

func (p *Point[E]) listing() (kind string, handlers []Info, running int64) {
	return "point", p.list.infos(), p.list.busy.Load()
}
