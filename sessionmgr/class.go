package sessionmgr

import (
	"weir/stanza"
	"weir/xmlstream"
)

// What is kept of what passes: one table for the log, the archive and the
// unacknowledged queue. docs/archive.md has it in words, and a test holds the two
// together.

// class is what is kept of a stanza. The zero class is what means something only
// at the moment, or is kept elsewhere: IQs, presence (subscriptions are durable
// with the rosters they change), and messages as below.
type class struct {
	durable  bool // not lost once it was accepted: it waits for who is away
	archived bool // can be asked for later (XEP-0313); never without durable
}

// Namespaces that the table looks at.
const (
	nsClient     = stanza.NSClient
	nsChatStates = "http://jabber.org/protocol/chatstates"
	nsHints      = "urn:xmpp:hints"
	nsReceipts   = "urn:xmpp:receipts"
	nsMarkers    = "urn:xmpp:chat-markers:0"
	nsCarbons    = "urn:xmpp:carbons:2"
	nsArchive    = "urn:xmpp:mam:2"
	nsPubsub     = "http://jabber.org/protocol/pubsub#event"
	nsEncryption = "urn:xmpp:eme:0" // names the encryption of another payload
	nsNick       = "http://jabber.org/protocol/nick"
)

// weight is what one payload of a message says about keeping it.
type weight uint8

const (
	light       weight = 1 << iota // says nothing by itself
	durable                        // worth waiting, not worth archiving
	lasting                        // part of the conversation
	wanted                         // the sender wants it stored
	unarchived                     // the sender wants it in no archive
	unstored                       // the sender wants it stored nowhere
	transported                    // carries what is stored already
)

// classOf returns what is kept of a stanza. It runs for every message, several
// times, and allocates nothing.
func classOf(st *stanza.Stanza) class {
	if st == nil || st.Kind != stanza.Message {
		return class{}
	}
	if st.Type != typeChat && st.Type != typeNormal { // XEP-0160 §3, XEP-0313 §6.1.1, XEP-0334 §4
		return class{}
	}
	var all weight
	for name := range st.Names() {
		all |= weigh(name)
	}
	switch {
	case all&(unstored|transported) != 0:
		return class{}
	case all&unarchived != 0:
		return class{durable: all&(durable|lasting|wanted) != 0}
	case all&(lasting|wanted) != 0:
		return class{durable: true, archived: true}
	}
	return class{durable: all&durable != 0}
}

// weigh is the table. What it doesn't know lasts: a new kind of payload is kept
// rather than lost.
func weigh(name xmlstream.Name) weight {
	switch name.Space {
	case nsClient:
		if name.Local == "thread" { // RFC 6121 §5.2.5: tells where the rest belongs
			return light
		}
	case nsHints:
		return hinted(name.Local)
	case nsChatStates, stanza.NSDelay, stanza.NSStanzaID, nsEncryption, nsNick: // XEP-0160 §3: chat states alone
		return light
	case nsReceipts: // XEP-0184 §5: asks about the rest
		if name.Local == "request" {
			return light
		}
	case nsMarkers: // XEP-0333 §4.1: asks about the rest
		if name.Local == "markable" {
			return light
		}
	case nsCarbons: // XEP-0280 §7 and §8: a copy; <private/> asks for none
		if name.Local == "sent" || name.Local == "received" {
			return transported
		}
		return light
	case nsArchive: // XEP-0313 §4.2: a page of the archive
		return transported
	case nsPubsub:
		return durable
	}
	return lasting
}

// hinted is what the sender asks for (XEP-0334 §3).
func hinted(hint string) weight {
	switch hint {
	case "no-store":
		return unstored
	case "no-permanent-store":
		return unarchived
	case "store":
		return wanted
	}
	return light
}

// keptOffline reports whether a message is kept for a receiver who isn't online.
func keptOffline(st *stanza.Stanza) bool { return classOf(st).durable }
