package presence

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/storage"
)

// To whom sessions have sent directed presence, for a later process: a session that
// goes on there takes it back when it ends, and whoever had it of a session that does
// not is told at once. A record is durable before its target sees the presence, and
// goes in a commit behind the one that the target is told otherwise with: what is told
// twice does no harm.

const (
	tableDirected   = "presence.directed" // Map: the account's sessions with their targets
	directedVersion = 1
)

// directedItem is the key of a record: id is the session's.
func directedItem(id string, to jid.JID) string { return id + "\x00" + to.String() }

// directedRecord is what is kept of a target: the resource that its session had, and
// the presence where that has to be sent again.
func directedRecord(resource string, last *stanza.Stanza) []byte {
	b := binary.AppendUvarint([]byte{directedVersion}, uint64(len(resource)))
	b = append(b, resource...)
	if last != nil {
		b = last.AppendTo(b)
	}
	return b
}

// readDirected reads a record. last is nil where none is kept.
func readDirected(item string, b []byte) (id string, to jid.JID, resource string, last *stanza.Stanza, err error) {
	bad := fmt.Errorf("presence: the record of a directed presence can't be read: %q", item)
	id, address, ok := strings.Cut(item, "\x00")
	if !ok || len(b) < 2 || b[0] != directedVersion {
		return "", to, "", nil, bad
	}
	n, size := binary.Uvarint(b[1:])
	if size <= 0 || uint64(len(b)-1-size) < n {
		return "", to, "", nil, bad
	}
	b = b[1+size:]
	if to, err = jid.Parse(address); err != nil {
		return "", to, "", nil, bad
	}
	if rest := b[n:]; len(rest) > 0 {
		if last, err = stanza.Parse(append([]byte(nil), rest...)); err != nil {
			return "", to, "", nil, bad
		}
	}
	return id, to, string(b[:n]), last, nil
}

// remember returns what is to be written before a target sees a session's presence.
// Where nobody resumes a session nobody has to know.
func (h *Handler) remember(s *sessionmgr.Session, t *targets, to jid.JID) (w storage.Batch) {
	if h.traces.keep() == 0 {
		return w
	}
	full := s.JID()
	h.targets.Put(&w, full.Bare().String(), directedItem(s.ID(), to), directedRecord(full.Resource(), t.keepsFor(to)))
	return w
}

// unremember removes what is kept of some targets, but for those that are targets again
// by then.
func (h *Handler) unremember(s *sessionmgr.Session, t *targets, gone ...jid.JID) {
	if len(gone) == 0 || !t.written.Load() {
		return
	}
	account := s.JID().Bare().String()
	var w storage.Batch
	for _, to := range gone {
		h.targets.Delete(&w, account, directedItem(s.ID(), to))
	}
	h.m.Submit(sessionmgr.Entry{Writes: w})
	var again storage.Batch
	for _, to := range gone {
		if t.targets(to) {
			again.Ops = append(again.Ops, h.remember(s, t, to).Ops...)
		}
	}
	if again.Len() > 0 {
		h.m.Submit(sessionmgr.Entry{Writes: again})
	}
}

// unrememberAll removes all that is kept of a session's targets, once they were told.
func (h *Handler) unrememberAll(s *sessionmgr.Session, t *targets) {
	if !t.written.Load() {
		return
	}
	var w storage.Batch
	h.targets.clear(&w, s.JID().Bare().String(), s.ID())
	h.m.Submit(sessionmgr.Entry{Writes: w})
}

// directedRecords are those of all sessions.
type directedRecords struct{ storage.Map }

// clear removes those of one session.
func (r directedRecords) clear(w *storage.Batch, account, id string) {
	w.DeleteRange(storage.Key{Kind: storage.KindMap, Table: tableDirected, Account: account, Item: id + "\x00"}, id+"\x01")
}

// startDirected reads what an earlier process left. Those of whom nobody is here any
// more are gone: their targets wait for them no longer.
func (h *Handler) startDirected(ctx context.Context) error {
	accounts, err := h.targets.Table().AccountNames(ctx, h.store)
	if err != nil {
		return err
	}
	for _, account := range accounts {
		bare, err := jid.Parse(account)
		if err != nil {
			continue // nobody has that address
		}
		if err := h.readTargets(ctx, bare); err != nil {
			return err
		}
	}
	return nil
}

// readTargets does that for one account.
func (h *Handler) readTargets(ctx context.Context, account jid.JID) error {
	var over storage.Batch
	var left []*stanza.Stanza // goodbyes
	err := h.targets.All(ctx, account.String(), func(item string, b []byte) bool {
		id, to, resource, last, err := readDirected(item, b)
		if err != nil {
			h.o.Log.Error("directed presence is forgotten", "account", account, "err", err)
			h.targets.Delete(&over, account.String(), item)
			return true
		}
		if s := h.m.Get(id); s != nil && s.JID().Bare() == account {
			h.restoreTarget(s, to, last)
			return true
		}
		if from, err := account.WithResource(resource); err == nil {
			left = append(left, goodbye(from).With(from, to))
		}
		h.targets.Delete(&over, account.String(), item)
		return true
	})
	if err != nil {
		return err
	}
	var list *sessionmgr.Blocklist
	if len(left) > 0 {
		if list, err = h.m.BlocklistOf(ctx, account); err != nil {
			left = nil
		}
	}
	var out []sessionmgr.Delivery
	var services []*stanza.Stanza
	for _, st := range left {
		if list.Has(st.To) {
			continue // who is blocked was told when that began, or never knew
		}
		if h.m.HasService(st.To.Domain()) {
			services = append(services, st)
			continue
		}
		out = h.address(out, st)
	}
	h.m.Submit(sessionmgr.Entry{Out: out})
	h.toServices(services, over)
	return nil
}

// toServices tells services who has gone, when they are connected again as a rule. The
// records go with that.
func (h *Handler) toServices(all []*stanza.Stanza, over storage.Batch) {
	tell := func() {
		for _, st := range all {
			h.m.ToService(st)
		}
		if over.Len() > 0 {
			h.m.Submit(sessionmgr.Entry{Writes: over})
		}
	}
	if len(all) == 0 {
		tell()
		return
	}
	time.AfterFunc(serviceDelay, func() {
		if !h.m.Stopping() { // the next process does it
			tell()
		}
	})
}

// serviceDelay is how long after a start services are told.
const serviceDelay = time.Minute

// restoreTarget notes a target of a session that goes on.
func (h *Handler) restoreTarget(s *sessionmgr.Session, to jid.JID, last *stanza.Stanza) {
	t := h.targetsOf(s)
	t.add(to, max(h.o.MaxDirected, 1))
	t.written.Store(true)
	if last != nil && h.o.Hibernating != Stay {
		t.keep(last)
	}
}
