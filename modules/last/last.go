// Package last tells how long ago somebody was here (XEP-0012): for the server
// its uptime, for an account the time since its last session ended.
//
// It owns one small record for each account, written when its last session
// ends. It must not know rosters: who may ask is decided by the
// manager's guard before its handler is called. Handlers may read storage and
// run on a goroutine of their own; the hook runs on whichever goroutine ends a
// session.
//
// Start reading at [New].
package last

import (
	"context"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"time"

	"weir/hook"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/storage"
)

// tableLeft is a KeyVal: bare JID → when its last session ended.
const tableLeft = "last"

// NS is the namespace of last activity.
const NS = "jabber:iq:last"

// Query is the payload of an answer.
type Query struct {
	XMLName xml.Name `xml:"jabber:iq:last query"`
	Seconds int64    `xml:"seconds,attr"`
}

// Module keeps when accounts were last here.
type Module struct {
	m       *sessionmgr.Manager
	left    storage.KeyVal
	started time.Time
}

// New registers with m and keeps its records in st.
func New(m *sessionmgr.Manager, st storage.Store) *Module {
	mod := &Module{m: m, left: storage.NewKeyVal(st, tableLeft), started: time.Now()}
	m.HandleIQ(sessionmgr.IQHandler{
		NS: NS, Local: "query", Scope: sessionmgr.OnServer, Get: mod.uptime, // XEP-0012 §5
	})
	m.HandleIQ(sessionmgr.IQHandler{
		NS: NS, Local: "query", Scope: sessionmgr.OnSelf | sessionmgr.OnAccount,
		Get: mod.account, Blocking: true, // XEP-0012 §3
	})
	m.Hooks.Unbound.Add("last", hook.Late, mod.unbound)
	return mod
}

// Table names the records, for the deletion of an account.
func (mod *Module) Table() storage.Table { return mod.left.Table() }

func (mod *Module) uptime(context.Context, *stanza.Stanza) (any, error) {
	return Query{Seconds: int64(time.Since(mod.started) / time.Second)}, nil
}

func (mod *Module) account(ctx context.Context, iq *stanza.Stanza) (any, error) {
	account := iq.To
	if account.IsZero() {
		account = iq.From.Bare()
	}
	if len(mod.m.ByAccount(account)) > 0 {
		return Query{}, nil // XEP-0012 §3: a connected or available resource is no time ago
	}
	rec, err := mod.left.Get(ctx, account.String())
	switch {
	case errors.Is(err, storage.ErrNotFound) || err == nil && len(rec) != 8:
		return nil, stanza.ServiceUnavailable()
	case err != nil:
		return nil, err
	}
	at := time.Unix(int64(binary.BigEndian.Uint64(rec)), 0)
	return Query{Seconds: max(0, int64(time.Since(at)/time.Second))}, nil
}

// CheckRecord reports whether a record of when somebody was here can be read; nil for
// those of other tables. It is for those who check a store.
func CheckRecord(table string, rec []byte) error {
	if table == tableLeft && len(rec) != 8 {
		return fmt.Errorf("last: when the account was here can't be read: % x", rec)
	}
	return nil
}

func (mod *Module) unbound(_ context.Context, s *sessionmgr.Session) {
	account := s.JID().Bare()
	if len(mod.m.ByAccount(account)) > 0 {
		return
	}
	var e sessionmgr.Entry
	mod.left.Set(&e.Writes, account.String(), binary.BigEndian.AppendUint64(nil, uint64(time.Now().Unix())))
	mod.m.Submit(e)
}
