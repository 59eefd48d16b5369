// Package vcard keeps the card of each account (XEP-0054) for everybody to read,
// and puts the hash of the picture on it into the account's presence (XEP-0153), also for
// clients that don't do so themselves. The nickname on it is an attribute of the account's
// sessions, for listings.
//
// It owns one record for each account (record.go). It must not know what else is on a card,
// who an account's contacts are, nor when presence is sent: it gets each presence
// as it comes in. Handlers run on a goroutine of their own, since they read and
// write storage; presence is stamped on the stream's, from memory.
//
// Start reading at [New].
package vcard

import (
	"context"
	"crypto/sha1" // #nosec G505: what XEP-0153 names pictures by, no secret
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"strings"
	"sync"

	"weir/c2s"
	"weir/hook"
	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/storage"
)

// Namespaces of cards and of what presence tells about them.
const (
	NS       = "vcard-temp"
	NSUpdate = "vcard-temp:x:update"
)

// tableCards is a KeyVal: bare JID → card.
const tableCards = "vcard"

// Options are the settings of a Module.
type Options struct {
	MaxBytes int // of a card, default 128 KiB
	// Log takes what goes wrong. Default: discard.
	Log *slog.Logger
}

// DefaultOptions returns the settings of a module that nobody configured.
func DefaultOptions() Options {
	var o Options
	o.setDefaults()
	return o
}

