package sessionmgr

import "weir/stanza"

// What is kept when nobody is online, and what passes: one table for the log,
// and later for the archive and the unacknowledged queue.

// Namespaces that the table looks at.
const (
	nsClient     = stanza.NSClient
	nsChatStates = "http://jabber.org/protocol/chatstates" // XEP-0085
	nsHints      = "urn:xmpp:hints"                        // XEP-0334
)

// passing are the payloads that mean something only at the moment: a message
// with nothing else in it is not kept (XEP-0160 §3).
var passing = map[string]bool{
	nsChatStates: true,
	nsHints:      true,
}

// keptOffline reports whether a message is kept for a receiver who isn't online
// (XEP-0160 §3): normal and chat messages with something that lasts.
func keptOffline(st *stanza.Stanza) bool {
	if st == nil || st.Kind != stanza.Message {
		return false
	}
	if st.Type != typeNormal && st.Type != typeChat {
		return false
	}
	if st.HasChild(nsHints, "no-store") || st.HasChild(nsHints, "no-permanent-store") {
		return false
	}
	if st.HasChild(nsClient, "body") {
		return true
	}
	for name := range st.Names() {
		if !passing[name.Space] && !(name.Space == nsClient && name.Local == "thread") {
			return true
		}
	}
	return false
}
