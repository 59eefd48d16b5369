package auth

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"weir/jid"
	"weir/storage"
)

// ErrNoDevice is returned for a device that an account doesn't have.
var ErrNoDevice = errors.New("auth: no such device")

// Device is what is known of an installation of a client that may log in without
// the password.
type Device struct {
	ID       string // names it among the account's; no secret
	Software string // as the client calls itself
	Name     string // as the client calls the device
	Created  time.Time
	Used     time.Time  // when it last logged in, about
	Addr     netip.Addr // from where
	Expires  time.Time  // when it may no longer, unless it is used before
}

// Devices lists the devices of an account that may log in without the password, in
// order of their ids, and those that can't be read. It returns ErrNoAccount or an
// error of the store.
func (s *Service) Devices(ctx context.Context, j jid.JID) ([]Device, error) {
	j, err := account(j)
	if err != nil {
		return nil, err
	}
	if _, err := s.read(ctx, j); err != nil {
		return nil, err
	}
	all, err := s.devicesOf(ctx, j)
	now := time.Now()
	return slices.DeleteFunc(all, func(d Device) bool { return !s.listed(d, now) }), err
}

// listed reports whether a device's tokens are good for something. One that can't be
// read is listed so that it can be taken away.
func (s *Service) listed(d Device, now time.Time) bool {
	return d.Expires.IsZero() || s.opts.TokenLife > 0 && now.Before(d.Expires)
}

// devicesOf lists the devices that there are records of.
func (s *Service) devicesOf(ctx context.Context, j jid.JID) (all []Device, err error) {
	err = s.devices.All(ctx, j.String(), func(id string, rec []byte) bool {
		d, err := decodeDevice(rec)
		if err != nil { // listed all the same, so that it can be taken away
			s.log.Error("a device can't be read", "account", j.String(), "device", id, "err", err)
			d = &device{}
		}
		if u, ok := s.lastUse(usedDevice{j, id}); ok && d.used.Before(u.at) {
			u.note(d)
		}
		all = append(all, Device{
			ID: string(append([]byte(nil), id...)), Software: d.software, Name: d.name,
			Created: d.created, Used: d.used, Addr: d.addr, Expires: d.expires(),
		})
		return true
	})
	return all, err
}

// RevokeDevice has a device, or all of an account if id is "", log in by password
// the next time. It returns which; sessions are the caller's to end, after this. An
// error is ErrNoAccount, ErrNoDevice, or of the store.
func (s *Service) RevokeDevice(ctx context.Context, j jid.JID, id string) ([]Device, error) {
	j, err := account(j)
	if err != nil {
		return nil, err
	}
	mu := s.deviceLock(j)
	mu.Lock()
	defer mu.Unlock()
	if _, err := s.read(ctx, j); err != nil {
		return nil, err
	}
	all, err := s.devicesOf(ctx, j)
	if err != nil {
		return nil, err
	}
	var gone []Device
	var b storage.Batch
	now := time.Now()
	for _, d := range all {
		if id != "" && d.ID != id {
			continue
		}
		s.devices.Delete(&b, j.String(), d.ID) // also where its tokens would be good again with other settings
		if s.listed(d, now) {
			gone = append(gone, d)
		}
	}
	if len(b.Ops) > 0 {
		if err := s.commit(&b); err != nil {
			return nil, err
		}
	}
	if len(gone) == 0 && id != "" {
		return nil, ErrNoDevice
	}
	return gone, nil
}
