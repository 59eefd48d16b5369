package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/integration/testclient"
	"weir/integration/torture/history"
)

// handle takes one element of a session's stream.
func (c *client) handle(s *stream, e *testclient.Element) error {
	switch {
	case e.Name.Space == nsSM && e.Name.Local == "r":
		return c.give(s)
	case e.Name.Space == nsSM && e.Name.Local == "a":
		h, ok := number(e, "h")
		if !ok {
			c.wrong("an acknowledgement without a number: " + e.String())
			return nil
		}
		c.note(history.Event{Kind: history.Acked, N: h})
		c.acknowledge(h)
		c.asked = time.Time{}
		return nil
	case isStreamError(e):
		return c.streamError(e)
	case e.Name.Local == "message", e.Name.Local == "presence", e.Name.Local == "iq":
		c.session.in++
	default:
		c.wrong("neither a stanza nor of stream management: " + e.String())
		return nil
	}
	var err error
	switch {
	case e.Name.Local == "message":
		c.message(e, c.session.in)
	case e.Name.Local == "iq" && (e.Get("type") == "get" || e.Get("type") == "set"):
		err = c.other(s, "<iq type='result' id='"+e.Get("id")+"' to='"+e.Get("from")+"'/>")
	case e.Name.Local == "presence" && e.Get("from") == c.full() && e.Get("type") == "":
		c.note(history.Event{Kind: history.Available, Note: c.resource})
	case e.Name.Local == "presence":
		c.saw(e)
	}
	if err == nil && c.session.in-c.session.told >= 20 {
		err = c.give(s)
	}
	return err
}

// give acknowledges what came.
func (c *client) give(s *stream) error {
	c.session.told = c.session.in
	c.note(history.Event{Kind: history.Gave, N: c.session.in})
	return s.send(fmt.Sprintf("<a xmlns='%s' h='%d'/>", nsSM, c.session.in))
}

// acknowledge drops what the server has handled. What h may be is judged from the
// log; here nonsense is only kept from doing harm.
func (c *client) acknowledge(h uint32) {
	x := c.session
	if h > x.out || h < x.acked {
		return
	}
	x.acked = h
	n := 0
	for n < len(x.queue) && x.queue[n].n <= h {
		n++
	}
	x.queue = slices.Delete(x.queue, 0, n)
	c.unacked.Store(int32(len(x.queue) + len(c.orphans)))
	if n > 0 {
		c.news.Store(int64(c.at()))
	}
}

// streamError notes how the server ends the stream; few ways are right.
func (c *client) streamError(e *testclient.Element) error {
	condition := conditionOf(e)
	switch condition {
	case "system-shutdown", "reset":
	case "resource-constraint", "connection-timeout", "policy-violation":
		// Limits of the server: to be seen in the history, and no harm, for the
		// session goes on.
	case "conflict":
		if time.Since(c.dubious) > time.Minute {
			c.wrong("superseded by nobody: " + e.String())
		}
	default:
		c.wrong("stream error: " + e.String())
	}
	return errors.New("stream error " + condition)
}

// message notes a message that came as stanza n.
func (c *client) message(e *testclient.Element, n uint32) {
	if e.Get("type") == "error" {
		c.bounce(e)
		return
	}
	if c.device > 0 {
		c.copied(e, n)
		return
	}
	body := e.Child("", "body")
	if body == nil {
		return // a chat state
	}
	m, ok := history.ParseMessage(e.Get("id"))
	from, _, _ := strings.Cut(e.Get("from"), "/")
	origin := e.Child(nsSID, "origin-id")
	switch {
	case !ok || m.To != c.id || from != account(m.From)+"@"+domain:
		c.wrong("a message that isn't ours: " + e.String())
		return
	case origin == nil || origin.Get("id") != e.Get("id") || body.Text != text(m, len(body.Text)):
		c.wrong("a message that was changed on the way: " + e.String())
		return
	}
	ev := history.Event{Kind: history.Got, Peer: m.From, Seq: m.Seq, N: n}
	if e.Child(nsDelay, "delay") != nil {
		ev.Flags = history.Delayed
	}
	c.note(ev)
	c.news.Store(int64(c.at()))
}

// bounce notes an error for a message of ours; those for what isn't kept are of no interest.
func (c *client) bounce(e *testclient.Element) {
	if m, ok := history.ParseMessage(e.Get("id")); ok && m.From == c.id {
		note := ""
		if x := e.Child("", "error"); x != nil {
			note = x.Get("type") + " " + conditionOf(x)
		}
		c.note(history.Event{Kind: history.Bounced, Peer: m.To, Seq: m.Seq, Note: note})
	}
}

// filler is what bodies consist of, with characters that XML escapes.
const filler = "the quick brown fox jumps over the lazy dog & <again> "

// text makes a message's body, up to a length. What comes must be this.
func text(m history.Message, length int) string {
	head := m.String() + " "
	s := head + strings.Repeat(filler, length/len(filler)+1)
	return s[:max(length, len(head))]
}

// escaped makes text fit for XML.
var escaped = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// letter writes a message to somebody, with a body of up to a size.
func (c *client) letter(s *stream, to int32, size int) error {
	if c.device > 0 {
		return nil
	}
	m := history.Message{From: c.id, To: to, Seq: c.next[to]}
	c.next[to]++
	addr, full := account(to)+"@"+domain, false
	if a := c.clients[to].address.Load(); a != nil && c.rng.IntN(2) == 0 {
		addr, full = *a, true
	}
	return c.numbered(s, m, addr, full, text(m, c.rng.IntN(size)+20))
}

