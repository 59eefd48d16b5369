package integration_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"weir/integration/testclient"
)

// deviceRow is a row of the table in docs/devices.md: a kind of message, and what
// each device of the two who talk has of it. The payload is written on one line.
type deviceRow struct {
	what, typ, payload string
	waits              bool // for a contact who is away
	archived           bool // by the sender's account, and by the receiver's
	copied             bool // to the sender's other devices, and to the receiver's
	says               string
}

const (
	body       = "<body>hi</body>"
	fallback   = "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:message-retract:1'/>"
	retract    = "<retract xmlns='urn:xmpp:message-retract:1' id='1'/>"
	displayed  = "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>"
	received   = "<received xmlns='urn:xmpp:receipts' id='1'/>"
	composing  = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
	hint       = "<%s xmlns='urn:xmpp:hints'/>"
	originID   = "<origin-id xmlns='urn:xmpp:sid:0' id='o1'/>"
	roomID     = "<stanza-id xmlns='urn:xmpp:sid:0' by='room@far.away' id='s1'/>"
	assisted   = "<displayed xmlns='urn:xmpp:mds:displayed:0'><stanza-id xmlns='urn:xmpp:sid:0' by='juliet@localhost' id='1'/></displayed>"
	replace    = "<replace xmlns='urn:xmpp:message-correct:0' id='1'/>"
	nsCarbons  = "urn:xmpp:carbons:2"
	nsForward  = "urn:xmpp:forward:0"
	nsArchive  = "urn:xmpp:mam:2"
	nsStanzaID = "urn:xmpp:sid:0"
)

func hinted(name string) string { return fmt.Sprintf(hint, name) }

// deviceRows are the kinds in the order of the document.
var deviceRows = []deviceRow{
	{"a question for a receipt, with a body", "chat", body + "<request xmlns='urn:xmpp:receipts'/>", true, true, true, "XEP-0184 §5.1"},
	{"a receipt", "chat", received, true, true, true, "XEP-0184 §5.2, XEP-0280 §6.1"},
	{"a receipt", "normal", received, true, true, true, "XEP-0184 §5.2, XEP-0280 §6.1"},
	{"a question for a marker, with a body", "chat", body + "<markable xmlns='urn:xmpp:chat-markers:0'/>", true, true, true, "XEP-0333 §4.1"},
	{"a marker", "chat", displayed, true, true, true, "XEP-0333 §4.2, XEP-0280 §6.1"},
	{"a marker", "normal", displayed, true, true, true, "XEP-0333 §4.2, XEP-0280 §6.1"},
	{"a marker, hint `no-store`", "chat", displayed + hinted("no-store"), false, false, true, "XEP-0334 §3.2"},
	{"a marker, hint `no-permanent-store`", "chat", displayed + hinted("no-permanent-store"), true, false, true, "XEP-0334 §3.1"},
	{"a marker, hint `no-copy`", "chat", displayed + hinted("no-copy"), true, true, false, "XEP-0334 §3.3"},
	{"a marker that is to be synced", "chat", displayed + assisted, true, true, true, "XEP-0490 §4.5"},
	{"ids of the client and of a room", "chat", body + originID + roomID, true, true, true, "XEP-0359 §3"},
	{"a correction", "chat", body + replace + originID, true, true, true, "XEP-0308 §3"},
	{"a correction", "normal", body + replace, true, true, true, "XEP-0308 §3"},
	{"a retraction, with a fallback and hint `store`", "chat", body + fallback + retract + hinted("store"), true, true, true, "XEP-0424 §5"},
	{"a retraction and nothing else", "chat", retract, true, true, true, "XEP-0424 §5"},
	{"a retraction and nothing else", "normal", retract, true, true, false, "XEP-0424 §5, XEP-0280 §6.1"},
	{"typing: a chat state", "chat", composing, false, false, true, "XEP-0160 §3, XEP-0280 §6.1"},
	{"a chat state, hint `store`", "chat", composing + hinted("store"), true, true, true, "XEP-0334 §3.4"},
}

// forged are ids that the accounts are said to have given, in no message to be seen.
const forged = "<stanza-id xmlns='urn:xmpp:sid:0' by='romeo@localhost' id='forged'/><stanza-id xmlns='urn:xmpp:sid:0' by='nurse@localhost' id='forged'/>"

