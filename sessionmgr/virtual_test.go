package sessionmgr

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"weir/jid"
	"weir/stanza"
	"weir/storage/pebble"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// bot is a virtual session that keeps what it is given.
type bot struct {
	*Virtual
	h     *house
	mu    sync.Mutex
	in    []string
	ended []Cause
	gate  chan struct{} // a stanza waits for one, if set
}

// openBot opens a virtual session of an account.
func (h *house) openBot(full string, change ...func(*VirtualOptions)) (*bot, error) {
	h.t.Helper()
	b := &bot{h: h}
	o := VirtualOptions{JID: jid.MustParse(full), Software: "a test"}
	o.Receive = func(ctx context.Context, v *Virtual, st *stanza.Stanza) error {
		b.mu.Lock()
		gate := b.gate
		b.mu.Unlock()
		if gate != nil {
			select {
			case <-gate:
			case <-ctx.Done():
			}
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.in = append(b.in, string(st.AppendTo(nil)))
		return nil
	}
	o.Ended = func(_ context.Context, _ *Virtual, why Cause) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.ended = append(b.ended, why)
	}
	for _, c := range change {
		c(&o)
	}
	v, err := h.OpenVirtual(context.Background(), o)
	b.Virtual = v
	return b, err
}

func (h *house) bot(full string, change ...func(*VirtualOptions)) *bot {
	h.t.Helper()
	b, err := h.openBot(full, change...)
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}

func acknowledging(o *VirtualOptions) { o.Acks = true }

// want checks what the bot has got, as client.want does.
func (b *bot) want(fragments ...string) {
	b.h.t.Helper()
	b.h.settle()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.in) != len(fragments) {
		b.h.t.Fatalf("the bot got %d stanzas, want %d:\n%s", len(b.in), len(fragments), strings.Join(b.in, "\n"))
	}
	for i, f := range fragments {
		for part := range strings.SplitSeq(f, " & ") {
			if !strings.Contains(b.in[i], part) {
				b.h.t.Errorf("stanza %d is\n%s\nwithout %s", i, b.in[i], part)
			}
		}
	}
	b.in = nil
}

// wantEnd checks how it was told that it has ended.
func (b *bot) wantEnd(code CauseCode) {
	b.h.t.Helper()
	b.h.until(func() bool { b.mu.Lock(); defer b.mu.Unlock(); return len(b.ended) > 0 })
	b.h.settle()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.ended) != 1 || b.ended[0].Code != code {
		b.h.t.Errorf("ended %v, want %v once", b.ended, code)
	}
}

func (b *bot) hold() { b.mu.Lock(); b.gate = make(chan struct{}); b.mu.Unlock() }

func (b *bot) letGo() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.gate)
	b.gate = nil
}

func chatTo(to, text string) string {
	return fmt.Sprintf("<message to='%s' type='chat'><body>%s</body></message>", to, text)
}

// TestVirtualIsASession: it is found, listed, routed to and kicked like any other.
func TestVirtualIsASession(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	b := h.bot("juliet@verona.lit/bot")
	s := b.Session()
	if h.ByJID(b.JID()) != s || h.Get(s.ID()) != s {
		t.Error("it isn't found")
	}
	d := s.Describe()
	if d.Transport != "virtual" || d.Software != "a test" || d.State != "c2s" || d.JID != "juliet@verona.lit/bot" {
		t.Errorf("described as %+v", d)
	}
	if n := h.Count(Filter{Transport: TransportVirtual}); n != 1 {
		t.Errorf("%d are virtual", n)
	}
	b.want() // nobody handles presence in this house
	s.SetPresence(&stanza.Stanza{Kind: stanza.Presence, From: b.JID()}, 0)
	romeo.send(chatTo("juliet@verona.lit", "to the account"))
	romeo.send(chatTo("juliet@verona.lit/bot", "to the bot"))
	if err := h.Send(s, notice(t, "from the server")); err != nil {
		t.Error(err)
	}
	b.want("to the account & from='romeo@verona.lit/orchard'", "to the bot", "from the server")
	if story, ok := h.Explain(s.ID()); !ok || len(story.Steps) != 5 || story.Steps[4].What != "available with priority 0" {
		t.Errorf("explained as %v", story)
	}
	h.Kick(s, Cause{Code: Kicked, Text: "a test"}, nil)
	b.wantEnd(Kicked)
	if err := b.Say(context.Background(), romeo.JID(), "still there"); !errors.Is(err, ErrGone) {
		t.Errorf("after its end it sends: %v", err)
	}
	romeo.want()
}

