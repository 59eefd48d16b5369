package sessionmgr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/jid"
	"weir/stanza"
)

// followup is a tracker that keeps what it was told.
type followup struct {
	*Tracker
	t    *testing.T
	mu   sync.Mutex
	told []Report
}

func newFollowup(t *testing.T) *followup {
	f := &followup{t: t}
	f.Tracker = NewTracker(func(r Report) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.told = append(f.told, r)
	})
	return f
}

// want checks what was told so far, in order; the end has a dot.
func (f *followup) want(h *house, fates string) Report {
	f.t.Helper()
	h.settle()
	f.mu.Lock()
	defer f.mu.Unlock()
	var got []string
	for _, r := range f.told {
		s := r.Fate.String()
		if r.Final {
			s += "."
		}
		got = append(got, s)
	}
	if s := strings.Join(got, " "); s != fates {
		f.t.Errorf("told: %q, want %q", s, fates)
	}
	if len(f.told) == 0 {
		return f.Report()
	}
	last := f.told[len(f.told)-1]
	if now := f.Report(); now.Fate != last.Fate || now.Final != last.Final {
		f.t.Errorf("told %v last, and the report says %v", last, now)
	}
	return last
}

// follow sends a message to a session and follows it.
func (c *client) follow(text string) *followup {
	c.h.t.Helper()
	f := newFollowup(c.h.t)
	if err := c.h.SendFollowed(c.Session, notice(c.h.t, text), f.Tracker); err != nil {
		c.h.t.Fatal(err)
	}
	return f
}

// route sends a stanza of a local account and follows it.
func (h *house) route(xml string) *followup {
	h.t.Helper()
	st, err := stanza.Parse([]byte(xml))
	if err != nil {
		h.t.Fatal(err)
	}
	f := newFollowup(h.t)
	if err := h.RouteFollowed(context.Background(), st, f.Tracker); err != nil {
		h.t.Logf("routing %s: %v", xml, err)
	}
	return f
}

// TestFollowToTheEnd goes through what becomes of a message to one session, with
// stream management and without.
func TestFollowToTheEnd(t *testing.T) {
	h := newHouse(t)
	plain := h.online("juliet@verona.lit/plain", 0)
	f := plain.follow("1")
	f.want(h, "written.")
	if r := f.Report(); r.Session != plain.Session {
		t.Errorf("written to %v", r.Session)
	}

	slow := h.online("juliet@verona.lit/slow", 0)
	slow.slow = true
	f = slow.follow("2")
	f.want(h, "")
	slow.wake()
	f.want(h, "written.")

	acks := h.bind("romeo@verona.lit/acks")
	acks.enable()
	acks.available(0)
	acks.got()
	f, g := acks.follow("3"), acks.follow("4")
	f.want(h, "kept written")
	acks.ack(1)
	f.want(h, "kept written acked.")
	g.want(h, "kept written")
	acks.ack(2)
	g.want(h, "kept written acked.")
}

// TestFollowOverResumptions: what was sent before is followed to the stream that
// it is sent again on.
func TestFollowOverResumptions(t *testing.T) {
	h := newHouse(t)
	c := h.bind("romeo@verona.lit/phone")
	id := c.enable()
	c.available(0)
	c.got()
	lost, volatile := c.follow("lost"), newFollowup(t)
	state, err := stanza.Parse([]byte("<message xmlns='jabber:client' type='headline'><body>volatile</body></message>"))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.SendFollowed(c.Session, state, volatile.Tracker); err != nil {
		t.Fatal(err)
	}
	c.cut()
	away := c.follow("away")
	lost.want(h, "kept written")
	volatile.want(h, "written")
	away.want(h, "kept")
	c = h.mustResume("romeo@verona.lit", id, 0)
	c.want("lost", "volatile", "away")
	away.want(h, "kept written")
	c.ack(1)
	lost.want(h, "kept written acked.")
	c.cut() // and what it says that it has counts
	c = h.mustResume("romeo@verona.lit", id, 3)
	volatile.want(h, "written acked.")
	away.want(h, "kept written acked.")
	c.want()
}

