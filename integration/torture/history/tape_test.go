package history

import "time"

// tape makes histories by hand: each call is one step of the run's time, 100 ms.
type tape struct {
	run     Run
	now     time.Duration
	session []int32
	stream  []int32
	out, in []uint32
}

func newTape(clients int) *tape {
	return &tape{run: Run{Clients: make([]Log, clients)}, session: make([]int32, clients), stream: make([]int32, clients),
		out: make([]uint32, clients), in: make([]uint32, clients)}
}

func (p *tape) add(c int32, e Event) {
	p.now += 100 * time.Millisecond
	e.At, e.Session, e.Stream = p.now, p.session[c], p.stream[c]
	p.run.Clients[c] = append(p.run.Clients[c], e)
}

func (p *tape) deed(d Deed, process uint32) {
	p.now += 100 * time.Millisecond
	p.run.Incidents = append(p.run.Incidents, Incident{At: p.now, Deed: d, N: process, Note: "by hand"})
}

// connect makes a stream to a process.
func (p *tape) connect(c int32, process uint32) {
	p.stream[c]++
	p.add(c, Event{Kind: Connected, N: process})
}

// begin makes a new session on a new stream.
func (p *tape) begin(c int32, process uint32) {
	p.connect(c, process)
	p.bind(c, 0)
	p.enable(c)
}

func (p *tape) bind(c int32, flags uint8) {
	p.session[c]++
	p.out[c], p.in[c] = 0, 0
	p.add(c, Event{Kind: Bound, Flags: flags})
}

func (p *tape) enable(c int32) {
	p.add(c, Event{Kind: Enabled})
	p.other(c)
	p.add(c, Event{Kind: Available})
	p.in[c]++
}

// resume ends the stream and resumes on another; h is what the server says.
func (p *tape) resume(c int32, process, h uint32) {
	p.end(c)
	p.connect(c, process)
	p.add(c, Event{Kind: Asked, N: p.in[c]})
	p.add(c, Event{Kind: Resumed, N: h})
}

func (p *tape) end(c int32)             { p.add(c, Event{Kind: Ended, Note: "cut"}) }
func (p *tape) other(c int32)           { p.out[c]++; p.add(c, Event{Kind: SentOther, N: p.out[c]}) }
func (p *tape) acked(c int32, h uint32) { p.add(c, Event{Kind: Acked, N: h}) }
func (p *tape) gave(c int32)            { p.add(c, Event{Kind: Gave, N: p.in[c]}) }

func (p *tape) send(from, to, seq int32) {
	p.out[from]++
	p.add(from, Event{Kind: Sent, Peer: to, Seq: seq, N: p.out[from]})
}

func (p *tape) get(from, to, seq int32, flags uint8) {
	p.in[to]++
	p.add(to, Event{Kind: Got, Peer: from, Seq: seq, N: p.in[to], Flags: flags})
}

// proven makes the server prove that it has all of the client's acknowledgements.
func (p *tape) proven(c int32) {
	p.gave(c)
	p.other(c)
	p.acked(c, p.out[c])
}

// pair is the start of most histories: two clients with a session each, on process 1.
func pair() *tape {
	p := newTape(2)
	p.deed(Started, 1)
	p.begin(0, 1)
	p.begin(1, 1)
	return p
}
