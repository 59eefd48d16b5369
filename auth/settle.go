package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"weir/jid"
	"weir/storage"
)

// Wish is what a client that has proved who it is wants with its login.
type Wish struct {
	Agent     UserAgent
	Addr      netip.Addr // of the client, for who looks at the account's devices
	Mechanism string     // the one that it wants a token for, "" if it asks for none
}

const (
	// tokenAge is after which time in use a token is replaced at the latest
	// (XEP-0484 §3.5).
	tokenAge = 24 * time.Hour
	// usedEvery is how exactly the time of a device's last use is kept.
	usedEvery = time.Minute
	// deviceLocks is a power of two: enough that unrelated accounts rarely meet.
	deviceLocks = 64
)

// deviceLock is held from the check of an account's devices to the commit of
// their change. With Service.writing it comes second.
func (s *Service) deviceLock(account jid.JID) *sync.Mutex {
	return &s.deviceLocks[s.cache.index(account)%deviceLocks]
}

// Settle ends a login by token, and hands out tokens: it notes that the device was
// used, takes those away that it replaces, and makes a new one where the client
// asks for one or the token is due for that. Call it once, when Step has reported
// done and before the client is told. It waits for the store only where something
// has to be durable. An error is a *Failure: the login has then failed.
func (x *Exchange) Settle(ctx context.Context, w Wish) (Token, error) {
	s := x.service
	wanted := s.tokenMechanism(&x.channel, w.Mechanism)
	if w.Agent.ID == "" {
		wanted = nil // XEP-0484 §4.1: tokens are a device's
	}
	if !x.done {
		return Token{}, nil
	}
	if x.token == nil && wanted == nil {
		if w.Agent.ID != "" { // it may have a token all the same: who writes it looks
			s.used(usedDevice{x.claimed, s.DeviceID(x.claimed, w.Agent.ID)}, s.useOf(w, time.Now()))
		}
		return Token{}, nil
	}
	mu := s.deviceLock(x.claimed)
	mu.Lock()
	defer mu.Unlock()
	given, err := x.settle(ctx, w, wanted)
	var f *Failure
	switch {
	case err == nil:
		return given, nil
	case x.token == nil && !errors.As(err, &f): // it has a password: a token is not needed
		s.log.Error("no token can be kept", "account", x.claimed.String(), "err", err)
		return Token{}, nil
	case errors.As(err, &f):
		if f.Credentials {
			s.throttle.fail(x.channel.Addr)
		}
		return Token{}, f
	}
	return Token{}, unavailable("the server can't check tokens now", err)
}

// settle runs with the account's device lock.
func (x *Exchange) settle(ctx context.Context, w Wish, wanted *tokenMechanism) (given Token, err error) {
	s, now := x.service, time.Now()
	if err := x.stillProven(ctx); err != nil {
		return given, err
	}
	id := s.DeviceID(x.claimed, w.Agent.ID)
	if x.token != nil {
		id = x.token.device
	}
	old, err := s.fetchDevice(ctx, x.claimed, id)
	if err != nil {
		return given, err
	}
	d, durable := device{created: now}, false
	if old != nil {
		d = *old
	}
	if x.token != nil {
		if durable, err = x.useToken(&d); err != nil {
			return given, err
		}
		if wanted == nil && !x.token.use.Invalidate && s.due(&d, now) {
			wanted = x.token.mech
		}
	}
	var b storage.Batch
	if wanted != nil {
		var made bool
		given, made = s.newToken(&d, x.claimed, w.Agent.ID, wanted, now)
		durable = durable || made
		if old == nil {
			s.makeDeviceRoom(ctx, &b, x.claimed, now)
		}
	}
	last := s.useOf(w, now)
	if !durable {
		s.used(usedDevice{x.claimed, id}, last)
		return given, nil
	}
	last.note(&d)
	if d.tokens == [2]*token{} {
		s.devices.Delete(&b, x.claimed.String(), id)
	} else {
		s.devices.Put(&b, x.claimed.String(), id, d.encode())
	}
	return given, s.commit(&b)
}

