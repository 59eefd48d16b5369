package sessionmgr

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"weir/stanza"

	"mellium.im/xmpp/stream"
)

// virtualLink is the live end of a virtual session: a queue that is worked off in
// the session's order. To the pipeline what was handled is what other links have
// written, so the rules that keep messages for a client that reads slowly keep them
// for a bot that works slowly. Nothing is there for it while it has nothing to do:
// no goroutine and no queue.
type virtualLink struct {
	v       *Virtual
	most    int // bytes that may wait
	dropped atomic.Uint64

	// Owned by the session's order.
	handled uint32 // stanzas, modulo 2^32
	told    uint32 // of those that were acknowledged

	mu      sync.Mutex
	s       *Session  // guarded by mu, as is what follows; nil before it is opened
	queue   []arrived // in the order in which they came
	bytes   int       // of those, and of the one that is being handled
	working bool      // what waits is worked off
	opened  bool      // Ended is to be called
	closed  bool
}

// arrived is a stanza that waits, or a number of them that were dropped and only
// count.
type arrived struct {
	st      *stanza.Stanza
	dropped uint32
}

// workAtOnce is how many stanzas are handled until something else that is to be done
// in the session's order has its turn; ackAtOnce, after how many they are acknowledged.
const (
	workAtOnce = 64
	ackAtOnce  = 16
)

var errOverflow = errors.New("sessionmgr: more than may wait for a virtual session")

// begin says whose link it is.
func (l *virtualLink) begin(s *Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.s = s
}

// open has Ended be called from here on; false where the session has ended already.
func (l *virtualLink) open() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.opened = !l.closed
	return l.opened
}

// Append implements Link: the stanza waits. Of what is too much, that which isn't
// kept is dropped: it still counts, or the numbers wouldn't fit. What is kept is
// bounded by the pipeline where the session acknowledges, which has it wait in the
// log; else the session ends and it is owed.
func (l *virtualLink) Append(st *stanza.Stanza) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrGone
	}
	size := st.Size()
	kept := keptOffline(st)
	switch {
	case l.bytes == 0 || l.bytes+size <= l.most || kept && l.v.o.Acks:
		l.bytes += size
		l.queue = append(l.queue, arrived{st: st})
	case kept:
		l.shut(Cause{Code: TooSlow, Text: errOverflow.Error()})
		return errOverflow
	default:
		l.drop(st)
	}
	return nil
}

// drop counts a stanza that is too much, and refuses a request; mu is held.
func (l *virtualLink) drop(st *stanza.Stanza) {
	if l.dropped.Add(1) == 1 {
		l.s.Log().Warn("a virtual session works too slowly: stanzas for it are dropped", "jid", st.To)
	}
	if n := len(l.queue); n > 0 && l.queue[n-1].st == nil {
		l.queue[n-1].dropped++
	} else {
		l.queue = append(l.queue, arrived{dropped: 1})
	}
	if m := l.v.m; st.IsRequest() {
		m.work.Go(func() {
			m.bounce(nil, st, stanza.ResourceConstraint("too many requests wait here; try again later"))
			m.FlushTouched()
		})
	}
}

// Flush implements Link: what waits is worked off.
func (l *virtualLink) Flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.working {
		l.goOn()
	}
}

// over reports whether nothing more is handled: from where the session's context ends,
// of which functions may take notice before the link is closed. mu is held.
func (l *virtualLink) over() bool { return l.closed || l.s.Context().Err() != nil }

// goOn has what waits be worked off, if anything does; mu is held.
func (l *virtualLink) goOn() {
	l.working = len(l.queue) > 0 && !l.over()
	if l.working {
		l.v.m.postAlways(l.s, errand{l.v.m.ctx, l.work, l.worked})
	}
}

