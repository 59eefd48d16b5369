package sessionmgr

import "encoding/binary"

// segment is a part of an account's log that somebody has still to get: those
// records behind one id, up to another, that name one session. Queues are never
// copied: a session that ends without having acknowledged everything leaves its
// segment to the account, and whoever comes next takes it over.
type segment struct {
	tag   uint64 // of the session that the records name; 0: those that name none
	after uint64 // the last id that is done with
	upTo  uint64 // the last id of it; 0: it is open and grows
}

// covers reports whether a record of that id, if it names the tag, is of the
// segment.
func (g segment) covers(id uint64) bool { return id > g.after && (g.upTo == 0 || id <= g.upTo) }

// segmentLength is the size of an encoded segment.
const segmentLength = 24

// manySegments is written in place of a count from which on it takes four bytes
// more.
const manySegments = 1<<16 - 1

func appendSegments(b []byte, segs []segment) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(min(len(segs), manySegments)))
	if len(segs) >= manySegments {
		b = binary.BigEndian.AppendUint32(b, uint32(len(segs)))
	}
	for _, g := range segs {
		b = binary.BigEndian.AppendUint64(b, g.tag)
		b = binary.BigEndian.AppendUint64(b, g.after)
		b = binary.BigEndian.AppendUint64(b, g.upTo)
	}
	return b
}

// readSegments decodes segments and returns the rest; ok is false where they
// are cut off.
func readSegments(b []byte) (segs []segment, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	b = b[2:]
	if n == manySegments {
		if len(b) < 4 {
			return nil, nil, false
		}
		n, b = int(binary.BigEndian.Uint32(b)), b[4:]
	}
	if len(b)/segmentLength < n {
		return nil, nil, false
	}
	for range n {
		segs = append(segs, segment{
			tag:   binary.BigEndian.Uint64(b),
			after: binary.BigEndian.Uint64(b[8:]),
			upTo:  binary.BigEndian.Uint64(b[16:]),
		})
		b = b[segmentLength:]
	}
	return segs, b, true
}

// want says which records of an account's log are to be given to one session.
//
// A copy (XEP-0280) is its session's alone: nobody is owed one, and that somebody
// has one says nothing about the message itself, which is owed as if there were
// no copies. Only a session that has its copy, or will get it from its own queue,
// isn't given the message besides: what is owed has come to it then.
type want struct {
	segs []segment
	// reader is the tag of the session, where owed is set.
	reader uint64
	// owed says that segs are what others have left. A message for several sessions
	// is owed only once none of them has it or may still get it: ended has what
	// sessions left that have ended, alive what others have still to get.
	owed         bool
	ended, alive []segment
	// done is up to where what is owed was looked at.
	done uint64
	// own is what the session has to pull of its own queue beside that: both are
	// given in one order (RFC 6120 §10.1). It has no tag where there is nothing.
	own segment
	// skip leaves out what the session has fetched from the archive by itself.
	skip segment
}

// verdict is what is done with a record.
type verdict uint8

const (
	pass verdict = iota // it is not wanted
	give                // it is
	put                 // another session may still get it: it is looked at again when that has ended
)

// from is where reading has to begin: behind this id.
func (w *want) from() uint64 {
	first := ^uint64(0)
	for _, g := range w.segs {
		first = min(first, g.after)
	}
	return first
}

// end is the last id that can be wanted, or bound where a segment is open.
func (w *want) end(bound uint64) uint64 {
	last := uint64(0)
	for _, g := range w.segs {
		if g.upTo == 0 {
			return bound
		}
		last = max(last, g.upTo)
	}
	return min(last, bound)
}

// takesOwn reports whether a record is one of the session's own queue.
func (w *want) takesOwn(id uint64, r *record) bool {
	if w.own.tag == 0 || !w.own.covers(id) {
		return false
	}
	_, ok := r.names(w.own.tag)
	return ok
}

// takes says what is to be done with a record.
func (w *want) takes(id uint64, r *record) verdict {
	if w.owed && id <= w.done {
		return pass
	}
	for _, g := range w.segs {
		if !g.covers(id) {
			continue
		}
		t, ok := r.names(g.tag)
		if !ok || w.owed && (t.copy || r.private()) {
			continue
		}
		if !w.owed {
			return give
		}
		if w.skip.tag != 0 && w.skip.covers(id) && !r.hidden() {
			return pass
		}
		return w.responsible(id, r)
	}
	return pass
}

// lost reports whether a record was for a session alone that has ended: nobody
// gets it any more. waited says that it counts as waiting.
func (w *want) lost(id uint64, r *record) (lost, waited bool) {
	if !w.owed || id <= w.done || !r.private() || r.count() == 0 {
		return false, false
	}
	t := r.target(0) // it is the one; copies are behind it
	lost = !t.copy && covered(w.segs, t.tag, id)
	return lost, lost && !t.live
}

// responsible looks at the other sessions that a record names.
func (w *want) responsible(id uint64, r *record) verdict {
	v := give
	for i := range r.count() {
		t := r.target(i)
		switch {
		case t.copy && t.tag != w.reader:
		case !t.copy && (covered(w.segs, t.tag, id) || covered(w.ended, t.tag, id)):
		case covered(w.alive, t.tag, id):
			v = put
		default:
			return pass // it has been acknowledged
		}
	}
	return v
}

// without takes parts out of segments. Each keeps its end, even if nothing else.
func without(segs, parts []segment) []segment {
	for _, x := range parts {
		var rest []segment
		for _, g := range segs {
			if g.tag == x.tag && x.after < g.upTo && x.upTo > g.after {
				if x.after > g.after {
					rest = append(rest, segment{g.tag, g.after, x.after})
				}
				g.after = min(x.upTo, g.upTo)
			}
			rest = append(rest, g)
		}
		segs = rest
	}
	return segs
}

// covered reports whether a record of that id is in a segment of the tag.
func covered(segs []segment, tag, id uint64) bool {
	for _, g := range segs {
		if g.tag == tag && g.covers(id) {
			return true
		}
	}
	return false
}
