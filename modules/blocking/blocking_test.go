package blocking

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir/jid"
	"weir/presence"
	"weir/sessionmgr"
	"weir/sessionmgr/sessiontest"
	"weir/stanza"
	"weir/storage"
)

// nobody hears of anybody; it notes for whom it was asked.
type nobody struct {
	about []jid.JID
	seen  []string
}

func (n *nobody) note(what string, match func(jid.JID) bool) {
	for _, j := range n.about {
		if match(j) {
			n.seen = append(n.seen, what+" "+j.String())
		}
	}
}

func (n *nobody) Conceal(owner jid.JID, match func(jid.JID) bool) []sessionmgr.Delivery {
	n.note("conceal", match)
	return nil
}

func (n *nobody) Reveal(owner jid.JID, match func(jid.JID) bool) (s presence.Snapshot) {
	n.note("reveal", match)
	return s
}

func (*nobody) Recheck(*presence.Snapshot) {}

func scene(t *testing.T, o Options) (*sessiontest.House, *Module, *nobody) {
	t.Helper()
	h, n := sessiontest.New(), &nobody{}
	t.Cleanup(h.Close)
	mod, err := New(h.Manager, h.Store, n, o)
	if err != nil {
		t.Fatal(err)
	}
	return h, mod, n
}

func iq(typ, name, items string) string {
	return "<iq type='" + typ + "' id='1'><" + name + " xmlns='" + NS + "'>" + items + "</" + name + "></iq>"
}

func named(jids ...string) (s string) {
	for _, j := range jids {
		s += "<item jid='" + j + "'/>"
	}
	return s
}

// TestRequests is the list as one client sees it, request after request.
func TestRequests(t *testing.T) {
	h, mod, _ := scene(t, Options{MaxItems: 3, MaxBytes: 100})
	c := h.Bind("juliet@verona.lit/x")
	for _, row := range []struct{ send, want string }{
		{iq("get", "blocklist", ""), "<blocklist xmlns='urn:xmpp:blocking'></blocklist>"},
		{iq("set", "block", ""), "bad-request"},
		{iq("set", "block", named("@")), "jid-malformed"},
		{iq("set", "block", "<item/>"), "jid-malformed"},
		{iq("set", "block", named("juliet@verona.lit")), "not-allowed"},
		{iq("set", "blocklist", ""), "service-unavailable"},
		{iq("get", "block", named("romeo@verona.lit")), "service-unavailable"},
		{iq("set", "block", named("Romeo@verona.lit", "romeo@verona.lit", "mantua.lit")), "type='set'"},
		{iq("get", "blocklist", ""), "<item jid='romeo@verona.lit'/><item jid='mantua.lit'/></blocklist>"},
		{iq("set", "block", named("romeo@verona.lit")), "type='set'"},
		{iq("set", "block", named("a@b", "c@d")), "policy-violation"},
		{iq("set", "block", named("a@"+strings.Repeat("b", 60)+"."+strings.Repeat("b", 30))), "policy-violation"},
		{iq("get", "blocklist", ""), "<item jid='romeo@verona.lit'/><item jid='mantua.lit'/></blocklist>"},
		{iq("set", "unblock", named("nurse@verona.lit", "romeo@verona.lit")), "type='set'"},
		{iq("get", "blocklist", ""), "'><item jid='mantua.lit'/></blocklist>"},
		{iq("set", "unblock", ""), "<unblock xmlns='urn:xmpp:blocking'></unblock>"},
		{iq("get", "blocklist", ""), "<blocklist xmlns='urn:xmpp:blocking'></blocklist>"},
	} {
		if got := c.Ask(row.send); !strings.Contains(got, row.want) {
			t.Errorf("%s\n%s\nwant %s", row.send, got, row.want)
		}
	}
	if _, err := h.Store.Get(t.Context(), storage.Key{Kind: storage.KindKeyVal, Table: tableLists, Account: "juliet@verona.lit"}); err == nil {
		t.Error("an empty list is kept")
	}
	if !slices.Contains(h.Features(sessionmgr.OnServer), NS) || mod.Table().Name != tableLists {
		t.Error("no feature, or another table")
	}
	for _, o := range []Options{{MaxItems: -1}, {MaxBytes: -1}} {
		if o.Validate() == nil {
			t.Errorf("%+v is fine", o)
		}
	}
}

// TestPushes: clients that have asked for the list are told of changes, others not;
// presence is told of what begins and what ends.
func TestPushes(t *testing.T) {
	h, _, n := scene(t, Options{})
	n.about = []jid.JID{jid.MustParse("romeo@verona.lit/orchard"), jid.MustParse("nurse@verona.lit/x")}
	asks, other, silent := h.Bind("juliet@verona.lit/x"), h.Bind("juliet@verona.lit/y"), h.Bind("juliet@verona.lit/z")
	stranger := h.Bind("nurse@verona.lit/x")
	asks.Ask(iq("get", "blocklist", ""))
	stranger.Ask(iq("get", "blocklist", ""))
	other.Send(iq("set", "block", named("romeo@verona.lit", "nurse@verona.lit/y")))
	if got := asks.Got(); len(got) != 1 || !strings.Contains(got[0], named("romeo@verona.lit", "nurse@verona.lit/y")) || !strings.Contains(got[0], "to='juliet@verona.lit/x'") {
		t.Errorf("who asked: %s", got)
	}
	if got := other.Got(); len(got) != 1 || !strings.Contains(got[0], "type='result'") {
		t.Errorf("who blocked: %s", got)
	}
	if got := append(silent.Got(), stranger.Got()...); len(got) > 0 {
		t.Errorf("others: %s", got)
	}
	other.Send(iq("set", "block", named("romeo@verona.lit/orchard", "nurse@verona.lit/x")))
	other.Send(iq("set", "unblock", named("romeo@verona.lit"))) // its resource stays
	other.Send(iq("set", "unblock", ""))
	want := []string{"conceal romeo@verona.lit/orchard", "conceal nurse@verona.lit/x", "reveal romeo@verona.lit/orchard", "reveal nurse@verona.lit/x"}
	if !slices.Equal(n.seen, want) {
		t.Errorf("told %q", n.seen)
	}
}

