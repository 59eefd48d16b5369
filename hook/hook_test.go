package hook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestPointRunsInOrder(t *testing.T) {
	var p Point[int]
	var got []string
	add := func(name string, o Order) {
		p.Add(name, o, func(_ context.Context, n int) { got = append(got, fmt.Sprint(name, n)) })
	}
	add("c", Normal)
	add("e", Late)
	add("a", Early)
	add("d", Normal)
	add("b", Early)
	if err := p.Run(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	if want := []string{"a7", "b7", "c7", "d7", "e7"}; !slices.Equal(got, want) {
		t.Errorf("ran %v, want %v", got, want)
	}
}

func TestPointSurvivesPanics(t *testing.T) {
	var p Point[int]
	ran := 0
	p.Add("first", Normal, func(context.Context, int) { panic("oh") })
	p.Add("second", Normal, func(context.Context, int) { ran++ })
	err := p.Run(t.Context(), 1)
	var pe *PanicError
	if !errors.As(err, &pe) || pe.Handler != "first" || pe.Value != "oh" || len(pe.Stack) == 0 {
		t.Fatalf("got %#v", err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Error("handler failed", "err", err)
	if !strings.Contains(log.String(), `err.text="handler \"first\" panicked: oh"`) || !strings.Contains(log.String(), "hook_test.go:") {
		t.Errorf("the log doesn't say where: %s", log.String())
	}
	if ran != 1 {
		t.Errorf("the handler after the panic ran %d times", ran)
	}
	if h := p.Handlers(); h[0].Panics != 1 || h[0].Calls != 1 || h[1].Panics != 0 || h[1].Calls != 1 {
		t.Errorf("counters: %+v", h)
	}
}

func TestAddAndRemoveWhileRunning(t *testing.T) {
	var p Point[int]
	late := 0
	var remove func()
	remove = p.Add("self", Normal, func(context.Context, int) {
		remove() // re-entry: no lock is held while a handler runs
		p.Add("added", Normal, func(context.Context, int) { late++ })
	})
	p.Run(t.Context(), 1)
	if late != 0 {
		t.Error("a handler added during a run must not be part of it")
	}
	p.Run(t.Context(), 2)
	if late != 1 || len(p.Handlers()) != 1 {
		t.Errorf("late=%d handlers=%+v", late, p.Handlers())
	}
}

func TestVetoStopsAtTheFirstError(t *testing.T) {
	var v Veto[string]
	no := errors.New("no")
	v.Add("change", Early, func(_ context.Context, s *string) error { *s += "!"; return nil })
	v.Add("refuse", Normal, func(context.Context, *string) error { return no })
	v.Add("never", Late, func(_ context.Context, s *string) error { *s = "reached"; return nil })
	s := "x"
	if err := v.Run(t.Context(), &s); err != no || s != "x!" {
		t.Errorf("err=%v s=%q", err, s)
	}
}

func TestFilterChanges(t *testing.T) {
	var f Filter[int]
	f.Add("double", Normal, func(_ context.Context, n *int) { *n *= 2 })
	f.Add("more", Late, func(_ context.Context, n *int) { *n++ })
	n := 4
	if err := f.Run(t.Context(), &n); err != nil || n != 9 {
		t.Errorf("n=%d err=%v", n, err)
	}
}

// TestCounts holds what is counted of handlers that run in both loops, the quick
// one and the one that asks for the time, and of those that a veto keeps from it.
func TestCounts(t *testing.T) {
	const runs = 3 * sample
	var p Point[int]
	var v Veto[int]
	no := errors.New("no")
	p.Add("panics", Normal, func(context.Context, int) { panic("oh") })
	p.Add("panics too", Normal, func(context.Context, int) { panic("oh") })
	p.Add("last", Late, func(context.Context, int) {})
	v.Add("refuses odd ones", Normal, func(_ context.Context, n *int) error {
		if *n%2 == 1 {
			return no
		}
		return nil
	})
	v.Add("panics at each fourth", Normal, func(_ context.Context, n *int) error {
		if *n%4 == 0 {
			panic("oh")
		}
		return nil
	})
	v.Add("last", Late, func(context.Context, *int) error { return nil })
	for n := range runs {
		var pe *PanicError
		if err := p.Run(t.Context(), n); !errors.As(err, &pe) || pe.Handler != "panics" {
			t.Fatalf("run %d: %v", n, err)
		}
		if err := v.Run(t.Context(), &n); (n%2 == 1) != (err == no) || (n%4 == 0) != errors.As(err, &pe) {
			t.Fatalf("run %d: %v", n, err)
		}
		if n == runs/2 {
			p.Add("came late", Late, func(context.Context, int) {})
		}
	}
	for want, handlers := range map[string][]Info{
		"panics 768 768, panics too 768 768, last 768 0, came late 383 0":   p.Handlers(),
		"refuses odd ones 768 0, panics at each fourth 384 192, last 192 0": v.Handlers(),
	} {
		var got []string
		for _, h := range handlers {
			got = append(got, fmt.Sprint(h.Name, " ", h.Calls, " ", h.Panics))
		}
		if text := strings.Join(got, ", "); text != want {
			t.Errorf("%s, want %s", text, want)
		}
	}
	if h := p.Handlers()[2]; h.Timed == 0 || h.Timed > 3 {
		t.Errorf("%d calls of %d were timed", h.Timed, h.Calls)
	}
}

// TestOverruns: a handler that takes too long is counted and told, whether its
// run was timed or not, and those who are quick are not blamed for it.
func TestOverruns(t *testing.T) {
	for _, from := range []int{0, 5} { // the first run is timed, the others are not
		synctest.Test(t, func(t *testing.T) {
			var hooks struct {
				Told  Point[int]
				Asked Veto[int] `hook:"blocks"`
			}
			var slow []string
			c := &Clock{Slow: func(point, handler string, took time.Duration) {
				slow = append(slow, fmt.Sprint(point, " ", handler, " ", took.Round(time.Second)))
			}}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go c.Run(ctx)
			list := Declare("test", &hooks, c)
			hooks.Told.Add("before", Early, func(context.Context, int) {})
			hooks.Told.Add("slow", Normal, func(_ context.Context, n int) {
				if n == from {
					time.Sleep(3 * time.Second)
				}
			})
			hooks.Told.Add("after", Late, func(context.Context, int) { time.Sleep(100 * time.Millisecond) })
			hooks.Asked.Add("slow", Normal, func(context.Context, *int) error { time.Sleep(15 * time.Second); return nil })
			for n := range 10 {
				if err := hooks.Told.Run(ctx, n); err != nil {
					t.Fatal(err)
				}
			}
			done := make(chan error)
			go func() { done <- hooks.Asked.Run(ctx, new(int)) }()
			synctest.Wait()
			if l := list.List()[1]; l.Running != 1 || !l.MayBlock || l.Kind != "veto" || l.Point != "test.Asked" {
				t.Errorf("while it runs: %+v", l)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if got, want := strings.Join(slow, ", "), "test.Told slow 3s, test.Asked slow 15s"; got != want {
				t.Errorf("told of %q, want %q", got, want)
			}
			l := list.List()
			if h := l[0].Handlers; h[0].Overruns != 0 || h[1].Overruns != 1 || h[2].Overruns != 0 || h[1].Longest.Round(time.Second) != 3*time.Second {
				t.Errorf("%+v", h)
			}
			if h := l[1].Handlers[0]; h.Overruns != 1 || h.Mean() != 15*time.Second || l[1].Running != 0 {
				t.Errorf("%+v", l[1])
			}
		})
	}
}

// TestDeclareRefuses what is no point.
func TestDeclareRefuses(t *testing.T) {
	defer func() {
		if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), "test.Wrong is no point but a int") {
			t.Errorf("got %v", v)
		}
	}()
	Declare("test", &struct{ Wrong int }{}, new(Clock))
}

// TestNoAllocation holds that running a point, whoever listens, needs no memory.
func TestNoAllocation(t *testing.T) {
	var hooks struct {
		Told  Point[int]
		Asked Veto[int]
	}
	Declare("test", &hooks, new(Clock))
	event := 1
	for range 3 {
		if n := testing.AllocsPerRun(2*sample, func() { _, _ = hooks.Told.Run(t.Context(), 1), hooks.Asked.Run(t.Context(), &event) }); n != 0 {
			t.Errorf("%v allocations with %d handlers", n, len(hooks.Told.Handlers()))
		}
		hooks.Told.Add("h", Normal, func(context.Context, int) {})
		hooks.Asked.Add("h", Normal, func(context.Context, *int) error { return nil })
	}
}

func BenchmarkPoint(b *testing.B) {
	for _, handlers := range []int{0, 1, 4} {
		b.Run(fmt.Sprint(handlers), func(b *testing.B) {
			var hooks struct{ P Point[int] }
			Declare("test", &hooks, new(Clock))
			p := &hooks.P
			for range handlers {
				p.Add("h", Normal, func(context.Context, int) {})
			}
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				p.Run(ctx, 1)
			}
		})
	}
}

func Example() {
	type Greeting struct{ To, Text string }
	var greeted Veto[Greeting]
	greeted.Add("polite", Normal, func(_ context.Context, g *Greeting) error {
		if g.To == "" {
			return errors.New("greet somebody")
		}
		g.Text = "dear " + g.To
		return nil
	})
	g := Greeting{To: "romeo"}
	fmt.Println(greeted.Run(context.Background(), &g), g.Text)
	fmt.Println(greeted.Run(context.Background(), &Greeting{}))
	// Output:
	// <nil> dear romeo
	// greet somebody
}
