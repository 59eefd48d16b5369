// Package offers lets an application offer files on behalf of a session: the
// receivers get a message with a link, and are told to forget it when the offer is
// cancelled.
//
// It owns the list of each session's offers, an attribute of the session: it
// survives a restart if its client may resume, and goes with the session. Links that
// were sent stay: who wants them withdrawn cancels first. It must not know where
// files are, nor how they get there, nor who asks: it is called by the application,
// from any goroutine, and by whoever wires the server for admins and for the ad-hoc
// commands of users. Calls may read storage.
//
// It implements the sender's part of XEP-0447 (stateless file sharing) with the
// metadata of XEP-0446 and, for clients that know neither, the link of XEP-0066;
// and of XEP-0424 (message retraction).
//
// Start reading at [New]; message.go has what is sent, commands.go what users are
// asked.
package offers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"weir/jid"
	"weir/sessionmgr"
)

// File is what is offered: a link, and what is known of what is behind it.
type File struct {
	URL         string `json:"url"` // http or https
	Name        string `json:"name,omitempty"`
	Type        string `json:"type,omitempty"` // media type
	Size        int64  `json:"size,omitempty"` // in bytes, 0 if it isn't known
	SHA256      []byte `json:"sha256,omitempty"`
	Description string `json:"desc,omitempty"`
}

// Offer is a file that a session offers to somebody.
type Offer struct {
	ID   string    `json:"id"` // of the message with the link
	File File      `json:"file"`
	To   []jid.JID `json:"to"`
	At   time.Time `json:"at"`
}

// Errors of a Module.
var (
	ErrNoOffer  = errors.New("offers: the session has no such offer, or not to them")
	ErrTooMany  = errors.New("offers: too many")
	ErrBadOffer = errors.New("offers: that can't be offered")
)

// Options are the settings of a Module. What a session offers is at most 16 KiB in
// any case.
type Options struct {
	// Enabled lets admins offer files on behalf of sessions, and users by ad-hoc
	// commands. A program that embeds the server can in any case. Default false.
	Enabled   bool
	Offers    int // of one session at a time, default 32
	Receivers int // of one offer, default 32
}

// DefaultOptions returns the settings of a module that nobody configured.
func DefaultOptions() Options {
	var o Options
	o.setDefaults()
	return o
}

func (o *Options) setDefaults() {
	if o.Offers == 0 {
		o.Offers = 32
	}
	if o.Receivers == 0 {
		o.Receivers = 32
	}
}

// Validate says which setting makes no sense. Zero fields are fine.
func (o Options) Validate() error {
	if o.Offers < 0 || o.Receivers < 0 {
		return errors.New("offers: bounds can't be negative")
	}
	return nil
}

// Module keeps the offers of one manager.
type Module struct {
	m    *sessionmgr.Manager
	o    Options
	list sessionmgr.Key[[]Offer]
}

// New registers with m.
func New(m *sessionmgr.Manager, o Options) (*Module, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.setDefaults()
	list, err := sessionmgr.NewKey[[]Offer](m, "offers.list", sessionmgr.KeyOptions{
		Lifetime: sessionmgr.OfSession, Readers: sessionmgr.ReadByUser, MaxBytes: 16 << 10,
	})
	return &Module{m: m, o: o, list: list}, err
}

// List returns what a session offers, in the order in which it was added.
func (mod *Module) List(s *sessionmgr.Session) []Offer {
	list, _ := mod.list.Get(s)
	return slices.Clone(list)
}

// Enabled reports whether admins and users may offer files.
func (mod *Module) Enabled() bool { return mod.o.Enabled }

// Walk calls fn for every session that offers something, with what it offers, until
// it returns false.
func (mod *Module) Walk(fn func(s *sessionmgr.Session, list []Offer) bool) {
	mod.m.Range(func(s *sessionmgr.Session) bool {
		list := mod.List(s)
		return len(list) == 0 || fn(s, list)
	})
}

// Find returns the session that has an offer, nil where none has.
func (mod *Module) Find(id string) (found *sessionmgr.Session) {
	mod.Walk(func(s *sessionmgr.Session, list []Offer) bool {
		if slices.ContainsFunc(list, func(o Offer) bool { return o.ID == id }) {
			found = s
		}
		return found == nil
	})
	return found
}

