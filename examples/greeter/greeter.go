// Command greeter is a server with one module more: it says good day to whoever
// becomes available for the first time on a day, with whichever of their devices.
//
// It owns one attribute of each account: the day of the last greeting. It must not
// know how presence is told to others, nor where attributes are kept. Its one
// handler runs in the order of the session that became available, and must not
// block; setting an attribute and sending don't.
//
// It implements no specification. Start reading at New; main.go is the program
// around it.
package main

import (
	"context"
	"encoding/xml"
	"time"

	"weir/hook"
	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
)

// Greeter greets.
type Greeter struct {
	m   *sessionmgr.Manager
	day sessionmgr.Key[string] // of the last greeting, as time.DateOnly
}

// New registers with m.
func New(m *sessionmgr.Manager) (*Greeter, error) {
	day, err := sessionmgr.NewKey[string](m, "greeter.day", sessionmgr.KeyOptions{
		Lifetime: sessionmgr.OfAccount,   // all devices share it, and it survives a restart
		Readers:  sessionmgr.ReadByAdmin, // weir session show tells it
	})
	if err != nil {
		return nil, err
	}
	g := &Greeter{m: m, day: day}
	m.Hooks.PresenceChanged.Add("greeter", hook.Late, g.presence)
	return g, nil
}

func (g *Greeter) presence(_ context.Context, c sessionmgr.PresenceChange) {
	if c.Presence == nil || c.Was != nil || c.Session.Info().Transport == sessionmgr.TransportVirtual {
		return // it left, or was here already, or is a bot
	}
	first, err := g.firstToday(c.Session, time.Now().Format(time.DateOnly))
	if err == nil && first {
		err = g.greet(c.Session)
	}
	if err != nil {
		c.Session.Log().Error("nobody was greeted", "err", err)
	}
}

// firstToday notes that an account is here, and reports whether it was not noted
// today. Of two devices that become available at once, one is the first: Update is
// one step, and runs its function again where another was faster.
func (g *Greeter) firstToday(s *sessionmgr.Session, today string) (first bool, err error) {
	if day, _ := g.day.Get(s); day == today {
		return false, nil // so that nothing is written
	}
	err = g.day.Update(s, func(day string, _ bool) (string, bool) {
		first = day != today
		return today, true
	})
	return first, err
}

// body is the payload of a message.
type body struct {
	XMLName xml.Name `xml:"body"`
	Text    string   `xml:",chardata"`
}

// greet sends a headline, which is kept for nobody, from the server's address.
func (g *Greeter) greet(s *sessionmgr.Session) error {
	text := body{Text: "Good day, " + s.JID().Local() + "."}
	st, err := stanza.New(stanza.Message, "headline", "", jid.JID{}, jid.JID{}, text)
	if err != nil {
		return err
	}
	return g.m.Send(s, st)
}
