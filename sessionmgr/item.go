package sessionmgr

import (
	"weir/stanza"
	"weir/storage"
)

// Entry is one unit of the pipeline: what has to be durable, and what is
// delivered once it is. Entries take effect in the order of their Submit calls:
// deliveries of an entry with Writes follow its commit; those of an entry
// without happen at once, unless one of its sessions waits for an earlier one
// (RFC 6120 §10.1: in order for each pair).
type Entry struct {
	From   *Session      // whose inbound stanza this handles; nil for the server's own
	Writes storage.Batch // may be empty
	Out    []Delivery    // in order
	// Still, where it is set, is given Out as the entry finds its place in the order,
	// and returns what of it still holds, in a slice of its own where that isn't all.
	// What is submitted after it has been asked is delivered behind this entry. It
	// must not block, nor submit anything.
	Still func(out []Delivery) []Delivery
	// Failed tells what to deliver instead where the commit failed; nil:
	// nothing. It must not block.
	Failed func(err error) []Delivery
	// Done is called after the release, or the failure. It must not block.
	Done func(err error)
	// Counts says that the entry is all that comes of a stanza of From which
	// Inbound has not seen: a refusal. It is then handled with it. Link is then
	// where the stanza came.
	Counts bool
	Link   Link
	// Conceals says that the presence in Out goes also to whom its sender blocks:
	// it tells them that the sender has left.
	Conceals bool
}

// Delivery is one stanza for one session.
type Delivery struct {
	To     *Session
	Stanza *stanza.Stanza

	// Set when its batch is sealed.
	n     uint32 // the number that it gets, with stream management
	epoch uint32 // of the session's stream
	live  bool   // it goes to that stream
	copy  bool   // of a message that is for others
}

// item is what the queue holds: an entry, a single delivery (the common case,
// without a slice), a function to run in order, or the end of a commit.
type item struct {
	Entry
	one     Delivery
	routed  bool     // a message that was routed: it is kept where its class says so
	owe     *ledger  // one.Stanza is for this account and for none of its sessions
	away    bool     // one.Stanza is a message that a service has: only its sender's log is left
	chunk   *chunk   // stanzas from a log
	copies  bool     // Out is one message for several sessions of an account
	carbons *carbons // copies of that message for others, nil for none
	count   bool     // From's stanza is handled once this item is released
	follow  *Tracker // of one.Stanza, or of that in Out; nil: nobody follows it
	fenced  bool     // it comes of a stanza of From's stream with that epoch
	epoch   uint32   // only if fenced
	rec     bool     // From's record is to be written
	trim    *Session // its link has written everything
	fn      func()
	prepare func(*batch) // runs when its batch is sealed
	batch   *batch       // committed, with err
	err     error

	// Since its place in the order was found.
	log   bool   // a message that goes into a log
	id    uint64 // of the record in the receiver's log
	size  int64  // of that record
	waits bool   // that counts as waiting
	hide  bool   // the record goes when it was delivered
	// straight says that no session that it is for was behind when it was sealed.
	straight bool
	hash     uint64 // under which it is remembered that it was sent, 0 if it isn't
}

// weight is what an item that waits counts for at the bounds.
func (it *item) weight() (entries, bytes int) {
	if it.count && it.one.Stanza == nil && it.Out == nil && it.carbons == nil { // one with each stanza, and small
		return 0, 0
	}
	bytes = it.Writes.Size() + len(it.Out)*16 + it.carbons.size()
	for _, st := range []*stanza.Stanza{it.one.Stanza, it.shown()} {
		if st != nil && len(it.Writes.Ops) == 0 {
			bytes += st.Size()
		}
	}
	return 1, bytes
}

// burden is what an item counts for at the bounds until it has its place: what
// doesn't come of a stanza counts for nothing.
func (it *item) burden() (entries, bytes int) {
	if it.fn != nil || it.batch != nil || it.trim != nil {
		return 0, 0
	}
	return it.weight()
}

// shown is the first stanza of Out, which the others as a rule share.
func (it *item) shown() *stanza.Stanza {
	if len(it.Out) == 0 {
		return nil
	}
	return it.Out[0].Stanza
}

// message returns the message that a routed item is about, or nil.
func (it *item) message() *stanza.Stanza {
	if !it.routed {
		return nil
	}
	if it.one.Stanza != nil {
		return it.one.Stanza
	}
	return it.shown()
}

// private reports whether an item is an error for a session that may be resumed: as
// a rule it says what became of a message that is acknowledged, so it is not lost
// before its client has it; and it means nothing to anybody else (RFC 6121
// §8.5.3.2.1).
func (it *item) private() bool {
	st, s := it.one.Stanza, it.one.To
	return it.routed && st.IsError() && st.Kind == stanza.Message && s != nil && s.sm != nil && s.sm.resumable && s.ledger != nil
}

// batch is what one commit makes durable, with everything that waits for it.
type batch struct {
	no     uint64
	writes storage.Batch
	items  []item
	// What was sealed with it.
	records []recorded
	ledgers map[*ledger]struct{} // whose records are written
	logs    []*ledger            // that have messages in it; in use until it is released
	hidden  []hiddenRecord       // that are deleted
	// What items count for at the bounds.
	entries, bytes int
	arena          []byte // for the records that are written with it
}

// arenaBytes is how much memory for records a batch takes at once, and how much of
// it the next may use again.
const arenaBytes = 256 << 10

// room returns no bytes with room for n, which last until the batch is released.
func (b *batch) room(n int) []byte {
	used := len(b.arena)
	if cap(b.arena)-used < n {
		b.arena, used = make([]byte, 0, max(min(2*cap(b.arena), arenaBytes), 2<<10, n)), 0
	}
	b.arena = b.arena[:used+n]
	return b.arena[used : used : used+n]
}

// reset empties a batch that was released and keeps its memory, within bounds.
func (b *batch) reset() {
	clear(b.items)
	clear(b.records)
	clear(b.logs)
	b.writes.Reset()
	*b = batch{
		writes: b.writes, items: b.items[:0], records: b.records[:0], logs: b.logs[:0], arena: b.arena[:0],
	}
	if cap(b.items) > maxPendingEntries/2 || cap(b.writes.Ops) > maxPendingEntries { // more than it takes to be fast
		b.items, b.writes = nil, storage.Batch{}
	}
	if cap(b.arena) > arenaBytes {
		b.arena = nil
	}
}

// light reports whether the memory of a batch is too little to speak of.
func (b *batch) light() bool { return cap(b.items) <= 16 && cap(b.arena) <= 4<<10 }

// recorded is a session's record in a batch.
type recorded struct {
	s *Session
	h uint32 // that it tells
	// What is done with once it is durable.
	snap bool
	maps int
}

// ledger has the batch write an account's ledger.
func (b *batch) ledger(l *ledger) {
	if b.ledgers == nil {
		b.ledgers = make(map[*ledger]struct{})
	}
	b.ledgers[l] = struct{}{}
}
