package mam

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/jid"
	"weir/sessionmgr"
)

func TestIDsAreOfOneWidth(t *testing.T) {
	for _, id := range []uint64{0, 1, 0xabcdef, idFor(epoch), 1<<64 - 1} {
		s := FormatID(id)
		if back, ok := ParseID(s); !ok || back != id || len(s) != 16 {
			t.Errorf("%d is %q, which is %d %v", id, s, back, ok)
		}
	}
	for _, s := range []string{"", "0", "000000000000000G", "00000000000000AB", "+000000000000001", "00000000000000000", "0x00000000000001", "0000_0000_00000f"} {
		if id, ok := ParseID(s); ok {
			t.Errorf("%q is %d", s, id)
		}
	}
}

// TestFilters goes through XEP-0313 §4.1 on fifty messages.
func TestFilters(t *testing.T) {
	s := newScene(t, Options{})
	s.f.fill(50)
	id := func(i int) string { return FormatID(s.f.logs[jid.MustParse(romeo)][i].ID) }
	match := func(pred func(i int) bool) (all []string) {
		for i := range 50 {
			if pred(i) {
				all = append(all, fmt.Sprint(i))
			}
		}
		return all
	}
	note := func(i int) bool { return i%17 == 16 }
	for _, c := range []struct {
		name, children string
		want           []string
	}{
		{"no form", "", said(0, 49, 1)},
		{"an empty form", submitted(), said(0, 49, 1)},
		{"empty fields", submitted("with", "", "start", "", "ids", ""), said(0, 49, 1)},
		{"with a bare address", submitted("with", "juliet@verona.lit"), match(func(i int) bool { return i%3 == 0 && !note(i) })},
		{"with it in capitals", submitted("with", "JULIET@verona.LIT"), match(func(i int) bool { return i%3 == 0 && !note(i) })},
		{"with a full address", submitted("with", "nurse@far.away/x"), match(func(i int) bool { return i%3 == 1 && !note(i) })},
		{"with another resource", submitted("with", "nurse@far.away/y"), nil},
		{"with a bare one that is no resource's", submitted("with", "tybalt@verona.lit/x"), nil},
		{"with oneself", submitted("with", romeo), match(note)},
		{"with a resource of one's own", submitted("with", romeo+"/orchard"), said(0, 49, 1)},
		{"start, inclusive", submitted("start", stampOf(40*time.Second)), said(40, 49, 1)},
		{"start, a moment later", submitted("start", stampOf(40*time.Second+time.Microsecond)), said(41, 49, 1)},
		{"end, inclusive", submitted("end", stampOf(7*time.Second)), said(0, 7, 1)},
		{"end with a zone", submitted("end", epoch.Add(7*time.Second).In(time.FixedZone("", -5*3600)).Format(time.RFC3339)), said(0, 7, 1)},
		{"start and end", submitted("start", stampOf(3*time.Second), "end", stampOf(5*time.Second)), said(3, 5, 1)},
		{"end before start", submitted("start", stampOf(5*time.Second), "end", stampOf(3*time.Second)), nil},
		{"long ago", submitted("end", "1066-10-14T09:00:00Z"), nil},
		{"since long ago", submitted("start", "1066-10-14T09:00:00Z"), said(0, 49, 1)},
		{"until the end of days", submitted("end", "9999-12-31T23:59:59Z"), said(0, 49, 1)},
		{"since the end of days", submitted("start", "9999-12-31T23:59:59Z"), nil},
		{"after-id", submitted("after-id", id(44)), said(45, 49, 1)},
		{"before-id", submitted("before-id", id(3)), said(0, 2, 1)},
		{"between", submitted("after-id", id(3), "before-id", id(6)), said(4, 5, 1)},
		{"between the wrong way", submitted("after-id", id(6), "before-id", id(3)), nil},
		{"between neighbours", submitted("after-id", id(6), "before-id", id(7)), nil},
		{"an id", submitted("ids", id(9)), said(9, 9, 1)},
		{"ids in any order, one twice", strings.Replace(submitted("ids", id(9)), "</field></x>",
			"<value>"+id(2)+"</value><value>"+id(30)+"</value><value>"+id(2)+"</value></field></x>", 1), []string{"2", "9", "30"}},
		{"ids and another filter", submitted("ids", id(9), "with", "tybalt@verona.lit"), nil},
		{"ids and a range", submitted("ids", id(9), "after-id", id(9)), nil},
		{"rooms wanted", submitted("include-groupchat", "true"), said(0, 49, 1)},
		{"rooms unwanted", submitted("include-groupchat", "0"), said(0, 49, 1)},
		{"what isn't ours in it", "<y xmlns='urn:else'/>" + submitted("end", stampOf(0)), said(0, 0, 1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			g := s.query(c.children)
			if !slices.Equal(g.texts, c.want) || g.fin.Complete != "true" || g.count() != fmt.Sprint(len(c.want)) {
				t.Errorf("got %v and %s, want %v", g.texts, g.iq, c.want)
			}
		})
	}
}

