package sessionmgr

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"weir/stanza"
)

// classRow is one rule, as docs/archive.md has it: what, what becomes of it, and
// where that is said. The first example is the plainest.
type classRow struct {
	what     string
	class    class
	says     string
	examples []string
}

var (
	nothingKept = class{}
	waits       = class{durable: true}
	kept        = class{durable: true, archived: true}
)

const (
	exBody   = "<body>hi</body>"
	exActive = "<active xmlns='http://jabber.org/protocol/chatstates'/>"
	exStore  = "<store xmlns='urn:xmpp:hints'/>"
	exNo     = "<no-store xmlns='urn:xmpp:hints'/>"
	exNoPerm = "<no-permanent-store xmlns='urn:xmpp:hints'/>"
	exOrigin = "<origin-id xmlns='urn:xmpp:sid:0' id='1'/>"
)

func chat(children string) string   { return "<message type='chat'>" + children + "</message>" }
func normal(children string) string { return "<message>" + children + "</message>" }

var classRows = []classRow{
	{"a body", kept, "XEP-0313 §6.1.1, XEP-0160 §3",
		[]string{chat(exBody), normal(exBody), chat(exActive + exBody + exOrigin), normal("<body xml:lang='cs'>ahoj</body>")}},
	{"an encrypted payload", kept, "XEP-0334 §2.1",
		[]string{chat("<encrypted xmlns='eu.siacs.conversations.axolotl'/>"),
			chat("<encrypted xmlns='urn:xmpp:omemo:2'/><encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:omemo:2'/>")}},
	{"a receipt", kept, "XEP-0184 §5.5", []string{normal("<received xmlns='urn:xmpp:receipts' id='1'/>")}},
	{"a chat marker", kept, "XEP-0333 §4.2", []string{chat("<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>")}},
	{"a correction", kept, "XEP-0308 §3", []string{chat(exBody + "<replace xmlns='urn:xmpp:message-correct:0' id='1'/>")}},
	{"a retraction", kept, "XEP-0424 §5", []string{chat("<retract xmlns='urn:xmpp:message-retract:1' id='1'/>")}},
	{"a reaction", kept, "XEP-0444 §3.1", []string{chat("<reactions xmlns='urn:xmpp:reactions:0' id='1'><reaction>👋</reaction></reactions>")}},
	{"an invitation to a room", kept, "XEP-0160 §3", []string{normal("<x xmlns='jabber:x:conference' jid='room@far.away'/>")}},
	{"a payload that the server doesn't know", kept, "XEP-0313 §6.1.1",
		[]string{chat("<x xmlns='urn:example'/>"), chat(exActive + "<x xmlns='urn:example'/>")}},
	{"a subject alone", kept, "XEP-0160 §3", []string{normal("<subject>hi</subject>")}},
	{"a chat state alone", nothingKept, "XEP-0160 §3", []string{chat(exActive), chat(exActive + "<thread>t</thread>" + exOrigin), normal(exActive)}},
	{"only a thread, an id, a delay stamp, a nickname or a question for receipts", nothingKept, "XEP-0160 §3",
		[]string{chat("<thread>t</thread>"), chat(exOrigin), chat("<delay xmlns='urn:xmpp:delay'/>"), chat("<nick xmlns='http://jabber.org/protocol/nick'>J</nick>"),
			chat("<request xmlns='urn:xmpp:receipts'/>"), chat("<markable xmlns='urn:xmpp:chat-markers:0'/>"), chat("<private xmlns='urn:xmpp:carbons:2'/>")}},
	{"nothing in it", nothingKept, "XEP-0160 §3", []string{chat(""), normal("")}},
	{"a notification of a publisher", waits, "XEP-0313 §6.1.1", []string{normal("<event xmlns='http://jabber.org/protocol/pubsub#event'/>")}},
	{"the hint `store`", kept, "XEP-0334 §3.4", []string{chat(exActive + exStore), normal(exStore)}},
	{"the hint `no-store`", nothingKept, "XEP-0334 §3.2", []string{chat(exBody + exNo), chat(exBody + exStore + exNo), chat(exBody + exNoPerm + exNo)}},
	{"the hint `no-permanent-store`", waits, "XEP-0334 §3.1", []string{chat(exBody + exNoPerm), chat(exNoPerm + exStore)}},
	{"the hint `no-permanent-store` and nothing worth keeping", nothingKept, "XEP-0334 §3.1", []string{chat(exActive + exNoPerm)}},
	{"the hint `no-copy`", kept, "XEP-0334 §3.3", []string{chat(exBody + "<no-copy xmlns='urn:xmpp:hints'/>")}},
	{"a copy of one that is kept already: a carbon, a page of the archive", nothingKept, "XEP-0280 §7, XEP-0313 §4.2",
		[]string{chat("<sent xmlns='urn:xmpp:carbons:2'/>"), chat("<received xmlns='urn:xmpp:carbons:2'/>" + exStore), normal("<result xmlns='urn:xmpp:mam:2' id='1'/>")}},
	{"type `groupchat`", nothingKept, "XEP-0160 §3, XEP-0313 §6.1.1", []string{"<message type='groupchat'>" + exBody + exStore + "</message>"}},
	{"type `headline`", nothingKept, "XEP-0160 §3, XEP-0313 §6.1.1", []string{"<message type='headline'>" + exBody + exStore + "</message>"}},
	{"type `error`", nothingKept, "XEP-0160 §3, XEP-0334 §4", []string{"<message type='error'>" + exBody + exStore + "</message>"}},
}

