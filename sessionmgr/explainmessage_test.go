package sessionmgr

import (
	"errors"
	"strings"
	"testing"

	"weir/jid"
	"weir/storage"
)

// TestExplainMessage holds what is told of a message on its way: by which name it is
// found, whom it was for, and how far each is.
func TestExplainMessage(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.Archive = ArchiveAlways })
	romeo := h.online("romeo@verona.lit/orchard", 0)
	juliet, account := h.online("juliet@verona.lit/balcony", 0), jid.MustParse("juliet@verona.lit")
	plain := h.online("juliet@verona.lit/plain", 0)
	id := juliet.enable()
	send := func(name, to string) {
		t.Helper()
		romeo.send("<message to='" + to + "' type='chat' id='" + name + "'><body>hark</body><origin-id xmlns='urn:xmpp:sid:0' id='o-" + name + "'/></message>")
		h.settle()
	}
	explain := func(name string) MessageStory {
		t.Helper()
		st, err := h.ExplainMessage(t.Context(), account, name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return st
	}
	states := func(name string) string {
		t.Helper()
		var all []string
		for _, x := range explain(name).Targets {
			_, who, _ := strings.Cut(x.JID, "/")
			all = append(all, who+" "+x.State)
		}
		return strings.Join(all, ", ")
	}
	is := func(name, a, b string) {
		t.Helper()
		if got := states(name); got != a && got != b {
			t.Errorf("%s: %q, want %q", name, got, a)
		}
	}
	send("m1", "juliet@verona.lit")
	is("m1", "balcony sent, plain written", "plain written, balcony sent")
	juliet.ack(1)
	is("o-m1", "balcony acknowledged, plain written", "plain written, balcony acknowledged")
	st := explain("m1")
	if again := explain(st.ID); again.ID != st.ID || again.StanzaID != "m1" || again.OriginID != "o-m1" || !again.Archived || again.Outgoing ||
		again.Owed || again.From != "romeo@verona.lit/orchard" || !strings.Contains(again.Routed, "2 most available sessions") {
		t.Errorf("%+v", again)
	}
	if sent, err := h.ExplainMessage(t.Context(), jid.MustParse("romeo@verona.lit"), "m1"); err != nil || !sent.Outgoing || !strings.Contains(sent.Routed, "sent by the account") {
		t.Errorf("to whom sent it: %+v, %v", sent, err)
	}
	if st.Receiver != nil || st.Elsewhere != "" {
		t.Errorf("%+v has another receiver", st)
	}
	juliet.cut()
	send("m2", "juliet@verona.lit/balcony")
	is("m2", "balcony waiting", "")
	if r := explain("m2").Routed; !strings.Contains(r, "full address") {
		t.Errorf("routed %s", r)
	}
	juliet = h.mustResume("juliet@verona.lit", id, 1)
	h.until(func() bool { return states("m2") == "balcony sent" })
	h.Kick(plain.Session, Cause{Kicked, ""}, nil)
	h.Kick(juliet.Session, Cause{Kicked, ""}, nil)
	h.settle()
	is("m2", "balcony left", "")
	is("m1", "balcony acknowledged, plain written", "plain written, balcony acknowledged")
	if !explain("m2").Owed || explain("m1").Owed {
		t.Error("what the session left isn't owed, or what it had is")
	}
	send("m3", "juliet@verona.lit")
	if st := explain("m3"); !st.Owed || len(st.Targets) != 0 || !strings.Contains(st.Routed, "nobody was available") {
		t.Errorf("%+v", st)
	}
	// The same in the log of its sender.
	sent := func(name string) MessageStory {
		t.Helper()
		st, err := h.ExplainMessage(t.Context(), jid.MustParse("romeo@verona.lit"), name)
		if err != nil || !st.Outgoing {
			t.Fatalf("%s: %+v, %v", name, st, err)
		}
		return st
	}
	for _, name := range []string{"m1", "m2", "m3", "o-m3"} {
		want := explain(name)
		if got := sent(name).Receiver; got == nil || got.Account != "juliet@verona.lit" || got.ID != want.ID || got.Routed != want.Routed ||
			got.Owed != want.Owed || len(got.Targets) != len(want.Targets) || got.Outgoing || got.Receiver != nil {
			t.Errorf("%s: its receiver has %+v, want %+v", name, got, want)
		}
	}
	next := h.bind("juliet@verona.lit/next")
	next.enable()
	next.available(0)
	h.until(func() bool { return states("m2") == "next taken over" && states("m3") == "next taken over" })
	h.until(func() bool { return next.Describe().Sent == 2 })
	next.ack(2)
	h.settle()
	is("m2", "balcony delivered since", "")
	if st := explain("m3"); st.Owed || len(st.Targets) != 1 || st.Targets[0].State != MessageDelivered || st.Targets[0].Ended || !explain("m2").Targets[0].Ended {
		t.Errorf("%+v", st)
	}
	for _, name := range []string{"m9", "", "0000000000000000", "o-", "hark", "<", "ffffffffffffffffff"} {
		if _, err := h.ExplainMessage(t.Context(), account, name); !errors.Is(err, ErrNoMessage) {
			t.Errorf("%q: %v", name, err)
		}
	}
	// What its receiver's log has lost.
	var w storage.Batch
	storage.DeleteAccount(&w, "juliet@verona.lit", h.logs.Table())
	if err := storage.Commit(t.Context(), h.store, &w); err != nil {
		t.Fatal(err)
	}
	if st := sent("m1"); st.Receiver != nil || !strings.Contains(st.Elsewhere, "the log of juliet@verona.lit hasn't it") {
		t.Errorf("%+v", st)
	}
}

