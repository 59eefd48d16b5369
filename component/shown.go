package component

import (
	"context"
	"slices"
	"time"

	"weir/jid"
	"weir/stanza"

	"mellium.im/xmpp/stream"
)

// maxShown bounds whose presence to whom is remembered of a component, so that it can be
// taken back. What is beyond isn't.
const maxShown = 100_000

// pruneEvery is the least time between two looks for receivers that have gone.
const pruneEvery = time.Minute

// Presence of a component's addresses by its type.
const (
	typeAvailable   = ""
	typeUnavailable = "unavailable"
)

// sight is an address of the component that somebody sees.
type sight struct{ from, to jid.JID }

// shown is who sees the component's addresses by what it sent on one stream. It belongs
// to the goroutine that routes.
type shown struct {
	all    map[sight]struct{}
	most   int
	ended  []sight // since takeEnded was called, perhaps begun again
	pruned time.Time
	beyond bool // that some aren't remembered was told
}

// has reports whether a sight is remembered.
func (w *shown) has(x sight) bool {
	_, has := w.all[x]
	return has
}

// note takes a presence into account. It returns false for the first that is beyond the
// bound.
func (w *shown) note(st *stanza.Stanza, here func(jid.JID) bool) bool {
	x := sight{st.From, st.To}
	switch {
	case st.Kind != stanza.Presence:
	case st.Type == typeUnavailable:
		if w.has(x) {
			delete(w.all, x)
			w.ended = append(w.ended, x)
		}
	case st.Type == typeAvailable:
		if w.has(x) {
			return true
		}
		if len(w.all) >= w.most {
			w.prune(here)
		}
		if len(w.all) >= w.most {
			first := !w.beyond
			w.beyond = true
			return !first
		}
		if w.all == nil {
			w.all = make(map[sight]struct{})
		}
		w.all[x] = struct{}{}
	}
	return true
}

// prune forgets receivers that have gone: most components say nothing to those.
func (w *shown) prune(here func(jid.JID) bool) {
	if time.Since(w.pruned) < pruneEvery {
		return
	}
	w.pruned = time.Now()
	for x := range w.all {
		if x.to.IsFull() && !here(x.to) {
			delete(w.all, x)
			w.ended = append(w.ended, x)
		}
	}
}

// takeEnded returns the sights that have ended since the last call and have not begun
// again.
func (w *shown) takeEnded() []sight {
	over := slices.DeleteFunc(w.ended, w.has)
	w.ended = nil
	return over
}

// here reports whether somebody is at a full address, as far as we can know.
func (srv *Server) here(full jid.JID) bool {
	return !srv.m.Local(full.Domain()) || srv.m.ByJID(full) != nil
}

// begin gives the right to route, until done is closed; false where the stream has
// ended.
func (s *Stream) begin() (done chan struct{}, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil, false
	}
	s.routing = make(chan struct{})
	return s.routing, true
}

// farewell takes back what the component has shown on this stream: its connection has
// gone, and it with it (as RFC 6121 §4.5.2 has it for clients). It waits for what is being
// routed, and what comes behind it on a later stream of the component waits for it.
// Only the first call does something.
func (s *Stream) farewell() {
	s.mu.Lock()
	again, routing := s.over, s.routing
	s.over = true
	s.mu.Unlock()
	if again || s.gone == nil {
		return
	}
	s.cancel()
	go func() {
		defer close(s.gone)
		for _, before := range []chan struct{}{s.after, routing} {
			if before != nil {
				<-before
			}
		}
		s.takeBack(s.srv.run)
	}()
}

// takeBack sends the goodbyes. A server that stops sends none: the next one does, where
// the component doesn't show it again (left.go).
func (s *Stream) takeBack(ctx context.Context) {
	all := s.domain.takeLeft(maxShown)
	for x := range s.shown.all {
		all = append(all, x)
	}
	if n := len(all); n > 0 && ctx.Err() == nil {
		s.srv.o.Log.Info("presence of a component is taken back", "domain", s.domain.name, "presences", n)
	}
	for _, x := range all {
		if ctx.Err() != nil {
			return
		}
		s.srv.unsee(ctx, s.domain.name, x)
	}
	if len(all) > 0 && ctx.Err() == nil {
		s.srv.sights.clear(s.domain.name)
	}
	s.shown.all = nil
}

// Shutdown ends the streams with system-shutdown.
func (srv *Server) Shutdown() {
	srv.stop()
	for _, d := range srv.domains {
		d.mu.Lock()
		if d.due != nil {
			d.due.Stop()
		}
		d.mu.Unlock()
		if s := d.stream(); s != nil {
			s.fail(stream.SystemShutdown, "the server is shutting down")
		}
	}
}
