package mam

import (
	"math"
	"slices"
	"strings"
	"time"

	"weir/jid"
	"weir/stanza"
)

// nsRSM is the namespace of result set management.
const nsRSM = "http://jabber.org/protocol/rsm"

// Bounds of a question.
const (
	maxQueryID = 1023 // bytes: it comes back with each result
	maxIDs     = 500  // messages asked for by id
)

// query is what a client asks for.
type query struct {
	id      string // queryid
	named   bool   // there is one
	flip    bool   // newest first on the wire
	account jid.JID

	// The filters. All that match is the set that pages are cut from.
	with       jid.JID
	start, end time.Time // inclusive; zero for none
	after      []uint64  // ids that must be there, and lie before all of the set
	before     []uint64
	ids        []uint64 // sorted, each once; nil for all

	// The page.
	max      int // messages
	backward bool
	from     []uint64 // the page begins behind this
	to       []uint64 // or ends before it
}

// queryXML is the payload as it comes.
type queryXML struct {
	QueryID *string    `xml:"queryid,attr"`
	Node    string     `xml:"node,attr"`
	Forms   []formXML  `xml:"jabber:x:data x"`
	Sets    []setXML   `xml:"http://jabber.org/protocol/rsm set"`
	Flip    []struct{} `xml:"urn:xmpp:mam:2 flip-page"`
}

// setXML is how a page is asked for (XEP-0059 §2).
type setXML struct {
	Max    []string `xml:"http://jabber.org/protocol/rsm max"`
	After  []string `xml:"http://jabber.org/protocol/rsm after"`
	Before []string `xml:"http://jabber.org/protocol/rsm before"`
	Index  []string `xml:"http://jabber.org/protocol/rsm index"`
}

// parse reads a query. An error is what the client gets.
func parse(iq *stanza.Stanza, account jid.JID, maxPage int) (*query, error) {
	var x queryXML
	if err := iq.Decode(NS, "query", &x); err != nil {
		return nil, err
	}
	q := &query{account: account, max: maxPage, flip: len(x.Flip) > 0} // XEP-0313 §4.3.4
	if x.QueryID != nil {
		q.id, q.named = *x.QueryID, true
	}
	switch {
	case x.Node != "": // XEP-0313 §6.1.3
		return nil, stanza.FeatureNotImplemented("no nodes are archived")
	case len(q.id) > maxQueryID:
		return nil, stanza.BadRequest("a queryid of more than 1023 bytes")
	case len(x.Forms) > 1 || len(x.Sets) > 1:
		return nil, stanza.BadRequest("more than one form or set")
	}
	for i := range x.Forms {
		if err := x.Forms[i].into(q); err != nil {
			return nil, err
		}
	}
	for i := range x.Sets {
		if err := x.Sets[i].into(q, maxPage); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// into reads which page of the set is wanted. Both after and before mean what
// lies between, from its end; XEP-0059 leaves that open.
func (x *setXML) into(q *query, maxPage int) error {
	switch {
	case len(x.Max) > 1 || len(x.After) > 1 || len(x.Before) > 1:
		return stanza.BadRequest("more than one max, after or before")
	case len(x.Index) > 0: // XEP-0059 §2.6
		return stanza.FeatureNotImplemented("pages are found by id, not by index")
	}
	for _, v := range x.Max {
		n, ok := number(v)
		if !ok {
			return stanza.BadRequest("max is not a number")
		}
		q.max = min(n, maxPage) // XEP-0313 §4.3.1
	}
	for _, v := range x.After {
		if err := add(&q.from, v); err != nil {
			return err
		}
	}
	for _, v := range x.Before {
		q.backward = true
		if v == "" { // XEP-0059 §2.5
			continue
		}
		if err := add(&q.to, v); err != nil {
			return err
		}
	}
	return nil
}

// number reads digits; what is too large for an int is very large.
func number(s string) (n int, ok bool) {
	s = strings.TrimSpace(s)
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n < math.MaxInt32 {
			n = n*10 + int(c-'0')
		}
	}
	return n, s != ""
}

// add reads an id. One that can't be an id isn't in the archive.
func add(ids *[]uint64, s string) error {
	id, ok := ParseID(s)
	if !ok {
		return notFound()
	}
	*ids = append(*ids, id)
	return nil
}

// notFound tells that a message named by its id is not in the archive, as XEP-0313
// §4.1.3 and §4.3.2 demand also where the order of ids would tell what comes next
// to it: a client whose last message was trimmed away has to learn that it misses
// some.
func notFound() error {
	return stanza.ItemNotFound("a message with that id isn't in the archive")
}

// positioned reports whether the page is found by an id and not from an end.
func (q *query) positioned() bool { return len(q.from)+len(q.to) > 0 }

// mentioned returns the ids that must all be in the archive.
func (q *query) mentioned() []uint64 {
	return slices.Concat(q.after, q.before, q.ids, q.from, q.to)
}

// matches applies the filters that a message itself decides.
func (q *query) matches(a *Archived) bool {
	at := a.At.Truncate(time.Millisecond) // as the client was or will be told
	if !q.start.IsZero() && at.Before(q.start) || !q.end.IsZero() && at.After(q.end) {
		return false
	}
	from, to := a.Stanza.From, a.Stanza.To
	switch {
	case q.with.IsZero():
		return true
	case q.with == q.account: // XEP-0313 §4.1.1: else every message would match
		return from.Bare() == q.account && to.Bare() == q.account
	case q.with.IsFull():
		return from == q.with || to == q.with
	}
	return from.Bare() == q.with || to.Bare() == q.with
}