// device is one client of the test.
type device struct {
	*testclient.Client
	t       *testing.T
	account string
}

// messages returns what has come for a device since it was last asked.
func (d *device) messages() (list []*testclient.Element) {
	d.t.Helper()
	if err := d.Sync(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	for _, e := range d.Drain() {
		if e.Name.Local == "message" {
			list = append(list, e)
		}
	}
	return list
}

func (d *device) send(xml string) {
	d.t.Helper()
	if err := d.Send(xml); err != nil {
		d.t.Fatal(err)
	}
	if err := d.Sync(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
}

// archive returns the messages of a page of the device's archive by their ids,
// and the ids of the archive.
func (d *device) archive(page string) (messages map[string]*testclient.Element, ids map[string]string) {
	d.t.Helper()
	_, err := d.IQ(d.t.Context(), "set", "", "<query xmlns='"+nsArchive+"'><set xmlns='http://jabber.org/protocol/rsm'>"+page+"</set></query>")
	if err != nil {
		d.t.Fatal(err)
	}
	messages, ids = map[string]*testclient.Element{}, map[string]string{}
	for _, e := range d.messages() {
		result := e.Child(nsArchive, "result")
		m := result.Child(nsForward, "forwarded").Child("", "message")
		if m == nil {
			d.t.Fatalf("not of an archive: %s", e)
		}
		messages[m.Get("id")], ids[m.Get("id")] = m, result.Get("id")
	}
	return messages, ids
}

// copyOf returns the message in a copy of a kind, nil for another stanza.
func copyOf(e *testclient.Element, kind string) *testclient.Element {
	return e.Child(nsCarbons, kind).Child(nsForward, "forwarded").Child("", "message")
}

// check looks at a message as a reader has it: the payload as it was sent, and the id
// that it has in the reader's archive, "" where there is none.
func (row *deviceRow) check(t *testing.T, m *testclient.Element, id, reader, archiveID string) {
	t.Helper()
	if m == nil {
		t.Errorf("%s, %s: none for %s", row.what, row.typ, reader)
		return
	}
	var payload strings.Builder
	var ids []string
	for _, c := range m.Children {
		switch {
		case c.Name.Space == nsStanzaID && c.Name.Local == "stanza-id" && c.Get("by") == reader:
			ids = append(ids, c.Get("id"))
		case c.Name.Space == nsStanzaID && c.Get("id") == "forged", c.Name.Local == "delay":
		default:
			payload.WriteString(c.String())
		}
	}
	sent, err := testclient.Parse("<message xmlns='jabber:client'>" + row.payload + "</message>")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, c := range sent[0].Children {
		want.WriteString(c.String())
	}
	if payload.String() != want.String() {
		t.Errorf("%s, %s: %s has\n%s\nnot\n%s", row.what, row.typ, reader, payload.String(), want.String())
	}
	if m.Get("id") != id {
		t.Errorf("%s, %s: the id for %s is %q", row.what, row.typ, reader, m.Get("id"))
	}
	if archiveID == "" && len(ids) > 0 || archiveID != "" && !slices.Equal(ids, []string{archiveID}) {
		t.Errorf("%s, %s: stanza-id for %s %q, want %q", row.what, row.typ, reader, ids, archiveID)
	}
}

// TestManyDevices sends a message of each row from one of juliet's two devices to
// one of romeo's two, and to the nurse, who is away until the server was killed.
func TestManyDevices(t *testing.T) {
	s := startServer(t)
	login := func(user, resource string) *device {
		d := &device{enter(t, s, user, resource), t, user + "@localhost"}
		if _, err := d.IQ(t.Context(), "set", "", "<enable xmlns='"+nsCarbons+"'/>"); err != nil {
			t.Fatal(err)
		}
		return d
	}
	balcony, phone := login("juliet", "balcony"), login("juliet", "phone")
	info, err := balcony.IQ(t.Context(), "get", "juliet@localhost", "<query xmlns='http://jabber.org/protocol/disco#info'/>")
	if err != nil || !strings.Contains(info.String(), "'"+nsStanzaID+"'") { // XEP-0359 §5
		t.Errorf("the account says %v, %v", info, err)
	}
	orchard, grove := login("romeo", "orchard"), login("romeo", "grove")
	for i := range deviceRows {
		row, id := &deviceRows[i], fmt.Sprint("row ", i)
		balcony.send(fmt.Sprintf("<message to='romeo@localhost/orchard' type='%s' id='%s'>%s%s</message>", row.typ, id, row.payload, forged))
		direct, received, sent := orchard.messages(), grove.messages(), phone.messages()
		sender, senderIDs := balcony.archive("<max>1</max><before/>")
		receiver, receiverIDs := orchard.archive("<max>1</max><before/>")
		if (sender[id] != nil) != row.archived || (receiver[id] != nil) != row.archived {
			t.Errorf("%s, %s: archived by the sender %v, by the receiver %v, want %v", row.what, row.typ, sender[id] != nil, receiver[id] != nil, row.archived)
		}
		if len(direct) != 1 {
			t.Fatalf("%s, %s: the receiver got %d", row.what, row.typ, len(direct))
		}
		row.check(t, direct[0], id, "romeo@localhost", receiverIDs[id])
		want := 0
		if row.copied {
			want = 1
		}
		if len(received) != want || len(sent) != want {
			t.Errorf("%s, %s: %d copies for the receiver's other device, %d for the sender's, want %d", row.what, row.typ, len(received), len(sent), want)
			continue
		}
		if row.copied {
			row.check(t, copyOf(received[0], "received"), id, "romeo@localhost", receiverIDs[id])
			row.check(t, copyOf(sent[0], "sent"), id, "juliet@localhost", senderIDs[id])
		}
		if len(balcony.messages()) != 0 {
			t.Errorf("%s, %s: the sending device got something", row.what, row.typ)
		}
	}
	for i, row := range deviceRows {
		balcony.send(fmt.Sprintf("<message to='nurse@localhost' type='%s' id='row %d'>%s%s</message>", row.typ, i, row.payload, forged))
	}
	balcony.send("<message to='nurse@localhost' type='chat' id='fence'>" + body + "</message>")
	s.Kill()
	s.Again()
	nurse := login("nurse", "chamber")
	nurse.send("<presence/>")
	came := map[string]*testclient.Element{}
	for came["fence"] == nil {
		m, err := nurse.ExpectStanza(t.Context(), "<message ...>...</message>", nil)
		if err != nil {
			t.Fatal(err)
		}
		came[m.Get("id")] = m
	}
	archive, ids := nurse.archive("<max>100</max>")
	for i := range deviceRows {
		row, id := &deviceRows[i], fmt.Sprint("row ", i)
		if (came[id] != nil) != row.waits || (archive[id] != nil) != row.archived {
			t.Errorf("%s, %s: waited %v, archived %v", row.what, row.typ, came[id] != nil, archive[id] != nil)
			continue
		}
		if row.waits {
			row.check(t, came[id], id, "nurse@localhost", ids[id])
			if came[id].Child("urn:xmpp:delay", "delay") == nil {
				t.Errorf("%s, %s: when it was sent isn't said", row.what, row.typ)
			}
		}
	}
}

// TestDocumentedDevices holds the table of docs/devices.md against the rows.
func TestDocumentedDevices(t *testing.T) {
	doc, err := os.ReadFile("../docs/devices.md")
	if err != nil {
		t.Fatal(err)
	}
	yes := map[bool]string{true: "yes", false: "no"}
	var want strings.Builder
	want.WriteString("| a message with | type | waits | sender's archive | receiver's archive | sender's other devices | receiver's other devices | `stanza-id` | says |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range deviceRows {
		id := "none"
		if r.archived {
			id = "of the reader's archive"
		}
		fmt.Fprintf(&want, "| %s | `%s` | %s | %s | %s | %s | %s | %s | %s |\n", r.what, r.typ, yes[r.waits],
			yes[r.archived], yes[r.archived], yes[r.copied], yes[r.copied], id, r.says)
	}
	if !strings.Contains(string(doc), want.String()) {
		t.Errorf("docs/devices.md should have this table:\n%s", want.String())
	}
}
