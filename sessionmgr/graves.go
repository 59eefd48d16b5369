package sessionmgr

import (
	"time"

	"weir/jid"
	"weir/storage"
)

// graves are the sessions whose numbers are remembered after their end, oldest
// first, so that they can be forgotten in time. They belong to the pipeline's
// token holder.
type graves struct{ list []grave }

type grave struct {
	account jid.JID
	tag     uint64
	until   time.Time
}

// maxGraves is how many ended sessions are remembered at most.
const maxGraves = 100_000

func (g *graves) add(account jid.JID, tag uint64, ended time.Time) {
	g.list = append(g.list, grave{account, tag, ended.Add(endedFor)})
}

// sweep adds to a batch what forgets the sessions whose time is over.
func (g *graves) sweep(b *storage.Batch, st *sessionStore, now time.Time) {
	n := 0
	for n < len(g.list) && (now.After(g.list[n].until) || len(g.list)-n > maxGraves) {
		st.records.Delete(b, g.list[n].account.String(), recordKey(g.list[n].tag, keyEnded))
		n++
	}
	if n > 0 {
		g.list = append([]grave(nil), g.list[n:]...)
	}
}