// TestVirtualSends: by the way of a client, with its address.
func TestVirtualSends(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	romeo := h.online("romeo@verona.lit/orchard", 0)
	b := h.bot("juliet@verona.lit/bot")
	if err := b.Say(ctx, romeo.JID(), "a < b & c"); err != nil {
		t.Fatal(err)
	}
	romeo.want("from='juliet@verona.lit/bot' & a &lt; b &amp; c")
	if err := b.Send(ctx, notice(t, "x").With(romeo.JID(), romeo.JID())); !errors.Is(err, ErrSender) {
		t.Errorf("as somebody else: %v", err)
	}
	if err := b.Send(ctx, notice(t, "bare").With(b.JID().Bare(), romeo.JID())); err != nil {
		t.Error(err)
	}
	romeo.want("from='juliet@verona.lit/bot' & bare")

	// What can't be delivered comes back to it; who follows is told.
	f := newFollowup(t)
	if err := b.SendFollowed(ctx, notice(t, "lost").With(jid.JID{}, jid.MustParse("nobody@verona.lit")), f.Tracker); err != nil {
		t.Error(err)
	}
	f.want(h, "bounced.")
	b.want("type='error' & service-unavailable")
	f = newFollowup(t)
	if err := b.SendFollowed(ctx, notice(t, "followed").With(jid.JID{}, romeo.JID()), f.Tracker); err != nil {
		t.Error(err)
	}
	f.want(h, "written.")
	f = newFollowup(t)
	if err := b.SendFollowed(ctx, &stanza.Stanza{Kind: stanza.Presence}, f.Tracker); err != nil {
		t.Error(err)
	}
	f.want(h, "taken.")

	// A hook on the way refuses it, or puts another in its place.
	h.GuardInbound(func(_ context.Context, s *Session, st *stanza.Stanza) (*stanza.Stanza, error) {
		if s != b.Session() || st.HasChild("x", "x") {
			return nil, stanza.NotAllowed()
		}
		return st, nil
	})
	refused, err := stanza.New(stanza.Message, "chat", "", jid.JID{}, romeo.JID(), []byte("<x xmlns='x'/>"))
	if err != nil {
		t.Fatal(err)
	}
	f = newFollowup(t)
	if err := b.SendFollowed(ctx, refused, f.Tracker); err == nil {
		t.Error("a refused stanza is sent")
	}
	f.want(h, "dropped.")
	over, cancel := context.WithCancel(ctx)
	cancel()
	b.turn <- struct{}{}
	if err := b.Say(over, romeo.JID(), "late"); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is over: %v", err)
	}
	<-b.turn
}

// TestVirtualAnswers: requests are answered, whatever its function does.
func TestVirtualAnswers(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	h.GuardPresence(func(_, _ jid.JID) bool { return true })
	b := h.bot("juliet@verona.lit/bot", func(o *VirtualOptions) {
		o.Answer = func(ctx context.Context, v *Virtual, iq *stanza.Stanza) (any, error) {
			if s, ok := FromContext(ctx); !ok || s != v.Session() {
				t.Error("the context isn't the session's")
			}
			switch iq.ID {
			case "fine":
				return []byte("<q xmlns='x'>yes</q>"), nil
			case "refused":
				return nil, stanza.Forbidden()
			case "itself":
				r, err := iq.Result(nil)
				if err != nil {
					return nil, err
				}
				return nil, errors.Join(v.Send(ctx, r), ErrAnswered)
			case "panics":
				panic("a mistake")
			}
			return nil, errors.New("a fault")
		}
		receive := o.Receive
		o.Receive = func(ctx context.Context, v *Virtual, st *stanza.Stanza) error {
			switch {
			case strings.Contains(st.Text(nsClient, "body"), "no"):
				return stanza.NotAcceptable()
			case strings.Contains(st.Text(nsClient, "body"), "panic"):
				panic("a mistake")
			case strings.Contains(st.Text(nsClient, "body"), "exit"):
				runtime.Goexit()
			case strings.Contains(st.Text(nsClient, "body"), "again"):
				if err := v.m.With(ctx, v.Session().ID(), func(context.Context) error { return nil }); !errors.Is(err, ErrReentry) {
					t.Errorf("With from its own order: %v", err)
				}
			}
			return receive(ctx, v, st)
		}
	})
	for _, id := range []string{"fine", "refused", "itself", "panics", "fault"} {
		romeo.send("<iq to='juliet@verona.lit/bot' type='get' id='" + id + "'><q xmlns='x'/></iq>")
	}
	for _, text := range []string{"no", "panic", "exit", "again", "last"} {
		romeo.send(chatTo("juliet@verona.lit/bot", text))
	}
	romeo.want("id='fine' & type='result' & yes", "id='refused' & forbidden", "id='itself' & type='result'",
		"id='panics' & internal-server-error", "id='fault' & internal-server-error", "type='error' & not-acceptable")
	b.want("again", "last")
	silent := h.bot("juliet@verona.lit/silent", func(o *VirtualOptions) { o.Receive = nil })
	romeo.send("<iq to='juliet@verona.lit/silent' type='set' id='1'><q xmlns='x'/></iq>")
	romeo.send(chatTo("juliet@verona.lit/silent", "x"))
	romeo.want("id='1' & service-unavailable")
	if n := silent.link.Waiting(); n != 0 {
		t.Errorf("%d bytes wait", n)
	}
}

