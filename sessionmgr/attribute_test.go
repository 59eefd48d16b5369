package sessionmgr

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/jid"
	"weir/storage"
	"weir/storage/pebble"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// newKey declares a key that has to be good.
func newKey[T any](t *testing.T, h *house, name string, o KeyOptions) Key[T] {
	t.Helper()
	k, err := NewKey[T](h.Manager, name, o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestKeysAreRefused holds which keys can't be declared.
func TestKeysAreRefused(t *testing.T) {
	h := newHouse(t)
	newKey[int](t, h, "a.n", KeyOptions{})
	if _, err := NewKey[string](h.Manager, "a.n", KeyOptions{Lifetime: OfAccount}); !errors.Is(err, ErrKeyTaken) || !strings.Contains(err.Error(), "a.n") {
		t.Errorf("two modules have a key: %v", err)
	}
	for name, o := range map[string]KeyOptions{
		"": {}, strings.Repeat("x", 65): {}, "b": {Lifetime: 3}, "c": {Readers: 3}, "d": {MaxBytes: -1}, "e": {MaxBytes: 1 << 20}, "f": {Expiry: -1},
	} {
		if _, err := NewKey[int](h.Manager, name, o); err == nil {
			t.Errorf("%q with %+v is a key", name, o)
		}
	}
}

// TestAttributes holds set, update, delete, bound and expiry for each lifetime.
func TestAttributes(t *testing.T) {
	for _, life := range []Lifetime{OfProcess, OfSession, OfAccount} {
		t.Run(life.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t)
				k := newKey[string](t, h, "t.text", KeyOptions{Lifetime: life, MaxBytes: 8, Expiry: time.Hour})
				s := h.bind("juliet@verona.lit/balcony").Session
				if _, ok := k.Get(s); ok {
					t.Error("a value before the first")
				}
				if err := k.Set(s, "abc"); err != nil {
					t.Fatal(err)
				}
				if err := k.Set(s, "much too long"); !errors.Is(err, ErrAttributeSize) {
					t.Errorf("too long: %v", err)
				}
				err := k.Update(s, func(v string, had bool) (string, bool) { return v + "d", had })
				if v, ok := k.Get(s); err != nil || v != "abcd" || !ok {
					t.Errorf("after an update %q %v, %v", v, ok, err)
				}
				time.Sleep(time.Hour)
				if v, ok := k.Get(s); ok || len(s.Attributes(ReadByAdmin)) != 0 {
					t.Errorf("%q has not expired: %v", v, s.Attributes(ReadByAdmin))
				}
				if err := k.Set(s, "x"); err != nil {
					t.Error(err)
				}
				if err := k.Delete(s); err != nil {
					t.Error(err)
				}
				if v, ok := k.Get(s); ok {
					t.Errorf("%q after it was deleted", v)
				}
				h.Kick(s, Cause{Kicked, ""}, nil)
				if err := k.Set(s, "late"); !errors.Is(err, ErrGone) {
					t.Errorf("after the end: %v", err)
				}
			})
		})
	}
}

