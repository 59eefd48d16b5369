package events

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"weir/auth"
	"weir/sessionmgr"
	"weir/sessionmgr/sessiontest"
)

// list is a sink for one goroutine.
type list []Event

func (l *list) Put(e Event) { *l = append(*l, e) }

func (l *list) kinds() string {
	var all []string
	for _, e := range *l {
		all = append(all, e.Kind)
	}
	return strings.Join(all, " ")
}

// TestFollow holds what is told of a session from its beginning to its end.
func TestFollow(t *testing.T) {
	h := sessiontest.New()
	defer h.Close()
	a, err := auth.New(t.Context(), auth.Options{Iterations: 4096, SHA1Iterations: 4096}, h.Store)
	if err != nil {
		t.Fatal(err)
	}
	var got list
	Follow(&got, h.Manager, a)
	juliet := h.Online("juliet@verona.lit/balcony")
	juliet.Send("<message to='romeo@verona.lit'><body>wherefore</body></message>")
	h.Kick(juliet.Session, sessionmgr.Cause{Code: sessionmgr.Kicked, Text: strings.Repeat("é", 300)}, nil)
	if want := "connected authenticated bound closed"; got.kinds() != want {
		t.Fatalf("%s, want %s", got.kinds(), want)
	}
	for i, e := range got {
		if e.Session != juliet.ID() || e.Time.IsZero() || (e.Account == "") != (i == 0) || (e.Resource != "") != (i > 1) {
			t.Errorf("%+v", e)
		}
	}
	last := got[3]
	if last.Account != "juliet@verona.lit" || last.Resource != "balcony" || last.Cause != "kicked" || len(last.Text) > maxText || !utf8.ValidString(last.Text) {
		t.Errorf("%+v", last)
	}
	b, err := json.Marshal(got)
	if err != nil || strings.Contains(string(b), "wherefore") {
		t.Errorf("%s, %v", b, err)
	}
	got = nil
	romeo := h.Bind("romeo@verona.lit/x").JID().Bare()
	got = nil
	for _, do := range []func() error{
		func() error { return a.Create(t.Context(), romeo, "correct horse") },
		func() error { return a.SetPassword(t.Context(), romeo, "battery staple") },
		func() error { return a.SetRole(t.Context(), romeo, "admin") },
		func() error { return a.SetDisabled(t.Context(), romeo, true) },
		func() error { return a.Delete(t.Context(), romeo) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	if want := "account-created password-changed role-changed account-disabled account-deleted"; got.kinds() != want || got[0].Account != "romeo@verona.lit" {
		t.Errorf("%s, want %s; %+v", got.kinds(), want, got)
	}
}

// TestQueue: what is too much drops the oldest, in order, and is told once.
func TestQueue(t *testing.T) {
	lost := uint64(0)
	q := NewQueue(3, func(n uint64) { lost += n })
	for i := range 5 {
		q.Put(Event{Kind: Bound, Session: fmt.Sprint(i)})
	}
	if gone := q.Put(Event{Kind: Bound, Session: "5"}); len(gone) != 1 || gone[0].Session != "2" || lost != 3 {
		t.Errorf("%+v made room, lost %d", gone, lost)
	}
	lost = 0
	q = NewQueue(3, func(n uint64) { lost += n })
	for i := range 5 {
		q.Put(Event{Kind: Bound, Session: fmt.Sprint(i)})
	}
	some := q.Take(t.Context(), 2)
	if len(some) != 3 || some[0].Kind != Dropped || some[0].Count != 2 || some[1].Session != "2" || some[2].Session != "3" || lost != 2 || q.Len() != 1 {
		t.Errorf("%+v, lost %d", some, lost)
	}
	q.Lost(some) // the taker couldn't keep them
	if some = q.Take(t.Context(), 9); len(some) != 2 || some[0].Count != 4 || some[1].Session != "4" || lost != 4 {
		t.Errorf("%+v, lost %d", some, lost)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if some := q.Take(ctx, 9); some != nil {
		t.Errorf("%+v from an empty queue", some)
	}
	q.Put(Event{Kind: Closed})
	q.Close()
	q.Put(Event{Kind: Bound})
	if some := q.Take(t.Context(), 9); len(some) != 1 || some[0].Kind != Closed {
		t.Errorf("%+v", some)
	}
	if some := q.Take(t.Context(), 9); some != nil {
		t.Errorf("%+v from a closed queue", some)
	}
}

// TestQueueWaits: whoever takes is woken by what comes, and by the end.
func TestQueueWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(10, nil)
		got := make(chan int, 4)
		go func() {
			for {
				n := len(q.Take(context.Background(), 10))
				got <- n
				if n == 0 {
					return
				}
			}
		}()
		synctest.Wait()
		q.Put(Event{})
		synctest.Wait()
		q.Put(Event{})
		synctest.Wait()
		q.Close()
		if a, b, c := <-got, <-got, <-got; a != 1 || b != 1 || c != 0 {
			t.Error(a, b, c)
		}
	})
}

// TestKinds holds that all kinds are known by name, and nothing else is.
func TestKinds(t *testing.T) {
	if err := CheckKinds(Kinds()); err != nil {
		t.Error(err)
	}
	if err := CheckKinds([]string{Bound, "bonud"}); err == nil || !strings.Contains(err.Error(), `"bonud"`) {
		t.Error(err)
	}
	for _, k := range []auth.ChangeKind{auth.PasswordChanged, auth.AccountDisabled, auth.AccountDeleted, auth.RoleChanged, auth.AccountCreated} {
		if changeKinds[k] == "" {
			t.Errorf("%v has no event", k)
		}
	}
	if !Chosen(nil, Bound) || Chosen([]string{Closed}, Bound) || !Chosen([]string{Closed}, Dropped) {
		t.Error("chosen wrongly")
	}
}

func Example() {
	q := NewQueue(100, nil)
	q.Put(Event{Kind: Closed, Session: "nf424agtqubdxpf6", Account: "juliet@verona.lit", Cause: "closed-by-client"})
	for _, e := range q.Take(context.Background(), 10) {
		fmt.Println(e.Kind, e.Account, e.Cause)
	}
	// Output: closed juliet@verona.lit closed-by-client
}
