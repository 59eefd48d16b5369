package auth

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"weir/jid"
	"weir/storage"
)

// When a device was last used, and from where, is written a little later than the
// login that it is about, many at once: it need not be durable, and a commit of its own
// would have the login's wait for it.

const (
	// useDelay is how much later, at most.
	useDelay = 5 * time.Second
	// maxUses is how many wait: one more has them written at once.
	maxUses = 4096
)

// use is the last use of a device.
type use struct {
	at             time.Time
	addr           netip.Addr
	software, name string
}

// note puts it into a device.
func (u use) note(d *device) {
	d.used, d.addr, d.software, d.name = u.at, u.addr, u.software, u.name
}

// news reports whether a use is worth being written for a device: one from elsewhere
// or under another name always is, another one once in a while.
func (u use) news(d *device) bool {
	return u.at.Sub(d.used) >= usedEvery || u.addr != d.addr || u.software != d.software || u.name != d.name
}

// useOf is the use of a device that a login is.
func (s *Service) useOf(w Wish, now time.Time) use {
	if s.opts.AnonymousDevices { // XEP-0494 §6
		return use{at: now}
	}
	return use{now, w.Addr.Unmap(), w.Agent.Software, w.Agent.Device}
}

// usedDevice names a device.
type usedDevice struct {
	account jid.JID
	id      string
}

// lastUses are those that are not written yet.
type lastUses struct {
	mu    sync.Mutex // guards what is below
	of    map[usedDevice]use
	timer *time.Timer // nil where nothing waits
}

// used has the use of a device be written, if it has tokens. It reads nothing.
func (s *Service) used(d usedDevice, u use) {
	x := &s.uses
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.of == nil {
		x.of = make(map[usedDevice]use)
	}
	x.of[d] = u
	switch {
	case x.timer == nil:
		x.timer = time.AfterFunc(useDelay, s.writeUses)
	case len(x.of) >= maxUses:
		x.timer.Reset(0)
	}
}

// lastUse returns what waits to be written of a device.
func (s *Service) lastUse(d usedDevice) (u use, ok bool) {
	s.uses.mu.Lock()
	defer s.uses.mu.Unlock()
	u, ok = s.uses.of[d]
	return u, ok
}

// writeUses writes all that waits.
func (s *Service) writeUses() {
	s.uses.mu.Lock()
	all := s.uses.of
	s.uses.of, s.uses.timer = nil, nil
	s.uses.mu.Unlock()
	for d, u := range all {
		if err := s.writeUse(d, u); errors.Is(err, storage.ErrClosed) {
			return
		} else if err != nil {
			s.log.Error("the last use of a device can't be written", "account", d.account.String(), "device", d.id, "err", err)
		}
	}
}

// writeUse writes one, where the device is there, was not used since, and that is
// news.
func (s *Service) writeUse(key usedDevice, u use) error {
	mu := s.deviceLock(key.account)
	mu.Lock()
	defer mu.Unlock()
	d, err := s.fetchDevice(context.Background(), key.account, key.id)
	if err != nil || d == nil || !d.used.Before(u.at) || !u.news(d) {
		return err
	}
	u.note(d)
	var b storage.Batch
	s.devices.Put(&b, key.account.String(), key.id, d.encode())
	s.store.Commit(&b, func(error) {}) // nothing is lost with it that matters
	return nil
}
