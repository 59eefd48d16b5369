package mam

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/jid"
	"weir/sessionmgr/sessiontest"

	"pgregory.net/rapid"
)

// TestPages goes through XEP-0313 §4.3 and XEP-0059 §2 on fifty messages.
func TestPages(t *testing.T) {
	s := newScene(t, Options{MaxPage: 20})
	s.f.fill(50)
	id := func(i int) string { return FormatID(s.f.logs[jid.MustParse(romeo)][i].ID) }
	after := func(i int) string { return "<after>" + id(i) + "</after>" }
	before := func(i int) string { return "<before>" + id(i) + "</before>" }
	const all, some, flip, unknown = "true", "", "<flip-page/>", ""
	for _, c := range []struct {
		name, children string
		want           []string
		complete       string
		index, count   string
	}{
		{"the first", rsm("<max>3</max>"), said(0, 2, 1), some, "0", "50"},
		{"the first, flipped", rsm("<max>3</max>") + flip, said(2, 0, -1), some, "0", "50"},
		{"no number", rsm(""), said(0, 19, 1), some, "0", "50"},
		{"no set", "", said(0, 19, 1), some, "0", "50"},
		{"an absurd number", rsm("<max>99999999999999999999</max>"), said(0, 19, 1), some, "0", "50"},
		{"spaces around the number", rsm("<max> 2\n</max>"), said(0, 1, 1), some, "0", "50"},
		{"the second", rsm("<max>3</max>" + after(2)), said(3, 5, 1), some, unknown, unknown},
		{"the second, flipped", rsm("<max>3</max>"+after(2)) + flip, said(5, 3, -1), some, unknown, unknown},
		{"up to the end", rsm("<max>3</max>" + after(46)), said(47, 49, 1), all, unknown, unknown},
		{"beyond the end", rsm("<max>3</max>" + after(49)), nil, all, "", unknown},
		{"the last", rsm("<max>3</max><before/>"), said(47, 49, 1), some, "47", "50"},
		{"the last, flipped", rsm("<max>3</max><before/>") + flip, said(49, 47, -1), some, "47", "50"},
		{"the last but one", rsm("<max>3</max>" + before(47)), said(44, 46, 1), some, unknown, unknown},
		{"the last but one, flipped", rsm("<max>3</max>"+before(47)) + flip, said(46, 44, -1), some, unknown, unknown},
		{"down to the start", rsm("<max>3</max>" + before(3)), said(0, 2, 1), all, unknown, unknown},
		{"before the start", rsm("<max>3</max>" + before(0)), nil, all, "", unknown},
		{"between two, from the end", rsm("<max>3</max>" + after(10) + before(20)), said(17, 19, 1), some, unknown, unknown},
		{"between two, all", rsm("<max>9</max>" + after(10) + before(20)), said(11, 19, 1), all, unknown, unknown},
		{"after one, from the end", rsm("<max>3</max><before/>" + after(10)), said(47, 49, 1), some, unknown, unknown},
		{"a page of a filter", submitted("before-id", id(5)) + rsm("<max>3</max>"), said(0, 2, 1), some, "0", "5"},
		{"the last of a filter", submitted("after-id", id(40), "before-id", id(45)) + rsm("<max>3</max><before/>"), said(42, 44, 1), some, "1", "4"},
		{"all of a filter, not cut", submitted("before-id", id(3)) + rsm("<max>3</max>"), said(0, 2, 1), all, "0", "3"},
		{"after outside of the filter", submitted("before-id", id(5)) + rsm("<max>3</max>"+after(30)), nil, all, "", unknown},
		{"ids", strings.Replace(submitted("ids", id(5)), "</field></x>", "<value>"+id(9)+"</value><value>"+id(7)+"</value></field></x>", 1) +
			rsm("<max>2</max><before/>"), []string{"7", "9"}, some, "1", "3"},
		{"the number only", rsm("<max>0</max>"), nil, some, "", "50"},
		{"the number of a filter", submitted("with", romeo) + rsm("<max>0</max>"), nil, some, "", "2"},
		{"the number, wherever", rsm("<max>0</max>" + after(40)), nil, some, "", "50"},
		{"the number of nothing", submitted("with", "x@y") + rsm("<max>0</max>"), nil, all, "", "0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			g := s.query(c.children)
			if !slices.Equal(g.texts, c.want) || g.fin.Complete != c.complete || g.count() != c.count {
				t.Fatalf("got %v and %s, want %v", g.texts, g.iq, c.want)
			}
			first := g.fin.Set.First
			if len(c.want) == 0 {
				if first != nil || g.fin.Set.Last != "" {
					t.Errorf("first and last of nothing: %s", g.iq)
				}
				return
			}
			ids := slices.Clone(g.ids)
			slices.Sort(ids)
			if first == nil || first.ID != ids[0] || g.fin.Set.Last != ids[len(ids)-1] || first.Index != c.index {
				t.Errorf("of %v: %s, want index %s", ids, g.iq, c.index)
			}
		})
	}
}

