package hook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
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

func BenchmarkPoint(b *testing.B) {
	for _, handlers := range []int{0, 1, 4} {
		b.Run(fmt.Sprint(handlers), func(b *testing.B) {
			var p Point[int]
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
