package c2s

import "time"

// bucket limits how fast a client is read, by the virtual-scheduling form of
// the leaky bucket: each limit is one moment, up to which what was read would
// take at the permitted rate. It needs no timer and loses no fraction.
type bucket struct {
	bytes   time.Duration // since the server's start
	stanzas time.Duration
}

// charge adds what was just read.
func (b *bucket) charge(o *Options, now time.Duration, bytes, stanzas int) {
	if o.ByteRate > 0 {
		b.bytes = max(b.bytes, now) + cost(bytes, o.ByteRate)
	}
	if o.StanzaRate > 0 && stanzas > 0 {
		b.stanzas = max(b.stanzas, now) + cost(stanzas, o.StanzaRate)
	}
}

// wait returns how long reading has to pause, and which limit says so.
func (b *bucket) wait(o *Options, now time.Duration) (time.Duration, string) {
	var bytes, stanzas time.Duration
	if o.ByteRate > 0 {
		bytes = b.bytes - now - cost(o.ByteBurst, o.ByteRate)
	}
	if o.StanzaRate > 0 {
		stanzas = b.stanzas - now - cost(o.StanzaBurst, o.StanzaRate)
	}
	if stanzas > bytes {
		return stanzas, "stanza_rate"
	}
	return bytes, "byte_rate"
}

func cost(n, rate int) time.Duration {
	return time.Duration(n) * time.Second / time.Duration(rate)
}
