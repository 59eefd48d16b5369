package administration

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"weir/auth"
	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/stanza/dataform"
)

// NS is the namespace of service administration: its nodes begin with it, and it
// is what its forms are for.
const NS = "http://jabber.org/protocol/admin"

// Command is one thing that an admin can do.
type Command struct {
	Node string
	Name string
	Form *dataform.Form // nil: nothing is asked
	// Run does it. by is who asks; answer is what was filled in, checked, nil
	// where nothing was asked. An error that is a stanza.Error is the answer.
	Run func(ctx context.Context, by jid.JID, answer *dataform.Form) (Result, error)
}

// Result is what is told at the end.
type Result struct {
	Form   *dataform.Form
	Note   string
	Failed bool // Note says what went wrong
}

// Accounts is what is asked of accounts. *auth.Service has it.
type Accounts interface {
	Create(ctx context.Context, j jid.JID, password string) error
	SetPassword(ctx context.Context, j jid.JID, password string) error
	SetDisabled(ctx context.Context, j jid.JID, disabled bool) error
	Delete(ctx context.Context, j jid.JID) error
	Exists(ctx context.Context, j jid.JID) (bool, error)
	Accounts(ctx context.Context, domain string, fn func(auth.Account) bool) error
}

// Module has the commands of one server.
type Module struct {
	m        *sessionmgr.Manager
	accounts Accounts
	log      *slog.Logger
}

// New makes the module; it registers nothing: see [Module.Commands]. log may be
// nil.
func New(m *sessionmgr.Manager, accounts Accounts, log *slog.Logger) *Module {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Module{m: m, accounts: accounts, log: log}
}

// Commands returns what an admin can do.
func (mod *Module) Commands() []Command {
	return append([]Command{
		{"add-user", "Add an account", ask("Add an account", // XEP-0133 §4.1
			dataform.Field{Var: "accountjid", Type: dataform.JIDSingle, Label: "Address of the account", Required: dataform.Must()},
			dataform.Field{Var: "password", Type: dataform.TextPrivate, Label: "Password", Required: dataform.Must()},
			dataform.Field{Var: "password-verify", Type: dataform.TextPrivate, Label: "Password again", Required: dataform.Must()},
		), mod.add},
		{"delete-user", "Delete accounts", ask("Delete accounts and everything kept for them", addresses()), // XEP-0133 §4.2
			mod.each("deleted", mod.accounts.Delete)},
		{"disable-user", "Lock accounts", ask("Lock accounts", addresses()), // XEP-0133 §4.3
			mod.each("disabled", func(ctx context.Context, j jid.JID) error { return mod.accounts.SetDisabled(ctx, j, true) })},
		{"reenable-user", "Open locked accounts", ask("Open locked accounts again", addresses()), // XEP-0133 §4.4
			mod.each("enabled", func(ctx context.Context, j jid.JID) error { return mod.accounts.SetDisabled(ctx, j, false) })},
		{"end-user-session", "End sessions", ask("End sessions", // XEP-0133 §4.5
			dataform.Field{Var: "accountjids", Type: dataform.JIDMulti, Label: "Addresses, with a resource or for all of an account",
				Required: dataform.Must()}), mod.end},
		{"change-user-password", "Change a password", ask("Change a password", // XEP-0133 §4.7
			dataform.Field{Var: "accountjid", Type: dataform.JIDSingle, Label: "Address of the account", Required: dataform.Must()},
			dataform.Field{Var: "password", Type: dataform.TextPrivate, Label: "New password", Required: dataform.Must()},
		), mod.changePassword},
		{"announce", "Tell everybody online", ask("Tell everybody who is online", // XEP-0133 §4.23
			dataform.Field{Var: "announcement", Type: dataform.TextMulti, Label: "Announcement", Required: dataform.Must()},
		), mod.announce},
	}, mod.lists()...)
}

// ask is a form of this namespace.
func ask(title string, fields ...dataform.Field) *dataform.Form {
	return &dataform.Form{Title: title, Fields: append([]dataform.Field{dataform.Typed(NS)}, fields...)}
}

func addresses() dataform.Field {
	return dataform.Field{Var: "accountjids", Type: dataform.JIDMulti, Label: "Addresses of the accounts", Required: dataform.Must()}
}

// ours reads the address of an account of this server.
func (mod *Module) ours(address string) (jid.JID, error) {
	j, err := jid.Parse(address)
	switch {
	case err != nil || j.Local() == "" || j.IsFull():
		return j, fmt.Errorf("%q is no account's address", address)
	case !mod.m.Local(j.Domain()):
		return j, fmt.Errorf("%s is not a domain of this server", j.Domain())
	}
	return j, nil
}

func (mod *Module) add(ctx context.Context, by jid.JID, answer *dataform.Form) (Result, error) {
	j, err := mod.ours(answer.Value("accountjid"))
	if err != nil {
		return failed(err), nil
	}
	if answer.Value("password") != answer.Value("password-verify") {
		return Result{Note: "the two passwords differ", Failed: true}, nil
	}
	return mod.outcome(by, j, "added", mod.accounts.Create(ctx, j, answer.Value("password")))
}

func (mod *Module) changePassword(ctx context.Context, by jid.JID, answer *dataform.Form) (Result, error) {
	j, err := mod.ours(answer.Value("accountjid"))
	if err != nil {
		return failed(err), nil
	}
	return mod.outcome(by, j, "has a new password", mod.accounts.SetPassword(ctx, j, answer.Value("password")))
}

// outcome tells what became of a change of one account.
func (mod *Module) outcome(by, j jid.JID, done string, err error) (Result, error) {
	switch {
	case errors.Is(err, auth.ErrExists):
		return Result{}, stanza.Conflict("the account exists already") // XEP-0133 §5
	case errors.Is(err, auth.ErrNoAccount):
		return Result{}, stanza.ItemNotFound("there is no such account")
	case errors.Is(err, auth.ErrWeakPassword):
		return failed(err), nil
	case err != nil:
		return Result{}, err
	}
	mod.log.Info("account "+done, "account", j, "by", by)
	return Result{Note: j.String() + " " + done}, nil
}

// failed is a result that tells an error, without the name of its package.
func failed(err error) Result {
	return Result{Note: strings.TrimPrefix(err.Error(), "auth: "), Failed: true}
}

// each does something with each account of a list. One that can't be done
// doesn't keep it from the others; it is told which ones failed. What an admin
// could not take back, with an own account, is left out.
func (mod *Module) each(done string, do func(context.Context, jid.JID) error) func(context.Context, jid.JID, *dataform.Form) (Result, error) {
	return func(ctx context.Context, by jid.JID, answer *dataform.Form) (Result, error) {
		var notes []string
		n := 0
		for _, address := range answer.Values("accountjids") {
			j, err := mod.ours(address)
			switch {
			case err != nil:
			case j == by:
				err = errors.New("your own account")
			default:
				if err = do(ctx, j); err == nil {
					mod.log.Info("account "+done, "account", j, "by", by)
					n++
					continue
				}
				if !errors.Is(err, auth.ErrNoAccount) {
					return Result{}, err
				}
				err = errors.New("no such account")
			}
			notes = append(notes, fmt.Sprintf("%s: %v", address, err))
		}
		r := Result{Note: fmt.Sprintf("%d %s", n, done), Failed: len(notes) > 0}
		if len(notes) > 0 {
			r.Note += "; not " + strings.Join(notes, ", ")
		}
		return r, nil
	}
}
