package main

import (
	"context"
	"strings"

	"weir/integration/testclient"
	"weir/integration/torture/history"
)

// Further devices of an account have carbons on (XEP-0280) and write nothing: they
// see by copies what their account's client sends and gets. With a negative
// priority they get neither the messages themselves nor what is owed. They are cut
// off, slowed down and resumed as the others, and begin no session anew unless
// they have to.

// Namespaces of copies, and of client state.
const (
	nsCarbons = "urn:xmpp:carbons:2"
	nsForward = "urn:xmpp:forward:0"
	nsCSI     = "urn:xmpp:csi:0"
)

// devicesOf is how many further devices an account has: those of the first of
// each ten accounts make five with its client, those of every third two.
func (w *world) devicesOf(id int32) int {
	switch most := w.options.devices - 1; {
	case w.wander && id%5 == 4: // sessions that are left behind would count with theirs
		return 0
	case id%10 == 0:
		return most
	case id%3 == 0:
		return min(1, most)
	}
	return 0
}

// addDevices makes the further devices, if the server has carbons.
func (w *world) addDevices(ctx context.Context) error {
	w.accounts = w.clients
	offered, err := w.clients[0].offers(ctx, nsCarbons)
	if err != nil || !offered {
		return err
	}
	for _, c := range w.accounts {
		for i := range w.devicesOf(c.id) {
			d, err := newClient(w, c.id)
			if err != nil {
				return err
			}
			d.device, d.fickle, d.resource = i+1, false, "d"+string(rune('1'+i))
			w.clients = append(w.clients, d)
		}
	}
	return nil
}

// copies turns carbons on in a session that was just enabled (XEP-0280 §4).
func (c *client) copies(s *stream) error {
	if err := c.other(s, "<iq type='set' id='copies'><enable xmlns='"+nsCarbons+"'/></iq>"); err != nil {
		return err
	}
	for {
		e, err := s.next()
		if err != nil {
			return err
		}
		answer := e.Name.Local == "iq" && e.Get("id") == "copies"
		if err := c.handle(s, e); err != nil {
			return err
		}
		if answer && e.Get("type") != "result" {
			c.forget = true // without copies the session is of no use
			return errFull
		}
		if answer {
			c.note(history.Event{Kind: history.Copying})
			return c.show(s)
		}
	}
}

// copied notes a copy that came as stanza n.
func (c *client) copied(e *testclient.Element, n uint32) {
	direction, flags := "received", uint8(0)
	if e.Child(nsCarbons, "sent") != nil {
		direction, flags = "sent", history.FromUs
	}
	inner := e.Child(nsCarbons, direction).Child(nsForward, "forwarded").Child("", "message")
	if inner == nil || e.Get("from") != account(c.id)+"@"+domain || e.Get("to") != c.full() {
		c.wrong("a message to a device that isn't a copy: " + e.String())
		return
	}
	body := inner.Child("", "body")
	if body == nil {
		return // a chat state
	}
	m, ok := history.ParseMessage(inner.Get("id"))
	from, _, _ := strings.Cut(inner.Get("from"), "/")
	to, _, _ := strings.Cut(inner.Get("to"), "/")
	us, peer := m.To, m.From
	if flags == history.FromUs {
		us, peer = m.From, m.To
	}
	if !ok || us != c.id || from != account(m.From)+"@"+domain || to != account(m.To)+"@"+domain || body.Text != text(m, len(body.Text)) {
		c.wrong("a copy of a message that isn't ours, or was changed: " + e.String())
		return
	}
	c.note(history.Event{Kind: history.Copied, Peer: peer, Seq: m.Seq, N: n, Flags: flags})
	c.news.Store(int64(c.at()))
}
