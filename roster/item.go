package roster

import (
	"bytes"
	"encoding/xml"
	"slices"

	"weir/jid"
)

// NS is the namespace of rosters.
const NS = "jabber:iq:roster"

// Item is what an account knows of one contact. Items are values: the groups
// are never changed in place.
type Item struct {
	JID    jid.JID
	Name   string // the handle; opaque
	Groups []string
	State  State
	// Approved is the pre-approval of a request by the contact (RFC 6121 §3.4).
	Approved bool
	// Listed: the item is in the roster that clients see. An item that isn't
	// exists only because the contact's request waits for an answer, and its state
	// is "None + Pending In" (RFC 6121 §A.1, state 3).
	Listed bool
	// changed counts as the roster's version counter did at the last change that clients see.
	changed uint64
}

// looksLike reports whether clients see no difference between i and o.
func (i *Item) looksLike(o *Item) bool {
	return i.Listed == o.Listed && (!i.Listed || i.Name == o.Name && i.Approved == o.Approved &&
		i.State.Subscription() == o.State.Subscription() && i.State.PendingOut() == o.State.PendingOut() &&
		slices.Equal(i.Groups, o.Groups))
}

// size is what the item counts towards the limit of bytes in a roster.
func (i *Item) size() int {
	n := len(i.JID.String()) + len(i.Name)
	for _, g := range i.Groups {
		n += len(g)
	}
	return n
}

// appendXML appends the <item/> element (RFC 6121 §2.1.2).
func (i *Item) appendXML(b *bytes.Buffer) {
	b.WriteString("<item")
	if i.Approved {
		b.WriteString(" approved='true'")
	}
	if i.State.PendingOut() {
		b.WriteString(" ask='subscribe'")
	}
	attribute(b, "jid", i.JID.String())
	if i.Name != "" {
		attribute(b, "name", i.Name)
	}
	attribute(b, "subscription", i.State.Subscription())
	if len(i.Groups) == 0 {
		b.WriteString("/>")
		return
	}
	b.WriteByte('>')
	for _, g := range i.Groups {
		b.WriteString("<group>")
		escape(b, g)
		b.WriteString("</group>")
	}
	b.WriteString("</item>")
}

func attribute(b *bytes.Buffer, name, value string) {
	b.WriteByte(' ')
	b.WriteString(name)
	b.WriteString("='")
	escape(b, value)
	b.WriteByte('\'')
}

// escape writes text so that it can stand in content and in attributes.
func escape(b *bytes.Buffer, s string) {
	// The error is the writer's, and a bytes.Buffer has none.
	_ = xml.EscapeText(b, []byte(s))
}

// Push is one changed item, to be sent to every interested resource of Account (RFC 6121 §2.1.6).
type Push struct {
	Account jid.JID
	Item    Item
	Removed bool // the item left the roster
	Ver     string
}

// Query returns the <query/> element of the push.
func (p *Push) Query() []byte {
	var b bytes.Buffer
	openQuery(&b, p.Ver)
	if p.Removed {
		b.WriteString("<item")
		attribute(&b, "jid", p.Item.JID.String())
		b.WriteString(" subscription='remove'/>")
	} else {
		p.Item.appendXML(&b)
	}
	b.WriteString("</query>")
	return b.Bytes()
}

func openQuery(b *bytes.Buffer, ver string) {
	b.WriteString("<query xmlns='" + NS + "'")
	attribute(b, "ver", ver)
	b.WriteByte('>')
}

// View is a roster as it is answered to a roster get.
type View struct {
	Account jid.JID
	Ver     string
	// Unchanged: the client knows a version from which Pushes lead to the
	// present one. It gets an empty result, then the pushes (RFC 6121 §2.6.3).
	Unchanged bool
	Pushes    []Push
	Items     []Item // by address; nil if Unchanged
}

// Query returns the <query/> element of the roster result (RFC 6121 §2.1.4),
// nil if the result is to be empty.
func (v *View) Query() []byte {
	if v.Unchanged {
		return nil
	}
	var b bytes.Buffer
	b.Grow(64 + 96*len(v.Items))
	openQuery(&b, v.Ver)
	for i := range v.Items {
		v.Items[i].appendXML(&b)
	}
	b.WriteString("</query>")
	return b.Bytes()
}
