// Package registration lets the owner of an account change its password and
// remove it (XEP-0077). Nobody makes an account by it: open registration isn't
// offered.
//
// It keeps nothing. It must not know how accounts are kept, nor what goes with
// one that is removed: it asks [Accounts]. Its handler runs on a goroutine of its
// own, since both take a while; [Module.Changed] on that of the change.
//
// Start reading at [New].
package registration

import (
	"context"
	"encoding/xml"
	"errors"
	"log/slog"
	"strings"

	"weir/auth"
	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
)

// NS is the namespace of registration.
const NS = "jabber:iq:register"

// Options are the settings of a Module.
type Options struct {
	// KeepPasswords has passwords be changed by admins only.
	KeepPasswords bool
	// KeepAccounts has accounts be removed by admins only.
	KeepAccounts bool
	// Log takes who did what. Default: discard.
	Log *slog.Logger
}

// DefaultOptions returns the settings of a module that nobody configured.
func DefaultOptions() Options {
	var o Options
	o.setDefaults()
	return o
}

func (o *Options) setDefaults() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Accounts is what is asked of accounts. *auth.Service has it.
type Accounts interface {
	SetPassword(ctx context.Context, j jid.JID, password string) error
	Delete(ctx context.Context, j jid.JID) error
}

// Module answers for one manager.
type Module struct {
	m        *sessionmgr.Manager
	accounts Accounts
	o        Options
}

// New registers with m.
func New(m *sessionmgr.Manager, accounts Accounts, o Options) *Module {
	o.setDefaults()
	mod := &Module{m: m, accounts: accounts, o: o}
	m.HandleIQ(sessionmgr.IQHandler{
		NS: NS, Local: "query", Scope: sessionmgr.OnServer | sessionmgr.OnSelf, Silent: true, Get: mod.get, Set: mod.set, Blocking: true,
	})
	m.Advertise(sessionmgr.OnServer, NS)
	return mod
}

// registered is the answer to an account that asks (XEP-0077 §3.1).
type registered struct {
	XMLName    xml.Name `xml:"jabber:iq:register query"`
	Registered struct{} `xml:"registered"`
	Username   string   `xml:"username"`
	Password   struct{} `xml:"password"`
}

// get tells that there is an account, and what it can change.
func (mod *Module) get(_ context.Context, iq *stanza.Stanza) (any, error) {
	if mod.o.KeepPasswords && mod.o.KeepAccounts {
		return nil, stanza.NotAllowed()
	}
	return registered{Username: iq.From.Local()}, nil
}

// request is what a client wants.
type request struct {
	Remove   *struct{}  `xml:"jabber:iq:register remove"`
	Username *string    `xml:"jabber:iq:register username"`
	Password string     `xml:"jabber:iq:register password"`
	Others   []struct{} `xml:",any"`
}

func (mod *Module) set(ctx context.Context, iq *stanza.Stanza) (any, error) {
	s, ok := sessionmgr.FromContext(ctx)
	if !ok {
		return nil, stanza.Forbidden()
	}
	if !iq.To.IsZero() && iq.To.Domain() != iq.From.Domain() {
		return nil, stanza.RegistrationRequired("the account is of another domain")
	}
	var q request
	if err := iq.Decode(NS, "query", &q); err != nil {
		return nil, err
	}
	if q.Remove != nil {
		if q.Username != nil || q.Password != "" || len(q.Others) > 0 {
			return nil, stanza.BadRequest("<remove/> stands alone") // XEP-0077 §3.2
		}
		return mod.remove(ctx, s, iq)
	}
	return nil, mod.changePassword(ctx, s, iq, &q)
}

// changePassword gives the account another password (XEP-0077 §3.3).
func (mod *Module) changePassword(ctx context.Context, s *sessionmgr.Session, iq *stanza.Stanza, q *request) error {
	account := iq.From.Bare()
	switch {
	case mod.o.KeepPasswords:
		return stanza.NotAllowed("passwords are changed by admins")
	case s.Info().TLS == "":
		return stanza.NotAuthorized("a password is changed over TLS only")
	case q.Username == nil || q.Password == "":
		return stanza.BadRequest("username or password is missing")
	}
	if name, err := jid.New(*q.Username, account.Domain(), ""); err != nil || name != account {
		return stanza.BadRequest("that isn't the name of this account")
	}
	err := mod.accounts.SetPassword(ctx, account, q.Password)
	if errors.Is(err, auth.ErrWeakPassword) {
		return stanza.NotAcceptable(strings.TrimPrefix(err.Error(), "auth: "))
	}
	if err == nil {
		mod.o.Log.Info("password changed", "account", account, "by", account, "sid", s.ID())
	}
	return err
}

// removalKey is under which the context of a removal has what is answered.
type removalKey struct{}

// remove ends the account (XEP-0077 §3.2). The answer goes out when the removal is
// for good, by Changed: behind it the session ends with all others.
func (mod *Module) remove(ctx context.Context, s *sessionmgr.Session, iq *stanza.Stanza) (any, error) {
	if mod.o.KeepAccounts {
		return nil, stanza.NotAllowed("accounts are removed by admins")
	}
	result, err := iq.Result(nil)
	if err != nil {
		return nil, err
	}
	account := iq.From.Bare()
	answer := &sessionmgr.Delivery{To: s, Stanza: result}
	if err := mod.accounts.Delete(context.WithValue(ctx, removalKey{}, answer), account); err != nil {
		return nil, err
	}
	mod.o.Log.Info("account deleted", "account", account, "by", account, "sid", s.ID())
	return nil, sessionmgr.ErrAnswered
}

// Changed is to run where an account has changed, before its sessions end: it
// answers who removed the own account.
func (mod *Module) Changed(ctx context.Context, c auth.AccountChange) {
	if answer, ok := ctx.Value(removalKey{}).(*sessionmgr.Delivery); ok && c.Kind == auth.AccountDeleted {
		mod.m.Submit(sessionmgr.Entry{From: answer.To, Out: []sessionmgr.Delivery{*answer}})
		mod.m.FlushTouched()
	}
}
