package storagetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"weir/storage"
)

// Small alphabets, so that random operations meet.
var (
	kinds    = [...]storage.Kind{storage.KindKeyVal, storage.KindMap, storage.KindLog}
	tables   = [...]string{"t", "t\x00", "u"}
	accounts = [...]string{"", "a", "a\x00", "a\x00\x01", "ab", "b"}
	items    = [...]string{"", "\x00", "\x00\xff", "m", "m\x00", "n", "\xff"}
)

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

func randomKey(rng *rand.Rand) storage.Key {
	k := storage.Key{Kind: pick(rng, kinds[:]), Table: pick(rng, tables[:]), Account: pick(rng, accounts[:])}
	switch k.Kind {
	case storage.KindMap:
		k.Item = pick(rng, items[:])
	case storage.KindLog:
		k.Item = storage.LogItem(rng.Uint64N(5))
	}
	return k
}

func randomOp(rng *rand.Rand) storage.Op {
	op := storage.Op{Key: randomKey(rng)}
	switch n := rng.IntN(10); {
	case n == 0:
		op.Range = true
		if op.Key.Kind != storage.KindKeyVal {
			op.Until = randomKey(rng).Item
		}
	case n < 3: // a deletion
	default:
		op.Value = fmt.Append([]byte{}, rng.Uint32())
	}
	return op
}

// model is what a store should hold.
type model map[storage.Key][]byte

func newModel() model { return make(model) }

func (m model) apply(b *storage.Batch) {
	for _, op := range b.Ops {
		switch {
		case op.Range:
			for k := range m {
				if account(k) == account(op.Key) && k.Item >= op.Key.Item && (op.Until == "" || k.Item < op.Until) {
					delete(m, k)
				}
			}
		case op.Value == nil:
			delete(m, op.Key)
		default:
			m[op.Key] = op.Value
		}
	}
}

// account is the key without its item.
func account(k storage.Key) storage.Key {
	k.Item = ""
	return k
}

// items returns the items of k's account from k.Item on, and those below it.
func (m model) items(k storage.Key) (from, below []string) {
	for o, v := range m {
		if account(o) != account(k) {
			continue
		}
		if o.Item >= k.Item {
			from = append(from, o.Item+"="+string(v))
		}
		if o.Item < k.Item || k.Item == "" {
			below = append(below, o.Item+"="+string(v))
		}
	}
	less := func(a, b string) int { // by item: values have no '=' and items neither
		return slices.Compare([]byte(a[:indexEq(a)]), []byte(b[:indexEq(b)]))
	}
	slices.SortFunc(from, less)
	slices.SortFunc(below, func(a, b string) int { return less(b, a) })
	return from, below
}

func indexEq(s string) int {
	for i := len(s) - 1; ; i-- {
		if s[i] == '=' {
			return i
		}
	}
}

// compare tells the first difference between the model and the store.
func (m model) compare(ctx context.Context, st storage.Store, rng *rand.Rand) string {
	for k, v := range m {
		if got, err := st.Get(ctx, k); err != nil || string(got) != string(v) {
			return fmt.Sprintf("get %+v: %q, %v, want %q", k, got, err, v)
		}
	}
	for range 30 {
		k := randomKey(rng)
		wantFrom, wantBelow := m.items(k)
		var from, below []string
		collect := func(to *[]string) func(string, []byte) bool {
			return func(item string, v []byte) bool { *to = append(*to, item+"="+string(v)); return true }
		}
		if err := st.Scan(ctx, k, collect(&from)); err != nil || !slices.Equal(from, wantFrom) {
			return fmt.Sprintf("scan from %+v: %q, %v, want %q", k, from, err, wantFrom)
		}
		if err := st.ScanReverse(ctx, k, collect(&below)); err != nil || !slices.Equal(below, wantBelow) {
			return fmt.Sprintf("scan back from %+v: %q, %v, want %q", k, below, err, wantBelow)
		}
		var got, want []string
		for _, a := range accounts {
			if from, _ := m.items(storage.Key{Kind: k.Kind, Table: k.Table, Account: a}); len(from) > 0 && (k.Account == "" || a > k.Account) {
				want = append(want, a)
			}
		}
		if err := st.Accounts(ctx, k.Kind, k.Table, k.Account, func(a string) bool { got = append(got, a); return true }); err != nil || !slices.Equal(got, want) {
			return fmt.Sprintf("accounts of %c %q after %q: %q, %v, want %q", k.Kind, k.Table, k.Account, got, err, want)
		}
	}
	return ""
}
