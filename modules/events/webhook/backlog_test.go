package webhook

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"weir/modules/events"
	"weir/sessionmgr/sessiontest"
	"weir/storage"
)

// taking is a target that takes everything, and refusing one that answers by a status.
func taking() *answers { return refusing(200) }

func refusing(status int) *answers {
	return &answers{answer: func(int, *http.Request) (*http.Response, error) { return says(status) }}
}

// run has a hook work on a store until it rests, and stops it.
func run(t *testing.T, st storage.Store, a *answers, o Options, put ...int) string {
	t.Helper()
	o.Store, o.Transport = st, a
	if o.Targets == nil {
		o.Targets = []string{"https://hooks.example/secret-path"}
	}
	h, told := made(t, o)
	for _, n := range put {
		h.Put(session(n))
	}
	h.Start()
	synctest.Wait()
	h.Stop(t.Context())
	if strings.Contains(told.String(), "secret-path") {
		t.Errorf("the log:\n%s", told)
	}
	return told.String()
}

// TestKept: what waits when a process ends is posted by the next one, first and in order,
// with the number of those that were dropped; what was taken or refused isn't.
func TestKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		house := sessiontest.New()
		defer house.Close()
		st := house.Store
		down := refusing(500)
		if told := run(t, st, down, Options{Queue: 3}, 0, 1, 2, 3, 4); !strings.Contains(told, "until the next start") || !strings.Contains(told, "events=4") {
			t.Errorf("the log:\n%s", told) // three and the one that tells of two
		}
		run(t, st, down, Options{}, 5)
		if n := len(down.posts); n != 4 || sessions(down.posts[2]) != "(2)2 3 4 5 " { // each process tries once more at its end
			t.Fatalf("%+v", down.posts)
		}
		a := taking()
		run(t, st, a, Options{Batch: 3}, 6)
		if len(a.posts) != 2 || sessions(a.posts[0]) != "(2)2 3 4 " || sessions(a.posts[1]) != "5 6 " {
			t.Errorf("%+v", a.posts)
		}
		a = taking()
		if told := run(t, st, a, Options{}, 7); len(a.posts) != 1 || sessions(a.posts[0]) != "7 " || told != "" {
			t.Errorf("%+v\n%s", a.posts, told)
		}
		run(t, st, refusing(400), Options{}, 8, 9)
		run(t, st, down, Options{}, 10)
		a = taking()
		run(t, st, a, Options{Queue: 1}, 11) // a smaller queue than before
		if len(a.posts) != 1 || sessions(a.posts[0]) != "(3)11 " {
			t.Errorf("%+v", a.posts)
		}
		a = taking()
		if run(t, st, a, Options{}); len(a.posts) > 0 {
			t.Errorf("%+v", a.posts)
		}
	})
}

// TestOldTargets: what waits for a target that isn't configured any more goes.
func TestOldTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		house := sessiontest.New()
		defer house.Close()
		st, both := house.Store, []string{"https://a.example/", "https://b.example/"}
		run(t, st, refusing(500), Options{Targets: both, Queue: 1}, 0, 1)
		a := taking()
		if told := run(t, st, a, Options{Targets: both[1:]}); !strings.Contains(told, "aren't configured any more") || len(a.posts) != 1 || sessions(a.posts[0]) != "(1)1 " {
			t.Errorf("%+v\n%s", a.posts, told)
		}
		a = taking()
		if run(t, st, a, Options{Targets: both}); len(a.posts) > 0 {
			t.Errorf("%+v", a.posts)
		}
	})
}

// TestDamaged: a record that can't be read holds up no other.
func TestDamaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		house := sessiontest.New()
		defer house.Close()
		u, err := parseTarget("https://hooks.example/secret-path")
		if err != nil {
			t.Fatal(err)
		}
		var w storage.Batch
		log := storage.NewLog(house.Store, tableWaiting)
		log.Append(&w, targetName(u), 1, []byte(`{"event":"bound","session":"1"}`))
		log.Append(&w, targetName(u), 2, []byte(`{"event":`))
		log.Append(&w, targetName(u), 3, []byte(`{"event":"bound","session":"3"}`))
		storage.NewKeyVal(house.Store, tableLost).Set(&w, targetName(u), []byte("x"))
		if err := storage.Commit(t.Context(), house.Store, &w); err != nil {
			t.Fatal(err)
		}
		a := taking()
		if told := run(t, house.Store, a, Options{Events: []string{events.Bound}}, 4); !strings.Contains(told, "can't be read") || len(a.posts) != 1 || sessions(a.posts[0]) != "1 3 4 " {
			t.Errorf("%+v\n%s", a.posts, told)
		}
	})
}
