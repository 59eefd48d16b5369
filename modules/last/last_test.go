package last_test

import (
	"fmt"
	"strings"
	"testing"

	"weir/jid"
	"weir/modules/last"
	"weir/sessionmgr/sessiontest"
)

const query = "><query xmlns='jabber:iq:last'/></iq>"

func Example() {
	h := sessiontest.New()
	defer h.Close()
	last.New(h.Manager, h.Store)
	juliet := h.Online("juliet@verona.lit/balcony")
	fmt.Println(juliet.Ask("<iq type='get' id='up' to='verona.lit'" + query)) // how long the server runs
	// Output:
	// <iq from='verona.lit' to='juliet@verona.lit/balcony' id='up' type='result'><query xmlns="jabber:iq:last" seconds="0"></query></iq>
}

func TestLastActivityOfAnAccount(t *testing.T) {
	h := sessiontest.New()
	defer h.Close()
	last.New(h.Manager, h.Store)
	allowed := true
	h.GuardPresence(func(viewer, target jid.JID) bool { return allowed })
	romeo := h.Online("romeo@verona.lit/orchard")
	ask := func(account string) string {
		return romeo.Ask("<iq type='get' id='1' to='" + account + "'" + query)
	}
	if got := ask("juliet@verona.lit"); !strings.Contains(got, "service-unavailable") {
		t.Errorf("never here: %s", got)
	}
	juliet := h.Online("juliet@verona.lit/balcony")
	if got := ask("juliet@verona.lit"); !strings.Contains(got, `seconds="0"`) {
		t.Errorf("here now: %s", got)
	}
	juliet.Leave()
	romeo.Got()
	if got := ask("juliet@verona.lit"); !strings.Contains(got, `seconds="`) {
		t.Errorf("left: %s", got)
	}
	allowed = false
	if got := ask("juliet@verona.lit"); !strings.Contains(got, "service-unavailable") {
		t.Errorf("a stranger was told: %s", got)
	}
	if got := ask("romeo@verona.lit"); !strings.Contains(got, `seconds="0"`) {
		t.Errorf("oneself: %s", got)
	}
}

// TestLogOutWithUnavailablePresence leaves as clients do: unavailable presence,
// then the end of the stream.
func TestLogOutWithUnavailablePresence(t *testing.T) {
	h := sessiontest.New()
	defer h.Close()
	last.New(h.Manager, h.Store)
	h.GuardPresence(func(viewer, target jid.JID) bool { return true })
	romeo := h.Online("romeo@verona.lit/orchard")
	juliet := h.Online("juliet@verona.lit/balcony")
	juliet.SetPresence(nil, 0)
	ask := "<iq type='get' id='1' to='juliet@verona.lit'" + query
	if got := romeo.Ask(ask); !strings.Contains(got, `seconds="0"`) {
		t.Errorf("connected: %s", got)
	}
	juliet.Leave()
	romeo.Got()
	if got := romeo.Ask(ask); !strings.Contains(got, `seconds="`) {
		t.Errorf("gone: %s", got)
	}
}
