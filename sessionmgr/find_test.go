package sessionmgr

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"weir/jid"
)

// TestPrimary holds which session stands for an account.
func TestPrimary(t *testing.T) {
	h := newHouse(t)
	account := jid.MustParse("juliet@verona.lit")
	name := func(s *Session) string {
		if s == nil {
			return ""
		}
		return s.JID().Resource()
	}
	if s := h.Primary(account, Oldest); s != nil {
		t.Errorf("%s stands for an account without sessions", name(s))
	}
	h.online("juliet@verona.lit/a", -1)
	if s := h.Primary(account, ByPriority); s != nil {
		t.Errorf("%s gets no messages and is primary", name(s))
	}
	h.bind("juliet@verona.lit/b")
	h.online("juliet@verona.lit/c", 3)
	h.online("juliet@verona.lit/d", 3)
	tag := func(r string) Policy {
		return Tagged(func(s *Session) bool { return name(s) == r }, nil)
	}
	for want, by := range map[string]Policy{
		"c": ByPriority, "a": Oldest, "b": tag("b"), "": tag("x"),
		"d": Tagged(func(s *Session) bool { return name(s) == "d" }, Oldest),
	} {
		if got := name(h.Primary(account, by)); got != want {
			t.Errorf("%q is primary, want %q", got, want)
		}
	}
	if got := name(h.Primary(account, Tagged(func(*Session) bool { return false }, ByPriority))); got != "c" {
		t.Errorf("without the tag %q is primary, want c", got)
	}
	if n := len(h.ByAccount(account)); n != 4 {
		t.Errorf("%d sessions", n)
	}
}

// TestFilter holds what each field of a filter means, that Range and Count agree,
// and that walking an account's sessions finds what walking all does.
func TestFilter(t *testing.T) {
	h := newHouse(t)
	stranger := &client{h: h}
	stranger.Session = h.Open(stranger, LinkInfo{Transport: "tcp", Listener: "door", Remote: netip.MustParseAddrPort("[::ffff:192.0.2.7]:5")})
	unbound := h.connect("nurse@verona.lit")
	juliet := h.bind("juliet@verona.lit/balcony")
	juliet.SetDevice(Device{ID: "k3", Software: "Gajim 2"})
	juliet.SetInterested()
	romeo := h.online("romeo@verona.lit/orchard", 0)
	away := h.online("romeo@verona.lit/phone", 0)
	away.enable()
	away.cut()
	h.settle()
	all := map[*Session]string{stranger.Session: "stranger", unbound.Session: "nurse", juliet.Session: "juliet", romeo.Session: "romeo", away.Session: "away"}
	for _, c := range []struct {
		f    Filter
		want string
	}{
		{Filter{}, "away juliet nurse romeo stranger"},
		{Filter{Phase: PhaseUnauthed}, "stranger"},
		{Filter{Phase: PhaseUnbound}, "nurse"},
		{Filter{Phase: PhaseBound}, "juliet romeo"},
		{Filter{Phase: PhaseHibernating}, "away"},
		{Filter{Phase: PhaseAvailable}, "away romeo"},
		{Filter{Phase: PhaseInterested}, "juliet"},
		{Filter{Account: jid.MustParse("nurse@verona.lit")}, "nurse"},
		{Filter{Account: jid.MustParse("romeo@verona.lit")}, "away romeo"},
		{Filter{Account: jid.MustParse("romeo@verona.lit"), Phase: PhaseBound}, "romeo"},
		{Filter{Account: jid.MustParse("romeo@verona.lit"), Phase: PhaseAvailable}, "away romeo"},
		{Filter{Account: jid.MustParse("tybalt@verona.lit"), Phase: PhaseBound}, ""},
		{Filter{Host: "verona.lit", Transport: "test"}, "away juliet nurse romeo"},
		{Filter{Listener: "door"}, "stranger"},
		{Filter{Mechanism: "PLAIN"}, ""},
		{Filter{Remote: netip.MustParsePrefix("192.0.2.0/24")}, "stranger"},
		{Filter{Remote: netip.MustParsePrefix("198.51.100.0/24")}, ""},
		{Filter{Peer: netip.MustParseAddrPort("192.0.2.7:5")}, "stranger"},
		{Filter{Peer: netip.MustParseAddrPort("192.0.2.7:6")}, ""},
		{Filter{Device: "k3"}, "juliet"},
		{Filter{Software: "gajim"}, "juliet"},
		{Filter{Software: "gajim 20"}, ""},
		{Filter{Phase: PhaseBound, Where: func(s *Session) bool { return s.Available() }}, "romeo"},
	} {
		var got []string
		h.RangeOf(c.f, func(s *Session) bool { got = append(got, all[s]); return true })
		slices.Sort(got)
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%+v means %q, want %q", c.f, s, c.want)
		}
		if n := h.Count(c.f); n != len(got) {
			t.Errorf("%+v counts %d, want %d", c.f, n, len(got))
		}
	}
	seen := 0
	h.RangeOf(Filter{Phase: PhaseAvailable}, func(*Session) bool { seen++; return false })
	if seen != 1 {
		t.Errorf("%d calls after the end of a walk", seen)
	}
}

func TestPhaseNames(t *testing.T) {
	for p := AnyPhase; p <= PhaseInterested; p++ {
		if got, err := ParsePhase(p.String()); err != nil || got != p {
			t.Errorf("%s is read as %s, %v", p, got, err)
		}
	}
	for name, want := range map[string]Phase{"c2s": PhaseBound, "c2s_unauthed": PhaseUnauthed, "c2s_unbound": PhaseUnbound, "c2s_hibernating": PhaseHibernating} {
		if got, err := ParsePhase(name); err != nil || got != want {
			t.Errorf("%s is read as %s, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "c2s_destroyed", "asleep"} {
		if p, err := ParsePhase(name); err == nil || !strings.Contains(err.Error(), "hibernating") {
			t.Errorf("%q is read as %s, %v", name, p, err)
		}
	}
}
