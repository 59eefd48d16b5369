package main

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/integration/torture/history"

	"github.com/xdg-go/scram"
)

// client is one account's client. Everything in it belongs to the goroutine that
// runs live, but for what is atomic and the channel of orders.
type client struct {
	*world
	id       int32
	device   int // 0: the account's client; else a further device, which only listens
	resource string
	rng      *rand.Rand
	scram    *scram.Client
	secure   bool    // by TLS
	token    string  // in place of the password, "" until it has one
	fickle   bool    // likes to begin a new session in place of resuming
	peers    []int32 // whom it writes to
	next     map[int32]int32

	log      history.Log
	sessions int32
	streams  int32
	moved    bool      // the session to come has another resource than the last
	session  *session  // nil before the first
	orphans  []pending // messages of sessions that are no more, to be sent again
	forget   bool      // the session is not to be resumed
	dubious  time.Time // a request to resume or bind was left behind unanswered, last then
	unlucky  int       // attempts in a row that didn't lead to a session
	asked    time.Time // an <r/> is unanswered since, or zero
	shows    int32     // how often it has shown its presence
	awake    int32     // the stream that was told that somebody looks

	orders chan order

	// What others may know.
	live_   atomic.Bool  // has a session on a stream
	unacked atomic.Int32 // stanzas that nobody acknowledged
	news    atomic.Int64 // when something of interest came last, as a time of the run
	address atomic.Pointer[string]
}

// order is what the nemesis tells a client to do.
type order struct {
	do      deed
	reset   bool          // cut: by RST
	renew   bool          // begin a new session afterwards
	quiet   time.Duration // slow: how long nothing is read
	to      int32         // burst: whom to write to
	letters int           // burst: how many messages
}

type deed uint8

const (
	doCut     deed = iota // end the connection
	doAbandon             // leave the connection open and go on with another
	doSlow                // read nothing for a while
	doBurst               // write a lot
	doLeave               // acknowledge all, close the stream, begin a new session
)

// world is what the clients of a run share.
type world struct {
	options
	begin   time.Time
	server  *server
	clients []*client // all; the one with an account's number is that account's
	// accounts are the first of clients: one for each account.
	accounts []*client
	contacts [][]int32      // of each account; nil if the server has no rosters
	wander   bool           // some clients come back as another resource
	calmed   chan struct{}  // closed once it is calm: no new messages
	left     sync.WaitGroup // connections left open
}

// calm reports whether nobody is to send anything new.
func (w *world) calm() bool {
	select {
	case <-w.calmed:
		return true
	default:
		return false
	}
}

// at returns the time of the run.
func (w *world) at() time.Duration { return time.Since(w.begin) }

// newClient makes a client that hasn't connected.
func newClient(w *world, id int32) (*client, error) {
	auth, err := scram.SHA256.NewClientUnprepped(account(id), password(id), "")
	if err != nil {
		return nil, err
	}
	c := &client{world: w, id: id, resource: "r0", scram: auth, secure: id%4 == 0, next: map[int32]int32{},
		rng: rand.New(rand.NewPCG(w.seed, uint64(id)+1)), orders: make(chan order, 16)}
	c.fickle = c.rng.Float64() < w.resumeNot
	n := int32(w.options.clients)
	for range 10 {
		if peer := c.rng.Int32N(n); peer != id {
			c.peers = append(c.peers, peer)
		}
	}
	if len(c.peers) == 0 {
		c.peers = []int32{(id + 1) % n}
	}
	return c, nil
}

// note appends to the log.
func (c *client) note(e history.Event) {
	e.At, e.Session, e.Stream = c.at(), c.sessions, c.streams
	c.log = append(c.log, e)
}

// wrong notes what may not be.
func (c *client) wrong(what string) { c.note(history.Event{Kind: history.Wrong, Note: what}) }

// live connects and works, again and again, until ctx ends.
func (c *client) live(ctx context.Context) {
	for ctx.Err() == nil {
		s, err := c.enter(ctx)
		if err != nil {
			c.unlucky++
			c.backOff(ctx)
			continue
		}
		c.unlucky = 0
		c.live_.Store(true)
		why := c.work(ctx, s)
		c.live_.Store(false)
		c.note(history.Event{Kind: history.Ended, Note: why})
		if !c.forget && c.fickle && c.rng.IntN(2) == 0 {
			c.forget = true
		}
	}
}

// backOff waits before the next attempt.
func (c *client) backOff(ctx context.Context) {
	limit := time.Duration(min(10<<min(c.unlucky, 10), 300)) * time.Millisecond
	t := time.NewTimer(5*time.Millisecond + time.Duration(c.rng.Int64N(int64(limit))))
	defer t.Stop()
	for {
		select {
		case <-t.C:
			return
		case <-ctx.Done():
			return
		case <-c.orders: // nothing to cut
		}
	}
}

