package hook

import (
	"context"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"
)

// How long a handler may take until it counts as an overrun. Nothing ends it then:
// it holds up its own session, or whoever runs the point.
const (
	Limit         = time.Second      // where handlers must not block
	BlockingLimit = 10 * time.Second // where they may
)

// tick is how exactly overruns are measured where not every run is timed.
const tick = 250 * time.Millisecond

// Clock is by which overruns are noticed without asking for the time at each
// event. It stands still unless Run runs.
type Clock struct {
	// Slow is told of overruns: of the first of a handler, the second, the fourth,
	// and so on, on the handler's goroutine. Set it before Run; it may be nil.
	Slow  func(point, handler string, took time.Duration)
	ticks atomic.Int64
}

// Run lets the clock go until ctx ends.
func (c *Clock) Run(ctx context.Context) {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			c.ticks.Add(1)
		case <-ctx.Done():
			return
		}
	}
}

// meta is what a catalogue says about a point.
type meta struct {
	name   string
	blocks bool // handlers may block: each call is timed
	clock  *Clock
}

// now is the time by the clock, 0 without one.
func (m *meta) now() int64 {
	if m == nil {
		return 0
	}
	return m.clock.ticks.Load()
}

func (m *meta) limit() time.Duration {
	if m.blocks {
		return BlockingLimit
	}
	return Limit
}

// declared is a point of any kind.
type declared interface {
	declare(*meta)
	listing() (kind string, handlers []Info, running int64)
}

// Listing describes one point with its handlers.
type Listing struct {
	Point    string `json:"point"` // as docs/session.md has it
	Kind     string `json:"kind"`  // point, filter or veto
	MayBlock bool   `json:"may_block"`
	Running  int64  `json:"running"` // runs under way
	Handlers []Info `json:"handlers"`
}

// Catalogue is the points of a package: a struct whose fields are all points.
// A field with the tag `hook:"blocks"` is one whose handlers may block.
type Catalogue struct {
	list []Listing // without what changes
	at   []declared
}

// Declare names the points of a catalogue, given as a pointer to it, after its
// owner and has a clock watch over them. It is for the time before the first of
// them runs.
func Declare(owner string, catalogue any, c *Clock) Catalogue {
	var all Catalogue
	v := reflect.ValueOf(catalogue).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		p, ok := v.Field(i).Addr().Interface().(declared)
		if !ok {
			panic(fmt.Sprintf("hook: %s.%s is no point but a %s", owner, f.Name, f.Type))
		}
		m := &meta{name: owner + "." + f.Name, blocks: f.Tag.Get("hook") == "blocks", clock: c}
		p.declare(m)
		all.at = append(all.at, p)
		all.list = append(all.list, Listing{Point: m.name, MayBlock: m.blocks})
	}
	return all
}

// List describes the points and who is registered now, in the order in which they run.
func (c Catalogue) List() []Listing {
	all := make([]Listing, len(c.at))
	for i, p := range c.at {
		all[i] = c.list[i]
		all[i].Kind, all[i].Handlers, all[i].Running = p.listing()
	}
	return all
}
