package jid

import (
	"encoding/xml"
	"strings"

	mjid "mellium.im/xmpp/jid"
)

// JID is an XMPP address: localpart@domainpart/resourcepart (RFC 7622 §3). It
// is an immutable, comparable value: two addresses are the same exactly if ==
// says so, and a JID can be a map key. The zero value is "no address". Parts
// are sub-strings of the one stored string, so taking them costs nothing.
type JID struct {
	s     string // normalised; the two lengths follow from it
	local uint16 // bytes of the localpart, 0 if there is none
	bare  uint16 // bytes of the bare JID
}

// Local returns the localpart, or "".
func (j JID) Local() string { return j.s[:j.local] }

// Domain returns the domainpart.
func (j JID) Domain() string { return j.s[j.domainAt():j.bare] }

// domainAt returns where the domainpart begins.
func (j JID) domainAt() int {
	if j.local == 0 {
		return 0
	}
	return int(j.local) + 1
}

// Resource returns the resourcepart, or "".
func (j JID) Resource() string {
	if !j.IsFull() {
		return ""
	}
	return j.s[int(j.bare)+1:]
}

// Bare returns the address without its resource.
func (j JID) Bare() JID {
	return JID{s: j.s[:j.bare], local: j.local, bare: j.bare}
}

// Host returns the domainpart as an address.
func (j JID) Host() JID {
	d := j.Domain()
	return JID{s: d, bare: uint16(len(d))}
}

// WithResource returns the bare address with another resource, normalised. An
// empty resource gives the bare address; without an address it is an error.
func (j JID) WithResource(resource string) (JID, error) {
	if j.IsZero() {
		return JID{}, errNoDomain
	}
	if resource == "" {
		return j.Bare(), nil
	}
	if !plainResource(resource) {
		return New(j.Local(), j.Domain(), resource)
	}
	return JID{s: j.s[:j.bare] + "/" + resource, local: j.local, bare: j.bare}, nil
}

// IsZero reports whether there is no address.
func (j JID) IsZero() bool { return j.s == "" }

// IsBare reports whether there is an address and it has no resource.
func (j JID) IsBare() bool { return j.s != "" && int(j.bare) == len(j.s) }

// IsFull reports whether the address has a resource.
func (j JID) IsFull() bool { return int(j.bare) < len(j.s) }

// String returns the whole address.
func (j JID) String() string { return j.s }

// AppendTo appends the whole address to dst. It is not escaped for XML: a
// resource may hold any of & < > ' and ".
func (j JID) AppendTo(dst []byte) []byte { return append(dst, j.s...) }

// Compare orders addresses by their bytes, for lists that are shown: -1, 0 or
// +1 as in strings.Compare. It is 0 exactly if a == b.
func Compare(a, b JID) int { return strings.Compare(a.s, b.s) }

// Mellium returns the address as the type that the payload structs of
// mellium.im/xmpp use.
func (j JID) Mellium() mjid.JID {
	if j.IsZero() {
		return mjid.JID{}
	}
	m, err := mjid.New(j.Local(), j.Domain(), j.Resource())
	if err != nil { // a normalised address stays valid: see slow
		return mjid.JID{}
	}
	return m
}

// MarshalText returns the whole address, nothing for the zero value.
func (j JID) MarshalText() ([]byte, error) { return []byte(j.s), nil }

// UnmarshalText parses text; the empty text is the zero value.
func (j *JID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*j = JID{}
		return nil
	}
	v, err := ParseBytes(text)
	if err != nil {
		return err
	}
	*j = v
	return nil
}

// MarshalXMLAttr makes encoding/xml leave the attribute out if there is no
// address.
func (j JID) MarshalXMLAttr(name xml.Name) (xml.Attr, error) {
	if j.IsZero() {
		return xml.Attr{}, nil
	}
	return xml.Attr{Name: name, Value: j.s}, nil
}