// stillProven looks whether what the client proved to have is still what counts:
// the account may have been changed, disabled or deleted since. Keys of the same
// password that were added or replaced meanwhile are no change.
func (x *Exchange) stillProven(ctx context.Context) error {
	r, err := x.service.find(ctx, x.claimed)
	if err != nil {
		return err
	}
	if r == nil || r.disabled {
		return wrong(errChanged)
	}
	if x.proven != nil && subtle.ConstantTimeCompare(r.origin(), x.proven) != 1 {
		return wrong(errChanged)
	}
	return nil
}

// useToken notes the use of a token: it takes the place of the other one if it is
// the newer (XEP-0484 §3.5). It reports whether that has to be durable.
func (x *Exchange) useToken(d *device) (durable bool, err error) {
	use := &x.token.use
	at := -1
	for i, t := range d.tokens {
		if t != nil && subtle.ConstantTimeCompare(t.nonce[:], x.token.nonce[:]) == 1 {
			at = i
		}
	}
	switch {
	case at < 0, use.Counted && use.Count < d.tokens[at].count: // another login with it was quicker
		return false, wrong(errUsed)
	case use.Invalidate: // XEP-0484 §3.6
		d.tokens = [2]*token{}
		return true, nil
	}
	t := *d.tokens[at]
	if use.Counted {
		t.count, durable = use.Count+1, true
	}
	if at == tokenNew {
		d.tokens[tokenNew], durable = nil, true
	}
	d.tokens[tokenInUse] = &t
	return durable, nil
}

// due reports whether the token in use is to be replaced.
func (s *Service) due(d *device, now time.Time) bool {
	t := d.tokens[tokenInUse]
	return t != nil && s.aged(t, now)
}

// aged reports whether a token is old enough to be replaced: while it is still good
// for as long as it was.
func (s *Service) aged(t *token, now time.Time) bool {
	return now.Sub(t.issued) >= min(tokenAge, s.opts.TokenLife/2)
}

// newToken puts a new token into its place. One that was handed out a short while
// ago and not used yet is handed out again: made is then false.
func (s *Service) newToken(d *device, account jid.JID, agent string, m *tokenMechanism, now time.Time) (given Token, made bool) {
	t := d.tokens[tokenNew]
	if t == nil || t.mechanism != m.id || s.aged(t, now) || t.count > 0 {
		t = &token{mechanism: m.id, issued: now, expires: now.Add(s.opts.TokenLife)}
		_, _ = rand.Read(t.nonce[:]) // never fails (crypto/rand)
		t.hash = sha256.Sum256([]byte(s.tokenValue(t, account, agent, m)))
		d.tokens[tokenNew], made = t, true
	}
	return Token{Value: s.tokenValue(t, account, agent, m), Expires: t.expires}, made
}

// makeDeviceRoom takes away the devices whose tokens have expired, and those that
// weren't used for longest where an account has as many as it may.
func (s *Service) makeDeviceRoom(ctx context.Context, b *storage.Batch, account jid.JID, now time.Time) {
	all, err := s.devicesOf(ctx, account)
	if err != nil {
		s.log.Error("the devices of an account can't be read", "account", account.String(), "err", err)
		return
	}
	all = slices.DeleteFunc(all, func(d Device) bool {
		expired := !now.Before(d.Expires)
		if expired {
			s.devices.Delete(b, account.String(), d.ID)
		}
		return expired
	})
	for len(all) >= s.opts.MaxDevices {
		oldest := 0
		for i := range all {
			if all[i].Used.Before(all[oldest].Used) {
				oldest = i
			}
		}
		s.devices.Delete(b, account.String(), all[oldest].ID)
		all = append(all[:oldest], all[oldest+1:]...)
	}
}
