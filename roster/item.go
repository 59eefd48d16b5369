package roster

import (
	"slices"
	"strconv"
	"unicode/utf8"

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
	// changed counts as the roster's version counter did at the last change that
	// clients see.
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
func (i *Item) appendXML(b []byte) []byte {
	b = append(b, "<item"...)
	if i.Approved {
		b = append(b, " approved='true'"...)
	}
	if i.State.PendingOut() {
		b = append(b, " ask='subscribe'"...)
	}
	b = attribute(b, "jid", i.JID.String())
	if i.Name != "" {
		b = attribute(b, "name", i.Name)
	}
	b = attribute(b, "subscription", i.State.Subscription())
	if len(i.Groups) == 0 {
		return append(b, "/>"...)
	}
	b = append(b, '>')
	for _, g := range i.Groups {
		b = append(b, "<group>"...)
		b = escaped(b, g)
		b = append(b, "</group>"...)
	}
	return append(b, "</item>"...)
}

func attribute(b []byte, name, value string) []byte {
	b = append(b, ' ')
	b = append(b, name...)
	b = append(b, "='"...)
	b = escaped(b, value)
	return append(b, '\'')
}

// escaped appends text so that it can stand in content and in attributes. What no
// XML document can hold (XML 1.0, section 2.2) becomes U+FFFD.
func escaped(b []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r == '&':
			b = append(b, "&amp;"...)
		case r == '<':
			b = append(b, "&lt;"...)
		case r == '>':
			b = append(b, "&gt;"...)
		case r == '\'':
			b = append(b, "&apos;"...)
		case r == '"':
			b = append(b, "&quot;"...)
		case r == '\t', r == '\n', r == '\r':
			b = append(b, "&#"...)
			b = strconv.AppendInt(b, int64(r), 10)
			b = append(b, ';')
		case r < ' ', r == 0xFFFE, r == 0xFFFF:
			b = utf8.AppendRune(b, utf8.RuneError)
		default:
			b = utf8.AppendRune(b, r) // bytes that are no UTF-8 come as RuneError
		}
	}
	return b
}

// Push is one changed item, to be sent to every interested resource of Account
// (RFC 6121 §2.1.6).
type Push struct {
	Account jid.JID
	Item    Item
	Removed bool // the item left the roster
	Ver     string
}

// Query returns the <query/> element of the push.
func (p *Push) Query() []byte {
	b := openQuery(make([]byte, 0, 128+p.Item.size()), p.Ver)
	if p.Removed {
		b = attribute(append(b, "<item"...), "jid", p.Item.JID.String())
		b = append(b, " subscription='remove'/>"...)
	} else {
		b = p.Item.appendXML(b)
	}
	return append(b, "</query>"...)
}

func openQuery(b []byte, ver string) []byte {
	b = attribute(append(b, "<query xmlns='"+NS+"'"...), "ver", ver)
	return append(b, '>')
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
	b := openQuery(make([]byte, 0, 64+128*len(v.Items)), v.Ver)
	for i := range v.Items {
		b = v.Items[i].appendXML(b)
	}
	return append(b, "</query>"...)
}
