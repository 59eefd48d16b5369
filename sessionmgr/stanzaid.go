package sessionmgr

import (
	"encoding/xml"

	"weir/jid"
	"weir/stanza"
)

// forgery says which children of a client's stanza speak for a server of ours.
func (m *Manager) forgery(st *stanza.Stanza) (forged []bool, some bool) {
	for name, element := range st.Children() {
		bad := false
		switch {
		case name.Space == stanza.NSDelay && name.Local == "delay":
			bad = m.stampedByUs(element)
		case name.Space == stanza.NSStanzaID && name.Local == "stanza-id":
			bad = m.archivedByUs(element)
		}
		forged, some = append(forged, bad), some || bad
	}
	return forged, some
}

// archivedByUs reports whether a stanza-id claims to be of an archive of ours
// (XEP-0359 §3, rule 2). One without a readable author breaks rules 5 and 7 and
// goes too: who knows how a client reads it.
func (m *Manager) archivedByUs(id []byte) bool {
	var v struct {
		By string `xml:"by,attr"`
	}
	if err := xml.Unmarshal(id, &v); err != nil {
		return true
	}
	by, err := jid.Parse(v.By)
	return err != nil || m.Local(by.Domain())
}
