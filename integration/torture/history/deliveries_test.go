package history

// made is a history made by hand, and the promises that it breaks, in order.
type made struct {
	name  string
	make  func() *tape
	rules Rules
	want  []string
}

// deliveries are histories about what came, how often, where and in which order.
var deliveries = []made{
	{"sent, acknowledged, received", func() *tape {
		p := pair()
		p.send(0, 1, 0)
		p.get(0, 1, 0, 0)
		p.acked(0, 2)
		return p
	}, Rules{}, nil},
	{"received before the sender's acknowledgement is a loss of nothing, but the sender waits for ever", func() *tape {
		p := pair()
		p.send(0, 1, 0)
		p.get(0, 1, 0, 0)
		return p
	}, Rules{}, []string{"stuck"}},
	{"lost", func() *tape {
		p := pair()
		p.send(0, 1, 0)
		p.acked(0, 2)
		return p
	}, Rules{}, []string{"lost"}},
	{"lost by a resumption that said it had it", func() *tape {
		p := pair()
		p.send(0, 1, 0)
		p.deed(Killed, 1)
		p.resume(0, 2, 2)
		p.resume(1, 2, 1)
		return p
	}, Rules{}, []string{"lost"}},
	{"lost by a refusal that said it had it", func() *tape {
		p := pair()
		p.send(0, 1, 0)
		p.end(0)
		p.connect(0, 1)
		p.add(0, Event{Kind: Asked, N: p.in[0]})
		p.add(0, Event{Kind: Failed, N: 2, Flags: HasH})
		p.bind(0, 0)
		p.enable(0)
		return p
	}, Rules{}, []string{"lost"}},
	{"sent again under its number after a resumption", func() *tape {
		p := pair()
		p.send(0, 1, 0)
		p.send(0, 1, 1)
		p.get(0, 1, 0, 0)
		p.resume(0, 1, 2)
		p.out[0] = 2
		p.send(0, 1, 1)
		p.get(0, 1, 1, 0)
		p.acked(0, 3)
		return p
	}, Rules{}, nil},
	{"doubled on a resumed session", func() *tape {
		p := pair()
		p.send(0, 1, 0)
		p.acked(0, 2)
		p.get(0, 1, 0, 0)
		p.resume(1, 1, 1)
		p.get(0, 1, 0, 0)
		return p
	}, Rules{}, []string{"doubled"}},
	{"unacknowledged and doubled is doubled too", func() *tape {
		p := pair()
		p.send(0, 1, 0)
		p.get(0, 1, 0, 0)
		p.get(0, 1, 0, 0)
		p.add(0, Event{Kind: Dropped, Peer: 1, Seq: 0})
		return p
	}, Rules{}, []string{"doubled"}},
	{"comes again in the next session, unacknowledged in the first", func() *tape {
		p := pair()
		p.send(0, 1, 0)
		p.get(0, 1, 0, 0)
		p.acked(0, 2)
		p.end(1)
		p.begin(1, 1)
		p.get(0, 1, 0, Delayed)
		return p
	}, Rules{}, nil},
	{"doesn't come again, although unacknowledged", func() *tape {
		p := pair()
		p.send(0, 1, 0)
		p.get(0, 1, 0, 0)
		p.acked(0, 2)
		p.end(1)
		p.begin(1, 1)
		return p
	}, Rules{}, []string{"lost"}},
	{"comes again although acknowledged, but nobody knows whether that arrived", func() *tape {
		p := pair()
		p.send(0, 1, 0)
		p.get(0, 1, 0, 0)
		p.acked(0, 2)
		p.gave(1)
		p.end(1)
		p.begin(1, 1)
		p.get(0, 1, 0, Delayed)
		return p
	}, Rules{}, nil},
	{"need not come again where the acknowledgement may have arrived", func() *tape {
		p := pair()
		p.send(0, 1, 0)
		p.get(0, 1, 0, 0)
		p.acked(0, 2)
		p.gave(1)
		p.end(1)
		p.begin(1, 1)
		return p
	}, Rules{}, nil},
	{"comes again although the acknowledgement provably arrived", func() *tape {
		p := pair()
		p.send(0, 1, 0)
		p.get(0, 1, 0, 0)
		p.acked(0, 2)
		p.proven(1)
		p.end(1)
		p.begin(1, 1)
		p.get(0, 1, 0, Delayed)
		return p
	}, Rules{}, []string{"doubled"}},
	{"a stanza that left before the acknowledgement proves nothing", func() *tape {
		p := pair()
		p.send(0, 1, 0)
		p.other(1)
		p.get(0, 1, 0, 0)
		p.acked(0, 2)
		p.gave(1)
		p.acked(1, 2)
		p.end(1)
		p.begin(1, 1)
		p.get(0, 1, 0, Delayed)
		return p
	}, Rules{}, nil},
	{"a stanza on another stream proves nothing", func() *tape {
		p := pair()
		p.send(0, 1, 0)
		p.get(0, 1, 0, 0)
		p.acked(0, 2)
		p.gave(1)
		p.end(1)
		p.connect(1, 1)
		p.other(1)
		p.acked(1, p.out[1])
		p.end(1)
		p.begin(1, 1)
		p.get(0, 1, 0, Delayed)
		return p
	}, Rules{}, nil},
	{"a request to resume is an acknowledgement too", func() *tape {
		p := pair()
		p.send(0, 1, 0)
		p.get(0, 1, 0, 0)
		p.acked(0, 2)
		p.resume(1, 1, 1)
		p.other(1)
		p.acked(1, 2)
		p.end(1)
		p.begin(1, 1)
		p.get(0, 1, 0, Delayed)
		return p
	}, Rules{}, []string{"doubled"}},
	{"a server that keeps acknowledgements in memory may forget them in a kill", func() *tape {
		p := pair()
		p.send(0, 1, 0)
		p.get(0, 1, 0, 0)
		p.acked(0, 2)
		p.proven(1)
		p.deed(Killed, 1)
		p.end(1)
		p.begin(1, 2)
		p.get(0, 1, 0, Delayed)
		return p
	}, Rules{LooseAcks: true}, nil},
	{"but not without one", func() *tape {
		p := pair()
		p.deed(Killed, 1)
		p.send(0, 1, 0)
		p.get(0, 1, 0, 0)
		p.acked(0, 2)
		p.proven(1)
		p.end(1)
		p.begin(1, 2)
		p.get(0, 1, 0, Delayed)
		return p
	}, Rules{LooseAcks: true}, []string{"doubled"}},
	{"kept for a session to come, without a delay stamp", func() *tape {
		p := pair()
		p.end(1)
		p.send(0, 1, 0)
		p.acked(0, 2)
		p.begin(1, 1)
		p.get(0, 1, 0, 0)
		return p
	}, Rules{}, []string{"unstamped"}},
	{"kept while it is resumed needs none", func() *tape {
		p := pair()
		p.end(1)
		p.send(0, 1, 0)
		p.acked(0, 2)
		p.resume(1, 1, 1)
		p.get(0, 1, 0, 0)
		return p
	}, Rules{}, nil},
	{"reordered", func() *tape {
		p := pair()
		p.send(0, 1, 0)
		p.send(0, 1, 1)
		p.acked(0, 3)
		p.get(0, 1, 1, 0)
		p.get(0, 1, 0, 0)
		return p
	}, Rules{}, []string{"reordered"}},
	{"reordered over two sessions", func() *tape {
		p := pair()
		p.send(0, 1, 0)
		p.send(0, 1, 1)
		p.acked(0, 3)
		p.get(0, 1, 1, 0)
		p.gave(1)
		p.end(1)
		p.begin(1, 1)
		p.get(0, 1, 0, Delayed)
		return p
	}, Rules{}, []string{"reordered"}},
	{"in order again in the second session", func() *tape {
		p := pair()
		p.send(0, 1, 0)
		p.send(0, 1, 1)
		p.acked(0, 3)
		p.get(0, 1, 0, 0)
		p.get(0, 1, 1, 0)
		p.end(1)
		p.begin(1, 1)
		p.get(0, 1, 0, Delayed)
		p.get(0, 1, 1, Delayed)
		return p
	}, Rules{}, nil},
	{"out of order again in the second session", func() *tape {
		p := pair()
		p.send(0, 1, 0)
		p.send(0, 1, 1)
		p.acked(0, 3)
		p.get(0, 1, 0, 0)
		p.get(0, 1, 1, 0)
		p.end(1)
		p.begin(1, 1)
		p.get(0, 1, 1, Delayed)
		p.get(0, 1, 0, Delayed)
		return p
	}, Rules{}, []string{"reordered"}},
	{"what was given up has no place in the order", func() *tape {
		p := pair()
		p.send(0, 1, 0)
		p.end(0)
		p.connect(0, 1)
		p.add(0, Event{Kind: Dropped, Peer: 1, Seq: 0})
		p.bind(0, 0)
		p.enable(0)
		p.send(0, 1, 1)
		p.get(0, 1, 1, 0)
		p.get(0, 1, 0, 0)
		p.acked(0, 2)
		return p
	}, Rules{}, nil},
	{"what comes to a session that isn't available yet may come before what is owed", func() *tape {
		p := pair()
		p.end(1)
		p.send(0, 1, 0)
		p.acked(0, 2)
		p.connect(1, 1)
		p.bind(1, 0)
		p.add(1, Event{Kind: Enabled})
		p.send(0, 1, 1)
		p.acked(0, 3)
		p.get(0, 1, 1, 0)
		p.get(0, 1, 0, Delayed)
		return p
	}, Rules{}, nil},
	{"late from a session that was left behind as another resource", func() *tape {
		p := pair()
		p.send(0, 1, 0)
		p.send(0, 1, 1)
		p.end(1)
		p.connect(1, 1)
		p.bind(1, Moved)
		p.enable(1)
		p.get(0, 1, 1, 0)
		p.get(0, 1, 0, Delayed)
		p.acked(0, 3)
		return p
	}, Rules{}, nil},
}