// TestBounds: a page is bounded in bytes, counting in messages, and both say so.
func TestBounds(t *testing.T) {
	s := newScene(t, Options{PageBytes: 5 << 10, CountScan: 35})
	for i := range 40 {
		s.f.add(romeo, time.Duration(i)*time.Second, false, fmt.Sprintf("<message from='a@b' to='%s'><body>%d</body><x xmlns='urn:x'>%s</x></message>",
			romeo, i, strings.Repeat("x", 1000)))
	}
	if g := s.query(rsm("<max>10</max>")); !slices.Equal(g.texts, said(0, 2, 1)) || g.fin.Complete != "" || g.count() != "" || g.fin.Set.First.Index != "" {
		t.Errorf("bytes: %v %s", g.texts, g.iq)
	}
	if g := s.query(rsm("<max>0</max>")); g.count() != "" || g.fin.Complete != "" {
		t.Errorf("too many to count: %s", g.iq)
	}
	if g := s.query(submitted("end", stampOf(20*time.Second)) + rsm("<max>0</max>")); g.count() != "21" {
		t.Errorf("not too many: %s", g.iq)
	}
	s.f.add(romeo, time.Hour, false, "<message from='a@b'><body>"+strings.Repeat("y", 100_000)+"</body></message>")
	if g := s.query(rsm("<before/>")); len(g.texts) != 1 || len(g.texts[0]) != 100_000 || g.fin.Complete != "" {
		t.Errorf("one large one: %d of them, %s", len(g.texts), g.iq)
	}
}

// TestRareContact: a page that has something doesn't look through all the rest,
// one that has nothing does.
func TestRareContact(t *testing.T) {
	s := newScene(t, Options{})
	s.f.add(romeo, 0, false, "<message from='rare@b'><body>first</body></message>")
	log := s.f.logs[jid.MustParse(romeo)]
	for i := range maxScan + 10 {
		a := log[0]
		a.ID += uint64(i) + 1
		a.Stanza = a.Stanza.With(jid.MustParse("often@b"), a.Stanza.To)
		log = append(log, a)
	}
	rare := log[0]
	rare.ID = log[len(log)-1].ID + 1
	s.f.logs[jid.MustParse(romeo)] = append(log, rare)
	g := s.query(submitted("with", "rare@b"))
	if len(g.ids) != 1 || g.fin.Complete != "" || g.count() != "" {
		t.Fatalf("first: %v %s", g.ids, g.iq)
	}
	g = s.query(submitted("with", "rare@b") + rsm("<after>"+g.ids[0]+"</after>"))
	if len(g.ids) != 1 || g.ids[0] != FormatID(rare.ID) {
		t.Fatalf("second: %v %s", g.ids, g.iq)
	}
	if g = s.query(submitted("with", "rare@b") + rsm("<after>"+g.ids[0]+"</after>")); len(g.ids) > 0 || g.fin.Complete != "true" {
		t.Fatalf("third: %v %s", g.ids, g.iq)
	}
}

