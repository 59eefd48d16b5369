package privatexml

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir/jid"
	"weir/sessionmgr"
	"weir/sessionmgr/sessiontest"
	"weir/storage"
)

func iq(typ, inner string) string {
	return "<iq type='" + typ + "' id='1'><query xmlns='jabber:iq:private'>" + inner + "</query></iq>"
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

// TestRequests is what one client stores and reads, request after request.
func TestRequests(t *testing.T) {
	h, mod := scene(t, Options{MaxItems: 3, MaxBytes: 300})
	c := h.Bind("juliet@verona.lit/x")
	for _, row := range []struct{ send, want string }{
		{iq("get", "<a xmlns='urn:a'/>"), "<query xmlns='jabber:iq:private'><a xmlns='urn:a'/></query>"},
		{iq("set", "<a xmlns='urn:a'><b c='&lt;'>d</b></a>"), "type='result'"},
		{iq("get", "<a xmlns='urn:a'/>"), "<a xmlns='urn:a'><b c='&lt;'>d</b></a></query>"},
		{iq("get", "<b xmlns='urn:a'/>"), "<b xmlns='urn:a'/></query>"},
		{iq("get", "<a xmlns='urn:b'/>"), "<a xmlns='urn:b'/></query>"},
		{iq("set", "<a xmlns='urn:a'>new</a><z xmlns='urn:z'>two</z>"), "type='result'"},
		{iq("get", "<a xmlns='urn:a'/>"), ">new</a>"},
		{iq("get", "<z xmlns='urn:z'/>"), ">two</z>"},
		{iq("get", "<p:z xmlns:p='urn:z'/>"), ">two</z>"},
		{iq("get", ""), "not-acceptable"},
		{iq("get", "text"), "not-acceptable"},
		{iq("set", ""), "not-acceptable"},
		{iq("get", "<a xmlns='urn:a'/><z xmlns='urn:z'/>"), "not-acceptable"},
		{iq("set", "<a/>"), "not-acceptable"},
		{iq("set", "<a xmlns='jabber:client'/>"), "not-acceptable"},
		{iq("set", "<a xmlns='urn:c'/><a xmlns='urn:d'/>"), "policy-violation"},
		{iq("get", "<a xmlns='urn:c'/>"), "<a xmlns='urn:c'/></query>"},
		{iq("set", "<a xmlns='urn:a'>"+strings.Repeat("x", 300)+"</a>"), "policy-violation"},
		{iq("get", "<a xmlns='urn:a'/>"), ">new</a>"},
	} {
		if got := c.Ask(row.send); !strings.Contains(got, row.want) {
			t.Errorf("%s\n%s\nwant %s", row.send, got, row.want)
		}
	}
	other := h.Bind("romeo@verona.lit/x")
	if got := other.Ask(iq("get", "<a xmlns='urn:a'/>")); strings.Contains(got, "new") {
		t.Errorf("another reads %s", got)
	}
	if got := other.Ask(strings.Replace(iq("get", "<a xmlns='urn:a'/>"), "<iq ", "<iq to='juliet@verona.lit' ", 1)); !strings.Contains(got, "service-unavailable") {
		t.Errorf("a stranger reads %s", got)
	}
	h.GuardPresence(func(_, _ jid.JID) bool { return true })
	if got := other.Ask(strings.Replace(iq("set", "<a xmlns='urn:a'/>"), "<iq ", "<iq to='juliet@verona.lit' ", 1)); !strings.Contains(got, "forbidden") {
		t.Errorf("a contact writes %s", got)
	}
	if err := h.Forget(t.Context(), c.JID().Bare(), mod.Table()); err != nil {
		t.Fatal(err)
	}
	if got := c.Ask(iq("get", "<a xmlns='urn:a'/>")); strings.Contains(got, "new") {
		t.Errorf("of an account that was deleted stays %s", got)
	}
	for _, o := range []Options{{MaxItems: -1}, {MaxBytes: -1}} {
		if o.Validate() == nil {
			t.Errorf("%+v is fine", o)
		}
	}
	if !slices.Contains(h.Features(sessionmgr.OnServer), NS) {
		t.Error("no feature")
	}
}

func TestRecords(t *testing.T) {
	h, _ := scene(t, Options{})
	c := h.Bind("juliet@verona.lit/x")
	c.Ask(iq("set", "<p:a xmlns:p='urn:a' p:x='1'><![CDATA[<]]></p:a>"))
	n := 0
	err := storage.NewMap(h.Store, tableElements).All(t.Context(), "juliet@verona.lit", func(key string, rec []byte) bool {
		n++
		if err := CheckRecord(tableElements, key, rec); err != nil {
			t.Error(err)
		}
		return true
	})
	if err != nil || n != 1 || CheckRecord("another", "x", []byte("<")) != nil {
		t.Errorf("%d records, %v", n, err)
	}
	for _, bad := range []string{"", "text", "<a", "<a xmlns='urn:b'/>", "<a xmlns='urn:a'/><a xmlns='urn:a'/>"} {
		if CheckRecord(tableElements, "urn:a a", []byte(bad)) == nil {
			t.Errorf("%q is fine", bad)
		}
	}
}

func Example() {
	h := sessiontest.New()
	defer h.Close()
	_, err := New(h.Manager, h.Store, DefaultOptions())
	juliet := h.Bind("juliet@verona.lit/balcony")
	juliet.Ask(iq("set", "<nick xmlns='urn:example'>Jule</nick>"))
	fmt.Println(err, strings.Contains(juliet.Ask(iq("get", "<nick xmlns='urn:example'/>")), "Jule"))
	// Output: <nil> true
}
