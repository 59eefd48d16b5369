package sessionmgr

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// TestTable holds a table against a map, with hashes that are good, and with such that
// many names share: nothing gets lost as it grows, shrinks and closes its holes.
func TestTable(t *testing.T) {
	for what, hash := range map[string]func(int) uint64{
		"good":   func(i int) uint64 { return uint64(i) * 0x9e3779b97f4a7c15 },
		"shared": func(i int) uint64 { return uint64(i % 3) },
		"edge":   func(i int) uint64 { return uint64(i) | 0xfffc }, // runs over the end of the slots
	} {
		rnd := rand.New(rand.NewPCG(1, 2))
		var tab table[int]
		want := map[int]int{}
		most := 0
		for step := range 20_000 {
			i := rnd.IntN(400)
			if busy := step/5000%2 == 0; rnd.IntN(10) < 3 == busy { // it fills, empties, fills, empties
				tab.drop(hash(i), fmt.Sprint(i))
				delete(want, i)
			} else {
				*tab.make(hash(i), fmt.Sprint(i)) = step
				want[i] = step
			}
			most = max(most, len(tab.slots))
			if tab.used != len(want) {
				t.Fatalf("%s: %d are used, want %d", what, tab.used, len(want))
			}
			for _, k := range []int{i, rnd.IntN(400)} {
				v, has := want[k]
				if at := tab.at(hash(k), fmt.Sprint(k)); (at != nil) != has || has && *at != v {
					t.Fatalf("%s: %d is %v, want %d %v", what, k, at, v, has)
				}
			}
		}
		for i := range 400 {
			v, has := want[i]
			if at := tab.at(hash(i), fmt.Sprint(i)); (at != nil) != has || has && *at != v {
				t.Errorf("%s: %d is %v, want %d %v", what, i, at, v, has)
			}
			tab.drop(hash(i), fmt.Sprint(i))
		}
		if tab.used != 0 || len(tab.slots) > 2*minSlots || most < 512 {
			t.Errorf("%s: at the end %d are used of %d slots, of %d before", what, tab.used, len(tab.slots), most)
		}
	}
	if n := unsafe.Sizeof(slot[account]{}); n != 64 {
		t.Errorf("an account's slot has %d bytes", n)
	}
}