// TestResult holds one result to the letter (XEP-0313 §4.2, XEP-0297 §3.2).
func TestResult(t *testing.T) {
	s := newScene(t, Options{})
	s.f.add(romeo, 0, false, "<message from='a@b/c' to='romeo@verona.lit' type='chat' id='m' xml:lang='cs'><body>&lt;ahoj&gt;</body><x xmlns='urn:x'/></message>")
	s.romeo.Send("<iq type='set' id='q' to='romeo@verona.lit'><query xmlns='urn:xmpp:mam:2' queryid='a&lt;b'/></iq>")
	want := []string{
		"<message from='romeo@verona.lit' to='romeo@verona.lit/orchard'><result xmlns='urn:xmpp:mam:2' queryid='a&lt;b' id='" + FormatID(idFor(epoch)) + "'>" +
			"<forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2026-01-02T03:04:05.000Z'/>" +
			"<message xmlns='jabber:client' from='a@b/c' to='romeo@verona.lit' id='m' type='chat' xml:lang='cs'><body>&lt;ahoj&gt;</body><x xmlns='urn:x'/></message>" +
			"</forwarded></result></message>",
		"<iq from='romeo@verona.lit' to='romeo@verona.lit/orchard' id='q' type='result'><fin xmlns='urn:xmpp:mam:2' complete='true'>" +
			"<set xmlns='http://jabber.org/protocol/rsm'><first index='0'>" + FormatID(idFor(epoch)) + "</first><last>" + FormatID(idFor(epoch)) + "</last><count>1</count></set></fin></iq>",
	}
	if got := s.romeo.Got(); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	s.romeo.Send("<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>")
	if got := s.romeo.Got(); len(got) != 2 || strings.Contains(got[0], "queryid") {
		t.Errorf("without a queryid: %s", got)
	}
}

// TestNobodyWaits: who has gone gets no page, and the archive isn't read to its end.
func TestNobodyWaits(t *testing.T) {
	s := newScene(t, Options{})
	s.f.fill(5000)
	s.f.looked = 0
	s.romeo.Leave()
	s.romeo.Send("<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'>" + submitted("with", "x@y") + "</query></iq>")
	if got := s.romeo.Got(); len(got) > 0 || s.f.looked > 1000 {
		t.Errorf("got %v, %d messages looked at", got, s.f.looked)
	}
}

// TestEveryMessageOnce: paging through a set forwards or backwards, with any page
// size, flipped or not, while messages come in, shows each message once and in
// order.
func TestEveryMessageOnce(t *testing.T) {
	const size = 2000
	h := sessiontest.New()
	defer h.Close()
	f := newFake()
	New(h.Manager, f, Options{MaxPage: 1000, PageBytes: 1 << 20})
	s := &scene{t: t, House: h, f: f, romeo: h.Bind(romeo + "/orchard")}
	f.fill(size)
	whole := f.logs[jid.MustParse(romeo)]
	rapid.Check(t, func(t *rapid.T) {
		f.logs[jid.MustParse(romeo)] = whole
		form, in := drawFilter(t, whole)
		var want []string
		for i := range whole {
			if in(&whole[i]) {
				want = append(want, FormatID(whole[i].ID))
			}
		}
		n := rapid.SampledFrom([]int{1, 2, 3, 7, 50, 99, 100, 999, 5000}).Draw(t, "page size")
		if len(want)/n > 60 { // else it takes too long
			n = len(want)/60 + 1
		}
		backward, flip := rapid.Bool().Draw(t, "backward"), rapid.Bool().Draw(t, "flip")
		var seen []string
		for place, pages := "", 0; ; pages++ {
			if pages > 100 {
				t.Fatal("no end")
			}
			if backward && place == "" {
				place = "<before/>"
			}
			children := form + rsm("<max>"+strconv.Itoa(n)+"</max>"+place)
			if flip {
				children += "<flip-page/>"
			}
			g := s.query(children)
			page := slices.Clone(g.ids)
			if flip {
				slices.Reverse(page)
			}
			if len(page) > min(n, 1000) || len(page) > 0 && (g.fin.Set.First.ID != page[0] || g.fin.Set.Last != page[len(page)-1]) {
				t.Fatalf("a page of %d, %s", len(page), g.iq)
			}
			if c := g.count(); c != "" && c != strconv.Itoa(len(want)) {
				t.Fatalf("count %s of %d", c, len(want))
			}
			if backward {
				seen = append(page, seen...)
			} else {
				seen = append(seen, page...)
			}
			if g.fin.Complete == "true" {
				break
			}
			if backward {
				place = "<before>" + g.fin.Set.First.ID + "</before>"
			} else {
				place = "<after>" + g.fin.Set.Last + "</after>"
			}
			f.add(romeo, 1000*time.Hour, false, "<message from='late@far.away' to='romeo@verona.lit'><body>late</body></message>")
		}
		if !slices.Equal(seen, want) {
			t.Fatalf("saw %d messages, want %d", len(seen), len(want))
		}
	})
}