// TestExplainWhatWaited: a message that nobody was there for says whether it still
// waits, with clients that don't acknowledge; one that another session has as well
// isn't owed.
func TestExplainWhatWaited(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.Archive = ArchiveAlways })
	romeo, account := h.online("romeo@verona.lit/orchard", 0), jid.MustParse("juliet@verona.lit")
	explain := func(name string) MessageStory {
		t.Helper()
		h.settle()
		st, err := h.ExplainMessage(t.Context(), account, name)
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	romeo.send("<message to='juliet@verona.lit' type='chat' id='m1'><body>hark</body></message>")
	if st := explain("m1"); !st.Owed || len(st.Targets) != 0 {
		t.Errorf("nobody was there: %+v", st)
	}
	plain := h.online("juliet@verona.lit/plain", 0)
	h.until(func() bool { st := explain("m1"); return !st.Owed && len(st.Targets) == 1 })
	if st := explain("m1"); st.Targets[0].State != MessageDelivered || st.Targets[0].Session != "" {
		t.Errorf("it was given to a session: %+v", st)
	}
	both := h.online("juliet@verona.lit/both", 0)
	both.enable()
	romeo.send("<message to='juliet@verona.lit' type='chat' id='m2'><body>hark</body></message>")
	h.settle()
	h.Kick(both.Session, Cause{Kicked, ""}, nil)
	st := explain("m2")
	if len(st.Targets) != 2 || st.Owed {
		t.Fatalf("one of two has it: %+v", st)
	}
	for _, x := range st.Targets {
		if x.Session == plain.ID() && x.State != MessageWritten || x.Session == both.ID() && (!x.Ended || x.State != MessageLeft && x.State != MessageDelivered) {
			t.Errorf("%+v", x)
		}
	}
}

// TestExplainMirrored: what a policy gives to sessions of any priority isn't said to be
// for those with the highest alone.
func TestExplainMirrored(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.Archive = ArchiveAlways })
	h.rules("mirror")
	romeo := h.online("romeo@verona.lit/orchard", 0)
	h.online("juliet@verona.lit/a", 5)
	h.online("juliet@verona.lit/b", 0)
	romeo.send("<message to='juliet@verona.lit' type='chat' id='m1'><body>hark</body></message>")
	h.settle()
	st, err := h.ExplainMessage(t.Context(), jid.MustParse("juliet@verona.lit"), "m1")
	if err != nil || len(st.Targets) != 2 || !strings.Contains(st.Routed, "mirror") || strings.Contains(st.Routed, "same priority") {
		t.Errorf("%+v, %v", st, err)
	}
}
