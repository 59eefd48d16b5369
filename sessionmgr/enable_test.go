package sessionmgr

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"weir/stanza"
	"weir/storage"

	dto "github.com/prometheus/client_model/go"
)

// TestEnableWhileBehind turns stream management on for a session that has still
// to pull messages of its own: they come.
func TestEnableWhileBehind(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	romeo.send("<message to='juliet@verona.lit'><body>owed</body></message>")
	juliet := h.bind("juliet@verona.lit/balcony")
	juliet.slow = true
	juliet.available(0)
	h.settle()
	romeo.send("<message to='juliet@verona.lit'><body>waits</body></message>")
	h.settle()
	juliet.enable()
	juliet.wake()
	juliet.want("owed", "waits")
	if juliet.sm.out != 1 {
		t.Errorf("%d stanzas have a number, want 1", juliet.sm.out)
	}
}

// TestEnableCountsFromItsAnswer: a stanza that was sent before <enable/> and is
// handled with it isn't counted (XEP-0198 §4).
func TestEnableCountsFromItsAnswer(t *testing.T) {
	h, g := newGatedHouse(t)
	juliet := h.online("juliet@verona.lit/balcony", 0)
	juliet.enable()
	romeo := h.online("romeo@verona.lit/orchard", 0)
	g.set(true, nil)
	for i := range 2 {
		romeo.send(fmt.Sprintf("<message to='juliet@verona.lit'><body>before %d</body></message>", i))
	}
	enabled := make(chan error, 1)
	go func() {
		enabled <- h.Enable(context.Background(), romeo.Session, romeo, true, 0, func(Enabled) {})
	}()
	h.until(func() (asked bool) {
		h.inOrder(func() { asked = romeo.enabling })
		return asked
	})
	g.set(false, nil)
	if err := <-enabled; err != nil {
		t.Fatal(err)
	}
	romeo.send("<message to='juliet@verona.lit'><body>after</body></message>")
	h.RequestAck(romeo.Session, romeo)
	h.settle()
	if n, _ := romeo.LastAck(romeo); n != 1 {
		t.Errorf("%d stanzas are acknowledged, 1 was sent", n)
	}
}

// TestEnableWhileOwedIsOnItsWay turns stream management on after a chunk of what
// is owed was read and before it is given to the link: it comes once.
func TestEnableWhileOwedIsOnItsWay(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	romeo.send("<message to='juliet@verona.lit'><body>owed</body></message>")
	juliet := h.bind("juliet@verona.lit/balcony")
	once := false
	h.Hooks.StanzaOut.Add("test", 0, func(_ context.Context, ev *StanzaOut) error {
		if !once && strings.Contains(string(ev.Stanza.AppendTo(nil)), "owed") {
			once = true
			juliet.enable()
		}
		return nil
	})
	juliet.available(0)
	juliet.want("owed")
}

// TestEnableFails leaves a session without stream management: it ends with its
// link, and what that has not written is owed.
func TestEnableFails(t *testing.T) {
	h, g := newGatedHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	juliet := h.online("juliet@verona.lit/balcony", 0)
	g.set(false, fmt.Errorf("disk: %w", storage.ErrFull))
	err := h.Enable(context.Background(), juliet.Session, juliet, true, 0, func(Enabled) {})
	if _, refused := stanza.AsError(err); !refused {
		t.Fatalf("enabled on a full disk: %v", err)
	}
	g.set(false, nil)
	juliet.slow = true
	romeo.send("<message to='juliet@verona.lit'><body>unread</body></message>")
	juliet.cut()
	if s := juliet.State(); s != Destroyed {
		t.Errorf("the session is in state %v", s)
	}
	next := h.bind("juliet@verona.lit/balcony")
	next.available(0)
	next.want("unread")
}

// TestEndsWhileEnableFails: a session ends while the store has yet to say that
// stream management could not be turned on.
func TestEndsWhileEnableFails(t *testing.T) {
	h, g := newGatedHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	juliet := h.bind("juliet@verona.lit/balcony")
	g.set(true, fmt.Errorf("disk: %w", storage.ErrFull))
	t.Cleanup(func() { g.set(false, nil) })
	failed := make(chan error, 1)
	go func() { failed <- h.Enable(context.Background(), juliet.Session, juliet, true, 0, func(Enabled) {}) }()
	h.until(func() (sealed bool) {
		h.inOrder(func() { sealed = juliet.sm != nil })
		return sealed
	})
	h.Kick(juliet.Session, Cause{Code: Kicked}, nil)
	h.inOrder(func() {})
	g.set(false, nil)
	if err := <-failed; err == nil {
		t.Error("enabled on a full disk")
	}
	h.settle()
	var faults dto.Metric
	if err := h.metrics.panics.Write(&faults); err != nil || faults.GetCounter().GetValue() != 0 {
		t.Errorf("%v faults, %v", faults.GetCounter().GetValue(), err)
	}
	next := h.bind("juliet@verona.lit/chamber")
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>still there</body></message>")
	next.available(0)
	next.want("still there")
}

// TestUnwrittenBeforeEnable: what was appended before <enabled/> has no number;
// if the link is lost before it was written, it is owed.
func TestUnwrittenBeforeEnable(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	juliet := h.online("juliet@verona.lit/balcony", 0)
	juliet.slow = true
	romeo.send("<message to='juliet@verona.lit'><body>unread</body></message>")
	h.settle()
	juliet.enable()
	romeo.send("<message to='juliet@verona.lit'><body>later</body></message>")
	juliet.cut()
	h.Kick(juliet.Session, Cause{Code: Expired}, nil)
	next := h.bind("juliet@verona.lit/chamber")
	next.available(0)
	next.want("later", "unread")
}