// drawFilter draws a form and says the same in Go.
func drawFilter(t *rapid.T, log []Archived) (form string, in func(*Archived) bool) {
	var pairs []string
	preds := []func(*Archived) bool{func(a *Archived) bool { return true }}
	field := func(name, value string, pred func(*Archived) bool) {
		pairs = append(pairs, name, value)
		preds = append(preds, pred)
	}
	pick := func(name string) *Archived {
		return &log[rapid.IntRange(0, len(log)-1).Draw(t, name)]
	}
	with := rapid.SampledFrom([]string{"", "juliet@verona.lit", "nurse@far.away/x", romeo, "x@y"}).Draw(t, "with")
	if with != "" {
		field("with", with, func(a *Archived) bool {
			from, to := a.Stanza.From.String(), a.Stanza.To.String()
			has := func(s string) bool { return s == with || strings.HasPrefix(s, with+"/") }
			if with == romeo {
				return has(from) && has(to)
			}
			return has(from) || has(to)
		})
	}
	if rapid.Bool().Draw(t, "start") {
		x := pick("start at")
		field("start", x.At.Format(time.RFC3339Nano), func(a *Archived) bool { return !a.At.Before(x.At) })
	}
	if rapid.Bool().Draw(t, "after-id") {
		x := pick("after-id at")
		field("after-id", FormatID(x.ID), func(a *Archived) bool { return a.ID > x.ID })
	}
	// What comes while the pages are read must not match.
	if rapid.Bool().Draw(t, "before-id") {
		x := pick("before-id at")
		field("before-id", FormatID(x.ID), func(a *Archived) bool { return a.ID < x.ID })
	} else {
		x := pick("end at")
		field("end", x.At.Format(time.RFC3339Nano), func(a *Archived) bool { return !a.At.After(x.At) })
	}
	return submitted(pairs...), func(a *Archived) bool {
		for _, p := range preds {
			if !p(a) {
				return false
			}
		}
		return true
	}
}

// TestTrimmedAway: a client whose last message is gone learns that it misses some.
func TestTrimmedAway(t *testing.T) {
	s := newScene(t, Options{})
	s.f.fill(20)
	g := s.query(rsm("<max>5</max>"))
	account := jid.MustParse(romeo)
	s.f.logs[account] = s.f.logs[account][10:]
	place := "<after>" + g.fin.Set.Last + "</after>"
	if g := s.query(rsm(place)); !strings.Contains(g.iq, "<item-not-found ") {
		t.Errorf("after it: %s", g.iq)
	}
	if g := s.query(rsm("")); !slices.Equal(g.texts, said(10, 19, 1)) {
		t.Errorf("what is left: %v", g.texts)
	}
}

// TestQuestionsTakeTurns: no more read at a time than the options say.
func TestQuestionsTakeTurns(t *testing.T) {
	s := newScene(t, Options{Queries: 2})
	s.f.fill(200)
	var asking sync.WaitGroup
	for range 16 {
		asking.Go(func() {
			q := &query{account: jid.MustParse(romeo), max: 100}
			if p, _, err := s.mod.find(t.Context(), s.romeo.Session, q); err != nil || len(p.results) != 100 {
				t.Errorf("%v %v", p, err)
			}
		})
	}
	asking.Wait()
	if s.f.most > 2 {
		t.Errorf("%d read at a time", s.f.most)
	}
}

// TestPagesAsFastAsRead: a page waits until its reader has read most of those before.
func TestPagesAsFastAsRead(t *testing.T) {
	s := newScene(t, Options{})
	s.f.fill(10)
	s.romeo.Busy.Store(true)
	if g := s.query(""); len(g.texts) != 10 || s.romeo.Busy.Load() {
		t.Errorf("%d messages, and nobody looked what is unread: %t", len(g.texts), s.romeo.Busy.Load())
	}
}

var _ Archive = (*fake)(nil)

// BenchmarkPage is the cost of a page of a hundred without the reading of it.
func BenchmarkPage(b *testing.B) {
	f := newFake()
	f.fill(101)
	h := sessiontest.New()
	defer h.Close()
	mod := New(h.Manager, f, Options{})
	c := h.Bind(romeo + "/orchard")
	q := &query{account: jid.MustParse(romeo), max: 100, from: []uint64{f.logs[jid.MustParse(romeo)][0].ID}}
	b.ReportAllocs()
	for b.Loop() {
		if p, _, err := mod.find(b.Context(), c.Session, q); err != nil || len(p.results) != 100 {
			b.Fatal(err)
		}
	}
}
