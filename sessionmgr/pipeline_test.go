package sessionmgr

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/hook"
	"weir/jid"
	"weir/stanza"
	"weir/storage"
)

// gate is a store whose commits wait until they are let through.
type gate struct {
	storage.Store
	mu   sync.Mutex
	held []func()
	shut bool
	err  error // given to done instead of committing
}

func (g *gate) Commit(b *storage.Batch, done func(error)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	err := g.err
	commit := func() { g.Store.Commit(b, done) }
	if err != nil {
		commit = func() { go done(err) }
	}
	if g.shut {
		g.held = append(g.held, commit)
		return
	}
	commit()
}

func (g *gate) set(shut bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut, g.err = shut, err
	if !shut {
		for _, commit := range g.held {
			commit()
		}
		g.held = nil
	}
}

func newGatedHouse(t *testing.T) (*house, *gate) {
	t.Helper()
	h := newHouse(t)
	g := &gate{Store: h.store}
	h.Manager.store = g
	return h, g
}

func note(t *testing.T, text string) *stanza.Stanza {
	t.Helper()
	st, err := stanza.New(stanza.Message, "normal", text, jid.JID{}, jid.JID{}, []byte("<body>"+text+"</body>"))
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func writes() storage.Batch {
	var b storage.Batch
	b.Put(storage.Key{Kind: storage.KindKeyVal, Table: "test", Account: "x"}, []byte("x"))
	return b
}

// seen returns what was appended so far without waiting for anything.
func (c *client) seen() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, st := range c.in {
		_, rest, _ := strings.Cut(st, "<body>")
		text, _, _ := strings.Cut(rest, "<")
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

func TestDurableBeforeVisible(t *testing.T) {
	h, g := newGatedHouse(t)
	a, b, c := h.bind("juliet@verona.lit/a"), h.bind("romeo@verona.lit/b"), h.bind("nurse@verona.lit/c")
	g.set(true, nil)
	h.Submit(Entry{From: a.Session, Writes: writes(), Out: []Delivery{{To: b.Session, Stanza: note(t, "1")}}})
	h.Submit(Entry{Out: []Delivery{{To: b.Session, Stanza: note(t, "2")}}})                  // waits behind 1: b as receiver
	h.Submit(Entry{From: a.Session, Out: []Delivery{{To: c.Session, Stanza: note(t, "3")}}}) // waits: a as sender
	h.Submit(Entry{From: c.Session, Out: []Delivery{{To: c.Session, Stanza: note(t, "4")}}}) // waits: c got behind a
	other := h.bind("tybalt@verona.lit/d")
	h.Submit(Entry{From: other.Session, Out: []Delivery{{To: other.Session, Stanza: note(t, "5")}}}) // nothing to wait for
	if a, b, c, d := a.seen(), b.seen(), c.seen(), other.seen(); a+b+c != "" || d != "5" {
		t.Fatalf("before the commit: %q %q %q, unrelated %q", a, b, c, d)
	}
	g.set(false, nil)
	h.settle()
	if b.seen() != "1 2" || c.seen() != "3 4" {
		t.Errorf("after the commit: b %q, c %q", b.seen(), c.seen())
	}
}

func TestCountedWhenHandled(t *testing.T) {
	h, g := newGatedHouse(t)
	romeo := h.online("romeo@verona.lit/b", 0)
	before := romeo.Handled()
	romeo.send("<message to='romeo@verona.lit/b'><body>x</body></message>")
	if n := romeo.Handled() - before; n != 1 {
		t.Fatalf("a volatile stanza was counted %d times", n)
	}
	g.set(true, nil)
	romeo.send("<message to='juliet@verona.lit'><body>kept</body></message>")
	romeo.send("<message to='romeo@verona.lit/b'><body>y</body></message>")
	if n := romeo.Handled() - before; n != 1 {
		t.Errorf("%d handled while nothing is durable", n)
	}
	g.set(false, nil)
	h.settle()
	if n := romeo.Handled() - before; n != 3 {
		t.Errorf("%d handled in the end, want 3", n)
	}
}

func TestFailedCommit(t *testing.T) {
	h, g := newGatedHouse(t)
	romeo := h.online("romeo@verona.lit/b", 0)
	g.set(false, fmt.Errorf("disk: %w", storage.ErrFull))
	romeo.send("<message to='juliet@verona.lit' id='m1'><body>lost?</body></message>")
	romeo.send("<message to='romeo@verona.lit/b' id='m2'><body>after</body></message>")
	romeo.wantNow("m1' & resource-constraint & type='wait'", "after")
	done := make(chan error, 1)
	h.Submit(Entry{
		Writes: writes(),
		Out:    []Delivery{{To: romeo.Session, Stanza: note(t, "never")}},
		Failed: func(error) []Delivery { return []Delivery{{To: romeo.Session, Stanza: note(t, "instead")}} },
		Done:   func(err error) { done <- err },
	})
	if err := <-done; !errors.Is(err, storage.ErrFull) {
		t.Errorf("done with %v", err)
	}
	romeo.wantNow("instead")
	if h.Failed() {
		t.Error("a full disk is no failed store")
	}
	g.set(false, nil)
	romeo.send("<message to='juliet@verona.lit' id='m3'><body>kept</body></message>")
	romeo.want() // room again
}

func TestFailedStoreEndsTheSessions(t *testing.T) {
	h, g := newGatedHouse(t)
	romeo := h.online("romeo@verona.lit/b", 0)
	g.set(false, fmt.Errorf("sync: %w", storage.ErrFailed))
	romeo.send("<message to='juliet@verona.lit' id='m1'><body>x</body></message>")
	h.until(func() bool { return romeo.State() == Destroyed })
	h.waitWork()
	if !h.Failed() || romeo.State() != Destroyed || romeo.goodbye == nil || romeo.goodbye.Err != "system-shutdown" {
		t.Errorf("failed %v, state %s, goodbye %v", h.Failed(), romeo.State(), romeo.goodbye)
	}
	g.set(false, nil)
}

// wantNow is want without settling, for stores that fail.
func (c *client) wantNow(fragments ...string) {
	c.h.t.Helper()
	c.h.until(func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.in) >= len(fragments)
	})
	c.mu.Lock()
	got := c.in
	c.in = nil
	c.mu.Unlock()
	if len(got) != len(fragments) {
		c.h.t.Fatalf("got %q, want %d", got, len(fragments))
	}
	for i, f := range fragments {
		for part := range strings.SplitSeq(f, " & ") {
			if !strings.Contains(got[i], part) {
				c.h.t.Errorf("stanza %d is\n%s\nwithout %s", i, got[i], part)
			}
		}
	}
}