func TestClassTable(t *testing.T) {
	for _, row := range classRows {
		for _, xml := range row.examples {
			st, err := stanza.Parse([]byte(xml))
			if err != nil {
				t.Fatalf("%s: %v", xml, err)
			}
			if got := classOf(st); got != row.class {
				t.Errorf("%s: %s is %+v, want %+v", row.what, xml, got, row.class)
			}
			if keptOffline(st) != row.class.durable {
				t.Errorf("%s: keptOffline says otherwise", xml)
			}
		}
	}
	for _, xml := range []string{"<presence/>", "<presence type='subscribe'/>", "<iq type='get' id='1'><body/></iq>"} {
		st, err := stanza.Parse([]byte(xml))
		if err != nil || classOf(st) != nothingKept || classOf(nil) != nothingKept {
			t.Errorf("%s: %v %v", xml, classOf(st), err)
		}
	}
}

// TestDocumentedClasses holds the table of docs/archive.md against the rows.
func TestDocumentedClasses(t *testing.T) {
	doc, err := os.ReadFile("../docs/archive.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, row := range classRows {
		want = append(want, fmt.Sprintf("| %s | %s | %s | %s |", row.what, yes(row.class.durable), yes(row.class.archived), row.says))
	}
	_, rest, found := strings.Cut(string(doc), "| a message with |")
	if !found {
		t.Fatal("docs/archive.md has no table whose first column is \"a message with\"")
	}
	var have []string
	for line := range strings.Lines(rest) {
		if line = strings.TrimSpace(line); line == "" {
			break
		} else if strings.HasPrefix(line, "| ") && len(have) <= len(want) {
			have = append(have, line)
		}
	}
	for i := range max(len(have), len(want)) {
		var h, w string
		if i < len(have) {
			h = have[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if h != w {
			t.Errorf("docs/archive.md, row %d is\n%s\nand should be\n%s", i+1, h, w)
		}
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func TestClassOfAllocatesNothing(t *testing.T) {
	st, err := stanza.Parse([]byte(chat(exBody + exActive + exOrigin)))
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _ = classOf(st) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkClassOf(b *testing.B) {
	st, err := stanza.Parse([]byte(chat(exBody + exActive + "<request xmlns='urn:xmpp:receipts'/>" + exOrigin)))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !classOf(st).archived {
			b.Fatal("not archived")
		}
	}
}
