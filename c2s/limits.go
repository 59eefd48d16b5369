package c2s

import "time"

// bucket limits how fast a client is read, by the virtual-scheduling form of
// the leaky bucket: each limit is one moment, up to which what was read would
// take at the permitted rate. It needs no timer and loses no fraction.
type bucket struct {
	bytes   time.Duration // since the server's start
	stanzas time.Duration
}

// rates are the limits in the terms of a bucket: what reading costs in time, and
// how far ahead of the clock a bucket may be. A cost of zero is no limit.
type rates struct {
	byte, stanza           time.Duration // thousandths of a nanosecond each, to be exact
	byteBurst, stanzaBurst time.Duration
}

const exact = 1000

func newRates(o *Options) rates {
	var r rates
	if o.ByteRate > 0 {
		r.byte = exact * time.Second / time.Duration(o.ByteRate)
		r.byteBurst = r.byte * time.Duration(o.ByteBurst) / exact
	}
	if o.StanzaRate > 0 {
		r.stanza = exact * time.Second / time.Duration(o.StanzaRate)
		r.stanzaBurst = r.stanza * time.Duration(o.StanzaBurst) / exact
	}
	return r
}

// charge adds what was just read.
func (b *bucket) charge(r *rates, now time.Duration, bytes, stanzas int) {
	if r.byte > 0 {
		b.bytes = max(b.bytes, now) + r.byte*time.Duration(bytes)/exact
	}
	if r.stanza > 0 && stanzas > 0 {
		b.stanzas = max(b.stanzas, now) + r.stanza*time.Duration(stanzas)/exact
	}
}

// wait returns how long reading has to pause, and which limit says so.
func (b *bucket) wait(r *rates, now time.Duration) (time.Duration, string) {
	var bytes, stanzas time.Duration
	if r.byte > 0 {
		bytes = b.bytes - now - r.byteBurst
	}
	if r.stanza > 0 {
		stanzas = b.stanzas - now - r.stanzaBurst
	}
	if stanzas > bytes {
		return stanzas, "stanza_rate"
	}
	return bytes, "byte_rate"
}
