package sessionmgr

import (
	"context"
	"fmt"
	"time"

	"weir/stanza"

	"mellium.im/xmpp/stream"
)

// Two clients of which each ends the other's session and comes back at once would
// go on for ever (RFC 6120 §7.7.2.2). A session knows how often in a row it and
// those before it have replaced each other, each within loopLife of its own
// binding. From loopTurns on a binding that would go on with that waits, longer
// each time: so both clients work for a while, and the log says what to do.
const (
	loopLife  = time.Minute
	loopTurns = 5
	loopWait  = time.Second      // at first
	loopMost  = 15 * time.Second // at the longest: shorter than clients and stream.bind_timeout wait
)

// oust ends the sessions that have to end for a binding: none of them can be reached
// any more. Runs with the token; seeOff does the rest.
func (m *Manager) oust(s *Session, v *ruling) {
	for i := range v.replaced {
		old := &v.replaced[i]
		why, goodbye := v.farewell(old, s)
		if s.turns >= loopTurns {
			why.Text += fmt.Sprintf(", for the %dth time in a row", s.turns)
		}
		old.goodbye = goodbye
		old.first, old.was, old.binding, old.link = old.end(why)
		m.leave(old.Session) // who ended it before this may not have come to that
	}
}

// seeOff closes the streams of the sessions that a binding has replaced, and waits
// until everybody has heard of their end: who hears of both hears of that first.
func (m *Manager) seeOff(ctx context.Context, s *Session, v *ruling) {
	for i := range v.replaced {
		old := &v.replaced[i]
		if !old.first {
			continue
		}
		m.ended(old.Session, old.was, old.binding)
		if old.link != nil {
			old.link.Close(old.goodbye)
		}
	}
	for _, old := range v.replaced {
		select {
		case <-old.partingDone():
			if old.Cause().Code == Replaced {
				m.ran(s, m.Hooks.Replaced.Run(ctx, Replacement{Session: old.Session, By: s}))
			}
		case <-ctx.Done(): // its stream is gone
			m.Closed(s, s.Link(), Cause{LinkLost, "while its binding was under way"})
			return
		}
	}
}

// farewell is why a session ends for another, and what its client is told.
func (v *ruling) farewell(old *ousted, s *Session) (Cause, *stream.Error) {
	why, goodbye := Cause{Replaced, "by session " + s.id}, &stream.Error{Err: "conflict"} // RFC 6120 §4.9.3.3
	if old.why == byRule {
		why.Text += " (" + v.rule.String() + ")"
		goodbye.Text = append(goodbye.Text, struct{ Lang, Value string }{"en", v.toldWhy()})
	}
	return why, goodbye
}

// toldWhy is what the client of a session is told that its rule ends.
func (v *ruling) toldWhy() string {
	return "this account may have one session at a time, and another has begun (" + v.rule.String() + ")"
}

// turnsAfter returns how often in a row sessions will have replaced each other
// once a binding has, that was slowed for some time. A session without a link had
// nothing to lose, and a device that replaces itself from the same address has
// lost its connection: neither counts.
func (s *Session) turnsAfter(v *ruling, slowed time.Duration) (most uint8) {
	s.mu.Lock()
	device, addr := s.device, s.remote.Addr()
	s.mu.Unlock()
	for _, old := range v.replaced {
		old.mu.Lock()
		turns, alive := old.turns, old.state == Bound
		itself := device != nil && device.ID != "" && old.device != nil && old.device.ID == device.ID && old.remote.Addr() == addr
		bound := time.Duration(old.way.bound)*time.Millisecond + time.Duration(old.created)
		old.mu.Unlock()
		lived := time.Duration(time.Now().UnixNano()) - bound - slowed
		if !alive || lived > loopLife {
			continue
		}
		if !itself && turns < 255 {
			turns++
		}
		most = max(most, turns)
	}
	return most
}

// slows returns how long a binding has to wait that goes on with sessions'
// replacing each other, 0 for not at all, and says so in the log.
func (m *Manager) slows(s *Session, v *ruling) time.Duration {
	turns := s.turnsAfter(v, 0)
	if turns < loopTurns {
		return 0
	}
	wait := loopWaitAt(turns)
	m.metrics.slowed.Inc()
	s.early(fmt.Sprintf("waits %v with its binding: sessions of the account have replaced each other %d times, the last was %s", wait, turns, v.replaced[0].ID()))
	if turns == loopTurns || turns%50 == 0 {
		old := v.replaced[0]
		s.Log().Warn("clients of an account replace each other again and again; the next has to wait",
			"account", s.JID().Bare(), "times", turns, "wait", wait, "resource", old.JID().Resource(), "policy", v.set.Text(v.rule),
			"from", s.Info().Remote, "software", s.Device().Software, "other", old.ID(), "other_from", old.Info().Remote, "other_software", old.Device().Software,
			"advice", old.advice())
	}
	return wait
}

// loopWaitAt is how long a binding waits that would be a turn of a loop.
func loopWaitAt(turns uint8) time.Duration {
	return min(loopWait<<min(turns-loopTurns, 8), loopMost)
}

// advice says what an admin can do about clients that replace each other.
func (o *ousted) advice() string {
	switch o.why {
	case byRule:
		return "let the account have several sessions (weir policy set), or have one of the clients log out"
	case sameDevice:
		return "two installations have the same id, one is a copy of the other perhaps: set up one of them anew"
	}
	return "give the two clients different resources, or none; session.conflict = \"rename\" does it for them"
}

// rest waits before a binding goes on. The client may give up meanwhile.
func (s *Session) rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.doneChan():
		return stanza.NotAllowed("the session has ended")
	}
}
