package presence

import (
	"sync"
	"sync/atomic"

	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/storage"
)

// targets are the addresses to which a session sent directed presence and has
// not taken it back (RFC 6121 §4.6.1). In order of their coming.
type targets struct {
	mu   sync.Mutex
	list []jid.JID
	set  map[jid.JID]struct{}
	// last is what was sent to whom, where that has to be sent again; bytes its size.
	last  map[jid.JID]*stanza.Stanza
	bytes int

	written atomic.Bool // some may be in the store
}

// keptDirected is how many bytes of directed presence are kept of a session.
const keptDirected = 16 << 10

// sent is one directed presence.
type sent struct {
	to   jid.JID
	last *stanza.Stanza // nil: not kept
}

// keep keeps what was sent to a target, as long as there is room.
func (t *targets) keep(st *stanza.Stanza) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(st.To)
	if _, known := t.set[st.To]; !known || t.bytes+st.Size() > keptDirected {
		return
	}
	if t.last == nil {
		t.last = make(map[jid.JID]*stanza.Stanza)
	}
	t.last[st.To] = st
	t.bytes += st.Size()
}

// forget drops what was kept; mu is held.
func (t *targets) forget(to jid.JID) {
	if st := t.last[to]; st != nil {
		t.bytes -= st.Size()
		delete(t.last, to)
	}
}

// all returns the targets and what is kept of each.
func (t *targets) all() []sent {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]sent, len(t.list))
	for i, to := range t.list {
		list[i] = sent{to, t.last[to]}
	}
	return list
}

// keepsFor returns what is kept for a target, nil for nothing.
func (t *targets) keepsFor(to jid.JID) *stanza.Stanza {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last[to]
}

// targets reports whether exactly that address is a target.
func (t *targets) targets(to jid.JID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, known := t.set[to]
	return known
}

// add notes a target: fresh says that it is one more; ok is false if there are limit
// targets already.
func (t *targets) add(to jid.JID, limit int) (fresh, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.set[to]; known {
		return false, true
	}
	if len(t.list) >= limit {
		return false, false
	}
	if t.set == nil {
		t.set = make(map[jid.JID]struct{})
	}
	t.set[to] = struct{}{}
	t.list = append(t.list, to)
	return true, true
}

// drop forgets exactly that address. It reports whether it was there.
func (t *targets) drop(to jid.JID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, known := t.set[to]
	if known {
		t.delete(func(j jid.JID) bool { return j == to })
	}
	return known
}

// remove forgets an address, and if it is bare those of its resources too. It
// returns them.
func (t *targets) remove(to jid.JID) []jid.JID {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.delete(func(j jid.JID) bool { return j == to || to.IsBare() && j.Bare() == to })
}

func (t *targets) delete(gone func(jid.JID) bool) (all []jid.JID) {
	kept := t.list[:0]
	for _, j := range t.list {
		if gone(j) {
			delete(t.set, j)
			t.forget(j)
			all = append(all, j)
			continue
		}
		kept = append(kept, j)
	}
	clear(t.list[len(kept):])
	t.list = kept
	return all
}

// clear forgets all and returns them.
func (t *targets) clear() []jid.JID {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.list
	t.list, t.set, t.last, t.bytes = nil, nil, nil, 0
	return all
}

// has reports whether presence was sent to viewer (full or bare) or to its bare JID.
func (t *targets) has(viewer jid.JID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.set[viewer]; ok {
		return true
	}
	_, ok := t.set[viewer.Bare()]
	return ok
}

// targetsOf returns the targets of a session, to be added to.
func (h *Handler) targetsOf(s *sessionmgr.Session) *targets {
	t, ok := h.directed.Get(s)
	if !ok {
		t = new(targets)
		h.directed.Set(s, t)
	}
	return t
}

// direct handles presence to an address (RFC 6121 §4.6.3). It is delivered as
// it is; nobody is told whether the address exists.
func (h *Handler) direct(s *sessionmgr.Session, st *stanza.Stanza) error {
	reaches := st.To.Local() != "" && h.m.Local(st.To.Domain()) || h.m.HasService(st.To.Domain())
	if st.Type == typeUnavailable {
		forget := func(error) {}
		if t, ok := h.directed.Get(s); ok {
			gone := t.remove(st.To)
			forget = func(error) { h.unremember(s, t, gone...) }
		}
		if !reaches {
			forget(nil)
			return nil
		}
		h.m.Submit(sessionmgr.Entry{From: s, Out: h.address(nil, st), Done: forget})
		return nil
	}
	t := h.targetsOf(s)
	fresh, room := t.add(st.To, h.o.MaxDirected)
	if !room {
		return h.limitError()
	}
	if h.o.Hibernating != Stay {
		t.keep(st)
	}
	if !reaches {
		return nil
	}
	var w storage.Batch
	if fresh || h.o.Hibernating != Stay {
		if w = h.remember(s, t, st.To); w.Len() > 0 {
			t.written.Store(true)
		}
	}
	out := h.address(nil, st)
	h.m.Submit(sessionmgr.Entry{From: s, Writes: w, Out: out, Failed: func(error) []sessionmgr.Delivery { return out }})
	if s.State() == sessionmgr.Destroyed {
		// Ended meanwhile: its goodbye may have missed this target.
		h.m.Submit(sessionmgr.Entry{Out: h.address(nil, goodbye(st.From).With(st.From, st.To))})
		h.unrememberAll(s, t)
	}
	return nil
}

// Directed reports whether target, a full JID, sent directed presence to viewer
// and is still there; for a bare target whether any of its sessions did.
func (h *Handler) Directed(target, viewer jid.JID) bool {
	if target.IsFull() {
		s := h.m.ByJID(target)
		return s != nil && h.sentTo(s, viewer)
	}
	for _, s := range h.m.ByAccount(target) {
		if h.sentTo(s, viewer) {
			return true
		}
	}
	return false
}

func (h *Handler) sentTo(s *sessionmgr.Session, viewer jid.JID) bool {
	t, ok := h.directed.Get(s)
	return ok && t.has(viewer) && !h.hidden(s)
}