// TestFullPipelinePausesTheReader holds commits back until the bound, and no
// stanza is lost.
func TestFullPipelinePausesTheReader(t *testing.T) {
	h, g := newGatedHouse(t)
	romeo := h.online("romeo@verona.lit/b", 0)
	g.set(true, nil)
	sent := 0
	resumed := make(chan struct{})
	for ; ; sent++ {
		st := note(t, fmt.Sprint(sent)).With(romeo.JID(), jid.MustParse("romeo@verona.lit/b"))
		h.Submit(Entry{From: romeo.Session, Writes: writes()})
		if h.Inbound(romeo.Session, romeo, st, func() { close(resumed) }) {
			sent++
			break
		}
		if sent > maxPendingEntries {
			t.Fatal("never paused")
		}
	}
	select {
	case <-resumed:
		t.Fatal("resumed while full")
	case <-time.After(10 * time.Millisecond):
	}
	g.set(false, nil)
	<-resumed
	h.settle()
	if n := len(romeo.got()); n != sent {
		t.Errorf("%d of %d arrived", n, sent)
	}
}

// TestQueuePausesTheReader: whoever has the token may be kept from going on for
// long; what comes meanwhile has the same bound, and no stanza is lost.
func TestQueuePausesTheReader(t *testing.T) {
	for _, size := range []int{1, 100_000} {
		h := newHouse(t)
		romeo := h.online("romeo@verona.lit/b", 0)
		st, err := stanza.New(stanza.Message, "normal", "x", romeo.JID(), romeo.JID(), []byte("<body>"+strings.Repeat("x", size)+"</body>"))
		if err != nil {
			t.Fatal(err)
		}
		held, goOn := make(chan struct{}), make(chan struct{})
		release := sync.OnceFunc(func() { close(goOn) })
		defer release()
		go h.pipe.run(func() { close(held); <-goOn })
		<-held
		sent, most := 1, min(maxPendingEntries, maxPendingBytes/size+1)
		resumed := make(chan struct{})
		for ; !h.Inbound(romeo.Session, romeo, st, func() { close(resumed) }); sent++ {
			if sent > most {
				t.Fatalf("not paused by %d stanzas of %d bytes that nobody looks at", sent, size)
			}
		}
		select {
		case <-resumed:
			t.Error("resumed while nobody looks at the queue")
		default:
		}
		release()
		<-resumed
		if n := len(romeo.got()); n != sent {
			t.Errorf("%d of %d arrived", n, sent)
		}
	}
}