func (o *Options) setDefaults() {
	if o.MaxBytes == 0 {
		o.MaxBytes = 128 << 10
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Validate says which setting makes no sense. Zero fields are fine.
func (o *Options) Validate() error {
	if o.MaxBytes < 0 {
		return errors.New("vcard: MaxBytes can't be negative")
	}
	return nil
}

// maxNickname is how many bytes of a nickname are kept beside the card.
const maxNickname = 255

// picture is what a session knows of its account's card.
type picture struct {
	card bool   // there is one
	hash string // of the picture on it, "" without
}

// lockCount is a power of two: enough that unrelated accounts rarely meet.
const lockCount = 64

// Module keeps the cards of one manager's accounts.
type Module struct {
	m        *sessionmgr.Manager
	cards    storage.KeyVal
	o        Options
	pictures sessionmgr.Slot[picture]
	nickname sessionmgr.Key[string]
	seed     maphash.Seed
	locks    [lockCount]sync.Mutex // of an account's card, and what its sessions know of it
}

// New registers with m and keeps its records in st.
func New(m *sessionmgr.Manager, st storage.Store, o Options) (*Module, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.setDefaults()
	mod := &Module{m: m, cards: storage.NewKeyVal(st, tableCards), o: o, seed: maphash.MakeSeed(),
		pictures: sessionmgr.NewSlot[picture](m, "vcard.picture")}
	var err error
	if mod.nickname, err = sessionmgr.NewKey[string](m, "vcard.nick", sessionmgr.KeyOptions{Readers: sessionmgr.ReadByUser}); err != nil {
		return nil, err
	}
	m.HandleIQ(sessionmgr.IQHandler{NS: NS, Local: "vCard", Scope: sessionmgr.OnSelf, Get: mod.get, Set: mod.set, Blocking: true})
	// A set is service-unavailable, not the forbidden that XEP-0054 §3.2 would rather
	// have: of an account that doesn't exist RFC 6121 §8.5.1 allows nothing else, and
	// the two must not differ.
	m.HandleIQ(sessionmgr.IQHandler{NS: NS, Local: "vCard", Scope: sessionmgr.OnAccount, Public: true, Get: mod.get, Blocking: true})
	m.Advertise(sessionmgr.OnServer, NS)
	m.Hooks.Bound.Add("vcard", hook.Normal, mod.load)
	m.Hooks.Restored.Add("vcard", hook.Normal, mod.load)
	return mod, nil
}

// Offer has a server of streams stamp the presence of its clients.
func (mod *Module) Offer(streams *c2s.Server) {
	streams.Hooks.StanzaIn.Add("vcard", hook.Normal, func(_ context.Context, in *c2s.StanzaIn) error {
		in.Stanza = mod.stamp(in.Session, in.Stanza)
		return nil
	})
}

// Table names the records, for the deletion of an account.
func (mod *Module) Table() storage.Table { return mod.cards.Table() }

func (mod *Module) lock(account jid.JID) *sync.Mutex {
	return &mod.locks[maphash.String(mod.seed, account.String())%lockCount]
}

// load has a session know what is on its account's card.
func (mod *Module) load(ctx context.Context, s *sessionmgr.Session) {
	account := s.JID().Bare()
	mu := mod.lock(account)
	mu.Lock()
	defer mu.Unlock()
	c, err := mod.read(ctx, account)
	switch {
	case err == nil:
		mod.tell(s, c)
	case errors.Is(err, storage.ErrNotFound), ctx.Err() != nil: // or the session has ended: it needs none
	default:
		s.Log().Error("a card can't be read", "account", account, "err", err)
	}
}

// tell has a session know what is on its account's card.
func (mod *Module) tell(s *sessionmgr.Session, c card) {
	mod.pictures.Set(s, picture{card: true, hash: c.hash})
	// One that has ended meanwhile needs no name.
	_ = mod.nickname.Update(s, func(string, bool) (string, bool) { return c.nick, c.nick != "" })
}

func (mod *Module) read(ctx context.Context, account jid.JID) (card, error) {
	rec, err := mod.cards.Get(ctx, account.String())
	if err != nil {
		return card{}, err
	}
	return decode(rec)
}

// get answers a card. That there is none, and that there is no such account, is
// the same answer, but to the account itself (XEP-0054 §3.1, XEP-0054 §3.3).
func (mod *Module) get(ctx context.Context, iq *stanza.Stanza) (any, error) {
	account := iq.To.Bare()
	if iq.To.IsZero() {
		account = iq.From.Bare()
	}
	c, err := mod.read(ctx, account)
	switch {
	case err == nil:
		return c.xml, nil
	case !errors.Is(err, storage.ErrNotFound):
		return nil, err
	case account == iq.From.Bare():
		return nil, stanza.ItemNotFound()
	}
	return nil, stanza.ServiceUnavailable()
}

// set keeps a card in place of the one that was there (XEP-0054 §3.2).
func (mod *Module) set(ctx context.Context, iq *stanza.Stanza) (any, error) {
	s, ok := sessionmgr.FromContext(ctx)
	if !ok {
		return nil, stanza.Forbidden()
	}
	xml := iq.Child(NS, "vCard")
	if len(xml) > mod.o.MaxBytes {
		return nil, stanza.PolicyViolation(fmt.Sprintf("a card has at most %d bytes", mod.o.MaxBytes))
	}
	c, err := cardOf(iq, xml)
	if err != nil {
		return nil, err
	}
	account := iq.From.Bare()
	mu := mod.lock(account)
	mu.Lock()
	defer mu.Unlock()
	e := sessionmgr.Entry{From: s}
	mod.cards.Set(&e.Writes, account.String(), encode(c))
	done := make(chan error, 1)
	e.Done = func(err error) { done <- err }
	mod.m.Submit(e)
	if err := <-done; err != nil {
		return nil, err
	}
	for _, x := range mod.m.ByAccount(account) {
		mod.tell(x, c)
	}
	return nil, nil
}

// cardOf reads what has to be known of a card: the hash of the picture on it (XEP-0153
// §3.1), "" where there is none, or none that can be read, and the nickname.
func cardOf(iq *stanza.Stanza, xml []byte) (card, error) {
	var on struct {
		Data string `xml:"vcard-temp PHOTO>BINVAL"`
		Nick string `xml:"vcard-temp NICKNAME"`
	}
	if err := iq.Decode(NS, "vCard", &on); err != nil {
		return card{}, err
	}
	nick := strings.Join(strings.Fields(on.Nick), " ")
	c := card{nick: strings.ToValidUTF8(nick[:min(len(nick), maxNickname)], ""), xml: xml}
	if data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(on.Data), "")); err == nil && len(data) > 0 {
		sum := sha1.Sum(data) // #nosec G401
		c.hash = hex.EncodeToString(sum[:])
	}
	return c, nil
}

// stamp puts the hash into a presence that tells that somebody is here. What a
// client that can't tell yet says with an empty element stays (XEP-0153 §4.1).
func (mod *Module) stamp(s *sessionmgr.Session, st *stanza.Stanza) *stanza.Stanza {
	if st.Kind != stanza.Presence || st.Type != "" {
		return st
	}
	p, _ := mod.pictures.Get(s)
	if !p.card {
		return st
	}
	if st.HasChild(NSUpdate, "x") {
		var x struct {
			Photo *string `xml:"photo"`
		}
		if err := st.Decode(NSUpdate, "x", &x); err != nil || x.Photo == nil || *x.Photo == p.hash {
			return st
		}
		st = st.Without(func(ns, local string) bool { return ns == NSUpdate && local == "x" })
	}
	return st.WithChild([]byte("<x xmlns='" + NSUpdate + "'><photo>" + p.hash + "</photo></x>"))
}
