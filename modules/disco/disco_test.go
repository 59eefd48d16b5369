package disco_test

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"weir/jid"
	"weir/modules/disco"
	"weir/sessionmgr"
	"weir/sessionmgr/sessiontest"
	"weir/stanza"
	"weir/stanza/dataform"

	mdisco "mellium.im/xmpp/disco"
)

func Example() {
	h := sessiontest.New()
	defer h.Close()
	disco.New(h.Manager, "weir")
	h.HandleIQ(sessionmgr.IQHandler{NS: "urn:example", Local: "q", Scope: sessionmgr.OnServer,
		Get: func(context.Context, *stanza.Stanza) (any, error) { return nil, nil }})
	juliet := h.Online("juliet@verona.lit/balcony")
	answer := juliet.Ask("<iq type='get' id='1' to='verona.lit'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
	fmt.Println(strings.Contains(answer, `category="server"`), strings.Contains(answer, `var="urn:example"`))
	// Output:
	// true true
}

func info(node string) string {
	return "<query xmlns='http://jabber.org/protocol/disco#info'" + node + "/></iq>"
}

func items(node string) string {
	return "<query xmlns='http://jabber.org/protocol/disco#items'" + node + "/></iq>"
}

// TestDiscoTable asks everybody everything (XEP-0030 §3, §4, §7).
func TestDiscoTable(t *testing.T) {
	for _, row := range []struct{ name, to, payload, want string }{
		{"server", " to='verona.lit'", info(""), `<identity category="server" type="im" name="weir"|<feature var="urn:test"|caps`},
		{"server items", " to='verona.lit'", items(""), `disco#items`},
		{"server, unknown node", " to='verona.lit'", info(" node='x'"), "item-not-found"},
		{"server items, unknown node", " to='verona.lit'", items(" node='x'"), "item-not-found"},
		{"own account", "", info(""), `category="account"|registered`},
		{"own account, by name", " to='juliet@verona.lit'", info(""), `category="account"|from='juliet@verona.lit'`},
		{"own items", "", items(""), `jid="juliet@verona.lit/balcony"`},
		{"contact", " to='romeo@verona.lit'", info(""), `category="account"`},
		{"contact's items", " to='romeo@verona.lit'", items(""), `jid="romeo@verona.lit/orchard"`},
		{"contact, unknown node", " to='romeo@verona.lit'", info(" node='x'"), "item-not-found"},
		{"stranger", " to='tybalt@verona.lit'", info(""), "service-unavailable"},
		{"nobody", " to='nobody@verona.lit'", items(""), "service-unavailable"},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := sessiontest.New()
			defer h.Close()
			disco.New(h.Manager, "weir")
			h.Advertise(sessionmgr.OnServer, "urn:test")
			h.GuardPresence(func(_, target jid.JID) bool { return target.Local() == "romeo" })
			h.Online("romeo@verona.lit/orchard")
			h.Online("tybalt@verona.lit/street")
			juliet := h.Online("juliet@verona.lit/balcony")
			got := juliet.Ask("<iq type='get' id='1'" + row.to + ">" + row.payload)
			for want := range strings.SplitSeq(row.want, "|") {
				if !strings.Contains(got, want) {
					t.Errorf("no %s in %s", want, got)
				}
			}
		})
	}
}

// TestCapsAreTheHashOfTheAnswer recomputes the verification string from what is
// told (XEP-0115 §5.4), and asks for the node that the capabilities name.
func TestCapsAreTheHashOfTheAnswer(t *testing.T) {
	h := sessiontest.New()
	defer h.Close()
	mod := disco.New(h.Manager, "weir")
	h.Advertise(sessionmgr.OnServer, "urn:test")
	hash, node, ver := mod.Caps()
	juliet := h.Online("juliet@verona.lit/balcony")
	got := juliet.Ask("<iq type='get' id='1' to='verona.lit'>" + info(" node='"+node+"#"+ver+"'"))
	var iq struct {
		Info mdisco.Info `xml:"http://jabber.org/protocol/disco#info query"`
	}
	if err := xml.Unmarshal([]byte(got), &iq); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	if hash != "sha-1" || disco.Hash(iq.Info) != ver || iq.Info.Node != node+"#"+ver {
		t.Errorf("hash %s ver %s, recomputed %s, node %s", hash, ver, disco.Hash(iq.Info), iq.Info.Node)
	}
}

// TestExtendedCaps: the form is in the answer, and in the capabilities as
// XEP-0115 §5.1 has it.
func TestExtendedCaps(t *testing.T) {
	h := sessiontest.New()
	defer h.Close()
	mod := disco.New(h.Manager, "weir")
	err := mod.Extend(&dataform.Form{Type: dataform.TypeResult, Fields: []dataform.Field{
		dataform.Typed("urn:form"),
		{Var: "z", Type: dataform.ListMulti, Values: []string{"2", "1"}}, {Var: "a", Type: dataform.ListMulti, Values: []string{"x"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	s := "server/im//weir<"
	for _, f := range h.Features(sessionmgr.OnServer) {
		s += f + "<"
	}
	sum := sha1.Sum([]byte(s + "urn:form<a<x<z<1<2<"))
	if _, _, ver := mod.Caps(); ver != base64.StdEncoding.EncodeToString(sum[:]) {
		t.Errorf("capabilities %s, of %s", ver, s)
	}
	c := h.Bind("juliet@verona.lit/x")
	got := c.Ask("<iq type='get' id='1' to='verona.lit'>" + info(""))
	if !strings.Contains(got, `<x xmlns="jabber:x:data" type="result"><field var="FORM_TYPE" type="hidden"><value>urn:form</value>`) {
		t.Errorf("told %s", got)
	}
	if got := c.Ask("<iq type='get' id='1'>" + info("")); strings.Contains(got, "jabber:x:data") {
		t.Errorf("of the account it is told %s", got)
	}
}
