package sessionmgr

import (
	"encoding/xml"

	"weir/jid"
	"weir/stanza"
)

// unforged takes out of a client's stanza what speaks for a server of ours:
// delay stamps, since nobody but the server says how long something waited here
// (XEP-0203 §4), and the ids of our archives (XEP-0359 §3). All of them go,
// before ours may be added.
func (m *Manager) unforged(st *stanza.Stanza) *stanza.Stanza {
	if !st.HasChild(stanza.NSDelay, "delay") && !st.HasChild(stanza.NSStanzaID, "stanza-id") {
		return st
	}
	forged, some := m.forgery(st)
	if !some {
		return st
	}
	n := -1
	return st.Without(func(string, string) bool {
		n++
		return forged[n]
	})
}

func (m *Manager) stampedByUs(delay []byte) bool {
	var d struct {
		From string `xml:"from,attr"`
	}
	if err := xml.Unmarshal(delay, &d); err != nil {
		return true // not readable, so not to be relied on
	}
	from, err := jid.Parse(d.From)
	return err == nil && from.Local() == "" && m.Local(from.Domain())
}