// TestBadQuestions goes through what is refused, and how.
func TestBadQuestions(t *testing.T) {
	s := newScene(t, Options{})
	s.f.fill(5)
	missing, there := FormatID(s.f.logs[jid.MustParse(romeo)][0].ID-1), FormatID(s.f.logs[jid.MustParse(romeo)][0].ID)
	form := func(head, fields string) string { return "<x xmlns='jabber:x:data' " + head + ">" + fields + "</x>" }
	typ := "<field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>"
	for _, c := range []struct{ name, children, want string }{
		{"max is negative", rsm("<max>-1</max>"), "bad-request"},
		{"max is a word", rsm("<max>ten</max>"), "bad-request"},
		{"max is empty", rsm("<max/>"), "bad-request"},
		{"max has a sign", rsm("<max>+5</max>"), "bad-request"},
		{"max twice", rsm("<max>1</max><max>2</max>"), "bad-request"},
		{"two sets", rsm("") + rsm(""), "bad-request"},
		{"index", rsm("<index>0</index>"), "feature-not-implemented"},
		{"after an id that isn't there", rsm("<after>" + missing + "</after>"), "item-not-found"},
		{"after what is no id", rsm("<after>09af3-cc343-b409f</after>"), "item-not-found"},
		{"after nothing", rsm("<after/>"), "item-not-found"},
		{"after the lowest id", rsm("<after>0000000000000000</after>"), "item-not-found"},
		{"before the highest", rsm("<before>ffffffffffffffff</before>"), "item-not-found"},
		{"before an id that isn't there", rsm("<before>" + missing + "</before>"), "item-not-found"},
		{"the same, counting only", rsm("<max>0</max><before>" + missing + "</before>"), "item-not-found"},
		{"after-id", submitted("after-id", missing), "item-not-found"},
		{"before-id", submitted("before-id", missing), "item-not-found"},
		{"ids", submitted("ids", missing), "item-not-found"},
		{"one of the ids", strings.Replace(submitted("ids", there), "</field></x>", "<value>"+missing+"</value></field></x>", 1), "item-not-found"},
		{"501 ids", strings.Replace(submitted("ids", there), "</field></x>", strings.Repeat("<value>"+there+"</value>", 500)+"</field></x>", 1), "policy-violation"},
		{"start is no time", submitted("start", "yesterday"), "bad-request"},
		{"start has no zone", submitted("start", "2026-01-02T03:04:05"), "bad-request"},
		{"start is a date", submitted("start", "2026-01-02"), "bad-request"},
		{"end is of the old form", submitted("end", "20260102T03:04:05"), "bad-request"},
		{"end on the 30th of February", submitted("end", "2026-02-30T03:04:05Z"), "bad-request"},
		{"with is no address", submitted("with", "@@"), "jid-malformed"},
		{"two values", strings.Replace(submitted("with", "a@b"), "</field></x>", "<value>c@d</value></field></x>", 1), "bad-request"},
		{"a field twice", submitted("with", "a@b", "with", "a@b"), "bad-request"},
		{"rooms perhaps", submitted("include-groupchat", "perhaps"), "bad-request"},
		{"an unknown field", submitted("withtext", "love"), "feature-not-implemented"},
		{"an unknown field without value", form("type='submit'", typ+"<field var='{urn:x}y'/>"), "feature-not-implemented"},
		{"a field without name", form("type='submit'", typ+"<field/>"), "feature-not-implemented"},
		{"no FORM_TYPE", form("type='submit'", ""), "bad-request"},
		{"an empty FORM_TYPE", form("type='submit'", "<field var='FORM_TYPE'/>"), "bad-request"},
		{"another FORM_TYPE", form("type='submit'", "<field var='FORM_TYPE'><value>urn:xmpp:mam:1</value></field>"), "bad-request"},
		{"a form to fill in", form("type='form'", typ), "bad-request"},
		{"a form taken back", form("type='cancel'", typ), "bad-request"},
		{"a form of no type", form("", typ), "bad-request"},
		{"two forms", submitted() + submitted(), "bad-request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			if g := s.query(c.children); !strings.Contains(g.iq, "type='error'") || !strings.Contains(g.iq, "<"+c.want+" ") {
				t.Errorf("got %s, want %s", g.iq, c.want)
			}
		})
	}
	for head, want := range map[string]string{
		" node='x'": "feature-not-implemented",
		" queryid='" + strings.Repeat("x", 1024) + "'": "bad-request",
	} {
		if got := s.romeo.Ask("<iq type='set' id='1'><query xmlns='urn:xmpp:mam:2'" + head + "/></iq>"); !strings.Contains(got, want) {
			t.Errorf("%.20s: %s", head, got)
		}
	}
}

