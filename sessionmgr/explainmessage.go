package sessionmgr

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"weir/jid"
	"weir/stanza"
	"weir/storage"
)

// ErrNoMessage says that a message isn't in a log, or not any more.
var ErrNoMessage = errors.New("sessionmgr: no such message in the log of the account")

// MessageStory is what a log tells about a message, and what became of it.
type MessageStory struct {
	Account  string    `json:"account"` // whose log has it
	ID       string    `json:"id"`      // in the archive
	At       time.Time `json:"at"`      // when it was taken
	Type     string    `json:"type"`
	StanzaID string    `json:"stanza_id,omitempty"` // that its sender gave it
	OriginID string    `json:"origin_id,omitempty"`
	From     string    `json:"from"`
	To       string    `json:"to"`
	Bytes    int       `json:"bytes"`
	Outgoing bool      `json:"outgoing"` // the account sent it
	Archived bool      `json:"archived"` // else it is kept only until it is delivered
	Routed   string    `json:"routed"`   // where to, and by which rule
	// Owed: nobody has it yet, and the next session of the account that is available
	// gets it.
	Owed    bool            `json:"owed"`
	Targets []MessageTarget `json:"targets"`
	// Receiver is what the receiver's log tells of what the account sent, nil where that is
	// no account of ours or its log hasn't the message: Elsewhere says which.
	Receiver  *MessageStory `json:"receiver,omitempty"`
	Elsewhere string        `json:"elsewhere,omitempty"`
}

// MessageTarget is a session that a message was for.
type MessageTarget struct {
	Session string `json:"session,omitempty"` // its id; none if it isn't known any more
	JID     string `json:"jid,omitempty"`
	Copy    bool   `json:"copy"`            // it gets a copy (XEP-0280)
	Live    bool   `json:"live"`            // it was given to a stream at once
	Number  uint32 `json:"number"`          // that it had there, with stream management
	Ended   bool   `json:"ended,omitempty"` // it has ended
	State   string `json:"state"`           // one of the states of a message
}

// What became of a message for one session.
const (
	MessageAcknowledged = "acknowledged"    // its client has said that it has it
	MessageWritten      = "written"         // to a client that doesn't acknowledge
	MessageSent         = "sent"            // and not acknowledged
	MessageWaiting      = "waiting"         // in the log
	MessageLeft         = "left"            // the session ended without it: it is owed, unless another has it or is to get it
	MessageTaken        = "taken over"      // the session ended without it, and another has it to get
	MessageDelivered    = "delivered since" // it was owed, and was given to a session: to which isn't kept
	MessageDropped      = "dropped"         // a copy for a session that ended without it: nobody is owed a copy
	MessageDone         = "done"            // the session ended long ago, or before the server's start: it had it, or another has got it
)

// explainAtMost is how many records are looked at for a message that is named by
// its sender's id.
const explainAtMost = 50_000

// ExplainMessage tells what became of a message in the log of an account, named by
// its id in the archive, its origin-id (XEP-0359 §3) or the id that its sender gave it:
// the newest that fits. Of one that the account sent it also tells what became of it where
// the receiver is an account of ours. It reads storage.
func (m *Manager) ExplainMessage(ctx context.Context, account jid.JID, name string) (MessageStory, error) {
	account = account.Bare()
	id, rec, st, err := m.findMessage(ctx, account, name)
	if err != nil {
		return MessageStory{}, err
	}
	story, err := m.storyOf(ctx, account, id, &rec, st)
	if err == nil && story.Outgoing {
		err = m.follow(ctx, &story, id, st)
	}
	return story, err
}

// follow adds what the receiver's log tells: a message has the same id in both.
func (m *Manager) follow(ctx context.Context, story *MessageStory, id uint64, st *stanza.Stanza) error {
	to := st.To.Bare()
	switch {
	case m.HasService(to.Domain()):
		story.Elsewhere = "given to the component of " + to.Domain() + ", of which there is no log"
		return nil
	case !m.Local(to.Domain()):
		story.Elsewhere = to.Domain() + " is no domain of this server"
		return nil
	}
	b, err := m.logs.Get(ctx, to.String(), id)
	if errors.Is(err, storage.ErrNotFound) {
		story.Elsewhere = "the log of " + to.String() + " hasn't it: the message needn't be kept there when it was delivered, or has been removed since"
		return nil
	}
	var rec record
	if err == nil {
		rec, err = viewRecord(b)
	}
	if err != nil {
		return err
	}
	r, err := m.storyOf(ctx, to, id, &rec, st)
	story.Receiver = &r
	return err
}

