package auth

import (
	"context"
	"errors"
	"net/netip"
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
	Used     time.Time  // when it last logged in by token, about
	Addr     netip.Addr // from where
	Expires  time.Time  // when it may no longer, unless it is used before
}

// Devices lists the devices of an account in order of their ids. It returns
// ErrNoAccount or an error of the store.
func (s *Service) Devices(ctx context.Context, j jid.JID) ([]Device, error) {
	j, err := account(j)
	if err != nil {
		return nil, err
	}
	if _, err := s.read(ctx, j); err != nil {
		return nil, err
	}
	return s.devicesOf(ctx, j)
}

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
	all, err := s.Devices(ctx, j)
	if err != nil {
		return nil, err
	}
	var gone []Device
	var b storage.Batch
	for _, d := range all {
		if id == "" || d.ID == id {
			gone = append(gone, d)
			s.devices.Delete(&b, j.String(), d.ID)
		}
	}
	switch {
	case len(gone) == 0 && id != "":
		return nil, ErrNoDevice
	case len(gone) == 0:
		return nil, nil
	}
	return gone, s.commit(&b)
}
