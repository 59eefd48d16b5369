package acks_test

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"weir/jid"
	"weir/sessionmgr"
)

// option is one of several things that a login may ask for, with what is to be in
// its success for it.
type option struct{ name, xml, answer string }

var (
	agents  = []option{{"no agent", "", ""}, {"agent", agent, ""}, {"agent without id", "<user-agent><software>x</software></user-agent>", ""}}
	resumes = []option{
		{"", "", ""},
		{"resume", "", "<resumed xmlns='urn:xmpp:sm:3' previd='"}, // the xml is made of the stream's id
		{"resume unknown", resume("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), "<failed xmlns='urn:xmpp:sm:3'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"},
		{"resume malformed", "<resume xmlns='urn:xmpp:sm:3' previd='x' h='-1'/>", "<failed xmlns='urn:xmpp:sm:3'><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"},
	}
	binds = []option{
		{"", "", ""},
		{"bind", "<bind xmlns='" + bindNS + "'/>", "<bound xmlns='" + bindNS + "'></bound>"},
		{"bind tag", "<bind xmlns='" + bindNS + "'><tag>Test</tag><unknown xmlns='urn:test'/></bind>", "<bound xmlns='" + bindNS + "'></bound>"},
		{"bind enable", "<bind xmlns='" + bindNS + "'><enable xmlns='urn:xmpp:sm:3'/></bind>", "<bound xmlns='" + bindNS + "'><enabled xmlns='urn:xmpp:sm:3'/></bound>"},
		{"bind enable resume", bindEnable, "' resume='true' max='600'/></bound>"},
		{"bind enable resume never", "<bind xmlns='" + bindNS + "'><enable xmlns='urn:xmpp:sm:3' resume='true' max='0'/></bind>",
			"<bound xmlns='" + bindNS + "'><enabled xmlns='urn:xmpp:sm:3'/></bound>"},
		{"bind enable resume for a century", "<bind xmlns='" + bindNS + "'><enable xmlns='urn:xmpp:sm:3' resume='true' max='3155760000'/></bind>",
			"' resume='true' max='600'/></bound>"},
		{"bind enable malformed", "<bind xmlns='" + bindNS + "'><enable xmlns='urn:xmpp:sm:3' resume='maybe'/></bind>",
			"<bound xmlns='" + bindNS + "'><failed xmlns='urn:xmpp:sm:3'><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed></bound>"},
	}
	requests = []option{{"", "", ""}, {"token", requestToken, "<token xmlns='urn:xmpp:fast:0' expiry='"},
		{"token for no mechanism", "<request-token xmlns='urn:xmpp:fast:0' mechanism='PLAIN'/>", ""}}
)

// TestEveryCombination logs in with everything that XEP-0388, 0386, 0484 and 0198
// have a client ask for together.
func TestEveryCombination(t *testing.T) {
	for _, mechanism := range []string{"PLAIN", "SCRAM", "token"} {
		t.Run(mechanism, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			c := h.dial()
			token := find(t, ` token='([^']*)'`, c.plain(requestToken, "</success>"))
			for i, a := range agents {
				if mechanism == "token" && i != 1 {
					continue // tokens are a device's
				}
				for _, r := range resumes {
					for _, b := range binds {
						for _, q := range requests {
							h.combination(t, mechanism, token, a, r, b, q)
						}
					}
				}
			}
		})
	}
}

func (h *house) combination(t *testing.T, mechanism, token string, a, r, b, q option) {
	name := fmt.Sprintf("%s, %s, %s, %s, %s", mechanism, a.name, r.name, b.name, q.name)
	if r.name == "resume" {
		r.xml = resume(h.asleep())
	}
	inside := r.xml + b.xml + q.xml
	c := h.dial()
	var success string
	switch mechanism {
	case "token":
		success = c.token(token, useToken+inside, "</success>")
	case "PLAIN":
		success = c.ask(header+strings.Replace(authenticate("PLAIN", "\x00juliet\x00"+password, inside), agent, a.xml, 1), "</success>")
	default:
		conv := conversation(t)
		first, _ := conv.Step("")
		final, err := conv.Step(data(t, c.ask(header+strings.Replace(authenticate("SCRAM-SHA-256", first, inside), agent, a.xml, 1), "</challenge>")))
		must(t, err)
		success = c.ask("<response xmlns='urn:xmpp:sasl:2'>"+b64(final)+"</response>", "</success>")
	}
	success = success[strings.Index(success, "<success"):]
	resumed, bound := r.name == "resume", b.name != "" && r.name != "resume"
	has := func(what string, want bool) {
		t.Helper()
		if strings.Contains(success, what) != want {
			t.Errorf("%s: %s should be there: %v; got\n%s", name, what, want, success)
		}
	}
	if r.answer != "" {
		has(r.answer, true)
	}
	if b.answer != "" {
		has(b.answer, bound)
	}
	has("<bound", bound)
	has("<token", q.name == "token" && a.name == "agent")
	has("<additional-data>", mechanism != "PLAIN")
	has("<authorization-identifier>juliet@verona.lit</authorization-identifier>", !bound && !resumed)
	has("<authorization-identifier>juliet@verona.lit/Test/", bound && b.name == "bind tag")
	if err := xml.Unmarshal([]byte(success), new(struct{})); err != nil {
		t.Errorf("%s: %v in %s", name, err, success)
	}
	if !resumed { // no features follow a resumption (XEP-0198 §9.2)
		features := c.await(endFeatures)
		if strings.Contains(features, "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>") == bound {
			t.Errorf("%s: %s", name, features)
		}
		if want := !strings.Contains(success, "<enabled"); strings.Contains(features, "<sm xmlns") != want {
			t.Errorf("%s: stream management is offered: %v; %s", name, !want, features)
		}
	}
	if resumed || bound {
		c.ask("<iq type='get' id='s'><session xmlns='x'/></iq>", "id='s'")
	}
	c.conn.NetConn().Close()
}

// asleep makes a session that can be resumed, of no device, and returns its id.
func (h *house) asleep() string {
	h.t.Helper()
	c := h.dial()
	all := c.ask(header+strings.Replace(authenticate("PLAIN", "\x00juliet\x00"+password, bindEnable), agent, "", 1), "</success>")
	id := find(h.t, ` id='([^']*)' resume`, all)
	c.conn.NetConn().Close()
	full := jid.MustParse(find(h.t, "<authorization-identifier>([^<]*)<", all))
	for s := h.sm.ByJID(full); s.State() != sessionmgr.Hibernating; s = h.sm.ByJID(full) {
	}
	return id
}
