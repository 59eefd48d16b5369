package sessionmgr

import (
	"slices"
	"time"

	"weir/jid"
	"weir/storage"
)

// graves are the sessions whose numbers are remembered after their end, oldest
// first, so that they can be forgotten in time. They belong to the pipeline's
// token holder.
type graves struct {
	list []grave
	of   map[jid.JID]int // how many are of an account
	over []grave         // to be forgotten before their time
}

type grave struct {
	account jid.JID
	tag     uint64
	until   time.Time
}

// Bounds of how many ended sessions are remembered. An account at its own loses its
// oldest, half of them at a time, and nobody else's.
const (
	maxGraves        = 100_000
	maxAccountGraves = 1000
)

func (g *graves) add(account jid.JID, tag uint64, ended time.Time) {
	if g.of == nil {
		g.of = make(map[jid.JID]int)
	}
	if g.of[account] >= maxAccountGraves {
		g.thin(account)
	}
	g.of[account]++
	g.list = append(g.list, grave{account, tag, ended.Add(endedFor)})
}

// thin forgets the older half of an account's.
func (g *graves) thin(account jid.JID) {
	n := g.of[account] / 2
	g.of[account] -= n
	g.list = slices.DeleteFunc(g.list, func(x grave) bool {
		if n == 0 || x.account != account {
			return false
		}
		n--
		g.over = append(g.over, x)
		return true
	})
}

// sweep adds to a batch what forgets the sessions whose time is over.
func (g *graves) sweep(b *storage.Batch, st *sessionStore, now time.Time) {
	n := 0
	for n < len(g.list) && (now.After(g.list[n].until) || len(g.list)-n > maxGraves) {
		if x := g.list[n].account; g.of[x] > 1 {
			g.of[x]--
		} else {
			delete(g.of, x)
		}
		n++
	}
	for _, some := range [][]grave{g.over, g.list[:n]} {
		for _, x := range some {
			st.records.Delete(b, x.account.String(), recordKey(x.tag, keyEnded))
		}
	}
	g.over = nil
	if n > 0 {
		g.list = append([]grave(nil), g.list[n:]...)
	}
}
