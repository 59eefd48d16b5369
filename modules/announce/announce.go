// Package announce has a message of the day: what an admin wants everybody to read,
// those who are online at once and the others when they come next, each account once
// (XEP-0133).
//
// It owns the message of each domain and which accounts have had it. What is for those
// who are here, and for nobody else, is an announcement of administration. It must not know how its commands
// travel: whoever wires the server offers them, to accounts and on the control socket.
//
// Its hook runs in a session's order and only looks whether there is a message; what
// reads storage runs by sessionmgr.Manager.Post. Without a message nothing is read.
//
// Start reading at [New].
package announce

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"weir/hook"
	"weir/jid"
	"weir/presence"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/storage"
	"weir/xmlstream"
)

// The tables: domain → message, and account → id of the message that it has had.
const (
	tableMessages = "announce"
	tableSeen     = "announce.seen"
)

// Message is a message of the day.
type Message struct {
	ID   string    `json:"id"` // another one is for everybody again
	Text string    `json:"text"`
	By   string    `json:"by"`
	Set  time.Time `json:"set"`
}

// lockCount is a power of two: enough that unrelated accounts rarely meet.
const lockCount = 64

// Module keeps the messages of one manager's domains.
type Module struct {
	m        *sessionmgr.Manager
	store    storage.Store
	messages storage.KeyVal
	seen     storage.KeyVal
	log      *slog.Logger

	current map[string]*atomic.Pointer[Message] // by domain; the map doesn't change
	writing sync.Mutex                          // held from a change in storage to that of current
	seed    maphash.Seed
	locks   [lockCount]sync.Mutex // of an account, while it is told
}