// TestVirtualRefusals goes through what can't be opened.
func TestVirtualRefusals(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.MaxSessions = 1 })
	for full, want := range map[string]error{
		"nobody@verona.lit": ErrNoAccount, "verona.lit/x": nil, "juliet@elsewhere.lit": nil, "trouble@verona.lit": nil,
	} {
		if b, err := h.openBot(full); err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v, %v", full, b, err)
		}
	}
	if _, err := h.openBot("juliet@verona.lit", func(o *VirtualOptions) { o.Named = true }); !errors.Is(err, ErrIsAccount) {
		t.Errorf("a name that an account has: %v", err)
	}
	if _, err := h.openBot("juliet@verona.lit", func(o *VirtualOptions) { o.MaxWaiting = 5 }); err == nil {
		t.Error("nearly nothing may wait")
	}
	h.bot("juliet@verona.lit/one")
	second, err := h.openBot("juliet@verona.lit/two")
	if e, ok := stanza.AsError(err); !ok || e.Condition != "resource-constraint" {
		t.Errorf("more sessions than an account may have: %v", err)
	}
	h.settle()
	if len(second.ended) > 0 || h.Count(Filter{}) != 1 {
		t.Errorf("of what could not be opened is left: %v, %d sessions", second.ended, h.Count(Filter{}))
	}
	// A hook that ends it as it comes.
	for name, add := range map[string]func() (remove func()){
		"connected": func() func() {
			return h.Hooks.Connected.Add("test", 0, func(_ context.Context, s *Session) { h.Kick(s, Cause{Code: Kicked}, nil) })
		},
		"bound": func() func() {
			return h.Hooks.Bound.Add("test", 0, func(_ context.Context, s *Session) { h.Kick(s, Cause{Code: Kicked}, nil) })
		},
	} {
		remove := add()
		if b, err := h.openBot("romeo@verona.lit/x"); err == nil {
			t.Errorf("%s: a session that was kicked is open: %v", name, b)
		}
		remove()
	}
	h.settle()
	if n := h.Count(Filter{}); n != 1 {
		t.Errorf("%d sessions", n)
	}
	if err := h.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.openBot("romeo@verona.lit/x"); !errors.Is(err, ErrRefusing) {
		t.Errorf("while the server stops: %v", err)
	}
}

// TestVirtualOwes: what a bot had not handled when it ended is owed, with
// acknowledgements and without.
func TestVirtualOwes(t *testing.T) {
	for name, change := range map[string]func(*VirtualOptions){"plain": func(*VirtualOptions) {}, "acks": acknowledging} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			romeo := h.online("romeo@verona.lit/orchard", 0)
			b := h.bot("juliet@verona.lit/bot", change)
			romeo.send(chatTo("juliet@verona.lit/bot", "handled"))
			b.want("handled")
			b.hold()
			for i := range 3 {
				romeo.send(chatTo("juliet@verona.lit/bot", fmt.Sprintf("waits %d", i)))
			}
			h.Kick(b.Session(), Cause{Code: Kicked}, nil)
			b.wantEnd(Kicked)
			next := h.bot("juliet@verona.lit/next", change)
			next.Session().SetPresence(&stanza.Stanza{Kind: stanza.Presence, From: next.JID()}, 0)
			next.want("waits 0", "waits 1", "waits 2") // the first was in hand, and is at least once
			next.Close(context.Background())
			next.wantEnd(ClosedByClient)
		})
	}
}

// TestVirtualAfterACrash: a bot with a name of its own and acknowledgements gets what
// it had not handled when the process died, and not what it had long handled.
func TestVirtualAfterACrash(t *testing.T) {
	fs := vfs.NewCrashableMem()
	st, err := pebble.Open(pebble.Options{FS: fs, Dir: "data"})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	h := newHouseOn(t, st)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	named := func(o *VirtualOptions) { o.Named, o.Acks = true, true }
	b := h.bot("oracle@verona.lit/x", named)
	romeo.send(chatTo("oracle@verona.lit/x", "handled"))
	b.want("handled")
	h.inOrder(func() { h.pipe.lingered() }) // as it is a second later
	h.settle()
	b.hold()
	romeo.send(chatTo("oracle@verona.lit/x", "waits"))
	h.inOrder(func() {})
	barrier(h)
	crashed := fs.CrashClone(vfs.CrashCloneCfg{})
	b.letGo()

	st2, err := pebble.Open(pebble.Options{FS: crashed, Dir: "data"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st2.Close() })
	again := newHouseOn(t, st2)
	if err := again.Restore(context.Background()); err != nil {
		t.Fatal(err)
	}
	next := again.bot("oracle@verona.lit/x", named)
	next.Session().SetPresence(&stanza.Stanza{Kind: stanza.Presence, From: next.JID()}, 0)
	next.want("waits")
}

// barrier waits until everything submitted is durable.
func barrier(h *house) { h.barrier(context.Background()) }
