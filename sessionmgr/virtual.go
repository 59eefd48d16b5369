package sessionmgr

import (
	"context"
	"errors"
	"fmt"

	"weir/jid"
	"weir/stanza"
	"weir/xmlstream"

	"mellium.im/xmpp/stream"
)

// A virtual session is one without a client: a function of this process takes its
// stanzas, a bot for example. It is bound like any other, so it is routed to, listed,
// explained, kicked and replaced like any other, and the hooks run for it.
// virtuallink.go has how it gets its stanzas.

// TransportVirtual is the transport that is told of a virtual session.
const TransportVirtual = "virtual"

// DefaultWaiting is how many bytes wait for a virtual session unless its options
// say otherwise.
const DefaultWaiting = 512 << 10

// minWaiting is enough for what is given to a link at once: a part of the log, and
// what was held back meanwhile.
const minWaiting = 256 << 10

// VirtualOptions say what a virtual session is and who takes its stanzas.
//
// Receive, Answer and Ended run in the session's own order, that of
// [Manager.With]: one call at a time, each when the one before has returned. No
// lock is held, so they may block, which holds up this session and nobody else.
// Their context carries the session (FromContext) and ends with it. They may send,
// also by [Virtual.Send], and end the session. They must not wait for the session's
// own order: With from there is ErrReentry. The end of the server waits for a call that
// doesn't heed its context.
//
// When a call has returned the stanza counts as handled. With an error it does as
// well, and with a panic, which is logged: the same stanza would fail again.
type VirtualOptions struct {
	// JID is the address of an account; without a resource the server makes one.
	JID jid.JID
	// Named says that no account has that address: it is a name of the bot's own, and
	// an account that has it is an error. A name is there while the session is; what
	// was sent to it with Acks set and not handled waits for the next session with it.
	Named bool
	// Software is told in listings.
	Software string
	// Acks has the session acknowledge what it has handled (XEP-0198 §4): a
	// message that is kept and was not handled when the session or the process ends,
	// kill -9 included, is owed to the account, whose next available session gets it. It
	// comes at least once: up to a second of what was handled before a crash comes again.
	// Without Acks a message is lost if the process dies while it waits for Receive.
	Acks bool
	// Silent leaves it to the bot to send presence. Otherwise it is available, with
	// Priority, from the start, so that it gets messages to its bare address and those
	// that its account is owed.
	Silent   bool
	Priority int8
	Carbons  bool // it gets copies of what the account's other sessions send and receive
	// MaxWaiting is how many bytes of stanzas wait for Receive at most: 256 KiB or more,
	// default DefaultWaiting. Beyond it what isn't kept is dropped, and requests are
	// refused. A message that is kept then ends the session as too slow, and is owed;
	// with Acks it waits in the log instead, where they do as soon as 64 KiB wait.
	MaxWaiting int

	// Receive takes every stanza but requests. Its error is the answer to a message, if
	// it is a stanza.Error; any other is logged. nil: everything counts as handled.
	Receive func(ctx context.Context, v *Virtual, st *stanza.Stanza) error
	// Answer takes requests, as the functions of an [IQHandler] do: it returns the
	// payload of the result, or an error. nil: all are refused.
	Answer func(ctx context.Context, v *Virtual, iq *stanza.Stanza) (payload any, err error)
	// Ended is the last call: the session has ended. Its context has ended too.
	Ended func(ctx context.Context, v *Virtual, why Cause)
}

// Errors of virtual sessions.
var (
	ErrRefusing  = errors.New("sessionmgr: no new sessions: the server stops, or is being emptied")
	ErrNoAccount = errors.New("sessionmgr: there is no such account")
	ErrIsAccount = errors.New("sessionmgr: an account has that name")
	ErrSender    = errors.New("sessionmgr: that is not the session's address")
)

// Virtual is a virtual session. Its methods may be called from any goroutine.
type Virtual struct {
	m    *Manager
	o    VirtualOptions
	s    *Session
	link *virtualLink
	turn chan struct{} // has one while a stanza of the session is being handled
}

