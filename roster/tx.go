package roster

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"weir/jid"
	"weir/storage"
)

var errNotHanded = errors.New("roster: the writes were not handed on")

// Tx changes the rosters of a few accounts together: what it computes is seen by
// its own methods at once, by others and in storage only with Commit. It belongs
// to one goroutine. It must be closed; Close after Commit does nothing.
type Tx struct {
	r      *Rosters
	drafts []*draft // by address
	extra  storage.Batch
	closed bool
}

// draft is what a transaction has computed for one account.
type draft struct {
	a     *account
	edits []edit
	ver   version
	// stored: a request is kept, though no edit says so
	stored bool
	// the sums with the edits applied
	listed, bytes, pending int
}

// edit is one contact before and after; now nil: gone.
type edit struct {
	contact jid.JID
	now     *Item
	removed uint64 // the version's counter, where clients see that it went
}

// Begin takes the turns of the accounts (bare JIDs), in the order of their
// addresses so that two transactions can't wait for each other, and reads their
// rosters where they aren't in memory. It may block.
func (r *Rosters) Begin(ctx context.Context, accounts ...jid.JID) (*Tx, error) {
	accounts = slices.Clone(accounts)
	slices.SortFunc(accounts, func(x, y jid.JID) int { return cmp.Compare(x.String(), y.String()) })
	tx := &Tx{r: r}
	for _, j := range slices.Compact(accounts) {
		a := r.shard(j).take(j)
		a.turn.Lock()
		d := &draft{a: a}
		tx.drafts = append(tx.drafts, d)
		if err := a.refresh(ctx, r.store); err != nil {
			tx.Close()
			return nil, err
		}
		d.ver, d.listed, d.bytes, d.pending = a.ver, a.listed, a.bytes, a.pending // stable: we have the turn
	}
	return tx, nil
}

// Close gives the turns back and forgets what was not committed.
func (tx *Tx) Close() {
	if tx.closed {
		return
	}
	tx.closed = true
	for _, d := range slices.Backward(tx.drafts) {
		d.a.turn.Unlock()
		tx.r.shard(d.a.jid).release(d.a)
	}
}

// Commit makes the changes visible to readers and gives their writes to submit,
// which must hand them on for commit before it returns, and see that settle is
// called once with the result (from any goroutine; it doesn't block). Then it
// closes the transaction. If the commit fails, the rosters concerned are read
// again.
func (tx *Tx) Commit(submit func(w storage.Batch, settle func(error))) {
	var w storage.Batch
	var changed []*account
	for _, d := range tx.drafts {
		if len(d.edits) == 0 && !d.stored {
			continue
		}
		d.write(&w)
		changed = append(changed, d.a)
		tx.r.shard(d.a.jid).take(d.a.jid) // until settled
	}
	w.Merge(&tx.extra)
	handed := false
	defer func() {
		if !handed { // submit panicked: nothing was handed on
			tx.r.settle(changed, errNotHanded)
		}
		tx.Close()
	}()
	submit(w, func(err error) { tx.r.settle(changed, err) })
	handed = true
}

// write applies the draft to the roster in memory and adds its records to w.
func (d *draft) write(w *storage.Batch) {
	a := d.a
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range d.edits {
		if e.removed > 0 {
			w.Put(removedKey(a.jid, e.removed), encodeRemoved(e.contact, time.Now()))
		}
		if e.now == nil {
			w.Delete(itemKey(a.jid, e.contact))
		} else {
			w.Put(itemKey(a.jid, e.contact), e.now.encode())
		}
		a.apply(e.contact, e.now)
	}
	if d.ver != a.ver {
		w.Put(versionKey(a.jid), d.ver.encode())
		a.ver = d.ver
	}
	a.inflight++
	a.generation++
}

// settle counts a commit, and after a failed one has the rosters read again.
func (r *Rosters) settle(changed []*account, err error) {
	for _, a := range changed {
		a.mu.Lock()
		a.inflight--
		a.failed = a.failed || err != nil
		reread := a.failed && a.inflight == 0
		if a.inflight == 0 && a.settled != nil {
			a.settled.Broadcast()
		}
		a.mu.Unlock()
		if reread {
			go r.reread(a)
			continue
		}
		r.shard(a.jid).release(a)
	}
}

// reread brings a roster back to what is stored. If storage can't be read, the
// next transaction tries again.
func (r *Rosters) reread(a *account) {
	a.turn.Lock()
	_ = a.refresh(context.Background(), r.store)
	a.turn.Unlock()
	r.shard(a.jid).release(a)
}

// draft returns what is computed for an account that was given to Begin.
func (tx *Tx) draft(account jid.JID) *draft {
	for _, d := range tx.drafts {
		if d.a.jid == account {
			return d
		}
	}
	panic("roster: account was not given to Begin")
}

// Has reports whether an account was given to Begin.
func (tx *Tx) Has(account jid.JID) bool {
	return slices.ContainsFunc(tx.drafts, func(d *draft) bool { return d.a.jid == account })
}

// Item returns what account knows of a contact, with the changes so far.
func (tx *Tx) Item(account, contact jid.JID) Item {
	return tx.draft(account).item(contact)
}

// Contacts returns the addresses of all contacts, requests that wait included.
func (tx *Tx) Contacts(account jid.JID) []jid.JID {
	d := tx.draft(account)
	all := make([]jid.JID, 0, len(d.a.items))
	for _, i := range d.a.items {
		all = append(all, i.JID)
	}
	return all
}

// item returns a contact as the draft has it; an unknown one is None and unlisted.
func (d *draft) item(contact jid.JID) Item {
	for _, e := range d.edits {
		if e.contact == contact {
			if e.now == nil {
				return Item{JID: contact}
			}
			return *e.now
		}
	}
	if i := d.a.find(contact); i != nil { // only who has the turn changes items
		return *i
	}
	return Item{JID: contact}
}

// put notes that was became now. If clients see the difference, or are to be
// told anyway, the version moves on and the push is returned.
func (d *draft) put(was, now Item, tell bool) *Push {
	var push *Push
	if tell || !was.looksLike(&now) {
		d.ver = d.ver.next()
		now.changed = d.ver.n
		push = &Push{Account: d.a.jid, Item: now, Removed: !now.Listed, Ver: d.ver.token()}
		if push.Removed {
			d.ver.deleted = d.ver.n
		}
	}
	sums := account{listed: d.listed, bytes: d.bytes, pending: d.pending}
	sums.count(&was, -1)
	keep := now.Listed || now.State != None
	e := edit{contact: now.JID}
	if keep {
		sums.count(&now, +1)
		e.now = &now
	}
	if push != nil && push.Removed {
		e.removed = d.ver.n
	}
	d.listed, d.bytes, d.pending = sums.listed, sums.bytes, sums.pending
	for i := range d.edits {
		if d.edits[i].contact == e.contact {
			d.edits[i] = e
			return push
		}
	}
	d.edits = append(d.edits, e)
	return push
}
