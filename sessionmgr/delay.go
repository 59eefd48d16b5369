package sessionmgr

import (
	"encoding/xml"

	"weir/jid"
	"weir/stanza"
)

// unforged takes out of a client's stanza the delay stamps that speak for a
// server of ours: nobody but the server says how long something waited here
// (XEP-0203 §4). All of them go, before ours may be added.
func (m *Manager) unforged(st *stanza.Stanza) *stanza.Stanza {
	if !st.HasChild(stanza.NSDelay, "delay") {
		return st
	}
	var forged []bool
	for name, element := range st.Children() {
		if name.Space == stanza.NSDelay && name.Local == "delay" {
			forged = append(forged, m.stampedByUs(element))
		}
	}
	n := -1
	return st.Without(func(ns, local string) bool {
		if ns != stanza.NSDelay || local != "delay" {
			return false
		}
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