// nobody is who has no account.
const nobody = "nobody@" + domain

// toNobody writes a message that comes back as an error.
func (c *client) toNobody(s *stream) error {
	m := history.Message{From: c.id, To: c.id, Seq: c.next[c.id]}
	c.next[c.id]++
	return c.numbered(s, m, nobody, false, m.String())
}

// numbered writes a message that is logged.
func (c *client) numbered(s *stream, m history.Message, addr string, full bool, body string) error {
	id := m.String()
	return c.post(s, pending{letter: true, peer: m.To, seq: m.Seq, full: full,
		raw: "<message type='chat' to='" + addr + "' id='" + id + "'><body>" + escaped.Replace(body) +
			"</body><origin-id xmlns='" + nsSID + "' id='" + id + "'/></message>"})
}

// other sends a stanza that isn't logged.
func (c *client) other(s *stream, raw string) error { return c.post(s, pending{raw: raw}) }

// post gives a stanza the next number, keeps it until it is acknowledged, and sends it.
func (c *client) post(s *stream, p pending) error {
	c.session.out++
	p.n = c.session.out
	c.session.queue = append(c.session.queue, p)
	c.unacked.Store(int32(len(c.session.queue) + len(c.orphans)))
	c.noteSent(p)
	return s.send(p.raw)
}

// mostUnacked is how many stanzas a client has under way before it only waits.
const mostUnacked = 500

// traffic sends one stanza of the client's own: mostly messages, and of all that
// moves the counters without being kept.
func (c *client) traffic(s *stream) error {
	if c.calm() || len(c.session.queue) > mostUnacked {
		return nil
	}
	peer := c.peers[c.rng.IntN(len(c.peers))]
	bare, id := account(peer)+"@"+domain, fmt.Sprint("x", c.session.out)
	var err error
	switch dice := c.rng.IntN(100); {
	case c.device > 0:
		err = c.other(s, "<iq type='get' to='"+domain+"' id='"+id+"'><ping xmlns='urn:xmpp:ping'/></iq>")
	case dice < 4:
		err = c.toNobody(s)
	case dice < 70:
		size := 200
		if dice < 6 {
			size = 4 << 10
		}
		err = c.letter(s, peer, size)
	case dice < 78:
		err = c.other(s, "<message type='chat' to='"+bare+"'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>")
	case dice < 84:
		err = c.other(s, "<presence to='"+bare+"'><status>"+id+"</status></presence>")
	case dice < 92:
		err = c.other(s, "<iq type='get' to='"+domain+"' id='"+id+"'><ping xmlns='urn:xmpp:ping'/></iq>")
	case dice < 95:
		err = c.other(s, "<iq type='get' to='"+c.full()+"' id='"+id+"'><ping xmlns='urn:xmpp:ping'/></iq>")
	default:
		err = c.show(s)
	}
	if err == nil && s.features.Child(nsCSI, "csi") != nil && c.rng.IntN(10) == 0 { // XEP-0352: it changes what isn't kept
		err = s.send("<" + []string{"active", "inactive"}[c.rng.IntN(2)] + " xmlns='" + nsCSI + "'/>")
	}
	if err == nil && c.rng.IntN(5) == 0 {
		err = c.ask(s)
	}
	if err == nil && c.rng.IntN(10) == 0 {
		err = c.give(s)
	}
	return err
}

// ask asks for an acknowledgement.
func (c *client) ask(s *stream) error {
	if c.asked.IsZero() {
		c.asked = time.Now()
	}
	return s.send("<r xmlns='" + nsSM + "'/>")
}

// chores asks for what is owed for long, tells what is owed to the server, and
// gives a dead connection up.
func (c *client) chores(s *stream) error {
	if !c.asked.IsZero() && time.Since(c.asked) > ackPatience+c.pause {
		c.wrong(fmt.Sprintf("<r/> is unanswered for %v", time.Since(c.asked)))
		return errors.New("no answer to <r/>")
	}
	if len(c.session.queue) > 0 && (c.calm() || c.rng.IntN(4) == 0) {
		if err := c.ask(s); err != nil {
			return err
		}
	}
	if !c.calm() {
		return nil
	}
	if c.awake != c.streams && s.features.Child(nsCSI, "csi") != nil {
		c.awake = c.streams // or what contacts show would wait
		if err := s.send("<active xmlns='" + nsCSI + "'/>"); err != nil {
			return err
		}
	}
	if c.session.told != c.session.in {
		return c.give(s)
	}
	return nil
}

// farewell acknowledges what came and closes the stream, so that the session is
// over (XEP-0198 §7) and nothing is owed but what nobody got.
func (c *client) farewell(s *stream) {
	if c.give(s) != nil || s.send("</stream:stream>") != nil {
		return
	}
	t := time.NewTimer(2 * time.Second)
	defer t.Stop()
	for {
		select {
		case e, ok := <-s.in:
			if !ok {
				return
			}
			// It counts as not got: it is not acknowledged, so it has to come again.
			_ = e
		case <-t.C:
			return
		}
	}
}
