// Package access lets an account see which clients can log in to it, and log them
// out (XEP-0494): it owns the two requests, and how a client is described in them.
//
// It must not know what a token is or how one is kept (auth), nor how a session
// ends (sessionmgr). It keeps nothing itself: the clients are the devices that have
// tokens, and the sessions that there are.
//
// Only the account itself is answered, whichever way its session logged in. A session
// that has no password but a token may revoke too: where every device lives by its
// token, nobody could log out a lost phone otherwise. What it could do with that to
// the others is undone by whoever has the password, which is what they then need.
//
// The manager calls its handlers on a goroutine that may block: they read and write
// the store while the stream that asks pauses.
//
// Start reading at [New].
package access

import (
	"context"
	"slices"
	"time"

	"weir/auth"
	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"

	"mellium.im/xmpp/stream"
)

// NS is the namespace of client access management.
const NS = "urn:xmpp:cam:0"

// Devices is what is asked about the devices of accounts: *auth.Service has it.
type Devices interface {
	// Devices lists those of an account.
	Devices(ctx context.Context, account jid.JID) ([]auth.Device, error)
	// RevokeDevice takes the tokens of one away, for good when it returns; an error
	// is auth.ErrNoDevice where there are none.
	RevokeDevice(ctx context.Context, account jid.JID, id string) ([]auth.Device, error)
}

// Module answers for the accounts of a server.
type Module struct {
	m       *sessionmgr.Manager
	devices Devices
}

// New lets m answer what accounts ask about their own clients.
func New(m *sessionmgr.Manager, devices Devices) *Module {
	mod := &Module{m, devices}
	m.HandleIQ(sessionmgr.IQHandler{
		NS: NS, Local: "list", Scope: sessionmgr.OnSelf, Blocking: true, Get: mod.list, // XEP-0494 §3.1
	})
	m.HandleIQ(sessionmgr.IQHandler{
		NS: NS, Local: "revoke", Scope: sessionmgr.OnSelf, Blocking: true, Set: mod.revoke, // XEP-0494 §3.2
	})
	m.Advertise(sessionmgr.OnServer, NS)
	return mod
}

// known is a client of an account: a device, or a session that is of none.
type known struct {
	id             string // of the device, or of the session
	software, name string
	first, last    time.Time
	token          bool // it has one that is good
	sessions       []*sessionmgr.Session
}

// clients returns the clients that have access to an account, devices with tokens
// first, the others as they came.
func (mod *Module) clients(ctx context.Context, account jid.JID) ([]*known, error) {
	devices, err := mod.devices.Devices(ctx, account)
	if err != nil {
		return nil, err
	}
	var all []*known
	at := map[string]*known{}
	now := time.Now()
	for _, d := range devices {
		if now.Before(d.Expires) { // else it has none that is good
			k := &known{id: d.ID, software: d.Software, name: d.Name, first: d.Created, last: d.Used, token: true}
			all, at[k.id] = append(all, k), k
		}
	}
	sessions := slices.Clone(mod.m.ByAccount(account))
	slices.SortFunc(sessions, func(a, b *sessionmgr.Session) int { return a.Created().Compare(b.Created()) })
	for _, s := range sessions {
		d := s.Device()
		id := d.ID
		if id == "" {
			id = s.ID()
		}
		k := at[id]
		if k == nil {
			k = &known{id: id, software: d.Software, name: d.Name, first: s.Created()}
			all, at[id] = append(all, k), k
		}
		k.sessions = append(k.sessions, s)
		if t := s.LastActive(); t.After(k.last) {
			k.last = t
		}
	}
	return all, nil
}

// list answers with the clients of the account (XEP-0494 §3.1).
func (mod *Module) list(ctx context.Context, iq *stanza.Stanza) (any, error) {
	all, err := mod.clients(ctx, iq.From.Bare())
	if err != nil {
		return nil, err
	}
	answer := clientList{Clients: []client{}}
	for _, k := range all {
		answer.Clients = append(answer.Clients, k.describe())
	}
	return answer, nil
}

// revoke logs a client out: its tokens are good for nothing more and its sessions
// end, that which asks too if it is one of them. The answer says that it may come
// back with the password that it has had (XEP-0494 §3.2).
func (mod *Module) revoke(ctx context.Context, iq *stanza.Stanza) (any, error) {
	own, ok := sessionmgr.FromContext(ctx)
	if !ok {
		return nil, stanza.Forbidden()
	}
	id, err := asked(iq)
	if err != nil {
		return nil, err
	}
	account := iq.From.Bare()
	all, err := mod.clients(ctx, account)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(all, func(k *known) bool { return k.id == id })
	if at < 0 {
		return nil, stanza.ItemNotFound("this account has no such client")
	}
	if all[at].token {
		// First: who logs in with a token until this is kept is among the sessions below.
		if err := mod.forget(ctx, account, id); err != nil {
			return nil, err
		}
	}
	last := false
	for _, s := range mod.sessionsOf(id) {
		if s == own {
			last = true
			continue
		}
		mod.end(s)
	}
	mod.answer(own, passwordNeeded(iq, all[at].token))
	if last {
		mod.end(own)
	}
	return nil, sessionmgr.ErrAnswered
}

// forget takes a device's tokens away. That somebody else did it a moment ago is
// no error.
func (mod *Module) forget(ctx context.Context, account jid.JID, id string) error {
	_, err := mod.devices.RevokeDevice(ctx, account, id)
	if isGone(err) {
		return nil
	}
	return err
}

// sessionsOf returns the sessions of a client: those that are logging in and those
// that hibernate included.
func (mod *Module) sessionsOf(id string) (all []*sessionmgr.Session) {
	mod.m.Range(func(s *sessionmgr.Session) bool {
		if d := s.Device().ID; d == id || d == "" && s.ID() == id { // a device's id is of one account only
			all = append(all, s)
		}
		return true
	})
	return all
}

func (mod *Module) end(s *sessionmgr.Session) {
	mod.m.Kick(s, sessionmgr.Cause{Code: sessionmgr.Kicked, Text: "its client was revoked by the account"}, &stream.NotAuthorized)
}

// answer sends an answer and waits until it has been given to the session's link, if
// it has one: what ends the session comes behind it.
func (mod *Module) answer(s *sessionmgr.Session, reply *stanza.Stanza) {
	given := make(chan struct{})
	mod.m.Submit(sessionmgr.Entry{From: s, Out: []sessionmgr.Delivery{{To: s, Stanza: reply}}, Done: func(error) { close(given) }})
	<-given
}
