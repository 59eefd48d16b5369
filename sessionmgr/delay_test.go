package sessionmgr

import (
	"strings"
	"testing"
)

func TestForgedDelayIsTakenOut(t *testing.T) {
	const body, from = "<body>x</body>", "<delay xmlns='urn:xmpp:delay' from='"
	const stamp = "' stamp='2002-01-01T00:00:00Z'/>"
	for _, c := range []struct {
		delays string
		kept   int
	}{
		{"", 0},
		{from + "verona.lit" + stamp, 0},
		{from + "VERONA.lit" + stamp, 0},
		{from + "verona.lit/x" + stamp, 0},
		{from + "verona.lit" + stamp + from + "verona.lit" + stamp, 0},
		{from + "romeo@verona.lit/orchard" + stamp, 1}, // the client's own word
		{from + "room.far.away" + stamp + from + "verona.lit" + stamp, 1},
		{"<delay xmlns='urn:xmpp:delay'/>", 1},
	} {
		h := newHouse(t)
		romeo := h.online("romeo@verona.lit/orchard", 0)
		romeo.send("<message to='juliet@verona.lit'>" + c.delays + body + "</message>")
		h.settle()
		juliet := h.bind("juliet@verona.lit/balcony")
		juliet.available(0)
		got := juliet.got()
		if len(got) != 1 || strings.Count(got[0], "<delay ") != c.kept+1 || !strings.Contains(got[0], body) {
			t.Errorf("%s: got %v, want %d of them and the server's own", c.delays, got, c.kept)
		}
	}
}

// TestLiveMessagesAreNotDelayed: what comes while a session catches up goes
// through the log for the sake of order, and nobody waited for its receiver.
func TestLiveMessagesAreNotDelayed(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	romeo.send("<message to='juliet@verona.lit'><body>one</body></message>")
	h.settle()
	juliet := h.bind("juliet@verona.lit/balcony")
	juliet.slow = true
	juliet.available(0)
	h.settle()
	romeo.send("<message to='juliet@verona.lit'><body>two</body></message>")
	h.settle()
	juliet.wake()
	got := juliet.got()
	if len(got) != 2 || !strings.Contains(got[0], "<delay ") || strings.Contains(got[1], "<delay ") {
		t.Errorf("got %q, want the first with a delay and the second without", got)
	}
}