// TestOrderUnderLoad lets many senders send durable and volatile stanzas to
// shared receivers: each pair sees its own order.
func TestOrderUnderLoad(t *testing.T) {
	h := newHouse(t)
	const senders, each = 8, 300
	receivers := []*client{h.bind("juliet@verona.lit/r"), h.bind("nurse@verona.lit/r")}
	var wg sync.WaitGroup
	var done atomic.Int32
	for s := range senders {
		from := h.bind(fmt.Sprintf("romeo@verona.lit/%d", s))
		rng := rand.New(rand.NewPCG(uint64(s), 1))
		wg.Go(func() {
			for i := range each {
				e := Entry{From: from.Session, Done: func(error) { done.Add(1) }}
				for _, r := range receivers {
					e.Out = append(e.Out, Delivery{To: r.Session, Stanza: note(t, fmt.Sprintf("%d-%d", s, i))})
				}
				if rng.IntN(3) == 0 {
					e.Writes = writes()
				}
				h.Submit(e)
			}
		})
	}
	wg.Wait()
	h.settle()
	if n := done.Load(); n != senders*each {
		t.Errorf("done %d times", n)
	}
	for _, r := range receivers {
		next := make([]int, senders)
		for text := range strings.FieldsSeq(r.seen()) {
			var s, i int
			fmt.Sscanf(text, "%d-%d", &s, &i)
			if i != next[s] {
				t.Fatalf("%s: sender %d: %d instead of %d", r.JID(), s, i, next[s])
			}
			next[s]++
		}
		for s, n := range next {
			if n != each {
				t.Errorf("%s got %d of sender %d", r.JID(), n, s)
			}
		}
	}
}

func TestStanzaOutMayDrop(t *testing.T) {
	h := newHouse(t)
	a, b := h.bind("juliet@verona.lit/a"), h.bind("juliet@verona.lit/b")
	for _, no := range []error{stanza.NotAllowed(), errors.New("not now")} {
		remove := h.Hooks.StanzaOut.Add("test", hook.Normal, func(_ context.Context, ev *StanzaOut) error {
			if ev.To == a.Session {
				return no
			}
			return nil
		})
		h.Submit(Entry{Out: []Delivery{{To: a.Session, Stanza: note(t, "x")}, {To: b.Session, Stanza: note(t, "x")}}})
		a.want()
		b.want("<body>x</body>")
		if a.State() != Bound {
			t.Errorf("%v: the receiver is %s", no, a.State())
		}
		remove()
	}
}

func TestPanickingHandlerEndsItsStreamOnly(t *testing.T) {
	h := newHouse(t)
	a, b := h.bind("juliet@verona.lit/a"), h.bind("juliet@verona.lit/b")
	h.Hooks.PresenceChanged.Add("test", hook.Normal, func(_ context.Context, c PresenceChange) {
		if c.Session == a.Session {
			panic("oh")
		}
	})
	a.available(1)
	b.available(1)
	if a.State() != Destroyed || a.goodbye.Err != "internal-server-error" || b.State() != Bound {
		t.Errorf("a is %s, b is %s", a.State(), b.State())
	}
}

func BenchmarkRelay(b *testing.B) {
	h := newHouse(&testing.T{})
	romeo, juliet := h.bind("romeo@verona.lit/b"), h.bind("juliet@verona.lit/a")
	st, err := stanza.Parse([]byte("<message to='juliet@verona.lit/a' type='chat' id='m1'><body>" + strings.Repeat("x", 200) + "</body></message>"))
	if err != nil {
		b.Fatal(err)
	}
	st = st.With(romeo.JID(), st.To)
	link := &sink{}
	juliet.mu.Lock()
	juliet.Session.mu.Lock()
	juliet.Session.attached = link
	juliet.Session.mu.Unlock()
	juliet.mu.Unlock()
	b.ReportAllocs()
	for b.Loop() {
		h.Inbound(romeo.Session, romeo, st, nil)
		h.FlushTouched()
	}
}

// sink renders and forgets.
type sink struct {
	client
	buf []byte
}

func (s *sink) Append(st *stanza.Stanza) error { s.buf = st.AppendTo(s.buf[:0]); return nil }
func (s *sink) Flush()                         {}
func (s *sink) WantDrain()                     {}

// TestBatchesAreUsedAgain: traffic goes through the same batches over and over; what
// they had is gone from them, and when it is quiet so are they.
func TestBatchesAreUsedAgain(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.Archive = ArchiveAlways })
	romeo, juliet := h.online("romeo@verona.lit/orchard", 0), h.online("juliet@verona.lit/balcony", 0)
	seen := make(map[*batch]bool)
	for i := range 200 {
		romeo.send(fmt.Sprintf("<message to='juliet@verona.lit' type='chat'><body>n%d %s</body></message>", i, strings.Repeat("x", i*10)))
		h.settle()
		h.inOrder(func() {
			for _, b := range h.pipe.spares {
				seen[b] = true
				for _, it := range b.items[:cap(b.items)] {
					if it.one.Stanza != nil || it.From != nil {
						t.Error("a batch that waits to be used holds on to what it had")
					}
				}
			}
		})
	}
	for i, got := range juliet.got() {
		if !strings.Contains(got, fmt.Sprintf("<body>n%d ", i)) {
			t.Errorf("message %d is %s", i, got)
		}
	}
	if n := len(seen); n == 0 || n > 20 {
		t.Errorf("%d batches for 200 messages", n)
	}
	h.until(func() (none bool) {
		h.inOrder(func() { none = len(h.pipe.spares) == 0 })
		return none
	})
}