// TestFollowEndsForSure: whatever ends a session ends what is followed to it, and
// the end of the manager does.
func TestFollowEndsForSure(t *testing.T) {
	h := newHouse(t)
	acks := func(name string) *client {
		c := h.bind(name)
		c.enable()
		c.available(0)
		c.got()
		return c
	}
	kicked := acks("romeo@verona.lit/kicked")
	f := kicked.follow("1")
	f.want(h, "kept written")
	h.Kick(kicked.Session, Cause{Code: Kicked}, nil)
	f.want(h, "kept written left.")

	replaced := acks("romeo@verona.lit/one")
	replaced.cut()
	f = replaced.follow("2")
	h.bind("romeo@verona.lit/one")
	f.want(h, "kept left.")

	// Without stream management: what was not written joins the log.
	slow := h.online("juliet@verona.lit/slow", 0)
	first := slow.follow("3")
	first.want(h, "written.")
	slow.slow = true
	f = slow.follow("4")
	h.Kick(slow.Session, Cause{Code: Kicked}, nil)
	f.want(h, "kept left.")

	broken := h.online("nurse@verona.lit/broken", 0)
	broken.broken = true
	f = broken.follow("5")
	f.want(h, "kept left.")
	request := newFollowup(t)
	iq, err := stanza.New(stanza.IQ, "get", "1", jid.JID{}, jid.JID{}, []byte("<q xmlns='x'/>"))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.SendFollowed(broken.Session, iq, request.Tracker); err != nil {
		t.Fatal(err)
	}
	if r := request.want(h, "bounced."); r.Err == nil {
		t.Error("a bounce without a reason")
	}

	stays := acks("tybalt@verona.lit/stays")
	stays.cut()
	f = stays.follow("6")
	f.want(h, "kept")
	if err := h.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if r := f.Report(); r.Fate != Left || !r.Final {
		t.Errorf("after the end of the manager: %v", r)
	}
}

// TestFollowRouted goes through what becomes of stanzas for accounts.
func TestFollowRouted(t *testing.T) {
	h := newHouse(t)
	h.HandleIQ(IQHandler{NS: "urn:x", Scope: OnServer, Get: func(context.Context, *stanza.Stanza) (any, error) { return nil, nil }})
	const to = "<message from='nurse@verona.lit' to='%s' type='%s'><body>x</body></message>"
	message := func(to_, typ string) *followup { return h.route(fmt.Sprintf(to, to_, typ)) }

	message("juliet@verona.lit", "chat").want(h, "kept left.")
	r := message("nobody@verona.lit", "chat").want(h, "bounced.")
	if e, ok := stanza.AsError(r.Err); !ok || e.Condition != "service-unavailable" {
		t.Errorf("bounced with %v", r.Err)
	}
	message("juliet@verona.lit", "headline").want(h, "dropped.")
	message("x@elsewhere.lit", "chat").want(h, "bounced.")
	message("trouble@verona.lit", "chat").want(h, "dropped.")
	message("verona.lit", "chat").want(h, "bounced.")
	h.route("<iq from='nurse@verona.lit/x' to='verona.lit' type='get' id='1'><q xmlns='urn:x'/></iq>").want(h, "taken.")
	h.route("<iq from='nurse@verona.lit/x' to='verona.lit' type='get' id='1'><q xmlns='urn:y'/></iq>").want(h, "bounced.")
	h.route("<iq from='nurse@verona.lit/x' to='romeo@verona.lit/x' type='result' id='1'/>").want(h, "dropped.")

	// Of two sessions the one that is further counts; what one has is not left.
	plain, acks := h.online("romeo@verona.lit/plain", 0), h.bind("romeo@verona.lit/acks")
	acks.enable()
	acks.available(0)
	h.settle()
	plain.slow = true
	f := message("romeo@verona.lit", "chat")
	f.want(h, "kept written")
	if r := f.Report(); r.Session != acks.Session {
		t.Errorf("written to %v", r.Session)
	}
	h.Kick(acks.Session, Cause{Code: Kicked}, nil)
	f.want(h, "kept written")
	plain.wake()
	if r := f.want(h, "kept written written."); r.Session != plain.Session {
		t.Errorf("in the end written to %v", r.Session)
	}
}