// TestInForce: for each session of the account, those that come later and those
// that were never there.
func TestInForce(t *testing.T) {
	h, _, _ := scene(t, Options{})
	c, before := h.Bind("juliet@verona.lit/x"), h.Bind("juliet@verona.lit/y")
	romeo := jid.MustParse("romeo@verona.lit/orchard")
	account := jid.MustParse("juliet@verona.lit")
	blocked := func(want bool) {
		t.Helper()
		after := h.Bind("juliet@verona.lit/z")
		for _, s := range []*sessiontest.Client{c, before, after} {
			if s.Blocklist().Has(romeo) != want {
				t.Errorf("%s: not %v", s.JID(), want)
			}
		}
		after.Leave()
	}
	blocked(false)
	c.Ask(iq("set", "block", named("romeo@verona.lit")))
	blocked(true)
	c.Ask(iq("set", "unblock", ""))
	blocked(false)
	c.Ask(iq("set", "block", named("romeo@verona.lit")))
	c.Leave()
	before.Leave()
	if is, err := h.Blocks(t.Context(), account, romeo); err != nil || !is {
		t.Errorf("while nobody is there: %v, %v", is, err)
	}
	for from, want := range map[string]string{"romeo": "service-unavailable", "nurse": ""} {
		s := h.Bind(from + "@verona.lit/x")
		if got := s.Ask("<message to='juliet@verona.lit' type='chat' id='1'><body>x</body></message>"); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q", from, got)
		}
	}
}

// TestBindMeetsChange: a list that changes between a session's look and its
// binding is in force for it.
func TestBindMeetsChange(t *testing.T) {
	h, mod, _ := scene(t, Options{})
	c := h.Bind("juliet@verona.lit/x")
	late := h.Open(nil, sessionmgr.LinkInfo{})
	h.Authenticated(late, jid.MustParse("juliet@verona.lit"))
	if err := mod.load(t.Context(), late, jid.MustParse("juliet@verona.lit")); err != nil {
		t.Fatal(err)
	}
	c.Ask(iq("set", "block", named("romeo@verona.lit")))
	if late.Blocklist() != nil {
		t.Fatal("this test shows nothing")
	}
	mod.bound(t.Context(), late)
	if !late.Blocklist().Has(jid.MustParse("romeo@verona.lit")) {
		t.Error("the change is lost")
	}
}

// TestDamagedRecord: an account whose list can't be read isn't let in without it,
// nor does anybody reach it.
func TestDamagedRecord(t *testing.T) {
	h, mod, _ := scene(t, Options{})
	c := h.Bind("romeo@verona.lit/x")
	var b storage.Batch
	mod.lists.Set(&b, "juliet@verona.lit", []byte{9})
	if err := storage.Commit(context.Background(), h.Store, &b); err != nil {
		t.Fatal(err)
	}
	s := h.Open(nil, sessionmgr.LinkInfo{})
	h.Authenticated(s, jid.MustParse("juliet@verona.lit"))
	err := h.Manager.Bind(t.Context(), s, "x", func(jid.JID) {})
	if e, ok := stanza.AsError(err); !ok || e.Condition != "internal-server-error" {
		t.Errorf("bound: %v", err)
	}
	if got := c.Ask("<message to='juliet@verona.lit' type='chat' id='1'><body>x</body></message>"); !strings.Contains(got, "internal-server-error") {
		t.Errorf("got through: %s", got)
	}
}

func TestRecords(t *testing.T) {
	items := []jid.JID{jid.MustParse("romeo@verona.lit/ö"), jid.MustParse("mantua.lit")}
	rec := encode(items)
	back, err := decode(rec)
	if err != nil || !slices.Equal(back, items) || CheckRecord(tableLists, rec) != nil || CheckRecord("another", nil) != nil {
		t.Errorf("%v, %v", back, err)
	}
	for _, bad := range [][]byte{nil, {}, {2}, rec[:len(rec)-1], append(slices.Clone(rec), 0xff), append(slices.Clone(rec), 1, '@'), append(slices.Clone(rec), 0)} {
		if err := CheckRecord(tableLists, bad); err == nil {
			t.Errorf("%x is fine", bad)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(encode([]jid.JID{jid.MustParse("romeo@verona.lit")}))
	f.Fuzz(func(t *testing.T, rec []byte) {
		if items, err := decode(rec); err == nil {
			if again, err := decode(encode(items)); err != nil || !slices.Equal(again, items) {
				t.Errorf("%v, %v", again, err)
			}
		}
	})
}

func Example() {
	h := sessiontest.New()
	defer h.Close()
	_, err := New(h.Manager, h.Store, &nobody{}, DefaultOptions())
	juliet := h.Bind("juliet@verona.lit/balcony")
	juliet.Ask("<iq type='set' id='1'><block xmlns='urn:xmpp:blocking'><item jid='romeo@verona.lit'/></block></iq>")
	answer := juliet.Ask("<message to='romeo@verona.lit'><body>Hist!</body></message>")
	fmt.Println(err, strings.Contains(answer, "not-acceptable"))
	// Output: <nil> true
}
