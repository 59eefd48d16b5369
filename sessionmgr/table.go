package sessionmgr

// table maps names to values, kept in it as they are, for whoever has their hash
// already. It is there for what a look-up costs with a hundred thousand accounts, and
// that is how many places of memory it touches that no cache has: here one, where a map
// of Go has two, and a third for what its value points to. The zero table is empty. It
// is guarded by its owner's lock.
type table[V any] struct {
	slots []slot[V] // a power of two; a name is at its hash or behind, with no hole between
	used  int
}

// slot has one name; the value of one with the name "" is zero.
type slot[V any] struct {
	hash uint64
	name string
	v    V
}

// minSlots is what a table begins with.
const minSlots = 8

// at returns where the value of a name is, nil if there is none. It is good until the
// table is changed.
func (t *table[V]) at(hash uint64, name string) *V {
	if t.used == 0 {
		return nil
	}
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		switch s := &t.slots[i]; {
		case s.name == "":
			return nil
		case s.hash == hash && s.name == name:
			return &s.v
		}
	}
}

// make returns where the value of a name is, which isn't "", and makes a place for it
// if there is none.
func (t *table[V]) make(hash uint64, name string) *V {
	if p := t.at(hash, name); p != nil {
		return p
	}
	if t.used >= len(t.slots)/4*3 {
		t.resize(max(minSlots, 2*len(t.slots)))
	}
	t.used++
	return t.free(hash, name)
}

// free gives a name the first free slot behind its hash.
func (t *table[V]) free(hash uint64, name string) *V {
	mask := uint64(len(t.slots) - 1)
	i := hash & mask
	for t.slots[i].name != "" {
		i = (i + 1) & mask
	}
	t.slots[i].hash, t.slots[i].name = hash, name
	return &t.slots[i].v
}

func (t *table[V]) resize(n int) {
	old := t.slots
	t.slots = make([]slot[V], n)
	for i := range old {
		if s := &old[i]; s.name != "" {
			*t.free(s.hash, s.name) = s.v
		}
	}
}

// drop takes a name out, and moves those behind it up that are where they are only
// because it was there. What a burst has used is given back.
func (t *table[V]) drop(hash uint64, name string) {
	if t.at(hash, name) == nil {
		return
	}
	mask := uint64(len(t.slots) - 1)
	hole := hash & mask
	for t.slots[hole].hash != hash || t.slots[hole].name != name {
		hole = (hole + 1) & mask
	}
	for i := (hole + 1) & mask; t.slots[i].name != ""; i = (i + 1) & mask {
		if home := t.slots[i].hash & mask; (i-home)&mask >= (i-hole)&mask { // its home isn't behind the hole
			t.slots[hole] = t.slots[i]
			hole = i
		}
	}
	t.slots[hole] = slot[V]{}
	if t.used--; len(t.slots) > minSlots && t.used < len(t.slots)/8 {
		t.resize(len(t.slots) / 2)
	}
}