// work handles some of what waits. It runs in the session's order.
func (l *virtualLink) work(ctx context.Context) error {
	for range workAtOnce {
		next, ok := l.next()
		if !ok {
			break
		}
		if next.st == nil {
			l.handled += next.dropped
			continue
		}
		l.handle(ctx, next.st)
		if l.handled-l.told >= ackAtOnce {
			l.acknowledge()
		}
	}
	l.acknowledge()
	if l.Waiting() == 0 {
		l.v.m.Drained(l.v.s)
	}
	return nil
}

// worked is called when work has ended, or has not begun since the session has ended.
func (l *virtualLink) worked(error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.goOn()
}

func (l *virtualLink) next() (a arrived, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 || l.over() {
		return a, false
	}
	a = l.queue[0]
	l.queue[0] = arrived{}
	if l.queue = l.queue[1:]; len(l.queue) == 0 {
		l.queue = nil
	}
	return a, true
}

// handle has one stanza handled. However that ends, it counts, unless the session has
// ended meanwhile: its function may just have given up.
func (l *virtualLink) handle(ctx context.Context, st *stanza.Stanza) {
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.bytes -= st.Size()
		if !l.over() {
			l.handled++
		}
	}()
	l.v.m.isolated("a virtual session", func() { l.v.receive(ctx, st) })
}

// acknowledge tells the pipeline what was handled.
func (l *virtualLink) acknowledge() {
	if !l.v.o.Acks || l.told == l.handled {
		return
	}
	l.told = l.handled
	s, h := l.v.s, l.handled
	l.v.m.Acknowledge(s, l, h, func(sent uint32) {
		s.Log().Error("a virtual session has handled more than it was given", "handled", h, "given", sent)
	})
}

// WantDrain implements Link: there is nothing to say to a function.
func (l *virtualLink) WantDrain() {}

// Waiting implements Link. What a closed link had not handled waits for ever.
func (l *virtualLink) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes
}

// Close implements Link.
func (l *virtualLink) Close(why *stream.Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shut(virtualCause(why))
}

// shut ends the session, unless it has ended already, and then calls Ended; mu is held.
func (l *virtualLink) shut(why Cause) {
	if l.closed {
		return
	}
	l.closed, l.queue = true, nil
	if l.s == nil { // a hook has ended it before it was there
		return
	}
	s, m, v, opened := l.s, l.v.m, l.v, l.opened && l.v.o.Ended != nil
	m.work.Go(func() {
		m.Closed(s, l, why)
		if <-s.partingDone(); !opened {
			return
		}
		m.postAlways(s, errand{m.ctx, func(context.Context) error { return nil }, func(error) {
			m.isolated("a virtual session", func() { v.o.Ended(s.Context(), v, s.Cause()) })
		}})
	})
}

// receive gives a stanza to the function that takes it, and answers as that says.
func (v *Virtual) receive(ctx context.Context, st *stanza.Stanza) {
	var reply *stanza.Stanza
	switch {
	case st.IsRequest():
		h := IQHandler{NS: "a virtual session"}
		if v.o.Answer != nil {
			h.Get = func(ctx context.Context, iq *stanza.Stanza) (any, error) { return v.o.Answer(ctx, v, iq) }
			h.Set = h.Get
		}
		result, err := v.m.ask(ctx, st, &h)
		if reply = result; err != nil && !errors.Is(err, ErrAnswered) {
			reply = st.ErrorReply(v.m.toError(ctx, err))
		}
	case v.o.Receive != nil:
		err := v.o.Receive(ctx, v, st)
		if e, ok := stanza.AsError(err); ok && st.Kind == stanza.Message {
			reply = st.ErrorReply(e)
		} else if err != nil {
			v.s.Log().Error("a virtual session could not handle a stanza", "from", st.From, "err", err)
		}
	}
	if reply == nil {
		return
	}
	if err := v.Send(ctx, reply); err != nil && !errors.Is(err, ErrGone) {
		v.s.Log().Error("a virtual session could not answer", "to", reply.To, "err", err)
	}
}