// OpenVirtual makes a virtual session and binds it; it runs the hooks of a session
// that logs in, and those of the binding. It may read storage. An error of the
// binding is a stanza.Error: a hook or a limit has refused it.
//
// Open it when the sessions of the process before were restored and, for nobody to
// miss it, before the first listener opens: in the Start of a weir.Module.
func (m *Manager) OpenVirtual(ctx context.Context, o VirtualOptions) (*Virtual, error) {
	if err := m.checkVirtual(ctx, &o); err != nil {
		return nil, err
	}
	v := &Virtual{m: m, o: o, turn: make(chan struct{}, 1)}
	v.link = &virtualLink{v: v, most: o.MaxWaiting}
	s := m.Open(v.link, LinkInfo{Transport: TransportVirtual, Listener: TransportVirtual})
	v.s = s
	v.link.begin(s)
	m.StreamOpened(s, o.JID.Domain())
	if o.Software != "" {
		s.SetDevice(Device{Software: o.Software})
	}
	m.Authenticated(s, o.JID.Bare())
	b := Binding{Resource: o.JID.Resource(), Carbons: o.Carbons}
	if o.Acks {
		b.Acks = &EnableRequest{}
	}
	err := m.BindWith(errandContext{ctx, s}, s, &b, func(jid.JID) {})
	if err == nil && b.Acks != nil {
		err = b.Acks.Err
	}
	if err == nil && !o.Silent {
		err = v.SetAvailable(ctx, o.Priority, "")
	}
	if err != nil {
		v.end(Cause{Code: ClosedByClient, Text: "it could not be bound: " + err.Error()})
		return nil, err
	}
	if !v.link.open() {
		return nil, fmt.Errorf("%w: %v", ErrGone, s.Cause())
	}
	s.Log().Info("virtual session", "jid", s.JID(), "software", o.Software)
	return v, nil
}

// checkVirtual fills the options in and looks whether they can be met.
func (m *Manager) checkVirtual(ctx context.Context, o *VirtualOptions) error {
	if m.Refusing() || m.Failed() {
		return ErrRefusing
	}
	switch {
	case o.JID.Local() == "" || !m.Local(o.JID.Domain()):
		return fmt.Errorf("sessionmgr: %q is no address of an account here", o.JID)
	case o.MaxWaiting != 0 && o.MaxWaiting < minWaiting:
		return fmt.Errorf("sessionmgr: MaxWaiting is %d, must be %d or more", o.MaxWaiting, minWaiting)
	case o.MaxWaiting == 0:
		o.MaxWaiting = DefaultWaiting
	}
	exists, err := m.accounts.Exists(ctx, o.JID.Bare())
	switch {
	case err != nil:
		return err
	case o.Named && exists:
		return fmt.Errorf("%w: %s", ErrIsAccount, o.JID.Bare())
	case !o.Named && !exists:
		return fmt.Errorf("%w: %s", ErrNoAccount, o.JID.Bare())
	}
	return nil
}

// Session returns the session. It stays the same, and has the cause once it has ended.
func (v *Virtual) Session() *Session { return v.s }

// JID returns the full address.
func (v *Virtual) JID() jid.JID { return v.s.JID() }

// Dropped returns how many stanzas were dropped or refused since too much waited.
func (v *Virtual) Dropped() uint64 { return v.link.dropped.Load() }

// Send sends a stanza as a client does: its from is stamped, or must be the
// session's own; StanzaIn runs, whose refusal is the error; and it is routed. What
// becomes of it comes to Receive as answers, or is told by [Virtual.SendFollowed].
//
// It returns when the stanza has been taken. The session's stanzas are handled in
// order, one at a time, so it waits where an earlier one is slow or the pipeline is
// at its bounds; ctx ends that. Don't call it from a hook that runs for the session
// itself. ErrGone: the session has ended.
func (v *Virtual) Send(ctx context.Context, st *stanza.Stanza) error { return v.send(ctx, st, nil) }