// New registers with m and with p, and reads the messages from st. log may be nil.
func New(ctx context.Context, m *sessionmgr.Manager, p *presence.Handler, st storage.Store, log *slog.Logger) (*Module, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	mod := &Module{
		m: m, store: st, messages: storage.NewKeyVal(st, tableMessages), seen: storage.NewKeyVal(st, tableSeen), log: log,
		current: map[string]*atomic.Pointer[Message]{}, seed: maphash.MakeSeed(),
	}
	for _, d := range m.Domains() {
		mod.current[d] = new(atomic.Pointer[Message])
		rec, err := mod.messages.Get(ctx, d)
		if errors.Is(err, storage.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		msg, err := decode(rec)
		if err != nil { // no reason not to start
			log.Error("the message of the day can't be read", "domain", d, "err", err)
			continue
		}
		mod.current[d].Store(msg)
	}
	p.Hooks.Initial.Add("announce", hook.Late, func(_ context.Context, s *sessionmgr.Session) { mod.came(s) })
	return mod, nil
}

// Table names what is kept for an account, for its deletion.
func (mod *Module) Table() storage.Table { return mod.seen.Table() }

func decode(rec []byte) (*Message, error) {
	var msg Message
	if err := json.Unmarshal(rec, &msg); err != nil {
		return nil, fmt.Errorf("announce: %w", err)
	}
	if msg.ID == "" || msg.Text == "" {
		return nil, errors.New("announce: the record has no message")
	}
	return &msg, nil
}

// CheckRecord reports whether a record can be read; nil for those of other tables.
func CheckRecord(table string, rec []byte) error {
	switch {
	case table == tableMessages:
		_, err := decode(rec)
		return err
	case table == tableSeen && !utf8.Valid(rec):
		return fmt.Errorf("announce: which message was seen can't be read: % x", rec)
	}
	return nil
}

// of returns the message of a domain, nil without one.
func (mod *Module) of(domain string) *Message {
	if p := mod.current[domain]; p != nil {
		return p.Load()
	}
	return nil
}

// came has a session that became available be told, if there is something to tell.
func (mod *Module) came(s *sessionmgr.Session) {
	account := s.JID().Bare()
	if mod.of(account.Domain()) == nil {
		return
	}
	err := mod.m.Post(s.ID(), func(ctx context.Context) error { return mod.tell(ctx, account) })
	if err != nil && !errors.Is(err, sessionmgr.ErrGone) {
		s.Log().Warn("the message of the day was not told", "err", err)
	}
}

// tell sends the message to an account that hasn't had it. It is kept like any message
// until a client has it; a crash in a moment may have it told twice.
func (mod *Module) tell(ctx context.Context, account jid.JID) error {
	mu := &mod.locks[maphash.String(mod.seed, account.String())%lockCount]
	mu.Lock()
	defer mu.Unlock()
	msg := mod.of(account.Domain())
	if msg == nil {
		return nil
	}
	had, err := mod.seen.Get(ctx, account.String())
	if err != nil && !errors.Is(err, storage.ErrNotFound) || string(had) == msg.ID {
		if errors.Is(err, context.Canceled) { // the session has ended: another will come
			return nil
		}
		return err
	}
	body := append(xmlstream.AppendEscaped([]byte("<body>"), msg.Text), "</body>"...)
	st, err := stanza.New(stanza.Message, "", rand.Text(), account.Host(), account, body)
	if err != nil {
		return err
	}
	if err := mod.m.Route(ctx, st); err != nil {
		return err
	}
	var b storage.Batch
	mod.seen.Set(&b, account.String(), []byte(msg.ID))
	return storage.Commit(context.WithoutCancel(ctx), mod.store, &b)
}

// Messages returns the messages that there are, by domain.
func (mod *Module) Messages() map[string]Message {
	all := map[string]Message{}
	for domain, p := range mod.current {
		if msg := p.Load(); msg != nil {
			all[domain] = *msg
		}
	}
	return all
}

// Set gives a domain a message in place of the one it had, and tells those who are online.
// It returns how many sessions are told or will be. by is empty for who runs the server.
func (mod *Module) Set(ctx context.Context, domain string, by jid.JID, text string) (n int, err error) {
	if text, err = trimmed(text); err != nil {
		return 0, err
	}
	if err := mod.put(ctx, domain, &Message{ID: rand.Text(), Text: text, By: by.Bare().String(), Set: time.Now().UTC()}); err != nil {
		return 0, err
	}
	mod.m.RangeOf(sessionmgr.Filter{Phase: sessionmgr.PhaseAvailable, Where: func(s *sessionmgr.Session) bool {
		return s.JID().Domain() == domain
	}}, func(s *sessionmgr.Session) bool {
		mod.came(s)
		n++
		return true
	})
	mod.log.Info("message of the day set", "domain", domain, "by", by, "sessions", n)
	return n, nil
}

// Edit changes the text for those who haven't had it. ErrNone: there is no message.
func (mod *Module) Edit(ctx context.Context, domain string, by jid.JID, text string) error {
	old := mod.of(domain)
	if old == nil {
		return ErrNone
	}
	text, err := trimmed(text)
	if err != nil {
		return err
	}
	mod.log.Info("message of the day edited", "domain", domain, "by", by)
	return mod.put(ctx, domain, &Message{ID: old.ID, Text: text, By: by.Bare().String(), Set: old.Set})
}

// Delete takes the message away. ErrNone: there is none.
func (mod *Module) Delete(ctx context.Context, domain string, by jid.JID) error {
	if mod.of(domain) == nil {
		return ErrNone
	}
	mod.log.Info("message of the day deleted", "domain", domain, "by", by)
	return mod.put(ctx, domain, nil)
}

// Errors of a Module.
var (
	ErrNone   = errors.New("announce: there is no message of the day")
	ErrDomain = errors.New("announce: not a domain of this server")
	ErrText   = fmt.Errorf("announce: the message has to have a text, of at most %d bytes", maxText)
)

// maxText is in bytes.
const maxText = 16 << 10

// trimmed returns a text without blanks around it, if there is something left to tell.
func trimmed(text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > maxText {
		return "", ErrText
	}
	return text, nil
}

// put makes a message that of a domain; nil takes it away.
func (mod *Module) put(ctx context.Context, domain string, msg *Message) error {
	p := mod.current[domain]
	if p == nil {
		return fmt.Errorf("%w: %s", ErrDomain, domain)
	}
	mod.writing.Lock()
	defer mod.writing.Unlock()
	var b storage.Batch
	mod.messages.Delete(&b, domain)
	if msg != nil {
		rec, err := json.Marshal(msg)
		if err != nil {
			return err
		}
		b.Reset()
		mod.messages.Set(&b, domain, rec)
	}
	if err := storage.Commit(context.WithoutCancel(ctx), mod.store, &b); err != nil {
		return err
	}
	p.Store(msg)
	return nil
}
