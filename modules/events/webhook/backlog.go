package webhook

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"

	"weir/modules/events"
	"weir/storage"
)

// What waits is kept in the store until a target has taken it, so that a later process
// goes on with it. Both records are by target: its address may have a secret in it, so a
// hash stands for it.
const (
	tableWaiting = "webhook.waiting" // Log: events, by their number in the queue
	tableLost    = "webhook.lost"    // KeyVal: how many events were dropped and not told yet
)

// backlog is the queue of a target with what is kept of it. Safe for concurrent use.
type backlog struct {
	queue   *events.Queue
	store   storage.Store // nil: nothing is kept
	waiting storage.Log
	lost    storage.KeyVal
	target  string
	log     *slog.Logger

	mu     sync.Mutex // guards what is below; the order of the queue is that of the commits
	next   uint64     // number of the next event
	untold uint64     // how many are dropped that no target has been told of
	failed bool       // that events can't be kept was told
}

// targetName is what a target is called in the store.
func targetName(u *url.URL) string {
	sum := sha256.Sum256([]byte(u.String()))
	return hex.EncodeToString(sum[:12])
}

func newBacklog(o *Options, u *url.URL, dropped func(n uint64)) *backlog {
	b := &backlog{queue: events.NewQueue(o.Queue, dropped), store: o.Store, target: targetName(u), log: o.Log.With("target", u.Host), next: 1}
	if b.store != nil {
		b.waiting, b.lost = storage.NewLog(b.store, tableWaiting), storage.NewKeyVal(b.store, tableLost)
	}
	return b
}

// CheckRecord reports whether a record of what waits for a target can be read; nil for
// those of other tables. It is for those who check a store.
func CheckRecord(table string, rec []byte) error {
	switch {
	case table == tableWaiting:
		return json.Unmarshal(rec, new(events.Event))
	case table == tableLost && len(rec) != 8:
		return fmt.Errorf("webhook: the number of events dropped can't be read: % x", rec)
	}
	return nil
}

// load takes up what an earlier process left. It reads storage; nothing was put yet.
func (b *backlog) load(ctx context.Context) error {
	if b.store == nil {
		return nil
	}
	switch rec, err := b.lost.Get(ctx, b.target); {
	case errors.Is(err, storage.ErrNotFound):
	case err != nil:
		return err
	case len(rec) == 8:
		b.untold = binary.BigEndian.Uint64(rec)
		b.queue.Lost([]events.Event{{Kind: events.Dropped, Count: b.untold}})
	}
	var w storage.Batch
	err := b.waiting.Scan(ctx, b.target, 0, func(id uint64, rec []byte) bool {
		var e events.Event
		b.next = id + 1
		if err := json.Unmarshal(rec, &e); err != nil {
			b.log.Error("an event that was kept can't be read: it is dropped", "err", err)
			b.waiting.Delete(&w, b.target, id)
			return true
		}
		e.Seq = id
		b.forget(&w, b.queue.Put(e), true)
		return true
	})
	if err != nil {
		return err
	}
	if n := b.queue.Len(); n > 0 {
		b.log.Info("events of an earlier process wait for a webhook target", "events", n)
	}
	b.commit(&w)
	return nil
}

// put adds an event; where the queue is full the oldest make room.
func (b *backlog) put(e events.Event) {
	if b.store == nil {
		b.queue.Put(e)
		return
	}
	rec, err := json.Marshal(e)
	if err != nil { // never: an Event has nothing that can't be marshalled
		b.log.Error("events can't be written as JSON", "err", err)
		return
	}
	var w storage.Batch
	b.mu.Lock()
	defer b.mu.Unlock()
	e.Seq = b.next
	b.next++
	b.waiting.Append(&w, b.target, e.Seq, rec)
	b.forget(&w, b.queue.Put(e), true)
	b.commit(&w)
}

// over notes what became of events that were taken: told, or dropped as the target
// refuses them.
func (b *backlog) over(some []events.Event, told bool) {
	if !told {
		b.queue.Lost(some)
	}
	if b.store == nil {
		return
	}
	var w storage.Batch
	b.mu.Lock()
	defer b.mu.Unlock()
	if told && some[0].Kind == events.Dropped {
		b.untold -= min(b.untold, some[0].Count)
		b.count(&w)
		some = some[1:]
	}
	b.forget(&w, some, !told)
	b.commit(&w)
}

// forget removes the records of events; mu is held, or nobody else is there yet.
func (b *backlog) forget(w *storage.Batch, some []events.Event, dropped bool) {
	if len(some) == 0 {
		return
	}
	for _, e := range some {
		if e.Kind == events.Dropped { // counted already
			continue
		}
		b.waiting.Delete(w, b.target, e.Seq)
		if dropped {
			b.untold++
		}
	}
	if dropped {
		b.count(w)
	}
}

// count keeps the number of events dropped; mu is held.
func (b *backlog) count(w *storage.Batch) {
	if b.untold == 0 {
		b.lost.Delete(w, b.target)
		return
	}
	b.lost.Set(w, b.target, binary.BigEndian.AppendUint64(nil, b.untold))
}

// commit never blocks. An event that can't be kept is told all the same, if this process
// lives as long.
func (b *backlog) commit(w *storage.Batch) {
	if w.Len() == 0 {
		return
	}
	b.store.Commit(w, func(err error) {
		b.mu.Lock()
		first := err != nil && !b.failed
		b.failed = err != nil
		b.mu.Unlock()
		if first {
			b.log.Error("events for a webhook target can't be kept: a restart would lose them", "err", err)
		}
	})
}

// forgetOthers removes what is kept for targets that are no longer configured.
func forgetOthers(ctx context.Context, o *Options, targets []*target) error {
	if o.Store == nil {
		return nil
	}
	known := make(map[string]bool)
	for _, t := range targets {
		known[t.backlog.target] = true
	}
	tables := []storage.Table{storage.NewLog(o.Store, tableWaiting).Table(), storage.NewKeyVal(o.Store, tableLost).Table()}
	var w storage.Batch
	for _, table := range tables {
		err := table.Accounts(ctx, o.Store, "", func(name string) bool {
			if !known[name] {
				storage.DeleteAccount(&w, name, tables...)
			}
			return true
		})
		if err != nil {
			return err
		}
	}
	if w.Len() == 0 {
		return nil
	}
	o.Log.Warn("events that waited for webhook targets are dropped: the targets aren't configured any more")
	if err := storage.Commit(ctx, o.Store, &w); err != nil {
		return fmt.Errorf("webhook: what is kept for old targets: %w", err)
	}
	return nil
}
