package sessionmgr

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"weir/jid"
	"weir/stanza"
)

// urgencyRow is a row of the table as docs/session.md has it.
type urgencyRow struct {
	what     string
	urgency  urgency
	examples []string
}

var urgencyRows = []urgencyRow{
	{"presence, available or unavailable", patient, []string{"<presence/>", "<presence type='unavailable'/>", "<presence><show>away</show></presence>"}},
	{"a message that tells a chat state and nothing else", transient,
		[]string{chat(exActive), normal(exActive), chat(exActive + "<thread>t</thread>" + exNo), chat(exActive + exOrigin)}},
	{"any other message", urgent, []string{chat(exBody), chat(exBody + exActive), chat(""), normal(exReceipt), headline(exBody),
		chat(exActive + exStore), chat(exActive + "<x xmlns='urn:example'/>"), failed(""), failed(exActive),
		chat("<propose xmlns='urn:xmpp:jingle-message:0' id='1'/>"), normal("<event xmlns='http://jabber.org/protocol/pubsub#event'/>")}},
	{"a request for a subscription, and any other presence", urgent,
		[]string{"<presence type='subscribe'/>", "<presence type='error'/>", "<presence type='probe'/>"}},
	{"an IQ", urgent, []string{"<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>", "<iq type='result' id='1'/>", "<iq type='set' id='1'><jingle xmlns='urn:xmpp:jingle:1'/></iq>"}},
}

func (u urgency) String() string { return [...]string{"goes out", "waits", "is dropped"}[u] }

func TestUrgencyTable(t *testing.T) {
	for _, row := range urgencyRows {
		for _, xml := range row.examples {
			st, err := stanza.Parse([]byte(xml))
			if err != nil {
				t.Fatalf("%s: %v", xml, err)
			}
			if got := urgencyOf(st); got != row.urgency {
				t.Errorf("%s: %s %s, want %s", row.what, xml, got, row.urgency)
			}
			if urgencyOf(st) != urgent && keptOffline(st) {
				t.Errorf("%s is durable and would be held back", xml)
			}
		}
	}
}

