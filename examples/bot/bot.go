// Command bot is a server with a bot in it that takes orders for lunch: whoever
// says "lunch" to it is asked what they would like, and their next message is the
// order.
//
// It owns a virtual session, lunch@ the server's domain, and one attribute of each
// account that talks to it: how far the conversation has come. It must not know how
// messages reach it, nor of connections: it has none. Its functions run in the
// order of its own session, one message at a time, and may block.
//
// It implements no specification beside what a client does with presence (RFC 6121
// §3). Start reading at New, then conversation.go, which knows nothing of sessions;
// main.go is the program around it.
package main

import (
	"context"

	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
)

// Bot is the bot.
type Bot struct {
	m       *sessionmgr.Manager
	address jid.JID
	talks   sessionmgr.Key[talk]
	session *sessionmgr.Virtual
}

// New makes a bot with an address that no account has.
func New(m *sessionmgr.Manager, address jid.JID) (*Bot, error) {
	talks, err := sessionmgr.NewKey[talk](m, "lunch.talk", sessionmgr.KeyOptions{
		Lifetime: sessionmgr.OfAccount, MaxBytes: 8 << 10,
	})
	return &Bot{m: m, address: address, talks: talks}, err
}

// Start brings the bot online. With Acks a message is handled when hear has
// returned: one that came before a crash and wasn't handled comes to the next
// process.
func (b *Bot) Start(ctx context.Context) (err error) {
	b.session, err = b.m.OpenVirtual(ctx, sessionmgr.VirtualOptions{
		JID: b.address, Named: true, Acks: true, Software: "lunch", Receive: b.hear,
	})
	return err
}

// Stop has nothing to do: the session ended with all others.
func (b *Bot) Stop(context.Context) error { return nil }

// hear takes each stanza but requests.
func (b *Bot) hear(ctx context.Context, v *sessionmgr.Virtual, st *stanza.Stanza) error {
	switch {
	case st.Kind == stanza.Presence && st.Type == "subscribe": // whoever wants to may see that it is there
		yes, err := stanza.New(stanza.Presence, "subscribed", st.ID, jid.JID{}, st.From.Bare(), nil)
		if err != nil {
			return err
		}
		return v.Send(ctx, yes)
	case st.Kind != stanza.Message || st.IsError() || !st.HasBody():
		return nil // other presence, a chat state, an error
	}
	said, id := st.Text(stanza.NSClient, "body"), st.ID
	var answer string
	err := b.talks.UpdateAccount(ctx, st.From.Bare(), func(t talk, _ bool) (talk, bool) {
		t, answer = t.next(said, id)
		return t, true
	})
	if err != nil {
		return err // the sender is told nothing, and may say it again
	}
	return v.Say(ctx, st.From, answer)
}
