package sessionmgr

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"weir/stanza"
)

// copyRow is a row of the table as docs/carbons.md has it, in the order of
// copyRules, with one more for what no rule fits.
type copyRow struct {
	what           string
	received, sent bool
	says           string
	examples       []string
}

const (
	exOccupant = "<x xmlns='http://jabber.org/protocol/muc#user'/>"
	exInvite   = "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='a@b'/></x>"
	exDirect   = "<x xmlns='jabber:x:conference' jid='room@far.away'/>"
	exError    = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
	exPrivate  = "<private xmlns='urn:xmpp:carbons:2'/>"
	exNoCopy   = "<no-copy xmlns='urn:xmpp:hints'/>"
	exReceipt  = "<received xmlns='urn:xmpp:receipts' id='1'/>"
)

func failed(children string) string {
	return "<message type='error' to='a@b/c'>" + exError + children + "</message>"
}

func headline(children string) string { return "<message type='headline'>" + children + "</message>" }

var copyRows = []copyRow{
	{"of type `groupchat`", false, false, "XEP-0280 §6.1", []string{"<message type='groupchat'>" + exBody + exInvite + "</message>"}},
	{"with `<private/>` or the hint `no-copy`", false, false, "XEP-0280 §9, XEP-0334 §3.3",
		[]string{chat(exBody + exPrivate), chat(exBody + exNoCopy), chat(exBody + exPrivate + exNoCopy), normal(exDirect + exPrivate), failed(exPrivate)}},
	{"that carries another: a copy, a page of the archive", false, false, "XEP-0280 §11",
		[]string{chat(exBody + "<received xmlns='urn:xmpp:carbons:2'/>"), chat("<sent xmlns='urn:xmpp:carbons:2'/>"), normal(exBody + "<result xmlns='urn:xmpp:mam:2' id='1'/>")}},
	{"of type `error` to an account itself", false, false, "XEP-0280 §10.3",
		[]string{"<message type='error' to='a@b'>" + exError + exBody + "</message>", "<message type='error'>" + exError + "</message>"}},
	{"that invites to a room", true, true, "XEP-0280 §6.1", []string{normal(exDirect), normal(exInvite), headline(exDirect), chat(exBody + exInvite)}},
	{"in a room, to one who is there", false, true, "XEP-0280 §6.1", []string{chat(exBody + exOccupant), normal(exBody + exOccupant)}},
	{"of type `chat`", true, true, "XEP-0280 §6.1", []string{chat(exBody), chat(""), chat(exActive), chat("<x xmlns='urn:example'/>")}},
	{"of type `normal` with a body", true, true, "XEP-0280 §6.1", []string{normal(exBody), "<message type='unknown'>" + exBody + "</message>"}},
	{"with a receipt, a chat state or a chat marker", true, true, "XEP-0280 §6.1",
		[]string{normal(exReceipt), normal(exActive), normal("<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>"), headline(exReceipt)}},
	{"of type `error` that repeats one with a body or such a payload, or nothing of it", true, true, "XEP-0280 §6.1",
		[]string{failed(""), failed(exBody), failed(exActive)}},
	{"otherwise", false, false, "XEP-0280 §6.1",
		[]string{normal(""), normal("<subject>hi</subject>"), headline(exBody), failed("<x xmlns='urn:example'/>"), normal("<event xmlns='http://jabber.org/protocol/pubsub#event'/>")}},
}

func TestCopyTable(t *testing.T) {
	if len(copyRows) != len(copyRules)+1 {
		t.Fatalf("%d rows for %d rules", len(copyRows), len(copyRules))
	}
	for i, row := range copyRows {
		for _, xml := range row.examples {
			st, err := stanza.Parse([]byte(xml))
			if err != nil {
				t.Fatalf("%s: %v", xml, err)
			}
			if received, sent := copied(st); received != row.received || sent != row.sent {
				t.Errorf("%s: %s is copied: received %v, sent %v", row.what, xml, received, sent)
			}
			for k := range copyRules {
				if copyRules[k].fits(st) {
					if k != i {
						t.Errorf("%s: %s is decided by rule %d", row.what, xml, k)
					}
					break
				}
			}
		}
	}
}

// TestDocumentedCopies holds the table of docs/carbons.md against the rows.
func TestDocumentedCopies(t *testing.T) {
	doc, err := os.ReadFile("../docs/carbons.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	want.WriteString("| a message | received | sent | says |\n|---|---|---|---|\n")
	for _, row := range copyRows {
		fmt.Fprintf(&want, "| %s | %s | %s | %s |\n", row.what, yes(row.received), yes(row.sent), row.says)
	}
	if !strings.Contains(string(doc), want.String()) {
		t.Errorf("docs/carbons.md should have this table:\n%s", want.String())
	}
}

func TestCopiedAllocatesNothing(t *testing.T) {
	st, err := stanza.Parse([]byte(chat(exBody + exActive + exOrigin)))
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { copied(st) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