func TestDocumentedUrgency(t *testing.T) {
	doc, err := os.ReadFile("../docs/session.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	want.WriteString("| for an inactive client | what becomes of it |\n|---|---|\n")
	for _, row := range urgencyRows {
		fmt.Fprintf(&want, "| %s | %s |\n", row.what, row.urgency)
	}
	if !strings.Contains(string(doc), want.String()) {
		t.Errorf("docs/session.md should have this table:\n%s", want.String())
	}
}

// tell gives a client a presence of somebody's resource.
func (h *house) tell(c *client, resource, status string) {
	h.t.Helper()
	st, err := stanza.New(stanza.Presence, "", "", jid.MustParse("romeo@verona.lit/"+resource), c.JID(), []byte("<status>"+status+"</status>"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.Submit(Entry{Out: []Delivery{{To: c.Session, Stanza: st}}})
}

const typing = "<message to='juliet@verona.lit' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>"

// inactivity is the same with stream management and without.
func inactivity(t *testing.T, managed bool, test func(h *house, romeo, juliet *client)) {
	h := newHouse(t)
	romeo, juliet := h.online("romeo@verona.lit/orchard", 0), h.bind("juliet@verona.lit/balcony")
	if managed {
		juliet.enable()
	}
	juliet.available(0)
	juliet.got()
	test(h, romeo, juliet)
}

func TestInactiveWaits(t *testing.T) {
	for _, managed := range []bool{false, true} {
		inactivity(t, managed, func(h *house, romeo, juliet *client) {
			h.SetInactive(juliet.Session, juliet, true)
			h.tell(juliet, "a", "1")
			h.tell(juliet, "b", "2")
			h.tell(juliet, "a", "3")
			romeo.send(typing)
			juliet.want()
			romeo.send("<message to='juliet@verona.lit' type='chat'><body>x</body></message>")
			juliet.want("<status>3", "<status>2", "<body>x")
			h.tell(juliet, "a", "4")
			juliet.want() // it is inactive still
			h.SetInactive(juliet.Session, juliet, false)
			juliet.want("<status>4")
			h.tell(juliet, "a", "5")
			romeo.send(typing)
			juliet.want("<status>5", "composing")
			if managed {
				juliet.ack(6)
			}
		})
	}
}

// TestInactiveIsBounded: what waits has a bound in bytes, after which all of it
// goes out.
func TestInactiveIsBounded(t *testing.T) {
	inactivity(t, true, func(h *house, _, juliet *client) {
		h.SetInactive(juliet.Session, juliet, true)
		for i := range 40 {
			h.tell(juliet, fmt.Sprint("r", i), strings.Repeat("x", 1000))
			h.inOrder(func() {
				if juliet.held.size() > maxRestBytes {
					t.Fatalf("%d bytes wait", juliet.held.size())
				}
			})
		}
		if n := len(juliet.got()); n < 20 || n > 39 {
			t.Errorf("%d of 40 came", n)
		}
	})
}

// TestInactiveFlapping: a client that changes its mind all the time loses nothing,
// gets nothing twice, and has one timer.
func TestInactiveFlapping(t *testing.T) {
	inactivity(t, true, func(h *house, romeo, juliet *client) {
		var want []string
		for i := range 300 {
			h.SetInactive(juliet.Session, juliet, i%2 == 0)
			h.tell(juliet, fmt.Sprint("r", i), fmt.Sprint("n", i))
			if i%3 == 0 {
				romeo.send(fmt.Sprintf("<message to='juliet@verona.lit' type='chat'><body>n%d</body></message>", i))
				want = append(want, fmt.Sprintf(">n%d<", i), fmt.Sprintf(">n%d<", i))
			} else {
				want = append(want, fmt.Sprintf(">n%d<", i))
			}
			if i%20 == 0 {
				h.settle() // or much waits in the link, and messages come from the log
			}
		}
		juliet.want(want...)
		juliet.ack(uint32(len(want)))
	})
}

// TestInactiveUntilResumed: a resumed stream is active, and what waited comes
// once (XEP-0352 §5.2).
func TestInactiveUntilResumed(t *testing.T) {
	h := newHouse(t)
	romeo, juliet := h.online("romeo@verona.lit/orchard", 0), h.bind("juliet@verona.lit/balcony")
	id := juliet.enable()
	h.SetInactive(juliet.Session, juliet, true)
	h.tell(juliet, "a", "1")
	h.settle()
	juliet.cut()
	h.tell(juliet, "a", "2")
	romeo.send("<message to='juliet@verona.lit/balcony' type='chat'><body>x</body></message>")
	again := h.mustResume("juliet@verona.lit", id, 0)
	got := strings.Join(again.got(), "\n")
	if strings.Count(got, "<status>2") != 1 || strings.Contains(got, "<status>1") || !strings.Contains(got, "<body>x") {
		t.Error(got)
	}
	h.SetInactive(again.Session, juliet, true) // of the stream that it has left
	h.tell(again, "a", "3")
	again.want("<status>3")
	if again.Inactive() || again.Describe().Inactive {
		t.Error("it is inactive")
	}
}

func TestInactiveCanBeOff(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.InactiveHold = -1 })
	juliet := h.online("juliet@verona.lit/balcony", 0)
	h.SetInactive(juliet.Session, juliet, true)
	h.tell(juliet, "a", "1")
	juliet.want("<status>1")
}

// TestInactiveAmongMany: of a broadcast only those who look at it get it now, and
// its maker's list stays as it is.
func TestInactiveAmongMany(t *testing.T) {
	h := newHouse(t)
	var all []*client
	for i := range 5 {
		all = append(all, h.online(fmt.Sprint("juliet@verona.lit/r", i), 0))
		h.SetInactive(all[i].Session, all[i], i%2 == 0)
	}
	st, err := stanza.Parse([]byte("<presence from='romeo@verona.lit/x'/>"))
	if err != nil {
		t.Fatal(err)
	}
	var out []Delivery
	for _, c := range all {
		out = append(out, Delivery{To: c.Session, Stanza: st})
	}
	h.Submit(Entry{Out: out})
	for i, c := range all {
		if i%2 == 0 {
			c.want()
			h.SetInactive(c.Session, c, false)
		}
		c.want("<presence")
		if out[i].To != c.Session {
			t.Error("the list was changed")
		}
	}
}

// TestInactiveCopies: a copy is as urgent as its message.
func TestInactiveCopies(t *testing.T) {
	inactivity(t, false, func(h *house, romeo, juliet *client) {
		if err := h.SetCarbons(context.Background(), romeo.Session, true); err != nil {
			t.Fatal(err)
		}
		desk := h.bind("romeo@verona.lit/desk")
		h.SetInactive(romeo.Session, romeo, true)
		desk.send(typing)
		juliet.want("composing")
		romeo.want()
		desk.send("<message to='juliet@verona.lit' type='chat'><body>x</body></message>")
		romeo.want("<sent & <body>x")
	})
}

// TestLetGoBehindABatch: what was held back is let go while a batch is with the
// store that has a number for the session already.
func TestLetGoBehindABatch(t *testing.T) {
	inactivity(t, true, func(h *house, romeo, juliet *client) {
		parse := func(xml string) *stanza.Stanza {
			st, err := stanza.Parse([]byte(xml))
			if err != nil {
				t.Fatal(err)
			}
			return st
		}
		h.inOrder(func() {
			p := &h.pipe
			p.number(&item{prepare: func(*batch) {}, Entry: Entry{Out: []Delivery{{To: juliet.Session, Stanza: parse("<presence from='romeo@verona.lit/a'/>")}}}})
			p.commit()
			p.keep(juliet.Session, held{stanza: parse(typing)})
			p.letGo(juliet.Session)
		})
		juliet.want("<presence", "composing")
		if juliet.closed {
			t.Error("the link was cut: ", juliet.lost)
		}
	})
}
