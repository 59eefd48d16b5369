package presence

import (
	"cmp"
	"context"
	"encoding/binary"
	"log/slog"
	"slices"
	"sync"
	"time"

	"weir/jid"
	"weir/sessionmgr"
	"weir/storage"
)

// Whom clients may think to be here. A client that resumes its session after a crash
// knows who was here before it; what it was told since and hasn't acknowledged is
// lost with the process. So each resource that was available leaves a trace in the
// store, until nobody can come back any more who has seen it. What is in memory are
// the traces of resources that aren't available now.

const (
	tableTraces  = "presence.traces" // Map: the account's resources
	traceVersion = 2
)

// traceSlack is how much longer than a session may hibernate a trace is kept: for
// clients that lose their connection without having acknowledged what they were told.
const traceSlack = 15 * time.Minute

// maxTraces bounds the traces of an account in memory, to some 200 KiB. A client that
// thinks of a new resource every hour leaves 720 where sessions may hibernate for 30 days,
// which is the most. Beyond, the oldest go, which the log tells: who has seen those is
// told of the account only when all of it is gone.
const maxTraces = 2000

// maxFull is of how many accounts it is remembered that the log was told.
const maxFull = 1000

// trace is a resource that was available and isn't.
type trace struct {
	full  jid.JID
	until time.Time
}

// traces are those of all accounts.
type traces struct {
	m       *sessionmgr.Manager
	store   storage.Store
	records storage.Map
	log     *slog.Logger

	mu      sync.Mutex // guards what is below
	left    map[jid.JID][]trace
	full    map[jid.JID]bool // of whom the log was told that some were forgotten
	timer   *time.Timer      // of the next sweep, nil while there is nothing to sweep
	stopped bool
}

func newTraces(m *sessionmgr.Manager, st storage.Store, log *slog.Logger) *traces {
	return &traces{m: m, store: st, log: log, records: storage.NewMap(st, tableTraces), left: make(map[jid.JID][]trace)}
}

// keep is for how long a trace is kept, by the settings of now; 0: nobody resumes, so
// none is.
func (t *traces) keep() time.Duration {
	if longest := t.m.LongestAbsence(); longest > 0 {
		return longest + traceSlack
	}
	return 0
}

// came notes that a resource becomes available. It returns what has to be written
// before others see that. The session's own record goes with the same commit: who
// was seen before a crash is available after it, or has left a trace.
func (t *traces) came(full jid.JID) (w storage.Batch) {
	if t.keep() > 0 {
		t.take(full)
		t.put(&w, full)
	}
	return w
}

func (t *traces) put(w *storage.Batch, full jid.JID) {
	b := binary.BigEndian.AppendUint64([]byte{traceVersion}, uint64(time.Now().UnixMilli()))
	t.records.Put(w, full.Bare().String(), full.Resource(), b)
}

// take takes a trace out of memory.
func (t *traces) take(full jid.JID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := t.left[full.Bare()]
	i := slices.IndexFunc(list, func(x trace) bool { return x.full == full })
	if i >= 0 {
		t.set(full.Bare(), slices.Delete(slices.Clone(list), i, i+1))
	}
}

// set replaces the traces of an account; mu is held.
func (t *traces) set(account jid.JID, list []trace) {
	if len(list) == 0 {
		delete(t.left, account)
		return
	}
	t.left[account] = list
}

// went notes that a resource isn't available any more, as others are told.
func (t *traces) went(full jid.JID) {
	keep := t.keep()
	if keep == 0 {
		return
	}
	account := full.Bare()
	t.mu.Lock()
	list := slices.DeleteFunc(slices.Clone(t.left[account]), func(x trace) bool { return x.full == full })
	list = append(list, trace{full, time.Now().Add(keep)})
	var over []jid.JID
	for len(list) > maxTraces {
		over, list = append(over, list[0].full), list[1:]
	}
	first := len(over) > 0 && !t.full[account]
	if first {
		if t.full == nil || len(t.full) >= maxFull {
			t.full = make(map[jid.JID]bool)
		}
		t.full[account] = true
	}
	t.set(account, list)
	t.wind()
	t.mu.Unlock()
	if first {
		t.log.Warn("an account has left more resources than are remembered: after a crash clients may think that the oldest are here yet",
			"account", account, "remembered", maxTraces, "last", full.Resource(), "advice", "let its client keep its resource")
	}
	t.forget(over)
}

// of returns an account's traces.
func (t *traces) of(account jid.JID) []trace {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.left[account] // replaced, never changed
}

// wind sets the timer where there is something to sweep; mu is held.
func (t *traces) wind() {
	if t.timer == nil && !t.stopped && len(t.left) > 0 {
		t.timer = time.AfterFunc(max(t.keep(), traceSlack)/8, t.sweep)
	}
}

// sweep forgets the traces whose time is over.
func (t *traces) sweep() {
	var over []jid.JID
	now := time.Now()
	t.mu.Lock()
	for account, list := range t.left {
		n := 0
		for n < len(list) && !now.Before(list[n].until) { // not in order once the settings have changed: those wait
			over = append(over, list[n].full)
			n++
		}
		if n > 0 {
			t.set(account, slices.Clone(list[n:]))
		}
	}
	t.timer = nil
	t.wind()
	t.mu.Unlock()
	for some := range slices.Chunk(over, 500) {
		t.forget(some)
	}
}

// forget removes records, but for those of resources that are available by now.
func (t *traces) forget(over []jid.JID) {
	var w storage.Batch
	for _, full := range over {
		if !t.available(full) {
			t.records.Delete(&w, full.Bare().String(), full.Resource())
		}
	}
	if w.Len() == 0 {
		return
	}
	t.m.Submit(sessionmgr.Entry{Writes: w, Done: func(error) { t.restore(over) }})
}

// restore puts the records back of resources that came while they were removed.
func (t *traces) restore(over []jid.JID) {
	var w storage.Batch
	for _, full := range over {
		if t.available(full) {
			t.put(&w, full)
		}
	}
	if w.Len() > 0 {
		t.m.Submit(sessionmgr.Entry{Writes: w})
	}
}

func (t *traces) available(full jid.JID) bool {
	s := t.m.ByJID(full)
	return s != nil && s.Available()
}

// stop ends the sweeping.
func (t *traces) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped = true; t.timer != nil {
		t.timer.Stop()
	}
}

// start reads what an earlier process left: whoever is not here now left with it.
func (t *traces) start(ctx context.Context) error {
	accounts, err := t.records.Table().AccountNames(ctx, t.store)
	if err != nil {
		return err
	}
	for _, account := range accounts {
		if err := t.read(ctx, account); err != nil {
			return err
		}
	}
	return nil
}

// read does that for one account.
func (t *traces) read(ctx context.Context, account string) error {
	bare, err := jid.Parse(account)
	if err != nil {
		return nil // nobody has that address
	}
	var all []jid.JID
	came := make(map[jid.JID]uint64)
	err = t.records.All(ctx, account, func(resource string, b []byte) bool {
		if full, err := bare.WithResource(resource); err == nil {
			all = append(all, full)
			if len(b) == 9 { // version 1 had no time
				came[full] = binary.BigEndian.Uint64(b[1:])
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b jid.JID) int { return cmp.Compare(came[a], came[b]) }) // the oldest go first
	if t.keep() == 0 {
		t.forget(all)
		return nil
	}
	for _, full := range all {
		if !t.available(full) {
			t.went(full)
		}
	}
	return nil
}
