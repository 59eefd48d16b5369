package invitations

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/auth"
	"weir/jid"
	"weir/sessionmgr"
	"weir/storage"
)

// tableInvitations is a Map: domain → hash of the token → record.
const tableInvitations = "invitations"

// Options are the settings of a Module.
type Options struct {
	// Enabled takes invitations, and so lets those who have one make an account. Default false.
	Enabled bool
	// Roles are the roles of accounts that may invite others to be their contacts. Default "admin".
	Roles []string
	// Life is how long an invitation is good unless it says otherwise. Default 7 days.
	Life time.Duration
	// MaxOpen is how many invitations of one account may be open. Default 20.
	MaxOpen int
	// All is how many of a domain may be open. Default 10,000.
	All int
	// Log takes who was let in, and what goes wrong. Default: discard.
	Log *slog.Logger
}

// DefaultOptions returns the settings of a module that nobody configured.
func DefaultOptions() Options {
	var o Options
	o.setDefaults()
	return o
}

func (o *Options) setDefaults() {
	if o.Roles == nil {
		o.Roles = []string{auth.RoleAdmin}
	}
	if o.Life == 0 {
		o.Life = 7 * 24 * time.Hour
	}
	if o.MaxOpen == 0 {
		o.MaxOpen = 20
	}
	if o.All == 0 {
		o.All = 10_000
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Bounds of an invitation.
const (
	maxLife = 10 * 365 * 24 * time.Hour
	maxUses = 1000
)

// Validate says which setting makes no sense. Zero fields are fine.
func (o Options) Validate() error {
	o.setDefaults()
	switch {
	case o.Life < time.Minute || o.Life > maxLife:
		return fmt.Errorf("invitations: Life is %v, must be 1m to %v", o.Life, maxLife)
	case o.MaxOpen < 1:
		return fmt.Errorf("invitations: MaxOpen is %d, must be at least 1", o.MaxOpen)
	case o.All < 1 || o.All > 100_000:
		return fmt.Errorf("invitations: All is %d, must be 1 to 100000", o.All)
	}
	return nil
}

// Accounts is what is asked of accounts. *auth.Service has it.
type Accounts interface {
	Create(ctx context.Context, j jid.JID, password string) error
	Exists(ctx context.Context, j jid.JID) (bool, error)
	Lookup(ctx context.Context, j jid.JID) (auth.Account, error)
}

// Contacts makes two accounts contacts of each other.
type Contacts interface {
	Befriend(ctx context.Context, a, b jid.JID) error
}

// Errors of what can't be had.
var (
	ErrNotFound = errors.New("invitations: there is no such invitation, or not any more")
	ErrTaken    = errors.New("invitations: that name is taken")
	ErrOff      = errors.New("invitations: invitations are off; set enabled = true in [invitations]")
	ErrTooMany  = errors.New("invitations: too many are open already")
	// ErrBad is wrapped with the reason.
	ErrBad = errors.New("invitations: such an invitation can't be made")
)

// Module keeps the invitations of one server.
type Module struct {
	m        *sessionmgr.Manager
	store    storage.Store
	all      storage.Map
	accounts Accounts
	contacts Contacts
	o        Options
	shown    sessionmgr.Slot[shown] // what a client that hasn't logged in has shown

	mu sync.Mutex // held from the check of an invitation to the commit of its change
}

// New makes the module. It takes nothing from clients before [Module.Offer].
func New(m *sessionmgr.Manager, st storage.Store, a Accounts, c Contacts, o Options) (*Module, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.setDefaults()
	return &Module{
		m: m, store: st, all: storage.NewMap(st, tableInvitations), accounts: a, contacts: c, o: o,
		shown: sessionmgr.NewSlot[shown](m, "invitations.shown"),
	}, nil
}

// Invitation is what is known of an invitation beside its token.
type Invitation struct {
	ID      string    `json:"id"`
	Domain  string    `json:"domain"`
	Name    string    `json:"name,omitempty"`    // local part that is reserved by it
	Inviter string    `json:"inviter,omitempty"` // bare address of who becomes a contact, "" for nobody
	By      string    `json:"by,omitempty"`      // bare address of who made it, "" for who runs the server
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Uses    int       `json:"uses"` // that are left
}

// Made is an invitation as it is told once: with its token.
type Made struct {
	Invitation
	Token string `json:"token"`
	URI   string `json:"uri"`
}

// Wish is what an invitation shall be.
type Wish struct {
	Domain  string
	Name    string        // local part, "" for any
	Inviter jid.JID       // becomes a contact; zero for nobody
	By      jid.JID       // zero for who runs the server
	Life    time.Duration // 0: the default
	Uses    int           // 0: one
}

// Create makes an invitation. The errors are those of this package, or of the store.
func (mod *Module) Create(ctx context.Context, w Wish) (Made, error) {
	if !mod.o.Enabled {
		return Made{}, ErrOff
	}
	if w.Life == 0 {
		w.Life = mod.o.Life
	}
	w.Uses = max(w.Uses, 1)
	address, err := mod.check(ctx, &w)
	if err != nil {
		return Made{}, err
	}
	mod.mu.Lock()
	defer mod.mu.Unlock()
	if err := mod.room(ctx, &w, address); err != nil {
		return Made{}, err
	}
	token := newToken()
	hash := hashOf(token)
	now := time.Now().UTC()
	made := Made{Token: token, Invitation: Invitation{
		ID: hash[:idLength], Domain: address.Domain(), Name: address.Local(), Created: now, Expires: now.Add(w.Life), Uses: w.Uses,
	}}
	if !w.Inviter.IsZero() {
		made.Inviter = w.Inviter.Bare().String()
	}
	if !w.By.IsZero() {
		made.By = w.By.Bare().String()
	}
	made.URI = uri(&made)
	var b storage.Batch
	mod.all.Put(&b, made.Domain, hash, encode(&made.Invitation))
	if err := storage.Commit(context.WithoutCancel(ctx), mod.store, &b); err != nil {
		return Made{}, err
	}
	mod.o.Log.Info("invitation made", "id", made.ID, "domain", made.Domain, "name", made.Name, "by", made.By, "uses", made.Uses)
	return made, nil
}

// check looks at what can be said without the other invitations.
func (mod *Module) check(ctx context.Context, w *Wish) (address jid.JID, err error) {
	switch {
	case !mod.m.Local(w.Domain):
		return address, fmt.Errorf("%w: %s is not a domain of this server", ErrBad, w.Domain)
	case w.Life < time.Minute || w.Life > maxLife:
		return address, fmt.Errorf("%w: it has to be good for a minute or more, and ten years or less", ErrBad)
	case w.Uses > maxUses:
		return address, fmt.Errorf("%w: it may be used %d times at most", ErrBad, maxUses)
	case w.Name != "" && w.Uses > 1:
		return address, fmt.Errorf("%w: a name is good for one account only", ErrBad)
	}
	if address, err = jid.New(w.Name, w.Domain, ""); err != nil {
		return address, fmt.Errorf("%w: %q can't be the name of an account", ErrBad, w.Name)
	}
	if w.Name != "" {
		if there, err := mod.accounts.Exists(ctx, address); err != nil || there {
			return address, errors.Join(err, ErrTaken)
		}
	}
	if !w.Inviter.IsZero() {
		there, err := mod.accounts.Exists(ctx, w.Inviter)
		if err != nil {
			return address, err
		}
		if !there {
			return address, fmt.Errorf("%w: there is no account %s", ErrBad, w.Inviter)
		}
	}
	return address, nil
}

// room looks at the other invitations, and removes those that are over. Needs mu.
func (mod *Module) room(ctx context.Context, w *Wish, address jid.JID) error {
	var b storage.Batch
	all, own, taken := 0, 0, false
	now := time.Now()
	err := mod.walk(ctx, address.Domain(), func(hash string, i *Invitation) {
		if !i.Expires.After(now) {
			mod.all.Delete(&b, i.Domain, hash)
			return
		}
		all++
		if !w.By.IsZero() && i.By == w.By.Bare().String() {
			own++
		}
		taken = taken || address.Local() != "" && i.Name == address.Local()
	})
	if err == nil && b.Len() > 0 {
		err = storage.Commit(context.WithoutCancel(ctx), mod.store, &b)
	}
	switch {
	case err != nil:
		return err
	case taken:
		return ErrTaken
	case all >= mod.o.All || own >= mod.o.MaxOpen:
		return ErrTooMany
	}
	return nil
}

// List returns the invitations that are open, the oldest first.
func (mod *Module) List(ctx context.Context) (list []Invitation, err error) {
	now := time.Now()
	for _, d := range mod.m.Domains() {
		err := mod.walk(ctx, d, func(_ string, i *Invitation) {
			if i.Expires.After(now) {
				list = append(list, *i)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(list, func(a, b Invitation) int { return a.Created.Compare(b.Created) })
	return list, nil
}

// Revoke takes an invitation back. It returns ErrNotFound, or an error of the store.
func (mod *Module) Revoke(ctx context.Context, id string) error {
	mod.mu.Lock()
	defer mod.mu.Unlock()
	var b storage.Batch
	for _, d := range mod.m.Domains() {
		err := mod.walk(ctx, d, func(hash string, i *Invitation) {
			if i.ID == id {
				mod.all.Delete(&b, d, hash)
			}
		})
		if err != nil {
			return err
		}
	}
	if b.Len() == 0 {
		return ErrNotFound
	}
	mod.o.Log.Info("invitation revoked", "id", id)
	return storage.Commit(context.WithoutCancel(ctx), mod.store, &b)
}

// idLength is how many digits of a hash name an invitation: too few to say anything
// about the token.
const idLength = 12

// newToken makes a token of 130 random bits, of letters and digits.
func newToken() string { return strings.ToLower(rand.Text()) }

// hashOf is under what an invitation is kept.
func hashOf(token string) string {
	h := sha256.Sum256([]byte(token))
	return hex.EncodeToString(h[:])
}

// uri is what is handed to who is invited (XEP-0445 §2).
func uri(made *Made) string {
	switch {
	case made.Name != "":
		return fmt.Sprintf("xmpp:%s@%s?register;preauth=%s", escape(made.Name), made.Domain, made.Token)
	case made.Inviter != "":
		name, domain, _ := strings.Cut(made.Inviter, "@")
		return fmt.Sprintf("xmpp:%s@%s?roster;preauth=%s;ibr=y", escape(name), domain, made.Token) // XEP-0401 §5.1
	}
	return fmt.Sprintf("xmpp:%s?register;preauth=%s", made.Domain, made.Token)
}
