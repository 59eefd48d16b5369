package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"weir/integration/testclient"
	"weir/integration/torture/history"
)

// session is a stream management session (XEP-0198) as the client knows it.
type session struct {
	id    string
	out   uint32    // stanzas sent since <enable/>
	acked uint32    // of them acknowledged
	queue []pending // those sent and not acknowledged, in order
	in    uint32    // stanzas that came since <enabled/>
	told  uint32    // of them acknowledged
}

// pending is a stanza that nobody acknowledged.
type pending struct {
	n      uint32
	raw    string
	letter bool // a message that is logged
	peer   int32
	seq    int32
	full   bool
	status string // of presence for everybody
}

// errFull says that the disk of the server is full. Neither can a session be
// resumed then nor one be made that can: the client tries again.
var errFull = errors.New("torture: the server has no space for a session")

// errNoSM says that the server offers no stream management.
var errNoSM = errors.New("torture: the server doesn't offer stream management (urn:xmpp:sm:3)")

// enter connects, logs in, and resumes the session or begins a new one.
func (c *client) enter(ctx context.Context) (*stream, error) {
	place := c.server.where()
	if place == nil {
		return nil, errors.New("the server is down")
	}
	// Longer than the longest SIGSTOP: an attempt that is given up while the server
	// can't read would be found by it later, and supersede the next.
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second+c.pause)
	defer cancel()
	addr := place.plain
	if c.secure {
		addr = place.secure
	}
	s, err := dial(ctx, addr, c.secure)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { s.cut(false) })
	defer stop()
	c.streams++
	s.process = place.process
	c.note(history.Event{Kind: history.Connected, N: place.process})
	err = s.open()
	once := err == nil && c.instant(s)
	if err == nil && !once {
		err = s.authenticate(c.scram)
	}
	if err != nil {
		s.cut(false)
		return nil, c.refusedBy(err)
	}
	enter := c.attach
	if once {
		enter = func(s *stream) error { return c.refusedBy(c.enterAtOnce(s)) }
	}
	if err := enter(s); err != nil {
		s.cut(false)
		if ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
			c.dubious = time.Now()
		}
		c.note(history.Event{Kind: history.Ended, Note: err.Error()})
		return nil, err
	}
	return s, nil
}

// attach resumes the session on a stream after login, or begins a new one.
func (c *client) attach(s *stream) error {
	if s.features.Child(nsSM, "sm") == nil {
		return errNoSM
	}
	resumed := false
	if c.session != nil && !c.forget {
		var err error
		if resumed, err = c.resume(s); err != nil {
			return err
		}
	}
	if !resumed {
		if err := c.bind(s); err != nil {
			return err
		}
	}
	return s.deliver(ackPatience + c.pause)
}

// refusedBy looks at why a login failed: only a server that can't read its store
// may refuse one (and says temporary-auth-failure).
func (c *client) refusedBy(err error) error {
	if err == nil {
		return nil
	}
	var stop *ended
	if errors.As(err, &stop) {
		return c.streamError(stop.e)
	}
	var r *refusal
	if errors.As(err, &r) {
		if r.condition != "temporary-auth-failure" {
			c.wrong("login refused: " + r.condition)
		}
	}
	return err
}

// resume asks for the session (XEP-0198 §5). It reports whether that goes on.
func (c *client) resume(s *stream) (bool, error) {
	c.note(history.Event{Kind: history.Asked, N: c.session.in})
	c.session.told = c.session.in
	if err := s.send(fmt.Sprintf("<resume xmlns='%s' h='%d' previd='%s'/>", nsSM, c.session.in, c.session.id)); err != nil {
		return false, err
	}
	e, err := s.next()
	if err != nil {
		return false, err
	}
	h, hasH := number(e, "h")
	switch {
	case e.Name.Space == nsSM && e.Name.Local == "resumed" && hasH:
		if e.Get("previd") != c.session.id {
			c.wrong("resumed another session: " + e.String())
		}
		c.note(history.Event{Kind: history.Resumed, N: h})
		c.acknowledge(h)
		c.asked = time.Time{}
		return true, c.resend(s)
	case e.Name.Space == nsSM && e.Name.Local == "failed":
		ev := history.Event{Kind: history.Failed, N: h, Note: conditionOf(e)}
		if hasH {
			ev.Flags = history.HasH
			c.acknowledge(h)
		}
		c.note(ev)
		if ev.Note == "resource-constraint" {
			return false, errFull
		}
		return false, nil
	}
	return false, c.unexpected(e, "the answer to <resume/>")
}

// number reads an attribute that is a number.
func number(e *testclient.Element, name string) (uint32, bool) {
	n, err := strconv.ParseUint(e.Get(name), 10, 32)
	return uint32(n), err == nil
}

