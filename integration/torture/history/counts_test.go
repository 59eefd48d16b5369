package history

import "time"

// counters are histories about h, faults of the disk, errors, and the harness itself.
var counters = []made{
	{"h falls", func() *tape {
		p := pair()
		p.other(0)
		p.acked(0, 2)
		p.acked(0, 1)
		return p
	}, Rules{}, []string{"h"}},
	{"h falls over a resumption", func() *tape {
		p := pair()
		p.other(0)
		p.acked(0, 2)
		p.resume(0, 1, 1)
		return p
	}, Rules{}, []string{"h"}},
	{"h exceeds what was sent", func() *tape {
		p := pair()
		p.acked(0, 2)
		p.other(0)
		return p
	}, Rules{}, []string{"h"}},
	{"h begins again with a new session", func() *tape {
		p := pair()
		p.other(0)
		p.acked(0, 2)
		p.end(0)
		p.begin(0, 1)
		p.acked(0, 1)
		return p
	}, Rules{}, nil},
	{"acknowledged and delivered after an fsync failed", func() *tape {
		p := pair()
		p.deed(Faulted, 1)
		p.send(0, 1, 0)
		p.acked(0, 2)
		p.get(0, 1, 0, 0)
		return p
	}, Rules{}, []string{"fault", "fault"}},
	{"sent before it failed, known after", func() *tape {
		p := pair()
		p.send(0, 1, 0)
		p.deed(Faulted, 1)
		p.acked(0, 2)
		p.get(0, 1, 0, 0)
		return p
	}, Rules{}, nil},
	{"acknowledged by the next process", func() *tape {
		p := pair()
		p.deed(Faulted, 1)
		p.send(0, 1, 0)
		p.deed(Killed, 1)
		p.resume(0, 2, 1)
		p.resume(1, 2, 1)
		p.out[0] = 1
		p.send(0, 1, 0)
		p.acked(0, 2)
		p.get(0, 1, 0, 0)
		return p
	}, Rules{}, nil},
	{"goes on counting after an fsync failed", func() *tape {
		p := pair()
		p.deed(Faulted, 1)
		p.now += time.Second
		p.other(0)
		p.acked(0, 2)
		return p
	}, Rules{}, []string{"fault"}},
	{"bounced while the disk was full", func() *tape {
		p := pair()
		p.deed(Filled, 1)
		p.send(0, 1, 0)
		p.acked(0, 2)
		p.add(0, Event{Kind: Bounced, Peer: 1})
		p.deed(Roomy, 1)
		return p
	}, Rules{}, nil},
	{"bounced without reason", func() *tape {
		p := pair()
		p.deed(Filled, 1)
		p.deed(Roomy, 1)
		p.now += time.Minute
		p.send(0, 1, 0)
		p.acked(0, 2)
		p.add(0, Event{Kind: Bounced, Peer: 1})
		return p
	}, Rules{}, []string{"bounced"}},
	{"bounced and delivered", func() *tape {
		p := pair()
		p.deed(Filled, 1)
		p.send(0, 1, 0)
		p.acked(0, 2)
		p.add(0, Event{Kind: Bounced, Peer: 1})
		p.get(0, 1, 0, 0)
		return p
	}, Rules{}, []string{"bounced"}},
	{"to nobody, and back", func() *tape {
		p := pair()
		p.send(0, 0, 0)
		p.acked(0, 2)
		p.resume(0, 2, 2)
		p.add(0, Event{Kind: Bounced, Peer: 0})
		return p
	}, Rules{}, nil},
	{"to nobody, and never back", func() *tape {
		p := pair()
		p.send(0, 0, 0)
		p.acked(0, 2)
		p.resume(0, 2, 2)
		return p
	}, Rules{}, []string{"lost"}},
	{"to nobody, and back to a session that its client has given up", func() *tape {
		p := pair()
		p.send(0, 0, 0)
		p.acked(0, 2)
		p.begin(0, 1)
		return p
	}, Rules{}, nil},
	{"to nobody, and back twice", func() *tape {
		p := pair()
		p.send(0, 0, 0)
		p.acked(0, 2)
		p.add(0, Event{Kind: Bounced, Peer: 0})
		p.resume(0, 2, 2)
		p.add(0, Event{Kind: Bounced, Peer: 0})
		return p
	}, Rules{}, []string{"doubled"}},
	{"to nobody, and not acknowledged", func() *tape {
		p := pair()
		p.send(0, 0, 0)
		return p
	}, Rules{}, []string{"stuck"}},
	{"sent again in a new session, and two came", resent, Rules{}, []string{"doubled"}},
	{"the same, excused", resent, Rules{LooseResends: true}, nil},
	{"written to a session that had no stream management yet", func() *tape { return unmanaged(Full) }, Rules{}, nil},
	{"to the bare address there is no such excuse", func() *tape { return unmanaged(0) }, Rules{}, []string{"lost"}},
	{"from nobody", func() *tape {
		p := pair()
		p.get(0, 1, 7, 0)
		p.get(9, 1, 7, 0)
		return p
	}, Rules{}, []string{"wrong", "wrong"}},
	{"what a client or the nemesis found wrong", func() *tape {
		p := pair()
		p.add(0, Event{Kind: Wrong, Note: "stream error"})
		p.deed(Failure, 1)
		return p
	}, Rules{}, []string{"wrong", "server"}},
	{"a client that can't count", func() *tape {
		p := pair()
		p.add(0, Event{Kind: Sent, Peer: 1, N: 7})
		p.add(0, Event{Kind: Dropped, Peer: 1})
		return p
	}, Rules{}, []string{"harness"}},
}

// resent is a message that was sent in two sessions and came twice.
func resent() *tape {
	p := pair()
	p.send(0, 1, 0)
	p.get(0, 1, 0, 0)
	p.end(0)
	p.begin(0, 1)
	p.send(0, 1, 0)
	p.acked(0, 2)
	p.get(0, 1, 0, 0)
	return p
}

// unmanaged is a message that was routed to a session between bind and enable.
func unmanaged(flags uint8) *tape {
	p := pair()
	p.end(1)
	p.connect(1, 1)
	p.bind(1, 0)
	p.out[0]++
	p.add(0, Event{Kind: Sent, Peer: 1, N: p.out[0], Flags: flags})
	p.acked(0, 2)
	p.end(1)
	p.begin(1, 1)
	return p
}
