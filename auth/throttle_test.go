package auth

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func fails(th *throttle, a string, n int) {
	for range n {
		th.fail(netip.MustParseAddr(a))
	}
}

func TestThrottleRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle(DefaultOptions())
		a := netip.MustParseAddr("192.0.2.1")
		fails(th, "192.0.2.1", 19)
		if ok, _ := th.allow(a); !ok {
			t.Fatal("refused before the burst was over")
		}
		// From then on ten a minute go on for ever.
		for range 100 {
			time.Sleep(6 * time.Second)
			fails(th, "192.0.2.1", 1)
			if ok, wait := th.allow(a); !ok {
				t.Fatalf("refused for %v at ten a minute", wait)
			}
		}
	})
}

func TestThrottleBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle(DefaultOptions())
		a := netip.MustParseAddr("192.0.2.1")
		fails(th, "192.0.2.1", 20)
		for want := 6 * time.Second; want < 20*time.Minute; want *= 2 {
			expect := min(want, 15*time.Minute)
			ok, wait := th.allow(a)
			if ok || wait != expect {
				t.Fatalf("allowed %v, wait %v, want %v", ok, wait, expect)
			}
			fails(th, "192.0.2.1", 5) // were under way: change nothing
			time.Sleep(wait - time.Nanosecond)
			if ok, wait = th.allow(a); ok || wait != 1 {
				t.Fatalf("allowed %v, wait %v just before the end", ok, wait)
			}
			time.Sleep(time.Nanosecond)
			if ok, _ = th.allow(a); !ok {
				t.Fatal("refused after the time")
			}
			fails(th, "192.0.2.1", 1) // the one try
		}
		// Nothing else is refused meanwhile, and in the end it is forgotten.
		if ok, _ := th.allow(netip.MustParseAddr("192.0.2.2")); !ok {
			t.Error("another address is refused")
		}
		time.Sleep(15*time.Minute + 2*time.Minute)
		fails(th, "192.0.2.1", 20)
		if _, wait := th.allow(a); wait != 6*time.Second {
			t.Errorf("after a quiet time it begins with %v", wait)
		}
	})
}

func TestThrottleAddresses(t *testing.T) {
	for _, test := range []struct {
		fails, asks string
		loopback    bool
		refused     bool
	}{
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", false, true},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false, false},
		{"192.0.2.1", "::ffff:192.0.2.1", false, true},
		{"192.0.2.1", "192.0.2.2", false, false},
		{"fe80::1%eth0", "fe80::1%eth1", false, true},
		{"127.0.0.1", "127.0.0.1", false, false},
		{"::1", "::1", false, false},
		{"::ffff:127.0.0.1", "127.0.0.1", false, false},
		{"127.0.0.1", "127.0.0.1", true, true},
		{"::1", "::1", true, true},
	} {
		o := DefaultOptions()
		o.LimitLoopback = test.loopback
		th := newThrottle(o)
		fails(th, test.fails, o.FailureBurst)
		if ok, _ := th.allow(netip.MustParseAddr(test.asks)); ok == test.refused {
			t.Errorf("%+v: allowed %v", test, ok)
		}
	}
	th := newThrottle(DefaultOptions())
	th.fail(netip.Addr{})
	if th.size() != 0 {
		t.Error("no address at all is limited")
	}
}

// Many addresses don't make the table grow, and don't free one that is refused
// for long, but by chance.
func TestThrottleBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle(DefaultOptions())
		var b [16]byte
		for i := range uint64(throttleEntries + 1000) {
			binary.BigEndian.PutUint64(b[:], 0x20<<56|i)
			th.fail(netip.AddrFrom16(b))
		}
		if n := th.size(); n > throttleEntries || n < throttleEntries/2 {
			t.Fatalf("%d entries", n)
		}
		// What is over goes when room is made.
		time.Sleep(time.Hour)
		for i := range uint64(throttleEntries / 4) {
			binary.BigEndian.PutUint64(b[:], 0x21<<56|i)
			th.fail(netip.AddrFrom16(b))
			time.Sleep(10 * time.Second)
		}
		if n := th.size(); n > throttleEntries/2 {
			t.Errorf("%d entries, of which hardly any counts", n)
		}
	})
}

// Only wrong credentials count, and the door is closed at Begin and at Step.
func TestThrottledLogin(t *testing.T) {
	o := cheap()
	o.FailureBurst = 3
	s, _ := newService(t, o)
	ch := secured()
	ch.Addr = netip.MustParseAddr("192.0.2.1")
	for range 10 {
		_, _, err := one(t, s, ch, "SCRAM-SHA-256-PLUS", "p=tls-unique,,n=juliet,r=abc")
		wantFailure(t, "binding", err, "not-authorized", false)
		_, _, err = one(t, s, ch, "PLAIN", "rubbish")
		wantFailure(t, "rubbish", err, "malformed-request", false)
	}
	early, err := s.Begin(ch, "PLAIN")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, _, err := one(t, s, ch, "PLAIN", "\x00juliet\x00wrong password")
		wantFailure(t, "wrong", err, "not-authorized", true)
	}
	_, err = s.Begin(ch, "PLAIN")
	wantFailure(t, "Begin", err, "temporary-auth-failure", false)
	// One that was begun before gets no answer about its password either.
	_, _, err = early.Step(t.Context(), []byte("\x00juliet\x00"+password))
	wantFailure(t, "Step", err, "temporary-auth-failure", false)
	if ok, wait := s.Allow(ch.Addr); ok || wait <= 0 {
		t.Errorf("allowed %v, wait %v", ok, wait)
	}
}