// TestOnlyOnesOwn: nobody reads another's archive (XEP-0313 §8.1).
func TestOnlyOnesOwn(t *testing.T) {
	s := newScene(t, Options{})
	s.f.fill(5)
	stranger := false
	s.GuardPresence(func(viewer, target jid.JID) bool { return !stranger })
	juliet := s.Online("juliet@verona.lit/balcony")
	for _, payload := range []string{"query", "metadata", "prefs"} {
		for _, typ := range []string{"get", "set"} {
			ask := func(to string) string {
				return juliet.Ask(fmt.Sprintf("<iq type='%s' id='1' to='%s'><%s xmlns='urn:xmpp:mam:2'/></iq>", typ, to, payload))
			}
			stranger = false
			if got := ask(romeo); !strings.Contains(got, "<forbidden ") {
				t.Errorf("%s %s: a contact gets %s", typ, payload, got)
			}
			stranger = true
			for _, to := range []string{romeo, "nobody@verona.lit", "verona.lit"} {
				if got := ask(to); !strings.Contains(got, "<service-unavailable ") {
					t.Errorf("%s %s: a stranger gets %s from %s", typ, payload, got, to)
				}
			}
		}
	}
	if got := juliet.Ask("<iq type='set' id='1' to='juliet@verona.lit'><query xmlns='urn:xmpp:mam:2'/></iq>"); got !=
		"<iq from='juliet@verona.lit' to='juliet@verona.lit/balcony' id='1' type='result'><fin xmlns='urn:xmpp:mam:2' complete='true'>"+
			"<set xmlns='http://jabber.org/protocol/rsm'><count>0</count></set></fin></iq>" {
		t.Errorf("her own: %s", got)
	}
}

func TestForm(t *testing.T) {
	s := newScene(t, Options{})
	got := s.romeo.Ask("<iq type='get' id='1'><query xmlns='urn:xmpp:mam:2'/></iq>")
	for _, want := range []string{"<iq to='romeo@verona.lit/orchard' id='1' type='result'><query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='form'>",
		"<field type='hidden' var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>", "<field type='jid-single' var='with'/>",
		"<field type='text-single' var='start'/>", "<field type='text-single' var='end'/>", "<field type='text-single' var='before-id'/>",
		"<field type='text-single' var='after-id'/>", "<field type='list-multi' var='ids'><validate ", "<open/>", "<field type='boolean' var='include-groupchat'/>"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if strings.Contains(got, "required") {
		t.Error("a field is required")
	}
}

func TestFeatures(t *testing.T) {
	s := newScene(t, Options{})
	if got := fmt.Sprint(s.Features(sessionmgr.OnSelf)); got != "[http://jabber.org/protocol/rsm urn:xmpp:mam:2 urn:xmpp:mam:2#extended urn:xmpp:mam:2#groupchat-field urn:xmpp:sid:0]" {
		t.Errorf("one's own account: %s", got)
	}
	if got := s.Features(sessionmgr.OnServer | sessionmgr.OnAccount); len(got) > 0 {
		t.Errorf("elsewhere: %v", got)
	}
}

func TestMetadata(t *testing.T) {
	s := newScene(t, Options{})
	const ask = "<iq type='get' id='1'><metadata xmlns='urn:xmpp:mam:2'/></iq>"
	if got := s.romeo.Ask(ask); !strings.Contains(got, "<metadata xmlns='urn:xmpp:mam:2'></metadata>") {
		t.Errorf("empty: %s", got)
	}
	s.f.fill(3)
	log := s.f.logs[jid.MustParse(romeo)]
	want := fmt.Sprintf("<start id='%s' timestamp='2026-01-02T03:04:05.000Z'/><end id='%s' timestamp='2026-01-02T03:04:07.000Z'/>",
		FormatID(log[0].ID), FormatID(log[2].ID))
	if got := s.romeo.Ask(ask); !strings.Contains(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := s.romeo.Ask("<iq type='set' id='1'><metadata xmlns='urn:xmpp:mam:2'/></iq>"); !strings.Contains(got, "service-unavailable") {
		t.Errorf("set: %s", got)
	}
}

func TestTroubleOfTheStore(t *testing.T) {
	s := newScene(t, Options{})
	s.f.fill(3)
	s.f.err = errDisk
	for _, iq := range []string{
		"<iq type='set' id='1'><query xmlns='urn:xmpp:mam:2'/></iq>",
		"<iq type='set' id='1'><query xmlns='urn:xmpp:mam:2'>" + rsm("<before>"+FormatID(1)+"</before>") + "</query></iq>",
		"<iq type='get' id='1'><metadata xmlns='urn:xmpp:mam:2'/></iq>",
		"<iq type='get' id='1'><prefs xmlns='urn:xmpp:mam:2'/></iq>",
		"<iq type='set' id='1'><prefs xmlns='urn:xmpp:mam:2' default='never'/></iq>",
	} {
		if got := s.romeo.Ask(iq); !strings.Contains(got, "internal-server-error") || strings.Contains(got, "burns") {
			t.Errorf("%s: %s", iq, got)
		}
	}
	if len(s.mod.reading) != 0 {
		t.Error("a question still reads")
	}
}
