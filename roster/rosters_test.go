package roster

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"weir/jid"
	"weir/stanza"
	"weir/storage"
	"weir/storage/pebble"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The people of the RFC's examples.
var (
	romeo  = jid.MustParse("romeo@example.net")
	juliet = jid.MustParse("juliet@example.com")
	nurse  = jid.MustParse("nurse@example.com")
)

// store is a store in memory whose commits can be made to fail or to wait.
type store struct {
	storage.Store
	fail error
	hold chan struct{}
}

func newStore(t testing.TB) *store {
	t.Helper()
	st, err := pebble.Open(pebble.Options{FS: vfs.NewMem(), Dir: "data"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return &store{Store: st}
}

func newRosters(t testing.TB, st storage.Store, o Options) *Rosters {
	t.Helper()
	r, err := New(st, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// commit hands a transaction's writes to the store as the pipeline does, and waits.
func (s *store) commit(tx *Tx) error {
	res := make(chan error, 1)
	s.submit(tx, func(err error) { res <- err })
	return <-res
}

// submit does not wait.
func (s *store) submit(tx *Tx, done func(error)) {
	fail, hold := s.fail, s.hold
	tx.Commit(func(w storage.Batch, settle func(error)) {
		if hold != nil || fail != nil {
			go func() {
				if hold != nil {
					<-hold
				}
				if fail == nil {
					fail = storage.Commit(context.Background(), s.Store, &w)
				}
				settle(fail)
				done(fail)
			}()
			return
		}
		s.Store.Commit(&w, func(err error) { settle(err); done(err) })
	})
}

func begin(t testing.TB, r *Rosters, accounts ...jid.JID) *Tx {
	t.Helper()
	tx, err := r.Begin(t.Context(), accounts...)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// set makes and commits one roster set.
func set(t testing.TB, r *Rosters, st *store, account jid.JID, u Update) *Push {
	t.Helper()
	tx := begin(t, r, account)
	defer tx.Close()
	push, err := tx.Set(account, u)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.commit(tx); err != nil {
		t.Fatal(err)
	}
	return push
}

// apply makes and commits one event.
func apply(t testing.TB, r *Rosters, st *store, account, contact jid.JID, e Event) Change {
	t.Helper()
	tx := begin(t, r, account)
	defer tx.Close()
	c, err := tx.Apply(account, contact, e, request(contact, account, "x"))
	if err != nil {
		t.Fatalf("%s: %v", e, err)
	}
	if err := st.commit(tx); err != nil {
		t.Fatal(err)
	}
	return c
}

func request(from, to jid.JID, status string) *stanza.Stanza {
	st, err := stanza.New(stanza.Presence, "subscribe", "r1", from, to, []byte("<status>"+status+"</status>"))
	if err != nil {
		panic(err)
	}
	return st
}

func get(t testing.TB, r *Rosters, account jid.JID, ver *string) *View {
	t.Helper()
	var v *View
	if err := r.Get(t.Context(), account, ver, func(got *View) { v = got }); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestRosterOutlivesTheProcess: what was set is read again by another process,
// with the same version.
func TestRosterOutlivesTheProcess(t *testing.T) {
	st := newStore(t)
	r := newRosters(t, st, Options{})
	set(t, r, st, romeo, Update{JID: juliet, Name: "Jul'iet <3 \"", Groups: []string{"Friends & co", "Lovers"}})
	apply(t, r, st, romeo, juliet, OutSubscribe)
	apply(t, r, st, romeo, nurse, InSubscribe)
	apply(t, r, st, romeo, jid.MustParse("tybalt@example.org"), OutSubscribed)
	want := get(t, r, romeo, nil)

	again := newRosters(t, st, Options{})
	got := get(t, again, romeo, nil)
	if string(got.Query()) != string(want.Query()) {
		t.Errorf("read %s\nwant %s", got.Query(), want.Query())
	}
	const items = `<item ask='subscribe' jid='juliet@example.com' name='Jul&apos;iet &lt;3 &quot;' subscription='none'><group>Friends &amp; co</group><group>Lovers</group></item>` +
		`<item approved='true' jid='tybalt@example.org' subscription='none'/>`
	if q := string(got.Query()); q != "<query xmlns='jabber:iq:roster' ver='"+want.Ver+"'>"+items+"</query>" {
		t.Errorf("query is %s", q)
	}
	if err := again.Load(t.Context(), romeo); err != nil {
		t.Fatal(err)
	}
	if s, ok := again.State(romeo, nurse); !ok || s != NonePendingIn || again.Pending(romeo) != 1 {
		t.Errorf("nurse is %v %v, %d pending", s, ok, again.Pending(romeo))
	}
	again.Release(romeo)
}

func TestReadsNeedTheRosterInMemory(t *testing.T) {
	st := newStore(t)
	r := newRosters(t, st, Options{Cache: 1})
	apply(t, r, st, romeo, juliet, InSubscribe)
	apply(t, r, st, romeo, juliet, OutSubscribed)
	if _, ok := r.State(romeo, juliet); ok {
		t.Error("the roster of an account that isn't online stayed beyond the cache's bound")
	}
	if got := r.Subscribers(romeo, nil); len(got) != 0 || r.Generation(romeo) != 0 || r.Pending(romeo) != 0 {
		t.Errorf("subscribers %v", got)
	}
	if _, ok := r.Item(romeo, juliet); ok {
		t.Error("item of a roster that isn't there")
	}
	for range 2 { // two sessions
		if err := r.Load(t.Context(), romeo); err != nil {
			t.Fatal(err)
		}
	}
	r.Release(romeo)
	if s, ok := r.State(romeo, juliet); !ok || s != From {
		t.Errorf("state %v %v", s, ok)
	}
	if got := r.Subscribers(romeo, nil); !slices.Equal(got, []jid.JID{juliet}) {
		t.Errorf("subscribers %v", got)
	}
	if got := r.Subscriptions(romeo, nil); len(got) != 0 {
		t.Errorf("subscriptions %v", got)
	}
	if i, ok := r.Item(romeo, nurse); !ok || i.Listed || i.State != None {
		t.Errorf("a stranger is %+v", i)
	}
	r.Release(romeo)
	if _, ok := r.State(romeo, juliet); ok {
		t.Error("still there after the last Release")
	}
	r.Release(romeo) // one too many does no harm
	if s, err := r.Lookup(t.Context(), romeo, juliet); err != nil || s != From {
		t.Errorf("Lookup: %v %v", s, err)
	}
}

// TestCacheKeepsTheLatest: rosters in use never leave, of the others the oldest do.
func TestCacheKeepsTheLatest(t *testing.T) {
	st := newStore(t)
	r := newRosters(t, st, Options{Cache: shardCount * 2000})
	if err := r.Load(t.Context(), romeo); err != nil {
		t.Fatal(err)
	}
	var all []jid.JID
	for i := range 400 {
		j := jid.MustParse("u" + strings.Repeat("x", i%7) + "-" + string(rune('a'+i%26)) + string(rune('a'+i/26)) + "@example.net")
		all = append(all, j)
		if _, err := r.Lookup(t.Context(), j, juliet); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := r.State(romeo, juliet); !ok {
		t.Error("a pinned roster left")
	}
	if _, ok := r.State(all[len(all)-1], juliet); !ok {
		t.Error("the latest left")
	}
	n := 0
	for _, j := range all {
		if _, ok := r.State(j, juliet); ok {
			n++
		}
	}
	if n >= len(all) || n > shardCount*2000/256 {
		t.Errorf("%d of %d stayed", n, len(all))
	}
}

// TestFailedCommitIsTakenBack: after a commit that failed, the roster is as it
// is stored, with what was committed beside it.
func TestFailedCommitIsTakenBack(t *testing.T) {
	st := newStore(t)
	r := newRosters(t, st, Options{})
	if err := r.Load(t.Context(), romeo); err != nil {
		t.Fatal(err)
	}
	set(t, r, st, romeo, Update{JID: juliet, Name: "one"})

	hold, failed := make(chan struct{}), make(chan error, 1)
	st.fail, st.hold = storage.ErrFull, hold
	tx := begin(t, r, romeo)
	if _, err := tx.Set(romeo, Update{JID: juliet, Name: "two"}); err != nil {
		t.Fatal(err)
	}
	st.submit(tx, func(err error) { failed <- err })
	// Another change is computed before the failure is known.
	st.fail, st.hold = nil, nil
	set(t, r, st, romeo, Update{JID: nurse, Name: "Nurse"})
	if i, _ := r.Item(romeo, juliet); i.Name != "two" {
		t.Errorf("before the failure is known: %+v", i)
	}
	close(hold)
	if err := <-failed; !errors.Is(err, storage.ErrFull) {
		t.Fatal(err)
	}
	v := get(t, r, romeo, nil)
	if len(v.Items) != 2 || v.Items[0].Name != "one" || v.Items[1].Name != "Nurse" {
		t.Errorf("after the failure: %s", v.Query())
	}
	if i, ok := r.Item(romeo, juliet); !ok || i.Name != "one" {
		t.Errorf("after the failure: %+v", i)
	}
}

// TestPanicBeforeTheStore: an account isn't blocked by a caller's fault.
func TestPanicBeforeTheStore(t *testing.T) {
	st := newStore(t)
	r := newRosters(t, st, Options{})
	tx := begin(t, r, romeo)
	if _, err := tx.Set(romeo, Update{JID: juliet}); err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		tx.Commit(func(storage.Batch, func(error)) { panic("oh") })
	}()
	if v := get(t, r, romeo, nil); len(v.Items) != 0 {
		t.Errorf("what was never stored is there: %s", v.Query())
	}
}

// TestGetWaitsForCommits: a roster get shows nothing that could be taken back.
func TestGetWaitsForCommits(t *testing.T) {
	st := newStore(t)
	r := newRosters(t, st, Options{})
	set(t, r, st, romeo, Update{JID: juliet, Name: "one"})
	before := get(t, r, romeo, nil)

	hold := make(chan struct{})
	st.fail, st.hold = storage.ErrFull, hold
	tx := begin(t, r, romeo)
	if _, err := tx.Set(romeo, Update{JID: juliet, Name: "two"}); err != nil {
		t.Fatal(err)
	}
	st.submit(tx, func(error) {})
	got := make(chan *View)
	go func() {
		var v *View
		if err := r.Get(context.Background(), romeo, nil, func(got *View) { v = got }); err != nil {
			t.Error(err)
		}
		got <- v
	}()
	close(hold)
	v := <-got
	if string(v.Query()) != string(before.Query()) {
		t.Errorf("got %s\nwant %s", v.Query(), before.Query())
	}
}

func TestRequestsAreKeptWhole(t *testing.T) {
	st := newStore(t)
	r := newRosters(t, st, Options{MaxPending: 2, MaxRequest: 400})
	tx := begin(t, r, romeo)
	for _, status := range []string{"first", "last"} {
		if _, err := tx.Apply(romeo, juliet, InSubscribe, request(juliet, romeo, status)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tx.Apply(romeo, nurse, InSubscribe, request(nurse, romeo, strings.Repeat("x", 400))); err == nil {
		t.Error("a request beyond the limit was kept")
	} else if e, ok := stanza.AsError(err); !ok || e.Condition != "policy-violation" || !strings.Contains(e.Text["en"], "400") {
		t.Errorf("refused with %v", err)
	}
	if _, err := tx.Apply(romeo, nurse, InSubscribe, request(nurse, romeo, "n")); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Apply(romeo, jid.MustParse("third@example.com"), InSubscribe, request(nurse, romeo, "")); !errors.Is(err, ErrPendingFull) {
		t.Errorf("one more than the limit: %v", err)
	}
	if err := st.commit(tx); err != nil {
		t.Fatal(err)
	}
	got, err := r.Requests(t.Context(), romeo)
	if err != nil || len(got) != 2 {
		t.Fatalf("%d requests, %v", len(got), err)
	}
	if x := string(got[0].AppendTo(nil)); !strings.Contains(x, "<status>last</status>") || !strings.Contains(x, "type='subscribe'") || got[0].From != juliet || got[0].To != romeo {
		t.Errorf("kept %s", x)
	}
	apply(t, r, st, romeo, juliet, OutUnsubscribed)
	apply(t, r, st, romeo, nurse, OutSubscribed)
	if got, err := r.Requests(t.Context(), romeo); err != nil || len(got) != 0 {
		t.Errorf("answered requests are still there: %v %v", got, err)
	}
}
