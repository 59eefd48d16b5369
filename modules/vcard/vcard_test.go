package vcard

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"weir/jid"
	"weir/sessionmgr"
	"weir/sessionmgr/sessiontest"
	"weir/stanza"
	"weir/storage"
)

const get = "<iq type='get' id='1'><vCard xmlns='vcard-temp'/></iq>"

// hash is that of the picture "picture".
const hash = "0e66b49d04a43c19bcb2e13a53aff5d174f610fc"

func set(inner string) string {
	return "<iq type='set' id='1'><vCard xmlns='vcard-temp'>" + inner + "</vCard></iq>"
}

func to(account, iq string) string {
	return strings.Replace(iq, "<iq ", "<iq to='"+account+"' ", 1)
}

func scene(t *testing.T, o Options) (*sessiontest.House, *Module) {
	t.Helper()
	h := sessiontest.New()
	t.Cleanup(h.Close)
	mod, err := New(h.Manager, h.Store, o)
	if err != nil {
		t.Fatal(err)
	}
	return h, mod
}

// everybody has an account.
type everybody struct{}

func (everybody) Exists(context.Context, jid.JID) (bool, error) { return true, nil }

// TestEndedMeanwhile holds that a card which can't be read is told, and that one which
// is not read since its session has ended is not.
func TestEndedMeanwhile(t *testing.T) {
	h, _ := scene(t, Options{})
	var log bytes.Buffer
	m, err := sessionmgr.New(sessionmgr.Options{Domains: []string{"verona.lit"}, Log: slog.New(slog.NewTextHandler(&log, nil))}, h.Store, everybody{})
	if err != nil {
		t.Fatal(err)
	}
	mod, err := New(m, h.Store, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := m.Open(nil, sessionmgr.LinkInfo{})
	m.Authenticated(s, jid.MustParse("juliet@verona.lit"))
	var b storage.Batch
	mod.cards.Set(&b, "juliet@verona.lit", nil) // damaged
	if err := storage.Commit(t.Context(), h.Store, &b); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	mod.load(ctx, s)
	if log.Len() > 0 {
		t.Errorf("of a session that has ended: %s", &log)
	}
	mod.load(t.Context(), s)
	if !strings.Contains(log.String(), "level=ERROR msg=\"a card can't be read\"") {
		t.Errorf("of a damaged card: %s", &log)
	}
}

func TestRequests(t *testing.T) {
	h, mod := scene(t, Options{MaxBytes: 200})
	juliet, romeo := h.Bind("juliet@verona.lit/x"), h.Bind("romeo@verona.lit/x")
	for _, row := range []struct {
		who        *sessiontest.Client
		send, want string
	}{
		{juliet, get, "item-not-found"},
		{romeo, to("juliet@verona.lit", get), "service-unavailable"},
		{romeo, to("nobody@verona.lit", get), "service-unavailable"},
		{juliet, set("<FN>Juliet</FN>"), "type='result'"},
		{juliet, get, "<vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard>"},
		{juliet, to("juliet@verona.lit", get), "<FN>Juliet</FN>"},
		{romeo, to("juliet@verona.lit", get), "<FN>Juliet</FN>"}, // a stranger
		{romeo, to("juliet@verona.lit", set("<FN>Julia</FN>")), "service-unavailable"},
		{romeo, to("nobody@verona.lit", set("<FN>Julia</FN>")), "service-unavailable"},
		{juliet, set(strings.Repeat("<FN>Juliet</FN>", 20)), "policy-violation"},
		{juliet, get, "<vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard>"},
		{juliet, set("<PHOTO><BINVAL>no base64!</BINVAL></PHOTO>"), "type='result'"},
		{juliet, strings.ReplaceAll(set(""), "vCard", "VCARD"), "service-unavailable"},
	} {
		if got := row.who.Ask(row.send); !strings.Contains(got, row.want) {
			t.Errorf("%s\n%s\nwant %s", row.send, got, row.want)
		}
	}
	if err := h.Forget(t.Context(), juliet.JID().Bare(), mod.Table()); err != nil {
		t.Fatal(err)
	}
	if got := juliet.Ask(get); !strings.Contains(got, "item-not-found") {
		t.Errorf("of an account that was deleted stays %s", got)
	}
	if (&Options{MaxBytes: -1}).Validate() == nil {
		t.Error("a card of less than no bytes")
	}
}

// TestStamp: which presence gets the hash, and what becomes of what a client says.
func TestStamp(t *testing.T) {
	h, mod := scene(t, Options{})
	c := h.Bind("juliet@verona.lit/x")
	stamped := func(s *sessionmgr.Session, xml string) string {
		st, err := stanza.Parse([]byte(xml))
		if err != nil {
			t.Fatal(err)
		}
		return string(mod.stamp(s, st).AppendTo(nil))
	}
	const own = "<x xmlns='vcard-temp:x:update'><photo>abc</photo></x>"
	if got := stamped(c.Session, "<presence>"+own+"</presence>"); !strings.Contains(got, own) {
		t.Errorf("without a card: %s", got)
	}
	c.Ask(set("<FN>x</FN>"))
	if got := stamped(c.Session, "<presence/>"); !strings.Contains(got, "<photo></photo>") {
		t.Errorf("without a picture: %s", got)
	}
	c.Ask(set("<PHOTO><TYPE>image/png</TYPE><BINVAL>\ncGlj\ndHVyZQ==\n</BINVAL></PHOTO>"))
	later := h.Bind("juliet@verona.lit/y")
	const told = "<x xmlns='vcard-temp:x:update'><photo>" + hash + "</photo></x>"
	for _, s := range []*sessiontest.Client{c, later} {
		for _, row := range []struct {
			send, want string
			also       bool // and nothing else of it
		}{
			{"<presence/>", told, true},
			{"<presence to='romeo@verona.lit'><show>away</show></presence>", "<show>away</show>" + told, true},
			{"<presence>" + own + "<show>away</show></presence>", "<show>away</show>" + told, true},
			{"<presence>" + told + "</presence>", told, true},
			{"<presence><x xmlns='vcard-temp:x:update'/></presence>", "<x xmlns='vcard-temp:x:update'/>", true},
			{"<presence type='unavailable'/>", "", false},
			{"<presence type='subscribe' to='a@b'/>", "", false},
			{"<message to='a@b'/>", "", false},
		} {
			got := stamped(s.Session, row.send)
			if !strings.Contains(got, row.want) || strings.Contains(got, "update") != row.also || strings.Count(got, "vcard-temp") > 1 {
				t.Errorf("%s became %s", row.send, got)
			}
		}
	}
}

// TestNickname: a listing shows the nickname on the card, of each session of the account
// and of those that come later, and no more once the card has none.
func TestNickname(t *testing.T) {
	h, _ := scene(t, Options{})
	c := h.Bind("juliet@verona.lit/x")
	shown := func(s *sessionmgr.Session) string {
		for _, a := range s.Describe().Attributes {
			if a.Name == "vcard.nick" {
				return string(a.Value)
			}
		}
		return ""
	}
	for _, row := range []struct{ card, want string }{
		{"<FN>Juliet</FN>", ""},
		{"<NICKNAME> Juli\n\tJ. </NICKNAME>", `"Juli J."`},
		{"<NICKNAME>" + strings.Repeat("ü", 200) + "</NICKNAME>", `"` + strings.Repeat("ü", 127) + `"`},
		{"<NICKNAME/>", ""},
	} {
		c.Ask(set(row.card))
		later := h.Bind("juliet@verona.lit/y")
		if got, then := shown(c.Session), shown(later.Session); got != row.want || then != row.want {
			t.Errorf("of %s: %s, later %s, want %s", row.card, got, then, row.want)
		}
	}
}

func TestRecords(t *testing.T) {
	const xml = "<vCard xmlns='vcard-temp'><FN>x</FN></vCard>"
	for name, row := range map[string]struct {
		rec  string
		want card
	}{
		"all":                         {string(encode(card{hash, "Juli", []byte(xml)})), card{hash, "Juli", []byte(xml)}},
		"neither":                     {string(encode(card{xml: []byte(xml)})), card{xml: []byte(xml)}},
		"of the version before":       {"\x01\x28" + hash + xml, card{hash: hash, xml: []byte(xml)}},
		"of the version before, bare": {"\x01\x00" + xml, card{xml: []byte(xml)}},
	} {
		got, err := decode([]byte(row.rec))
		if err != nil || !reflect.DeepEqual(got, row.want) || CheckRecord(tableCards, []byte(row.rec)) != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for _, bad := range []string{"", "\x01", "\x03\x00\x00" + xml, "\x02\x00", "\x02\x00\x05abc", "\x02\x00\x01\xff" + xml, "\x01\x05abcde",
		"\x01\x28abc", "\x01\x28" + strings.Repeat("x", 40), "\x01\x00", "\x01\x00<vCard/>", "\x01\x00<vCard xmlns='vcard-temp'>"} {
		if CheckRecord(tableCards, []byte(bad)) == nil {
			t.Errorf("%q is fine", bad)
		}
	}
	if CheckRecord("another", nil) != nil {
		t.Error("looks into another table")
	}
}

// TestDamagedCard: it is told as a fault, and keeps nobody from logging in.
func TestDamagedCard(t *testing.T) {
	h, mod := scene(t, Options{})
	var b storage.Batch
	mod.cards.Set(&b, jid.MustParse("juliet@verona.lit").String(), []byte{9})
	if err := storage.Commit(t.Context(), h.Store, &b); err != nil {
		t.Fatal(err)
	}
	if got := h.Bind("juliet@verona.lit/x").Ask(get); !strings.Contains(got, "internal-server-error") {
		t.Error(got)
	}
}

func Example() {
	h := sessiontest.New()
	defer h.Close()
	_, err := New(h.Manager, h.Store, DefaultOptions())
	juliet, romeo := h.Bind("juliet@verona.lit/balcony"), h.Bind("romeo@verona.lit/orchard")
	juliet.Ask("<iq type='set' id='1'><vCard xmlns='vcard-temp'><FN>Juliet Capulet</FN></vCard></iq>")
	answer := romeo.Ask("<iq type='get' id='1' to='juliet@verona.lit'><vCard xmlns='vcard-temp'/></iq>")
	fmt.Println(err, strings.Contains(answer, "<FN>Juliet Capulet</FN>"))
	// Output: <nil> true
}