// unexpected is for what comes where something else has to. A stream error may come at any time.
func (c *client) unexpected(e *testclient.Element, instead string) error {
	if isStreamError(e) {
		return c.streamError(e)
	}
	c.wrong("in place of " + instead + ": " + e.String())
	return errors.New("no " + instead)
}

// resend sends everything again that was not acknowledged, under its old numbers.
func (c *client) resend(s *stream) error {
	var all strings.Builder
	for _, p := range c.session.queue {
		c.noteSent(p)
		all.WriteString(p.raw)
	}
	if err := s.send(all.String()); err != nil {
		return err
	}
	return c.adopt(s)
}

// noteSent logs that a stanza leaves.
func (c *client) noteSent(p pending) {
	e := history.Event{Kind: history.SentOther, N: p.n, Note: p.status}
	if p.status != "" {
		e.Flags = history.Shows
	}
	if p.letter {
		e.Kind, e.Peer, e.Seq = history.Sent, p.peer, p.seq
		if p.full {
			e.Flags = history.Full
		}
	}
	c.note(e)
}

// bind begins a new session. What the old one left unacknowledged is sent again
// in it, under new numbers; who didn't even ask to resume gives it up.
func (c *client) bind(s *stream) error {
	c.leftovers()
	e := history.Event{Kind: history.Bound}
	if c.moved {
		e.Flags = history.Moved
		c.moved = false
	}
	c.sessions++
	c.note(e)
	if err := s.send("<iq type='set' id='bind'><bind xmlns='" + nsBind + "'><resource>" + c.resource + "</resource></bind></iq>"); err != nil {
		return err
	}
	answer, err := c.until(s, "an answer to bind", func(e *testclient.Element) bool { return e.Name.Local == "iq" && e.Get("id") == "bind" })
	if err != nil {
		return err
	}
	jid := ""
	if j := answer.Child(nsBind, "bind").Child(nsBind, "jid"); j != nil {
		jid = strings.TrimSpace(j.Text)
	}
	if jid != c.full() {
		return c.unexpected(answer, "an address")
	}
	if err := s.send("<enable xmlns='" + nsSM + "' resume='true'/>"); err != nil {
		return err
	}
	answer, err = c.until(s, "an answer to <enable/>", func(e *testclient.Element) bool { return e.Name.Space == nsSM })
	if err != nil {
		return err
	}
	if answer.Name.Local == "failed" && conditionOf(answer) == "resource-constraint" {
		return errFull
	}
	if r := answer.Get("resume"); answer.Name.Local != "enabled" || r != "true" && r != "1" || answer.Get("id") == "" {
		return c.unexpected(answer, "a session that can be resumed")
	}
	c.note(history.Event{Kind: history.Enabled})
	c.session, c.forget, c.asked = &session{id: answer.Get("id")}, false, time.Time{}
	c.address.Store(&jid)
	if c.device > 0 {
		return c.copies(s)
	}
	if err := c.show(s); err != nil {
		return err
	}
	return c.adopt(s)
}

// leftovers gathers the messages that the new session has to send again: they
// stay orphans until it does, for it may not come to that.
func (c *client) leftovers() {
	if c.session != nil {
		// Who didn't ask can't know what arrived. To send it again may make copies.
		giveUp := c.forget && !(c.blind && c.rng.IntN(2) == 0)
		var left []pending
		for _, p := range c.session.queue {
			switch {
			case !p.letter: // of no use any more
			case giveUp:
				c.note(history.Event{Kind: history.Dropped, Peer: p.peer, Seq: p.seq})
			default:
				left = append(left, p)
			}
		}
		c.orphans = append(left, c.orphans...)
		c.session = nil
	}
	c.unacked.Store(int32(len(c.orphans)))
	if c.wanders() && c.rng.IntN(2) == 0 {
		c.resource = fmt.Sprintf("r%d", c.sessions+1)
		c.moved = c.sessions > 0
	}
}

// adopt sends the orphans in the session that there is now.
func (c *client) adopt(s *stream) error {
	for len(c.orphans) > 0 {
		p := c.orphans[0]
		c.orphans = c.orphans[1:]
		if err := c.post(s, p); err != nil {
			return err
		}
	}
	return nil
}

// until reads up to an element. Messages may come in between: what is sent to
// the full address of a session that just began.
func (c *client) until(s *stream, what string, is func(*testclient.Element) bool) (*testclient.Element, error) {
	for {
		e, err := s.next()
		switch {
		case err != nil:
			return nil, err
		case is(e):
			return e, nil
		case e.Name.Local == "message":
			c.message(e, 0)
		case e.Name.Local == "presence" || e.Name.Local == "iq":
		default:
			return nil, c.unexpected(e, what)
		}
	}
}

// full returns the client's full address.
func (c *client) full() string { return account(c.id) + "@" + domain + "/" + c.resource }
