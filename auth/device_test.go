package auth

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"weir/jid"
	"weir/storage"
)

// A device whose tokens have expired goes when another comes.
func TestExpiredDevicesGo(t *testing.T) {
	s, _ := newService(t, cheap())
	byPassword(t, s, someAgent, none)
	older(t, s, s.opts.TokenLife)
	byPassword(t, s, otherAgent, none)
	all, err := s.Devices(t.Context(), juliet())
	if err != nil || len(all) != 1 || all[0].ID != s.DeviceID(juliet(), otherAgent.ID) {
		t.Errorf("%+v, %v", all, err)
	}
}

// What a device calls itself and its address are kept, or not (XEP-0494 §6).
func TestAnonymousDevices(t *testing.T) {
	for _, anonymous := range []bool{false, true} {
		o := cheap()
		o.AnonymousDevices = anonymous
		s, st := newService(t, o)
		tok := byPassword(t, s, someAgent, none)
		var before int // the first use makes it the one in use
		for range 2 {
			before = st.commits
			if _, err := uses(t, s, tok.Value, TokenUse{}); err != nil {
				t.Fatal(err)
			}
		}
		all, err := s.Devices(t.Context(), juliet())
		if err != nil || len(all) != 1 || all[0].Created.IsZero() || all[0].Used.IsZero() {
			t.Fatalf("%+v, %v", all, err)
		}
		d := all[0]
		d.ID, d.Created, d.Used, d.Expires = "", time.Time{}, time.Time{}, time.Time{}
		want := Device{Software: someAgent.Software, Name: someAgent.Device, Addr: someAddr}
		if anonymous {
			want = Device{}
		}
		if d != want {
			t.Errorf("anonymous %v: %+v", anonymous, d)
		}
		if n := st.commits - before; n != 0 {
			t.Errorf("anonymous %v: a use a moment later is %d commits", anonymous, n)
		}
	}
}

// An account has so many devices and no more: the one not used for longest goes.
func TestMaxDevices(t *testing.T) {
	o := cheap()
	o.MaxDevices = 3
	s, _ := newService(t, o)
	phone := byPassword(t, s, someAgent, none)
	older(t, s, time.Hour)
	for i := range 4 {
		byPassword(t, s, UserAgent{ID: fmt.Sprintf("11111111-2222-4333-8444-%012d", i)}, none)
	}
	all, err := s.Devices(t.Context(), juliet())
	if err != nil || len(all) != 3 {
		t.Errorf("%d devices, %v", len(all), err)
	}
	_, err = uses(t, s, phone.Value, TokenUse{})
	wantFailure(t, "the oldest", err, "not-authorized", true)
}

func TestDeviceRecord(t *testing.T) {
	b := someDevice().encode()
	d, err := decodeDevice(b)
	if err != nil || d.addr != someAddr || d.software != "x" || d.tokens[tokenNew].count != 3 || d.tokens[tokenInUse] != nil || !bytes.Equal(d.encode(), b) {
		t.Errorf("%+v, %v", d, err)
	}
	for n := range b {
		if _, err := decodeDevice(b[:n]); !errors.Is(err, errDevice) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	b[0]++
	if _, err := decodeDevice(b); !errors.Is(err, errDevice) {
		t.Errorf("a newer version: %v", err)
	}
	// One that can't be read is listed and can be taken away.
	s, _ := newService(t, cheap())
	var batch storage.Batch
	s.devices.Put(&batch, juliet().String(), "broken", b)
	if err := s.commit(&batch); err != nil {
		t.Fatal(err)
	}
	if all, err := s.RevokeDevice(t.Context(), juliet(), "broken"); err != nil || len(all) != 1 {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := s.RevokeDevice(t.Context(), juliet(), "broken"); !errors.Is(err, ErrNoDevice) {
		t.Error(err)
	}
	if _, err := s.Devices(t.Context(), jid.MustParse("nobody@"+domain)); !errors.Is(err, ErrNoAccount) {
		t.Error(err)
	}
}
