// Command sessionlimit is a server whose accounts may each have a limit of their
// own to how many sessions they have at once. An admin sets it, by a command that
// any client with ad-hoc commands shows.
//
// It owns one attribute of each account: its limit. It must not know how a session
// is bound, nor what becomes of one that isn't. Its handlers run where a resource
// is bound, off the goroutine that reads from the client, so they may read storage.
//
// It implements no specification; the command is one of XEP-0050. Start reading at
// New; command.go is what an admin sees, and main.go the program around it.
package main

import (
	"context"
	"fmt"

	"weir/hook"
	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"

	"mellium.im/xmpp/stream"
)

// Limit bounds the sessions of accounts that have a limit.
type Limit struct {
	m    *sessionmgr.Manager
	most sessionmgr.Key[int]
}

// New registers with m.
func New(m *sessionmgr.Manager) (*Limit, error) {
	most, err := sessionmgr.NewKey[int](m, "sessionlimit.most", sessionmgr.KeyOptions{
		Lifetime: sessionmgr.OfAccount, Readers: sessionmgr.ReadByAdmin,
	})
	if err != nil {
		return nil, err
	}
	l := &Limit{m: m, most: most}
	m.Hooks.PreBind.Add("sessionlimit", hook.Normal, l.mayBind)
	m.Hooks.Bound.Add("sessionlimit", hook.Early, l.bound)
	return l, nil
}

// Set gives an account a limit; 0 takes it away. It returns when the limit is in
// force. Sessions that there are stay.
func (l *Limit) Set(ctx context.Context, account jid.JID, most int) error {
	return l.most.UpdateAccount(ctx, account, func(int, bool) (int, bool) { return most, most > 0 })
}

// mayBind is the veto: its error is what the client is told in place of a resource.
// The session isn't bound yet, so the attribute is asked for by the account.
func (l *Limit) mayBind(ctx context.Context, b *sessionmgr.PreBind) error {
	most, limited, err := l.most.GetAccount(ctx, b.Account)
	if err != nil || !limited {
		return err // one that is no stanza.Error is logged, and the client told internal-server-error
	}
	n := 0
	for _, s := range l.m.ByAccount(b.Account) {
		if counts(s) && s.JID().Resource() != b.Resource { // a session with its resource makes room for it
			n++
		}
	}
	if n >= most {
		return stanza.ResourceConstraint(fmt.Sprintf("this account may have %d sessions at once", most))
	}
	return nil
}

// bound looks once more: of two that were bound at the same moment mayBind has
// counted neither. The one that was bound last goes.
func (l *Limit) bound(_ context.Context, s *sessionmgr.Session) {
	most, limited := l.most.Get(s)
	if !limited || !counts(s) {
		return
	}
	before := 0
	for _, other := range l.m.ByAccount(s.JID().Bare()) { // in the order in which they were bound
		if other == s {
			break
		}
		if counts(other) {
			before++
		}
	}
	if before >= most {
		l.m.Kick(s, sessionmgr.Cause{Code: sessionmgr.Kicked, Text: "the account has as many sessions as it may have"}, &stream.PolicyViolation)
	}
}

// counts reports whether a session is one that its owner has open: a bot isn't, and
// one that lost its connection must not lock its own client out.
func counts(s *sessionmgr.Session) bool {
	return s.Info().Transport != sessionmgr.TransportVirtual && s.State() != sessionmgr.Hibernating
}
