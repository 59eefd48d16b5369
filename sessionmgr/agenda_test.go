package sessionmgr

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"weir/hook"

	"mellium.im/xmpp/stream"
)

// TestWith holds that functions of one session run one at a time, in order and
// with its context, while those of another and stanzas go on.
func TestWith(t *testing.T) {
	h := newHouse(t)
	juliet, romeo := h.online("juliet@verona.lit/balcony", 0), h.online("romeo@verona.lit/orchard", 0)
	begun, end := make(chan struct{}), make(chan struct{})
	if err := h.Post(juliet.ID(), func(context.Context) error { close(begun); <-end; return nil }); err != nil {
		t.Fatal(err)
	}
	<-begun
	var order []int
	var all sync.WaitGroup
	for i := range 10 {
		all.Add(1)
		if err := h.Post(juliet.ID(), func(context.Context) error { order = append(order, i); all.Done(); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	// One that blocks is in nobody's way.
	err := h.With(t.Context(), romeo.ID(), func(ctx context.Context) error {
		s, ok := FromContext(ctx)
		if !ok || s != romeo.Session {
			t.Errorf("the context has %v", s)
		}
		return errors.New("as it is")
	})
	if err == nil || err.Error() != "as it is" {
		t.Errorf("with: %v", err)
	}
	juliet.send("<message to='romeo@verona.lit' type='chat'><body>hark</body></message>")
	romeo.mu.Lock()
	if len(romeo.in) != 1 {
		t.Errorf("romeo got %v", romeo.in)
	}
	romeo.mu.Unlock()
	if len(order) != 0 {
		t.Errorf("%v ran beside the first", order)
	}
	close(end)
	all.Wait()
	if !slices.IsSorted(order) || len(order) != 10 {
		t.Errorf("they ran in the order %v", order)
	}
}

// TestWhatAHandlerMayDo holds the doc comment of With: each row is something that
// a function in a session's order does, and what comes of it. Afterwards the server
// works as before, for that session too if it is still there.
func TestWhatAHandlerMayDo(t *testing.T) {
	h := newHouse(t)
	juliet, romeo := h.online("juliet@verona.lit/balcony", 0), h.online("romeo@verona.lit/orchard", 0)
	nurse := h.online("nurse@verona.lit/x", 0)
	nothing := func(context.Context) error { return nil }
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name string
		fn   func(ctx context.Context) error
		want string // in the error, "" for none
	}{
		{"panics", func(context.Context) error { panic("oh") }, "panicked: oh"},
		{"ends its goroutine", func(context.Context) error { runtime.Goexit(); return nil }, "ended its goroutine"},
		{"re-enters", func(ctx context.Context) error { return h.With(ctx, juliet.ID(), nothing) }, ErrReentry.Error()},
		{"re-enters by way of another", func(ctx context.Context) error {
			return h.With(ctx, romeo.ID(), func(ctx context.Context) error { return h.With(ctx, juliet.ID(), nothing) })
		}, ErrReentry.Error()},
		{"visits another", func(ctx context.Context) error { return h.With(ctx, romeo.ID(), nothing) }, ""},
		{"posts to itself", func(ctx context.Context) error { return h.Post(juliet.ID(), nothing) }, ""},
		{"waits for what doesn't come", func(ctx context.Context) error { return h.With(ended, romeo.ID(), nothing) }, "canceled"},
		{"registers another", func(context.Context) error {
			h.Hooks.PresenceChanged.Add("late", hook.Normal, func(context.Context, PresenceChange) {})
			_, err := NewKey[int](h.Manager, "late", KeyOptions{})
			return err
		}, ""},
		{"asks the pipeline", func(context.Context) error { juliet.Describe(); return nil }, ""},
		{"ends another", func(context.Context) error {
			h.Kick(nurse.Session, Cause{Kicked, ""}, nil)
			return nil
		}, ""},
		{"ends its own session", func(ctx context.Context) error {
			h.Kick(juliet.Session, Cause{Kicked, "by itself"}, &stream.Error{Err: "policy-violation"})
			<-ctx.Done()
			return context.Cause(ctx)
		}, ErrGone.Error()},
		{"comes too late", nothing, ErrGone.Error()},
	} {
		err := h.With(t.Context(), juliet.ID(), c.fn)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("one that %s: %v, want %q", c.name, err, c.want)
		}
	}
	romeo.got()
	romeo.send("<message to='romeo@verona.lit' type='chat'><body>still here</body></message>")
	romeo.want("still here")
}

// TestWithInAHook: a hook is in the order of its session already.
func TestWithInAHook(t *testing.T) {
	h := newHouse(t)
	juliet := h.bind("juliet@verona.lit/balcony")
	var err, posted error
	done := make(chan struct{})
	h.Hooks.PresenceChanged.Add("with", hook.Normal, func(ctx context.Context, c PresenceChange) {
		err = h.With(ctx, c.Session.ID(), func(context.Context) error { return nil })
		posted = h.Post(c.Session.ID(), func(context.Context) error { close(done); return nil })
	})
	juliet.available(0)
	if !errors.Is(err, ErrReentry) || posted != nil {
		t.Errorf("with: %v, post: %v", err, posted)
	}
	<-done
}

// TestAgendaIsBounded: what waits for a session has a bound, and whoever waits is
// told of its end.
func TestAgendaIsBounded(t *testing.T) {
	h := newHouse(t)
	juliet := h.bind("juliet@verona.lit/balcony")
	begun, end := make(chan struct{}), make(chan struct{})
	first := func(context.Context) error { close(begun); <-end; return nil }
	if err := h.Post(juliet.ID(), first); err != nil {
		t.Fatal(err)
	}
	<-begun
	ran := false
	waiting := make(chan error, 1)
	go func() {
		waiting <- h.With(t.Context(), juliet.ID(), func(context.Context) error { ran = true; return nil })
	}()
	for n := 0; ; n++ {
		err := h.Post(juliet.ID(), func(context.Context) error { ran = true; return nil })
		if errors.Is(err, ErrBusy) {
			break
		}
		if err != nil || n > maxErrands {
			t.Fatalf("after %d: %v", n, err)
		}
	}
	id := juliet.ID()
	h.Kick(juliet.Session, Cause{Kicked, ""}, nil)
	close(end)
	if err := <-waiting; !errors.Is(err, ErrGone) && !errors.Is(err, ErrBusy) {
		t.Errorf("who waited was told %v", err)
	}
	h.settle()
	if ran {
		t.Error("something ran after the end of its session")
	}
	if err := h.Post(id, first); !errors.Is(err, ErrGone) {
		t.Errorf("post to nobody: %v", err)
	}
}
