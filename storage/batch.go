package storage

// Batch is a set of writes that become durable together or not at all. The
// zero value is an empty batch. It belongs to one goroutine until it is given
// to Commit, and again once done was called.
type Batch struct{ Ops []Op }

// opOverhead is what an op costs beside its strings and its value: the
// encoding of the key and the driver's own framing, roughly.
const opOverhead = 24

// Len returns the number of writes.
func (b *Batch) Len() int { return len(b.Ops) }

// Size returns about how many bytes the batch writes.
func (b *Batch) Size() int {
	n := 0
	for i := range b.Ops {
		n += b.Ops[i].Size()
	}
	return n
}

// Size returns about how many bytes the op writes.
func (o *Op) Size() int {
	return opOverhead + len(o.Key.Table) + len(o.Key.Account) + len(o.Key.Item) + len(o.Value) + len(o.Until)
}

// Reset empties the batch and keeps its memory for the next use, without
// holding on to the records that were in it.
func (b *Batch) Reset() {
	clear(b.Ops)
	b.Ops = b.Ops[:0]
}

// Merge appends the writes of other, which stays as it is. They apply after
// those already there.
func (b *Batch) Merge(other *Batch) { b.Ops = append(b.Ops, other.Ops...) }

// Put adds one record. A nil rec is an empty record, not a deletion.
func (b *Batch) Put(k Key, rec []byte) {
	if rec == nil {
		rec = []byte{}
	}
	b.Ops = append(b.Ops, Op{Key: k, Value: rec})
}

// Delete removes one record, if it is there.
func (b *Batch) Delete(k Key) { b.Ops = append(b.Ops, Op{Key: k}) }

// DeleteRange removes the records of k's account whose items are in
// [k.Item, until); until "" means to the end. A range costs the store more
// than a handful of single deletions, and far less than hundreds.
func (b *Batch) DeleteRange(k Key, until string) {
	b.Ops = append(b.Ops, Op{Key: k, Until: until, Range: true})
}
