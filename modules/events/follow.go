package events

import (
	"context"
	"time"

	"weir/auth"
	"weir/c2s"
	"weir/hook"
	"weir/sessionmgr"
)

// Sink takes events. Put must not block.
type Sink interface{ Put(e Event) }

// Sinks are several, each of which gets every event.
type Sinks []Sink

// Put gives an event to all of them.
func (all Sinks) Put(e Event) {
	for _, s := range all {
		s.Put(e)
	}
}

// Follow tells a sink from now on what happens to the sessions of m and to the
// accounts of a.
func Follow(sink Sink, m *sessionmgr.Manager, a *auth.Service) {
	plain := func(kind string) func(context.Context, *sessionmgr.Session) {
		return func(_ context.Context, s *sessionmgr.Session) { sink.Put(about(kind, s)) }
	}
	m.Hooks.Connected.Add("events", hook.Late, plain(Connected))
	m.Hooks.Authenticated.Add("events", hook.Late, plain(Authenticated))
	m.Hooks.Bound.Add("events", hook.Late, plain(Bound))
	m.Hooks.Restored.Add("events", hook.Late, plain(Restored))
	m.Hooks.Resumed.Add("events", hook.Late, func(_ context.Context, r sessionmgr.Resumption) { sink.Put(about(Resumed, r.Session)) })
	ended := func(kind string) func(context.Context, sessionmgr.Closing) {
		return func(_ context.Context, c sessionmgr.Closing) {
			e := about(kind, c.Session)
			e.Cause, e.Text = c.Cause.Code.String(), clip(c.Cause.Text)
			sink.Put(e)
		}
	}
	m.Hooks.Hibernated.Add("events", hook.Late, ended(Hibernated))
	m.Hooks.Closed.Add("events", hook.Late, ended(Closed))
	a.Hooks.AccountChanged.Add("events", hook.Early, func(_ context.Context, c auth.AccountChange) {
		if kind := changeKinds[c.Kind]; kind != "" {
			sink.Put(Event{Time: time.Now(), Kind: kind, Account: c.JID.String()})
		}
	})
}

// FollowLogins tells a sink of logins that fail.
func FollowLogins(sink Sink, streams *c2s.Server) {
	streams.Hooks.AuthFailed.Add("events", hook.Late, func(_ context.Context, f c2s.AuthFailed) {
		e := about(AuthFailed, f.Session)
		e.Mechanism, e.Cause = clip(f.Mechanism), f.Condition
		sink.Put(e)
	})
}

// about is an event of a session.
func about(kind string, s *sessionmgr.Session) Event {
	info, device, full := s.Info(), s.Device(), s.JID()
	e := Event{
		Time: time.Now(), Kind: kind, Session: s.ID(), Resource: full.Resource(), Listener: info.Listener,
		TLS: info.TLS, Mechanism: info.Mechanism, Software: clip(device.Software), Device: device.ID,
	}
	if !full.IsZero() {
		e.Account = full.Bare().String()
	}
	if info.Remote.IsValid() {
		e.Address = info.Remote.String()
	}
	return e
}