// storyOf tells what one log has of a message.
func (m *Manager) storyOf(ctx context.Context, account jid.JID, id uint64, rec *record, st *stanza.Stanza) (MessageStory, error) {
	story := MessageStory{
		Account: account.String(), ID: ArchiveID(id), At: rec.at, Type: st.Type, StanzaID: st.ID, OriginID: originID(st),
		From: st.From.String(), To: st.To.String(), Bytes: len(rec.raw), Outgoing: rec.outgoing(), Archived: !rec.hidden(), Targets: []MessageTarget{},
	}
	if story.Type == "" {
		story.Type = typeNormal
	}
	l, err := m.ledgers.acquire(ctx, account)
	if err != nil {
		return MessageStory{}, err
	}
	defer m.ledgers.release(l)
	m.inOrder(func() { m.fateOf(&story, l, id, rec) })
	story.Routed = routedAs(st, rec)
	return story, nil
}

// findMessage reads a message from a log.
func (m *Manager) findMessage(ctx context.Context, account jid.JID, name string) (id uint64, rec record, st *stanza.Stanza, err error) {
	if n, err := strconv.ParseUint(name, 16, 64); err == nil && ArchiveID(n) == name {
		b, err := m.logs.Get(ctx, account.String(), n)
		if err == nil {
			if rec, err = viewRecord(b); err == nil {
				st, err = rec.parse()
			}
			return n, rec, st, err
		}
		if !errors.Is(err, storage.ErrNotFound) {
			return 0, rec, nil, err
		}
	}
	looked := 0
	if name == "" {
		return 0, rec, nil, ErrNoMessage
	}
	err = m.logs.ScanReverse(ctx, account.String(), math.MaxUint64, func(at uint64, b []byte) bool {
		if looked++; looked > explainAtMost || ctx.Err() != nil {
			return false
		}
		r, err := viewRecord(bytes.Clone(b))
		if err != nil || r.private() || !bytes.Contains(r.raw, []byte(escaped(name))) { // an error has the id of what it answers
			return true
		}
		x, err := r.parse()
		if err == nil && (x.ID == name || originID(x) == name) {
			id, rec, st = at, r, x
		}
		return st == nil
	})
	switch {
	case err != nil:
		return 0, rec, nil, err
	case ctx.Err() != nil:
		return 0, rec, nil, context.Cause(ctx)
	case st == nil && looked > explainAtMost:
		return 0, rec, nil, fmt.Errorf("%w: its newest %d messages were looked at", ErrNoMessage, explainAtMost)
	case st == nil:
		return 0, rec, nil, ErrNoMessage
	}
	return id, rec, st, nil
}

// escaped is how a name stands in XML at the least.
func escaped(name string) string {
	for i := range len(name) {
		if c := name[i]; c == '&' || c == '<' || c == '>' || c == '\'' || c == '"' {
			return name[:i]
		}
	}
	return name
}

// originID returns the id that a message's sender gave it for all of its way.
func originID(st *stanza.Stanza) string {
	var x struct {
		ID string `xml:"id,attr"`
	}
	if !st.HasChild(stanza.NSStanzaID, "origin-id") || xml.Unmarshal(st.Child(stanza.NSStanzaID, "origin-id"), &x) != nil {
		return ""
	}
	return x.ID
}

