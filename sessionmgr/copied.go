package sessionmgr

import (
	"encoding/xml"

	"weir/stanza"
)

// Which messages are copied: one table. docs/carbons.md has it in words, and a
// test holds the two together.

const (
	nsRoom   = "http://jabber.org/protocol/muc#user"
	nsInvite = "jabber:x:conference"
)

// copyRule is a row of the table: what a message is or has, and whether the
// receiver's and the sender's other devices get a copy.
type copyRule struct {
	fits           func(*stanza.Stanza) bool
	received, sent bool
}

// copyRules decide about a message: the first one that fits (XEP-0280 §6.1).
// Never written.
var copyRules = [...]copyRule{
	{fits: isGroupchat},
	{fits: keptPrivate}, // XEP-0280 §9, XEP-0334 §3.3
	{fits: carriesAnother},
	{fits: strayError},
	{fits: isInvitation, received: true, sent: true},
	{fits: fromOccupant, sent: true},
	{fits: isChat, received: true, sent: true},
	{fits: isNormalWithBody, received: true, sent: true},
	{fits: isInstant, received: true, sent: true},
	{fits: answersInstant, received: true, sent: true},
}

// copied reports whether the receiver's and the sender's other devices get a copy
// of a message.
func copied(st *stanza.Stanza) (received, sent bool) {
	for i := range copyRules {
		if r := &copyRules[i]; r.fits(st) {
			return r.received, r.sent
		}
	}
	return false, false
}

func isGroupchat(st *stanza.Stanza) bool { return st.Type == typeGroupchat }

func isChat(st *stanza.Stanza) bool { return st.Type == typeChat }

func isNormalWithBody(st *stanza.Stanza) bool { return st.Type == typeNormal && st.HasBody() }

// keptPrivate: the sender wants no copies. What says so stays where it is: a
// server that took it out could hide from the receiver how it came.
func keptPrivate(st *stanza.Stanza) bool {
	return st.HasChild(nsCarbons, "private") || st.HasChild(nsHints, "no-copy")
}

// carriesAnother: a copy of a copy would have a client unwrap what it doesn't
// check (XEP-0280 §11), and a page of an archive is the one's who asked for it.
func carriesAnother(st *stanza.Stanza) bool {
	return st.HasChild(nsCarbons, "received") || st.HasChild(nsCarbons, "sent") || st.HasChild(nsArchive, "")
}

// strayError: an error to an account itself answers something that the account
// has sent, a copy for example. It isn't passed on to anybody (XEP-0280 §10.3).
func strayError(st *stanza.Stanza) bool { return st.IsError() && !st.To.IsFull() }

// isInvitation: to a room, by somebody or by the room (XEP-0249, XEP-0045 §7.8).
func isInvitation(st *stanza.Stanza) bool {
	if st.IsError() {
		return false
	}
	if st.HasChild(nsInvite, "x") {
		return true
	}
	if !st.HasChild(nsRoom, "x") {
		return false
	}
	var x struct {
		Invite *struct{} `xml:"http://jabber.org/protocol/muc#user invite"`
	}
	return xml.Unmarshal(st.Child(nsRoom, "x"), &x) == nil && x.Invite != nil
}

// fromOccupant: a private message in a room. Rooms send it to each client that is
// there; what one client sends there the others see by its copy.
func fromOccupant(st *stanza.Stanza) bool { return st.HasChild(nsRoom, "x") && !st.IsError() }

// isInstant: receipts, chat states and markers, whichever type carries them.
func isInstant(st *stanza.Stanza) bool {
	return !st.IsError() && hasInstant(st)
}

func hasInstant(st *stanza.Stanza) bool {
	return st.HasChild(nsReceipts, "") || st.HasChild(nsChatStates, "") || st.HasChild(nsMarkers, "")
}

// answersInstant: an error in answer to a message that was copied. What that was
// isn't remembered: an error that repeats what it answers is judged by that, and
// any other counts as one.
func answersInstant(st *stanza.Stanza) bool {
	if !st.IsError() {
		return false
	}
	for name := range st.Names() {
		if name.Space != nsClient || name.Local != typeError {
			return st.HasBody() || hasInstant(st)
		}
	}
	return true
}
