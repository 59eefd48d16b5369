package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"weir/integration/testclient"
	"weir/integration/torture/history"
)

// Accounts stand in a ring, and each sees the presence of its two neighbours. What
// a session shows names it, so that who sees it leave and come back can tell
// whether that was another session.

// Namespaces of rosters and of pre-approval (RFC 6121 §2, §3.4).
const (
	nsRoster   = "jabber:iq:roster"
	nsApproval = "urn:xmpp:features:pre-approval"
)

// befriend makes the contacts, if that is wanted and the server lets subscriptions
// be approved before they are asked for.
func (w *world) befriend(ctx context.Context) error {
	if !w.friends {
		return nil
	}
	s, end, err := w.accounts[0].visit(ctx)
	if err != nil {
		return err
	}
	offered := s.features.Child(nsApproval, "sub") != nil
	end()
	if !offered {
		return nil
	}
	n := int32(len(w.accounts))
	w.contacts = make([][]int32, n)
	for i := range n {
		w.contacts[i] = []int32{(i + 1) % n}
		if before := (i + n - 1) % n; before != w.contacts[i][0] {
			w.contacts[i] = append(w.contacts[i], before)
		}
	}
	for _, kind := range []string{"subscribed", "subscribe"} {
		for _, c := range w.accounts {
			if err := c.subscribe(ctx, kind); err != nil {
				return fmt.Errorf("torture: contacts of %s: %w", account(c.id), err)
			}
		}
	}
	for _, c := range w.accounts {
		if err := c.subscribed(ctx); err != nil {
			return fmt.Errorf("torture: contacts of %s: %w", account(c.id), err)
		}
	}
	return nil
}

// subscribe sends one kind of subscription presence to each contact.
func (c *client) subscribe(ctx context.Context, kind string) error {
	s, end, err := c.visit(ctx)
	if err != nil {
		return err
	}
	defer end()
	for _, contact := range c.contacts[c.id] {
		if err := s.send("<presence type='" + kind + "' to='" + account(contact) + "@" + domain + "'/>"); err != nil {
			return err
		}
	}
	_, _, err = ask(s, "get", domain, "<ping xmlns='urn:xmpp:ping'/>")
	return err
}

// subscribed fails unless the roster has all contacts, both ways.
func (c *client) subscribed(ctx context.Context) error {
	s, end, err := c.visit(ctx)
	if err != nil {
		return err
	}
	defer end()
	answer, _, err := ask(s, "get", "", "<query xmlns='"+nsRoster+"'/>")
	if err != nil {
		return err
	}
	both := 0
	if q := answer.Child(nsRoster, "query"); q != nil {
		for _, item := range q.Children {
			if item.Get("subscription") == "both" {
				both++
			}
		}
	}
	if both != len(c.contacts[c.id]) {
		return fmt.Errorf("the roster is %s", answer)
	}
	return nil
}

// show sends presence to everybody who may see it.
func (c *client) show(s *stream) error {
	c.shows++
	status, priority := history.Status(c.sessions, c.shows), ""
	if c.device > 0 {
		priority = "<priority>-1</priority>"
	}
	return c.post(s, pending{raw: "<presence><status>" + status + "</status>" + priority + "</presence>", status: status})
}

// saw notes presence of a contact. What is directed to somebody shows no session.
func (c *client) saw(e *testclient.Element) {
	bare, resource, _ := strings.Cut(e.Get("from"), "/")
	if c.device > 0 || c.contacts == nil || e.Get("type") != "" && e.Get("type") != "unavailable" {
		return
	}
	i := slices.IndexFunc(c.contacts[c.id], func(p int32) bool { return account(p)+"@"+domain == bare })
	if i < 0 {
		return
	}
	ev := history.Event{Kind: history.Saw, Peer: c.contacts[c.id][i], Note: resource}
	if e.Get("type") == "unavailable" {
		ev.Flags = history.Gone
	} else {
		status := e.Child("", "status")
		if status == nil || history.SessionOf(status.Text) == "" {
			return
		}
		ev.Note += " " + status.Text
	}
	c.note(ev)
}