// Add offers a file to some addresses, each of which gets the link as a message of
// the session. Whom it could not be sent to isn't in the offer, and the error says
// why; if that is everybody there is no offer. A receiver who doesn't exist is no
// error here: the session gets the bounce, as for any message.
func (mod *Module) Add(ctx context.Context, s *sessionmgr.Session, f File, to ...jid.JID) (Offer, error) {
	if err := mod.check(f, to); err != nil {
		return Offer{}, err
	}
	offer := Offer{ID: rand.Text(), File: f, To: slices.Clone(to), At: time.Now().UTC()}
	full := false
	err := mod.list.Update(s, func(list []Offer, _ bool) ([]Offer, bool) {
		if full = len(list) >= mod.o.Offers; full {
			return list, len(list) > 0
		}
		return append(slices.Clone(list), offer), true
	})
	switch {
	case err != nil:
		return Offer{}, err
	case full:
		return Offer{}, fmt.Errorf("%w: a session has up to %d offers", ErrTooMany, mod.o.Offers)
	}
	link, err := offer.link()
	if err != nil {
		return Offer{}, errors.Join(err, mod.withdraw(s, offer.ID, to))
	}
	missed, err := mod.tell(ctx, s, link, to)
	if len(missed) > 0 {
		err = errors.Join(err, mod.withdraw(s, offer.ID, missed))
		offer.To = without(offer.To, missed)
	}
	return offer, err
}

// Cancel takes an offer back: of some of its receivers, or of all if none are named.
// They are asked to forget the message, which nobody can make them do.
func (mod *Module) Cancel(ctx context.Context, s *sessionmgr.Session, id string, of ...jid.JID) error {
	list, _ := mod.list.Get(s)
	i := slices.IndexFunc(list, func(o Offer) bool { return o.ID == id })
	if i < 0 {
		return ErrNoOffer
	}
	offer := list[i]
	if len(of) == 0 {
		of = offer.To
	}
	if len(without(of, offer.To)) > 0 {
		return ErrNoOffer
	}
	gone, err := offer.retraction()
	if err != nil {
		return err
	}
	// It stays in the list for those who could not be told, so that they can be told
	// again; after a crash in between some are told twice, which does no harm.
	missed, err := mod.tell(ctx, s, gone, of)
	return errors.Join(err, mod.withdraw(s, id, without(of, missed)))
}

// check says why something can't be offered.
func (mod *Module) check(f File, to []jid.JID) error {
	u, err := url.Parse(f.URL)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return fmt.Errorf("%w: %q is no link to a file", ErrBadOffer, f.URL)
	case f.Size < 0:
		return fmt.Errorf("%w: its size is negative", ErrBadOffer)
	case len(f.SHA256) != 0 && len(f.SHA256) != 32:
		return fmt.Errorf("%w: a SHA-256 has 32 bytes", ErrBadOffer)
	case len(to) == 0:
		return fmt.Errorf("%w: to nobody", ErrBadOffer)
	case len(to) > mod.o.Receivers:
		return fmt.Errorf("%w: an offer has up to %d receivers", ErrTooMany, mod.o.Receivers)
	}
	for i, j := range to {
		if j.Local() == "" || slices.Contains(to[:i], j) {
			return fmt.Errorf("%w: %q is no account's address, or named twice", ErrBadOffer, j)
		}
	}
	return nil
}

// tell sends a message to each, and returns to whom it could not be sent.
func (mod *Module) tell(ctx context.Context, s *sessionmgr.Session, m message, to []jid.JID) (missed []jid.JID, err error) {
	for _, j := range to {
		st, e := m.to(j)
		if e == nil {
			e = mod.m.SendAs(ctx, s, st)
		}
		if e != nil {
			missed, err = append(missed, j), errors.Join(err, fmt.Errorf("offers: to %s: %w", j, e))
		}
	}
	return missed, err
}

// withdraw takes receivers out of an offer, and the offer out of the list when
// nobody is left.
func (mod *Module) withdraw(s *sessionmgr.Session, id string, of []jid.JID) error {
	err := mod.list.Update(s, func(list []Offer, _ bool) ([]Offer, bool) {
		var left []Offer
		for _, o := range list {
			if o.ID == id {
				o.To = without(o.To, of)
			}
			if len(o.To) > 0 {
				left = append(left, o)
			}
		}
		return left, len(left) > 0
	})
	if errors.Is(err, sessionmgr.ErrGone) {
		return nil // and the list with it
	}
	return err
}

// without returns those of all that aren't some.
func without(all, some []jid.JID) (left []jid.JID) {
	for _, j := range all {
		if !slices.Contains(some, j) {
			left = append(left, j)
		}
	}
	return left
}