// SendFollowed is Send for a stanza that t follows.
func (v *Virtual) SendFollowed(ctx context.Context, st *stanza.Stanza, t *Tracker) error {
	if err := t.begin(v.m); err != nil {
		return err
	}
	err := v.send(ctx, st, t)
	if err != nil {
		t.over(Report{Fate: Dropped, Err: err})
	}
	return err
}

// send is Send; t has been begun, and ends when the stanza has been handled.
func (v *Virtual) send(ctx context.Context, st *stanza.Stanza, t *Tracker) error {
	me := v.s.JID()
	if !st.From.IsZero() && st.From != me && st.From != me.Bare() {
		return fmt.Errorf("%w: %s", ErrSender, st.From)
	}
	select {
	case v.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-v.s.doneChan():
		return ErrGone
	}
	st, err := v.m.asked(v.s, st.With(me, st.To))
	from, current := v.s.source(v.link)
	if err == nil && (!current || v.s.State() != Bound || v.m.quiet.Load()) {
		err = ErrGone
	}
	if err != nil {
		<-v.turn
		return err
	}
	next := func() { <-v.turn }
	if !v.m.take(v.m.track(from, t), st, next) {
		next()
	}
	v.m.FlushTouched()
	v.m.endLate()
	return nil
}

// asked runs what c2s has for a stanza that comes in.
func (m *Manager) asked(s *Session, st *stanza.Stanza) (*stanza.Stanza, error) {
	if m.inbound == nil {
		return st, nil
	}
	return m.inbound(s.Context(), s, st)
}

// GuardInbound sets the one function that is asked about each stanza of a virtual
// session before it is handled, as those of streams are: c2s has its StanzaIn run. It
// may return another stanza; an error refuses it. Call it before the first session.
func (m *Manager) GuardInbound(ask func(ctx context.Context, s *Session, st *stanza.Stanza) (*stanza.Stanza, error)) {
	m.inbound = ask
}

// Say sends a chat message with a text as its body.
func (v *Virtual) Say(ctx context.Context, to jid.JID, text string) error {
	body := append(xmlstream.AppendEscaped([]byte("<body>"), text), "</body>"...)
	st, err := stanza.New(stanza.Message, typeChat, randomName(), jid.JID{}, to, body)
	if err != nil {
		return err
	}
	return v.Send(ctx, st)
}

// SetAvailable sends presence with a priority and, unless it is "", a status.
func (v *Virtual) SetAvailable(ctx context.Context, priority int8, status string) error {
	payload := fmt.Appendf(nil, "<priority>%d</priority>", priority)
	if status != "" {
		payload = append(xmlstream.AppendEscaped(append(payload, "<status>"...), status), "</status>"...)
	}
	st, err := stanza.New(stanza.Presence, "", "", jid.JID{}, jid.JID{}, payload)
	if err != nil {
		return err
	}
	return v.Send(ctx, st)
}

// Close ends the session as a client does that closes its stream: what it has sent
// is handled first. What waits for it and is kept is owed to its account. It may be
// called from Receive; then what is in hand counts as not handled.
func (v *Virtual) Close(ctx context.Context) {
	v.m.Settle(ctx, v.s, v.link)
	v.end(Cause{Code: ClosedByClient, Text: "closed by its module"})
}

// end ends the session for a reason of its own.
func (v *Virtual) end(why Cause) {
	v.m.Closed(v.s, v.link, why)
	v.link.Close(nil)
}

// virtualCause says how a virtual session ends that is closed with an error.
func virtualCause(why *stream.Error) Cause {
	if why == nil {
		return Cause{Code: Kicked, Text: "closed by the server"}
	}
	c := Cause{Code: StreamFailed, Text: why.Err}
	if len(why.Text) > 0 {
		c.Text += ": " + why.Text[0].Value
	}
	return c
}
