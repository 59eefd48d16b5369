package auth

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// throttleEntries bounds the table: about 8 MB when full.
	throttleEntries = 65536
	// throttleSample is how many entries are looked at when one is added.
	throttleSample = 8
)

// throttle counts failed logins for each address. A token bucket holds the burst
// and refills at the rate; a failure that finds it empty closes the door for a
// time which doubles from one such failure to the next.
type throttle struct {
	// immutable
	perSecond  float64
	burst      float64
	maxBackoff time.Duration
	loopback   bool // limit it too

	// guarded by mu
	mu      sync.Mutex
	entries map[netip.Prefix]bucket
}

// bucket is the state of one address as of at, which lies in the future while
// the address is refused.
type bucket struct {
	tokens  float64
	at      time.Time
	strikes uint8
}

func newThrottle(o Options) *throttle {
	return &throttle{
		perSecond:  o.FailuresPerAddr / 60,
		burst:      float64(o.FailureBurst),
		maxBackoff: o.MaxBackoff,
		loopback:   o.LimitLoopback,
		entries:    make(map[netip.Prefix]bucket),
	}
}

// key is the address itself for IPv4 and the /64 for IPv6: that is what one
// customer has. ok is false for addresses that have no limit.
func (t *throttle) key(a netip.Addr) (netip.Prefix, bool) {
	a = a.Unmap().WithZone("")
	if !a.IsValid() || (a.IsLoopback() && !t.loopback) {
		return netip.Prefix{}, false
	}
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	return p, err == nil
}

// refill returns the bucket as it is now.
func (t *throttle) refill(b bucket, now time.Time) bucket {
	if passed := now.Sub(b.at); passed > 0 {
		b.tokens = min(t.burst, b.tokens+passed.Seconds()*t.perSecond)
		b.at = now
	}
	return b
}

// forgotten reports whether a bucket says no more than no bucket would.
func (t *throttle) forgotten(b bucket, now time.Time) bool {
	return !b.at.After(now) && t.refill(b, now).tokens >= t.burst
}

// allow reports whether the address may try now, or how long it has to wait.
func (t *throttle) allow(a netip.Addr) (bool, time.Duration) {
	key, limited := t.key(a)
	if !limited {
		return true, 0
	}
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	b, ok := t.entries[key]
	if !ok {
		return true, 0
	}
	if wait := b.at.Sub(now); wait > 0 {
		return false, wait
	}
	return true, 0
}

// fail counts a wrong credential.
func (t *throttle) fail(a netip.Addr) {
	key, limited := t.key(a)
	if !limited {
		return
	}
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	b, ok := t.entries[key]
	switch {
	case !ok || t.forgotten(b, now):
		b = bucket{tokens: t.burst, at: now}
	case b.at.After(now):
		return // was under way when the door closed: it stays closed as long
	default:
		b = t.refill(b, now)
	}
	b.tokens--
	if b.tokens < 1 {
		// One try when the time is over; nothing refills before that.
		b.at = now.Add(t.backoff(b.strikes))
		b.tokens = 1
		if b.strikes < 62 {
			b.strikes++
		}
	}
	if !ok {
		t.makeRoom(now)
	}
	t.entries[key] = b
}

// backoff is the time in which one token comes, doubled for each strike.
func (t *throttle) backoff(strikes uint8) time.Duration {
	d := float64(time.Second) / t.perSecond * float64(uint64(1)<<strikes)
	if d > float64(t.maxBackoff) {
		return t.maxBackoff
	}
	return time.Duration(d)
}

// makeRoom drops what is over among a few entries picked at random, and if the
// table is full the one of them that would be over first: many addresses cost
// the attacker his own entries, not the server's memory.
func (t *throttle) makeRoom(now time.Time) {
	var (
		seen   int
		victim netip.Prefix
		least  time.Time
	)
	for key, b := range t.entries {
		over := b.at.Add(time.Duration((t.burst - b.tokens) / t.perSecond * float64(time.Second)))
		if !over.After(now) {
			delete(t.entries, key)
		} else if least.IsZero() || over.Before(least) {
			victim, least = key, over
		}
		if seen++; seen == throttleSample {
			break
		}
	}
	if len(t.entries) >= throttleEntries {
		delete(t.entries, victim)
	}
}

// size is the number of addresses remembered.
func (t *throttle) size() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.entries)
}
