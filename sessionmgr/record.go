package sessionmgr

import (
	"encoding/binary"
	"fmt"
	"time"

	"weir/stanza"
)

// A record of an account's log is one message: archive entry, offline message
// and entry of a session's queue at once. It names the sessions that it was for
// and, where it was given to a live stream, the number that it got there: so the
// commit that makes the message durable makes the numbers durable too. A session
// may also be named for a copy of it (XEP-0280): then it is given that, and
// nobody is owed it.
//
//	version 1 | flags 1 | unix ms 8 | targets 1 | (tag 8, how 1, n 4)… | stanza

// recordVersion is the first byte of a log record. Version 1 had no flags and
// no targets: it was always a message that reached nobody. One that names a
// session for a copy is of version 3, since a program that doesn't know of copies
// would give out the message in its place.
const (
	recordVersion     = 2
	recordVersionCopy = 3
)

// Flags of a record.
const (
	recordOutgoing = 1 << iota // the account sent it; nobody is to get more than a copy
	recordHidden               // kept until it is delivered, not part of the archive
	recordPrivate              // for the sessions that it names alone: nobody is owed it after them
)

const (
	recordHead   = 11
	targetLength = 13
	maxTargets   = 255
)

// How a target gets the message, as bits.
const (
	targetLive = 1 << iota
	targetCopy
)

// target is a session that a message was for.
type target struct {
	tag  uint64
	n    uint32 // its number on the stream, if live
	live bool   // it was given to a live stream
	copy bool   // it gets a copy of what was meant for others
}

// encodedLength is how long a log record gets.
func encodedLength(targets []target, rendered []byte) int {
	return recordHead + targetLength*min(len(targets), maxTargets) + len(rendered)
}

// encodeRecord appends a log record to b, which is empty. rendered is the stanza.
func encodeRecord(b []byte, at time.Time, flags byte, targets []target, rendered []byte) []byte {
	targets = targets[:min(len(targets), maxTargets)]
	b = append(b, recordVersion, flags)
	b = binary.BigEndian.AppendUint64(b, uint64(at.UnixMilli()))
	b = append(b, byte(len(targets)))
	for _, t := range targets {
		b = binary.BigEndian.AppendUint64(b, t.tag)
		how := byte(0)
		if t.live {
			how = targetLive
		}
		if t.copy {
			how |= targetCopy
			b[0] = recordVersionCopy
		}
		b = binary.BigEndian.AppendUint32(append(b, how), t.n)
	}
	return append(b, rendered...)
}

// record is a log record that was looked at and not yet parsed; it shares the
// memory of what it was made of.
type record struct {
	at      time.Time
	flags   byte
	targets []byte // as encoded
	raw     []byte // the stanza
}

// viewRecord checks the frame of a record.
func viewRecord(b []byte) (record, error) {
	if len(b) >= 9 && b[0] == 1 {
		return record{at: time.UnixMilli(int64(binary.BigEndian.Uint64(b[1:]))), raw: b[9:]}, nil
	}
	if len(b) < recordHead || b[0] != recordVersion && b[0] != recordVersionCopy || len(b) < recordHead+targetLength*int(b[10]) {
		return record{}, fmt.Errorf("sessionmgr: log record of %d bytes isn't of a version up to %d", len(b), recordVersionCopy)
	}
	end := recordHead + targetLength*int(b[10])
	return record{
		at:    time.UnixMilli(int64(binary.BigEndian.Uint64(b[2:]))),
		flags: b[1], targets: b[recordHead:end], raw: b[end:],
	}, nil
}

// parse returns the stanza.
func (r *record) parse() (*stanza.Stanza, error) { return stanza.Parse(r.raw) }

func (r *record) outgoing() bool { return r.flags&recordOutgoing != 0 }
func (r *record) hidden() bool   { return r.flags&recordHidden != 0 }
func (r *record) private() bool  { return r.flags&recordPrivate != 0 }

// count returns how many sessions the message was for.
func (r *record) count() int { return len(r.targets) / targetLength }

// target returns one of them.
func (r *record) target(i int) target {
	b := r.targets[i*targetLength:]
	return target{
		tag: binary.BigEndian.Uint64(b), n: binary.BigEndian.Uint32(b[9:]),
		live: b[8]&targetLive != 0, copy: b[8]&targetCopy != 0,
	}
}

// originals returns how many sessions were to get the message itself.
func (r *record) originals() (n int) {
	for i := range r.count() {
		if !r.target(i).copy {
			n++
		}
	}
	return n
}

// single reports whether one acknowledgement is all that a record waits for that
// isn't of the archive. One that is owed waits for more than a copy's.
func (r *record) single() bool {
	return r.count() == 0 || r.count() == 1 && (r.outgoing() || r.originals() == 1)
}

// names looks for a session among those that get the message or a copy; tag 0
// stands for nobody: it is found where there is none who was to get the message.
func (r *record) names(tag uint64) (t target, ok bool) {
	if tag == 0 {
		return target{}, !r.outgoing() && r.originals() == 0
	}
	for i := range r.count() {
		if t = r.target(i); t.tag == tag {
			return t, true
		}
	}
	return target{}, false
}
