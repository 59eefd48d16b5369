package sessionmgr

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"weir/jid"
	"weir/storage"
)

// slowDisk is a store that shows at once what it is given, and says only later that
// it is on the disk.
type slowDisk struct {
	storage.Store
	mu   sync.Mutex
	slow bool
	late []func()
}

func (d *slowDisk) Commit(b *storage.Batch, done func(error)) {
	d.Store.Commit(b, func(err error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.slow {
			d.late = append(d.late, func() { done(err) })
			return
		}
		go done(err)
	})
}

func (d *slowDisk) set(slow bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.slow = slow
	if !slow {
		for _, done := range d.late {
			go done()
		}
		d.late = nil
	}
}

func (d *slowDisk) waiting() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.late)
}

// TestArchiveIsDurable: who has read a message in the archive will find it there,
// whatever becomes of the server.
func TestArchiveIsDurable(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.Archive = ArchiveAlways })
	d := &slowDisk{Store: h.store}
	h.Manager.store = d
	romeo := h.online("romeo@verona.lit/orchard", 0)
	d.set(true)
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>love</body></message>")
	h.until(func() bool { return d.waiting() > 0 })
	seen, read := make(chan struct{}, 2), make(chan error, 1)
	go func() {
		read <- h.Archived(context.Background(), jid.MustParse("juliet@verona.lit"), 0, func(Archived) bool {
			seen <- struct{}{}
			return true
		})
	}()
	<-seen // the store shows it
	h.until(func() bool {
		waits := false
		h.inOrder(func() { waits = h.pipe.open != nil })
		return waits
	})
	select {
	case err := <-read:
		t.Fatalf("read what is not on the disk yet: %v", err)
	default:
	}
	d.set(false)
	if err := <-read; err != nil {
		t.Fatal(err)
	}
}

// lyingDisk shows what it is given, and says afterwards that it could not write it.
type lyingDisk struct {
	storage.Store
	err atomic.Pointer[error]
}

func (d *lyingDisk) Commit(b *storage.Batch, done func(error)) {
	d.Store.Commit(b, func(err error) {
		if lie := d.err.Load(); lie != nil {
			err = *lie
		}
		done(err)
	})
}

// TestArchiveOfAFailedStore: what is seen in a store that has failed is not told.
func TestArchiveOfAFailedStore(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.Archive = ArchiveAlways })
	lying := &lyingDisk{Store: h.store}
	d := &slowDisk{Store: lying}
	h.Manager.store = d
	romeo := h.online("romeo@verona.lit/orchard", 0)
	d.set(true)
	failed := fmt.Errorf("sync: %w", storage.ErrFailed)
	lying.err.Store(&failed)
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>love</body></message>")
	h.until(func() bool { return d.waiting() > 0 })
	read, n := make(chan error, 1), 0
	go func() {
		read <- h.Archived(context.Background(), juliets, 0, func(Archived) bool { n++; return true })
	}()
	h.until(func() bool {
		waits := false
		h.inOrder(func() { waits = h.pipe.open != nil })
		return waits
	})
	d.set(false)
	if err := <-read; n != 1 || !errors.Is(err, storage.ErrFailed) {
		t.Errorf("read %d, and that is: %v", n, err)
	}
	h.until(h.Failed)
	h.waitWork()
	lying.err.Store(nil)
}