// TestFollowRefused: a hook that drops a stanza, a full log.
func TestFollowRefused(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.MaxLog = 200 })
	c := h.online("juliet@verona.lit/x", 0)
	remove := h.Hooks.StanzaOut.Add("test", 0, func(context.Context, *StanzaOut) error { return errors.New("no") })
	c.follow("1").want(h, "dropped.")
	remove()
	f := h.route("<message from='nurse@verona.lit' to='romeo@verona.lit' type='chat'><body>" + strings.Repeat("x", 300) + "</body></message>")
	if r := f.want(h, "bounced."); r.Err == nil {
		t.Error("a bounce without a reason")
	}
}

// TestTrackerIsForOne: a tracker that is given twice, one that nobody told of, a
// function that panics, one that ends its goroutine, one that follows others.
func TestTrackerIsForOne(t *testing.T) {
	h := newHouse(t)
	c := h.online("juliet@verona.lit/x", 0)
	f := c.follow("1")
	if err := h.SendFollowed(c.Session, notice(t, "2"), f.Tracker); !errors.Is(err, ErrFollowed) {
		t.Errorf("given twice: %v", err)
	}
	next := newFollowup(t)
	for _, told := range []func(Report){
		nil,
		func(Report) { panic("a mistake") },
		func(Report) {
			_ = h.RouteFollowed(context.Background(), notice(t, "5").With(c.JID(), jid.MustParse("nurse@verona.lit")), next.Tracker)
		},
		func(Report) { c.h.Kick(c.Session, Cause{Code: Kicked}, nil) },
	} {
		if err := h.SendFollowed(c.Session, notice(t, "x"), NewTracker(told)); err != nil {
			break
		}
	}
	h.settle()
	late := newFollowup(t)
	if err := h.SendFollowed(c.Session, notice(t, "3"), late.Tracker); !errors.Is(err, ErrGone) {
		t.Errorf("to a session that was kicked: %v", err)
	}
	if r := late.want(h, "dropped."); !errors.Is(r.Err, ErrGone) {
		t.Errorf("the end of that says %v", r.Err)
	}
	next.want(h, "kept left.")
}

// TestTrackerWait waits for steps and for the end.
func TestTrackerWait(t *testing.T) {
	h := newHouse(t)
	c := h.bind("romeo@verona.lit/phone")
	c.enable()
	c.available(0)
	c.got()
	c.slow = true
	f := c.follow("1")
	if r, err := f.Wait(context.Background(), Kept); err != nil || r.Fate < Kept {
		t.Errorf("%v, %v", r, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if r, err := f.Wait(ctx, Written); !errors.Is(err, context.DeadlineExceeded) || r.Fate != Kept {
		t.Errorf("%v, %v", r, err)
	}
	done := make(chan Report)
	go func() {
		r, _ := f.Wait(context.Background(), Acked)
		done <- r
	}()
	c.wake()
	c.ack(1)
	if r := <-done; r.Fate != Acked || !r.Final {
		t.Errorf("%v", r)
	}
}

// TestFollowMany follows from many goroutines while streams come and go: each has
// one end, and steps in order.
func TestFollowMany(t *testing.T) {
	h := newHouse(t)
	c := h.bind("romeo@verona.lit/phone")
	id := c.enable()
	c.available(0)
	c.got()
	const each = 50
	s := c.Session
	var all [4][each]*followup
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			for k := range each {
				f := newFollowup(t)
				all[i][k] = f
				if err := h.SendFollowed(s, notice(t, fmt.Sprintf("%d-%d", i, k)), f.Tracker); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 5 {
		h.Closed(c.Session, c, Cause{Code: LinkLost})
		var has uint32
		h.inOrder(func() { has = s.sm.acked })
		c = h.mustResume("romeo@verona.lit", id, has)
	}
	wg.Wait()
	h.settle()
	h.inOrder(func() { h.pipe.acknowledged(s, s.sm.out) })
	h.settle()
	for i := range all {
		for _, f := range all[i] {
			var steps []Fate
			for _, r := range f.told {
				steps = append(steps, r.Fate)
			}
			if !slices.IsSorted(steps) || len(steps) == 0 || steps[len(steps)-1] != Acked || !f.Report().Final {
				t.Errorf("%v", f.told)
			}
		}
	}
	if s.followed != nil {
		t.Errorf("%d are followed still", len(s.followed.all))
	}
}