// TestUpdateIsOneStep: of many who count at once none is lost, on a session and
// on what its account's sessions share.
func TestUpdateIsOneStep(t *testing.T) {
	h := newHouse(t)
	own := newKey[int](t, h, "t.own", KeyOptions{Lifetime: OfSession})
	shared := newKey[int](t, h, "t.shared", KeyOptions{Lifetime: OfAccount})
	a, b := h.bind("juliet@verona.lit/a").Session, h.bind("juliet@verona.lit/b").Session
	more := func(n int, _ bool) (int, bool) { return n + 1, true }
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				for _, err := range []error{own.Update(a, more), shared.Update(a, more), shared.Update(b, more), shared.UpdateAccount(context.Background(), a.JID(), more)} {
					if err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	if n, _ := own.Get(a); n != 400 {
		t.Errorf("counted %d, want 400", n)
	}
	if n, _ := shared.Get(b); n != 1200 {
		t.Errorf("counted %d, want 1200", n)
	}
	if n, ok := own.Get(b); ok {
		t.Errorf("another session has %d", n)
	}
}

// TestNilIsAValue: an attribute of an interface may hold nothing.
func TestNilIsAValue(t *testing.T) {
	h := newHouse(t)
	keys := map[Lifetime]Key[any]{}
	for _, life := range []Lifetime{OfProcess, OfSession, OfAccount} {
		keys[life] = newKey[any](t, h, "t."+life.String(), KeyOptions{Lifetime: life, Readers: ReadByAdmin})
	}
	s := h.bind("juliet@verona.lit/balcony").Session
	for life, k := range keys {
		if err := k.Set(s, nil); err != nil {
			t.Fatal(err)
		}
		if v, ok, err := k.Lookup(s); v != nil || !ok || err != nil {
			t.Errorf("of the %s: %v, %v, %v", life, v, ok, err)
		}
		for _, a := range s.Attributes(ReadByAdmin) {
			if string(a.Value) != "null" || a.Problem != "" {
				t.Errorf("listed as %s %s", a.Value, a.Problem)
			}
		}
	}
}

// TestUpdateThatPanics: the account isn't held in memory by it.
func TestUpdateThatPanics(t *testing.T) {
	h := newHouse(t)
	k := newKey[int](t, h, "t.n", KeyOptions{Lifetime: OfAccount})
	juliet := jid.MustParse("juliet@verona.lit")
	func() {
		defer func() { _ = recover() }()
		_ = k.UpdateAccount(t.Context(), juliet, func(int, bool) (int, bool) { panic("oh") })
	}()
	h.ledgers.mu.Lock()
	defer h.ledgers.mu.Unlock()
	if l := h.ledgers.byJID[juliet]; l != nil && l.uses != 0 {
		t.Errorf("its ledger is in use %d times", l.uses)
	}
}

// TestAttributesOfAnAccountWithoutSessions: they are read and changed by its name.
func TestAttributesOfAnAccountWithoutSessions(t *testing.T) {
	h := newHouse(t)
	k := newKey[int](t, h, "t.n", KeyOptions{Lifetime: OfAccount})
	own := newKey[int](t, h, "t.own", KeyOptions{Lifetime: OfSession})
	ctx, juliet := context.Background(), jid.MustParse("juliet@verona.lit")
	get := func(want int, has bool) {
		t.Helper()
		if n, ok, err := k.GetAccount(ctx, juliet); n != want || ok != has || err != nil {
			t.Errorf("got %d %v %v, want %d %v", n, ok, err, want, has)
		}
	}
	get(0, false)
	if err := k.UpdateAccount(ctx, juliet, func(int, bool) (int, bool) { return 7, true }); err != nil {
		t.Fatal(err)
	}
	get(7, true)
	s := h.bind("juliet@verona.lit/balcony").Session
	if err := k.Set(s, 8); err != nil {
		t.Fatal(err)
	}
	get(8, true)
	if n, ok, err := k.GetAccount(ctx, s.JID()); n != 8 || !ok || err != nil {
		t.Errorf("by a full address: %d %v %v", n, ok, err)
	}
	if _, _, err := own.GetAccount(ctx, juliet); err == nil {
		t.Error("one of a session was asked for by the account")
	}
}

// TestWhoReadsAttributes holds what listings show.
func TestWhoReadsAttributes(t *testing.T) {
	h := newHouse(t)
	s := h.bind("juliet@verona.lit/balcony").Session
	for name, r := range map[string]Reader{"t.a": ReadByModule, "t.b": ReadByAdmin, "t.c": ReadByUser} {
		if err := newKey[string](t, h, name, KeyOptions{Readers: r}).Set(s, "v"); err != nil {
			t.Fatal(err)
		}
	}
	for r, want := range map[Reader]string{
		ReadByModule: `t.a= t.b="v" t.c="v"`, ReadByAdmin: `t.a= t.b="v" t.c="v"`, ReadByUser: `t.a= t.b= t.c="v"`,
	} {
		var got []string
		for _, a := range s.Attributes(r) {
			got = append(got, a.Name+"="+string(a.Value))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("reader %d sees %s, want %s", r, s, want)
		}
	}
	if d := s.Describe(); len(d.Attributes) != 3 || d.Attributes[1].Lifetime != "process" {
		t.Errorf("described as %+v", d.Attributes)
	}
}

// TestAttributesOutlive: what is of the session comes back after the process ended
// without a word, and so does what is of the account. Of code that changed
// meanwhile, nothing is lost and nobody disturbed.
func TestAttributesOutlive(t *testing.T) {
	fs := vfs.NewCrashableMem()
	open := func(fs vfs.FS) storage.Store {
		st, err := pebble.Open(pebble.Options{FS: fs, Dir: "data"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { st.Close() })
		return st
	}
	h := newHouseOn(t, open(fs))
	mood := newKey[string](t, h, "t.mood", KeyOptions{Lifetime: OfSession})
	age := newKey[int](t, h, "t.age", KeyOptions{Lifetime: OfAccount})
	level := newKey[string](t, h, "t.level", KeyOptions{Lifetime: OfAccount})
	brief := newKey[int](t, h, "t.brief", KeyOptions{})
	juliet := h.bind("juliet@verona.lit/balcony")
	id := juliet.enable()
	for _, err := range []error{mood.Set(juliet.Session, "sad"), age.Set(juliet.Session, 13), level.Set(juliet.Session, "high"), brief.Set(juliet.Session, 1)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	juliet.cut()
	juliet = h.mustResume("juliet@verona.lit", id, 0)
	if v, ok := brief.Get(juliet.Session); v != 1 || !ok {
		t.Errorf("what is of the process is %d after a resumption", v)
	}
	// What is sent behind them is durable no sooner: after that the power fails.
	juliet.send("<message to='nurse@verona.lit' type='chat'><body>hark</body></message>")
	h.settle()
	h = newHouseOn(t, open(fs.CrashClone(vfs.CrashCloneCfg{})))
	mood = newKey[string](t, h, "t.mood", KeyOptions{Lifetime: OfSession})
	now := newKey[[]int](t, h, "t.age", KeyOptions{Lifetime: OfAccount}) // has another type since
	if err := h.Restore(context.Background()); err != nil {
		t.Fatal(err)
	}
	s := h.ByJID(jid.MustParse("juliet@verona.lit/balcony"))
	if v, ok := mood.Get(s); v != "sad" || !ok {
		t.Errorf("after the crash the mood is %q", v)
	}
	if v, ok, err := now.Lookup(s); ok || err == nil || !strings.Contains(err.Error(), "t.age") {
		t.Errorf("a number was read as a list: %v, %v", v, err)
	}
	problems := map[string]string{}
	for _, a := range s.Attributes(ReadByAdmin) {
		problems[a.Name] = a.Problem
	}
	if len(problems) != 3 || problems["t.mood"] != "" || problems["t.level"] != "no module has this key" || !strings.Contains(problems["t.age"], "can't be read") {
		t.Errorf("listed as %q", problems)
	}
	if err := now.Set(s, []int{1}); err != nil {
		t.Error(err)
	}
	h.settle()
	rec, err := storage.NewKeyVal(h.store, tableAttributes).Get(context.Background(), "juliet@verona.lit")
	var all map[string]storedAttribute
	if err != nil || json.Unmarshal(rec, &all) != nil || string(all["t.level"].Value) != `"high"` || string(all["t.age"].Value) != "[1]" {
		t.Errorf("the record is %s, %v", rec, err)
	}
}

// TestBrokenAttributes: an account whose attributes can't be read works, and they
// aren't overwritten. A deleted account's are gone.
func TestBrokenAttributes(t *testing.T) {
	h := newHouse(t)
	k := newKey[int](t, h, "t.n", KeyOptions{Lifetime: OfAccount})
	kv := storage.NewKeyVal(h.store, tableAttributes)
	var b storage.Batch
	kv.Set(&b, "juliet@verona.lit", []byte("{"))
	if err := storage.Commit(context.Background(), h.store, &b); err != nil {
		t.Fatal(err)
	}
	juliet := h.online("juliet@verona.lit/balcony", 0)
	if err := k.Set(juliet.Session, 1); err == nil || !strings.Contains(err.Error(), "juliet@verona.lit") {
		t.Errorf("set: %v", err)
	}
	juliet.send("<message to='juliet@verona.lit' type='chat'><body>hark</body></message>")
	juliet.want("hark")
	romeo := h.bind("romeo@verona.lit/orchard")
	if err := k.Set(romeo.Session, 1); err != nil {
		t.Fatal(err)
	}
	h.Kick(romeo.Session, Cause{AccountGone, ""}, nil)
	if err := h.Forget(context.Background(), romeo.JID().Bare()); err != nil {
		t.Fatal(err)
	}
	if rec, err := kv.Get(context.Background(), "romeo@verona.lit"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a deleted account has %s, %v", rec, err)
	}
	if v, ok := k.Get(h.bind("romeo@verona.lit/orchard").Session); ok {
		t.Errorf("a new account of the same name has %d", v)
	}
}

func BenchmarkAttribute(b *testing.B) {
	m, all := newCrowd(b)
	k, err := NewKey[int](m, "b.n", KeyOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Set", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := k.Set(all[0], 1000); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			k.Get(all[0])
		}
	})
}