// fateOf fills in what became of a record. Runs with the token.
func (m *Manager) fateOf(story *MessageStory, l *ledger, id uint64, rec *record) {
	owed := append(append([]segment{}, l.owed...), l.undecided...)
	elsewhere := false // another has it, or is to get it
	for i := range rec.count() {
		t := rec.target(i)
		x := MessageTarget{Copy: t.copy, Live: t.live, Number: t.n}
		s := m.registry.byTag(l.account, t.tag)
		switch {
		case s != nil:
			x.Session, x.JID, x.State = s.ID(), s.JID().String(), s.fateOf(id)
		default:
			m.fateOfEnded(&x, l, owed, t.tag, id)
		}
		story.Owed = story.Owed || x.State == MessageLeft
		elsewhere = elsewhere || !x.Copy && x.State != MessageLeft
		story.Targets = append(story.Targets, x)
	}
	story.Owed = story.Owed && !elsewhere
	if rec.outgoing() || rec.originals() > 0 {
		return
	}
	if by := m.claimant(l, 0, id); by != nil {
		story.Targets = append(story.Targets, MessageTarget{Session: by.ID(), JID: by.JID().String(), State: MessageTaken})
	} else if story.Owed = covered(owed, 0, id); !story.Owed {
		story.Targets = append(story.Targets, MessageTarget{State: MessageDelivered})
	}
}

// fateOfEnded is fateOf for a session that has ended: what is known of the last ones, and
// by what its account is owed. Runs with the token.
func (m *Manager) fateOfEnded(x *MessageTarget, l *ledger, owed []segment, tag, id uint64) {
	x.Ended, x.State = true, MessageDone
	old, known := m.closed.find(func(st *Story) bool { return st.end.tag == tag && st.end.account == l.account })
	if known {
		x.Session, x.JID = old.Session.ID, old.Session.JID
	}
	switch by := m.claimant(l, tag, id); {
	case covered(owed, tag, id) && !x.Copy:
		x.State = MessageLeft
	case by != nil && !x.Copy:
		x.Session, x.JID, x.Ended, x.State = by.ID(), by.JID().String(), false, MessageTaken
	case !known:
	case id <= old.end.had && old.end.acks:
		x.State = MessageAcknowledged
	case id <= old.end.had:
		x.State = MessageWritten
	case x.Copy:
		x.State = MessageDropped
	default:
		x.State = MessageDelivered
	}
}

// claimant returns the session that has taken over a part of a log.
func (m *Manager) claimant(l *ledger, tag, id uint64) *Session {
	for _, s := range m.registry.bound(l.account) {
		if s.sm != nil && covered(s.sm.claim, tag, id) {
			return s
		}
	}
	return nil
}

// fateOf says how far a session is with a record that names it. Runs with the
// token.
func (s *Session) fateOf(id uint64) string {
	if s.sm == nil {
		first := s.tail.firstUnwritten()
		switch {
		case id > s.queue.after && id > s.queue.sent:
			return MessageWaiting
		case first > 0 && id >= first:
			return MessageSent
		}
		return MessageWritten
	}
	for _, x := range append(append([]sent{}, s.sm.unacked...), s.sm.redo...) {
		if x.id == id {
			return MessageSent
		}
	}
	if id > s.queue.after && (id > s.queue.sent || s.sm.restored) {
		return MessageWaiting
	}
	return MessageAcknowledged
}

// routedAs says where a message went, by what its record shows of that.
func routedAs(st *stanza.Stanza, rec *record) string {
	copies := rec.count() - rec.originals()
	switch n := rec.originals(); {
	case rec.outgoing() && copies > 0:
		return fmt.Sprintf("sent by the account; copies for %d of its other sessions", copies)
	case rec.outgoing():
		return "sent by the account; no other of its sessions gets copies"
	case n == 0 && st.To.IsFull():
		return "to a resource that wasn't there, and nobody was available: owed to the account (RFC 6121 §8.5.3.2.1)"
	case n == 0:
		return "to the account, of which nobody was available: owed to it (RFC 6121 §8.5.2.2.1)"
	case st.To.IsFull() && n == 1:
		return "to a full address: that session, or the most available one if it wasn't there (RFC 6121 §8.5.3)"
	case n == 1:
		return "to the account: its most available session (RFC 6121 §8.5.2.1.1)"
	}
	return fmt.Sprintf("to the account: its %d most available sessions (RFC 6121 §8.5.2.1.1), or all that are available, where the policy is mirror or one is unseen", rec.originals())
}