// ackPatience is how long an answer to <r/> is waited for, beyond the longest
// SIGSTOP, before the connection counts as dead.
const ackPatience = 15 * time.Second

// work uses a stream until it ends and says why it did.
func (c *client) work(ctx context.Context, s *stream) string {
	tick := time.NewTimer(c.interval())
	defer tick.Stop()
	chores := time.NewTicker(300 * time.Millisecond)
	defer chores.Stop()
	for {
		select {
		case e, ok := <-s.in:
			if !ok {
				s.cut(false)
				return c.ending(s.end)
			}
			if err := c.handle(s, e); err != nil {
				s.cut(false)
				return err.Error()
			}
		case <-tick.C:
			tick.Reset(c.interval())
			if err := c.traffic(s); err != nil {
				s.cut(false)
				return c.ending(err)
			}
		case <-chores.C:
			if err := c.chores(s); err != nil {
				s.cut(false)
				return c.ending(err)
			}
		case o := <-c.orders:
			if why := c.obey(ctx, s, o); why != "" {
				return why
			}
		case <-ctx.Done():
			c.farewell(s)
			s.cut(false)
			return "the run is over"
		}
	}
}

// interval returns how long to wait until the next stanza of one's own.
func (c *client) interval() time.Duration {
	return time.Duration((0.5 + c.rng.Float64()) / c.rate * float64(time.Second))
}

// ending says why a stream ended; what isn't well-formed is no way to end one.
func (c *client) ending(err error) string {
	var syntax *xml.SyntaxError
	var network net.Error
	switch {
	case errors.As(err, &syntax) && !strings.Contains(syntax.Msg, "unexpected EOF"):
		c.wrong("what came isn't XML: " + syntax.Error())
	case errors.Is(err, io.EOF), errors.Is(err, errClosed), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &network):
	}
	if err == nil {
		return "ended"
	}
	return err.Error()
}

// obey does what the nemesis wants. It returns why the stream is over, "" if it isn't.
func (c *client) obey(ctx context.Context, s *stream, o order) string {
	switch o.do {
	case doCut:
		c.forget = c.forget || o.renew && c.device == 0
		s.cut(o.reset)
		return "cut"
	case doAbandon:
		c.forget = c.forget || o.renew && c.device == 0
		c.abandoned(ctx, s)
		return "left open"
	case doSlow:
		t := time.NewTimer(o.quiet)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	case doBurst:
		if c.device > 0 {
			return ""
		}
		for range o.letters {
			if err := c.letter(s, o.to, 4<<10); err != nil {
				s.cut(false)
				return c.ending(err)
			}
		}
	case doLeave:
		if c.device > 0 {
			return "" // what it has seen is judged over its whole session
		}
		c.farewell(s)
		c.forget = true
		s.cut(false)
		return "left in order"
	}
	return ""
}

// oldPatience is how long the server may take to close a stream whose session was
// resumed elsewhere.
const oldPatience = 15 * time.Second

// abandoned leaves a connection as a network does that swallows everything: the
// server believes in it, and has what was written last. The old connection must
// be closed with conflict (XEP-0198 §5) once the session goes on elsewhere.
func (c *client) abandoned(ctx context.Context, s *stream) {
	for range c.rng.IntN(8) {
		if c.letter(s, c.peers[c.rng.IntN(len(c.peers))], 100) != nil {
			break
		}
	}
	s.leave()
	process := s.process
	patience := oldPatience + c.pause
	superseded := !c.wanders() // another resource doesn't supersede it
	var lost <-chan struct{}
	if !superseded {
		lost = c.calmed // or what it has would come when the run is over
	}
	c.left.Go(func() {
		defer s.cut(false)
		t := time.NewTimer(patience)
		defer t.Stop()
		select {
		case <-s.gone:
		case <-ctx.Done():
			return
		case <-lost:
		case <-t.C:
		}
		if now := c.server.where(); !superseded || now == nil || now.process != process {
			return // or its server is gone
		}
		switch {
		case s.last == "conflict" || s.last == "system-shutdown":
		case t.Stop():
			c.server.note(history.Failure, process, "a stream that was superseded ended without the stream error conflict: "+account(c.id)+" "+s.last)
		default:
			c.server.note(history.Failure, process, "a stream that was superseded is still open: "+account(c.id))
		}
	})
}

// wanders reports whether the client comes back as another resource.
func (c *client) wanders() bool { return c.wander && c.id%5 == 4 }
