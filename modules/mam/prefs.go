package mam

import (
	"context"
	"encoding/xml"
	"slices"

	"weir/jid"
	"weir/stanza"
	"weir/xmlstream"
)

// What is archived of those in no list (XEP-0441 §2.1.1).
const (
	PrefsAlways = "always"
	PrefsNever  = "never"
	PrefsRoster = "roster" // those in the contact list
)

// Bounds of the lists together: each message is looked up in them.
const (
	maxPrefs      = 500
	maxPrefsBytes = 64 << 10
)

// prefsXML is the payload, both ways. The lists are there even if they are empty.
type prefsXML struct {
	XMLName xml.Name `xml:"urn:xmpp:mam:2 prefs"`
	Default string   `xml:"default,attr"`
	Always  jidsXML  `xml:"urn:xmpp:mam:2 always"`
	Never   jidsXML  `xml:"urn:xmpp:mam:2 never"`
}

type jidsXML struct {
	JIDs []string `xml:"urn:xmpp:mam:2 jid"`
}

// prefs answers what is archived.
func (mod *Module) prefs(ctx context.Context, iq *stanza.Stanza) (any, error) {
	_, account, err := asker(ctx, iq)
	if err != nil {
		return nil, err
	}
	p, err := mod.archive.ArchivePrefs(ctx, account)
	if err != nil {
		return nil, err
	}
	return payload(p), nil
}

// setPrefs changes it and answers what holds now (XEP-0441 §2.1).
func (mod *Module) setPrefs(ctx context.Context, iq *stanza.Stanza) (any, error) {
	_, account, err := asker(ctx, iq)
	if err != nil {
		return nil, err
	}
	var x prefsXML
	if err := iq.Decode(NS, "prefs", &x); err != nil {
		return nil, err
	}
	p, err := x.prefs()
	if err != nil {
		return nil, err
	}
	if err := mod.archive.SetArchivePrefs(ctx, account, p); err != nil {
		return nil, err
	}
	return payload(p), nil
}

// prefs reads what a client wants. An address in both lists is never archived:
// that is the wish that can't be made up for.
func (x *prefsXML) prefs() (p Prefs, err error) {
	switch x.Default {
	case PrefsAlways, PrefsNever, PrefsRoster:
		p.Default = x.Default
	default:
		return p, stanza.BadRequest("default is none of always, never and roster")
	}
	size := 0
	for _, s := range slices.Concat(x.Always.JIDs, x.Never.JIDs) {
		size += len(s)
	}
	if len(x.Always.JIDs)+len(x.Never.JIDs) > maxPrefs || size > maxPrefsBytes {
		return p, stanza.PolicyViolation("more than 500 addresses or 64 KiB of them")
	}
	if p.Never, err = addresses(x.Never.JIDs, nil); err != nil {
		return p, err
	}
	p.Always, err = addresses(x.Always.JIDs, p.Never)
	return p, err
}

// addresses reads a list, each address once and none of those in not.
func addresses(list []string, not []jid.JID) (all []jid.JID, err error) {
	seen := make(map[jid.JID]bool, len(list)+len(not))
	for _, j := range not {
		seen[j] = true
	}
	for _, s := range list {
		j, err := jid.Parse(s)
		if err != nil {
			return nil, stanza.JIDMalformed("one of the addresses is none")
		}
		if !seen[j] {
			seen[j] = true
			all = append(all, j)
		}
	}
	return all, nil
}

// payload is what is told of preferences.
func payload(p Prefs) []byte {
	if p.Default == "" { // nothing was ever said
		p.Default = PrefsAlways
	}
	b := []byte("<prefs xmlns='" + NS + "' default='" + p.Default + "'>")
	b = appendJIDs(b, "always", p.Always)
	b = appendJIDs(b, "never", p.Never)
	return append(b, "</prefs>"...)
}

func appendJIDs(b []byte, name string, list []jid.JID) []byte {
	b = append(append(append(b, '<'), name...), '>')
	for _, j := range list {
		b = append(b, "<jid>"...)
		b = xmlstream.AppendEscaped(b, j.String())
		b = append(b, "</jid>"...)
	}
	return append(append(append(b, "</"...), name...), '>')
}
