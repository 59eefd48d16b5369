package sessionmgr

// A message that is not to be archived (XEP-0334 §3.1, or the account's
// preferences) is in the log only until those have it who are to get it. With one
// receiver it goes when that acknowledges it, or when a chunk with it was written;
// else when nobody needs that part of the log any more.

// hiddenRecord is a record that isn't of the archive and was delivered.
type hiddenRecord struct {
	l  *ledger
	id uint64
}

// maxHidden is how many records of an account are remembered for that. Older
// ones stay until the retention.
const maxHidden = 512

// hides notes the record of the message being sealed, for the sessions in named,
// and reports whether one of them lets it go alone. owed says that it also waits
// for somebody to come.
func (p *pipeline) hides(l *ledger, id uint64, owed bool) bool {
	p.forgetHidden(l)
	if n := len(p.named); n == 0 || n == 1 && !owed && p.named[0].sm != nil {
		return true
	}
	if len(l.hidden) == maxHidden {
		l.hidden = append(l.hidden[:0], l.hidden[maxHidden/4:]...)
	}
	l.hidden = append(l.hidden, id)
	return false
}

// forgetHidden has those records go that nobody needs any more, with the next
// batch.
func (p *pipeline) forgetHidden(l *ledger) {
	if len(l.hidden) == 0 {
		return
	}
	upTo, n := p.m.needed(l), 0
	for n < len(l.hidden) && l.hidden[n] <= upTo {
		p.hidden = append(p.hidden, hiddenRecord{l, l.hidden[n]})
		n++
	}
	if l.hidden = l.hidden[n:]; len(l.hidden) == 0 {
		l.hidden = nil
	}
}

// letRecordsGo has some records go that nobody is to get any more.
func (p *pipeline) letRecordsGo(l *ledger, ids []uint64) {
	for _, id := range ids {
		p.hidden = append(p.hidden, hiddenRecord{l, id})
	}
}

// hiddenWritten has the records go that a chunk was made of, where nobody else
// was to get them.
func (p *pipeline) hiddenWritten(l *ledger, c *chunk) {
	for _, x := range c.refs {
		if x.hide {
			p.hidden = append(p.hidden, hiddenRecord{l, x.id})
		}
	}
	p.letRecordsGo(l, c.lost)
	p.forgetHidden(l)
}
