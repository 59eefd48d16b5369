package sessionmgr

import (
	"errors"

	"weir/stanza"
	"weir/storage"
)

// A client that has given up a stream may send again on a new one while bytes of
// the old one are still to be read: both copies are then under way at once, and
// the log, where resent.go looks, has neither. So as long as an account has
// several sessions it is remembered what they have sent last, in the order in
// which that is written.

// maxLately is how many messages of an account are remembered.
const maxLately = 512

// lately is a message that was sealed.
type lately struct {
	hash  uint64
	tag   uint64 // of the session that sent it
	batch uint64
}

// sentLately is a ring of them.
type sentLately struct {
	all  []lately
	next int // the oldest, once all are in use
}

// find returns a message that another session has sent.
func (r *sentLately) find(hash, tag uint64) (x lately, ok bool) {
	for _, x := range r.all {
		if x.hash == hash && x.tag != tag {
			return x, true
		}
	}
	return lately{}, false
}

func (r *sentLately) add(x lately) {
	if len(r.all) < maxLately {
		r.all = append(r.all, x)
		return
	}
	r.all[r.next] = x
	r.next = (r.next + 1) % maxLately
}

// forget takes back what was in a batch that failed.
func (r *sentLately) forget(hash, tag uint64) {
	for i := range r.all {
		if r.all[i].hash == hash && r.all[i].tag == tag {
			r.all[i] = lately{}
		}
	}
}

// sentTwice reports whether another session of the account has sent the message
// of an item, and remembers it otherwise.
func (p *pipeline) sentTwice(b *batch, it *item) (first lately, twice bool) {
	st, s := it.message(), it.From
	if s == nil || s.ledger == nil || !it.count || st.IsError() || !st.HasChild(stanza.NSStanzaID, "origin-id") {
		return lately{}, false
	}
	l := s.ledger
	if len(p.m.registry.bound(l.account)) < 2 {
		l.lately = nil
		return lately{}, false
	}
	if l.lately == nil {
		l.lately = &sentLately{}
	}
	hash := p.m.fingerprint(st)
	if first, twice = l.lately.find(hash, s.queue.tag); !twice {
		l.lately.add(lately{hash, s.queue.tag, b.no})
		it.hash = hash
	}
	return first, twice
}

// notSent takes back that a message was sent, since it could not be kept.
func (it *item) notSent() {
	if it.hash != 0 && it.From.ledger != nil && it.From.ledger.lately != nil {
		it.From.ledger.lately.forget(it.hash, it.From.queue.tag)
	}
}

// handledBefore makes an item one that only counts. Where the first copy is in
// this very batch and that finds no room, neither is in the log: the sender is
// told so for both.
func (p *pipeline) handledBefore(b *batch, it *item, first lately) {
	p.m.metrics.duplicates.Inc()
	it.unfollow(Report{Fate: Taken}) // the first copy counts
	was := *it
	if it.owe != nil {
		p.m.ledgers.release(it.owe)
	}
	it.log, it.owe, it.copies, it.carbons, it.one, it.Out = false, nil, false, nil, Delivery{}, nil
	if first.batch != b.no || was.away { // a service has it whatever the log has
		return
	}
	it.rec = true
	it.Failed = func(err error) []Delivery {
		if !errors.Is(err, storage.ErrFull) {
			return nil
		}
		if d := p.bounced(&was, storageError(err)); d.To != nil {
			return []Delivery{d}
		}
		return nil
	}
}
