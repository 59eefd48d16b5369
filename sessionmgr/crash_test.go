package sessionmgr

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"weir/jid"
	"weir/storage/pebble"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestOwedSurvivesAPowerCut cuts the power while romeo writes to juliet, who
// isn't there: what he was acknowledged is there afterwards, in order.
func TestOwedSurvivesAPowerCut(t *testing.T) {
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 5))
		mem := vfs.NewCrashableMem()
		st, err := pebble.Open(pebble.Options{FS: mem, Dir: "data"})
		if err != nil {
			t.Fatal(err)
		}
		h := newHouseOn(t, st)
		romeo := h.bind("romeo@verona.lit/orchard")
		for i := range 1 + rng.IntN(40) {
			romeo.send(fmt.Sprintf("<message to='juliet@verona.lit' type='chat'><body>n%d.</body></message>", i))
		}
		acked := int(romeo.Handled())
		after := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(100), RNG: rng})
		h.Stop(t.Context())
		st.Close()

		if st, err = pebble.Open(pebble.Options{FS: after, Dir: "data"}); err != nil {
			t.Fatal(err)
		}
		again := newHouseOn(t, st)
		juliet := again.bind("juliet@verona.lit/balcony")
		juliet.available(0)
		got := juliet.got()
		if len(got) < acked {
			t.Errorf("seed %d: %d came of %d acknowledged", seed, len(got), acked)
		}
		for i, x := range got {
			if !strings.Contains(x, fmt.Sprintf("n%d.", i)) {
				t.Errorf("seed %d: message %d is %s", seed, i, x)
			}
		}
		again.Stop(t.Context())
		st.Close()
	}
}

// BenchmarkBoundSession measures what a bound session of an account of its own
// keeps on the heap, in bytes.
func BenchmarkBoundSession(b *testing.B) {
	h := newHouse(&testing.T{})
	const many = 5000
	var all [many]*Session
	for b.Loop() {
		clear(all[:])
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range all {
			link := sink{}
			s := h.Open(&link, LinkInfo{})
			h.Authenticated(s, jid.MustParse(fmt.Sprintf("u%d@verona.lit", i)))
			if err := h.Bind(b.Context(), s, "r", func(jid.JID) {}); err != nil {
				b.Fatal(err)
			}
			all[i] = s
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/many, "heap-B/session")
		b.ReportMetric(float64(unsafe.Sizeof(Session{})), "struct-B")
		b.ReportMetric(float64(unsafe.Sizeof(sink{})), "link-B")
		for _, s := range all {
			h.Closed(s, s.Link(), Cause{Code: LinkLost})
		}
	}
}
