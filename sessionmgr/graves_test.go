package sessionmgr

import (
	"testing"
	"time"

	"weir/jid"
	"weir/storage"
)

// TestGravesOfOneAccount: who ends one session after another loses the oldest counts
// of its own, and nobody else's.
func TestGravesOfOneAccount(t *testing.T) {
	var g graves
	romeo, juliet := jid.MustParse("romeo@verona.lit"), jid.MustParse("juliet@verona.lit")
	now := time.Now()
	g.add(juliet, 1, now)
	const n = 5 * maxAccountGraves
	for i := range n {
		g.add(romeo, uint64(2+i), now)
	}
	if g.list[0].account != juliet || len(g.list) > maxAccountGraves+1 || g.of[romeo] != len(g.list)-1 || g.list[len(g.list)-1].tag != n+1 {
		t.Errorf("%d are remembered, %d counted, the first of %s", len(g.list), g.of[romeo], g.list[0].account)
	}
	kept, st := len(g.list), &sessionStore{}
	var b storage.Batch
	g.sweep(&b, st, now)
	if len(b.Ops) != n+1-kept {
		t.Errorf("%d records deleted, %d are forgotten", len(b.Ops), n+1-kept)
	}
	b = storage.Batch{}
	g.sweep(&b, st, now.Add(endedFor+time.Second))
	if len(b.Ops) != kept || len(g.list) != 0 || len(g.of) != 0 {
		t.Errorf("in time %d of %d are deleted, %d and %d stay", len(b.Ops), kept, len(g.list), len(g.of))
	}
}
