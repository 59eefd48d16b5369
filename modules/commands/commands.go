package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"weir/hook"
	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/stanza/dataform"

	"mellium.im/xmpp/disco"
	"mellium.im/xmpp/disco/info"
	"mellium.im/xmpp/disco/items"
)

// NS is the namespace of commands, and the node of their list.
const NS = "http://jabber.org/protocol/commands"

// Command is one command. Its fields must not change once it is offered.
type Command struct {
	Node string // names it for programs, unique
	Name string // names it for people
	// Roles may use it; nil: every account but those of Guest.
	Roles []string
	// When reports whether a session may be offered the command as it is now; nil:
	// always. It must not block.
	When func(*sessionmgr.Session) bool
	// Stages are what is asked, one after the other; none where Run needs to
	// know nothing.
	Stages []Stage
	// Run does it, when everything is answered; it may block. An error that is a
	// stanza.Error is the answer; any other is a fault of ours.
	Run func(context.Context, *Call) (Result, error)
}

// Stage makes the form of one stage, which may depend on what was answered
// before. It may block.
type Stage func(context.Context, *Call) (*dataform.Form, error)

// Call is one execution of a command, as its functions see it.
type Call struct {
	Session *sessionmgr.Session // that asks
	// Answers are the forms submitted so far, one for each stage: checked, with
	// every field that was asked for.
	Answers []*dataform.Form
}

// Account returns the bare address of who asks.
func (c *Call) Account() jid.JID { return c.Session.JID().Bare() }

// Result is what is told at the end of a command. Form and Note may both be
// empty.
type Result struct {
	Form   *dataform.Form
	Note   string
	Failed bool // Note says why nothing came of it
}

// Failed is the result of a command that could not do what was asked.
func Failed(format string, args ...any) Result {
	return Result{Note: fmt.Sprintf(format, args...), Failed: true}
}

// Guest is the role that no command is for unless it names it.
const Guest = "guest"

// Roles is asked for the role of an account; it may read storage.
type Roles interface {
	Role(ctx context.Context, account jid.JID) (string, error)
}

// Options are the settings of a Module.
type Options struct {
	Executions int           // commands under way of one account, default 10; the oldest makes room
	All        int           // of all accounts, default 1,000
	Bytes      int           // of forms asked and answered in one, default 64 KiB
	Life       time.Duration // how long one waits for its client, default 10 min
}

// DefaultOptions returns the settings of a module that nobody configured.
func DefaultOptions() Options {
	var o Options
	o.setDefaults()
	return o
}

func (o *Options) setDefaults() {
	if o.Executions == 0 {
		o.Executions = 10
	}
	if o.All == 0 {
		o.All = 1000
	}
	if o.Bytes == 0 {
		o.Bytes = 64 << 10
	}
	if o.Life == 0 {
		o.Life = 10 * time.Minute
	}
}

// Validate says which setting makes no sense. Zero fields are fine.
func (o *Options) Validate() error {
	if o.Executions < 0 || o.All < 0 || o.Bytes < 0 || o.Life < 0 {
		return errors.New("commands: limits can't be negative")
	}
	return nil
}

// Module keeps the commands of one manager.
type Module struct {
	m        *sessionmgr.Manager
	roles    Roles
	o        Options
	commands []*Command // in order of their names

	mu    sync.Mutex // guards under
	under map[string]*execution
}

// New registers with m. roles tells who may use what.
func New(m *sessionmgr.Manager, roles Roles, o Options) (*Module, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.setDefaults()
	mod := &Module{m: m, roles: roles, o: o, under: make(map[string]*execution)}
	m.HandleIQ(sessionmgr.IQHandler{
		NS: NS, Local: "command", Scope: sessionmgr.OnServer, Set: mod.execute, Blocking: true, // XEP-0050 §2.1
	})
	m.Advertise(sessionmgr.OnServer, dataform.NS)
	m.Hooks.Unbound.Add("commands", hook.Normal, func(_ context.Context, s *sessionmgr.Session) { mod.forget(s) })
	return mod, nil
}

// Offer adds a command. Call it before the first session; a second one for a
// node is a wiring mistake and panics.
func (mod *Module) Offer(c Command) {
	if mod.find(c.Node) != nil {
		panic(fmt.Sprintf("commands: two commands for the node %q", c.Node))
	}
	mod.commands = append(mod.commands, &c)
	slices.SortFunc(mod.commands, func(a, b *Command) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
}

func (mod *Module) find(node string) *Command {
	for _, c := range mod.commands {
		if c.Node == node {
			return c
		}
	}
	return nil
}

// allows reports whether a session may use a command now.
func (mod *Module) allows(ctx context.Context, s *sessionmgr.Session, c *Command) (bool, error) {
	role, err := mod.roles.Role(ctx, s.JID().Bare())
	if err != nil {
		return false, err
	}
	return c.fits(s, role), nil
}

func (c *Command) fits(s *sessionmgr.Session, role string) bool {
	if c.Roles == nil && role == Guest || c.Roles != nil && !slices.Contains(c.Roles, role) {
		return false
	}
	return c.When == nil || c.When(s)
}

// NodeItems lists the commands that the asker may use (XEP-0050 §2.2). Of another
// node it knows nothing: item-not-found.
func (mod *Module) NodeItems(ctx context.Context, iq *stanza.Stanza, node string) ([]items.Item, error) {
	if mod.find(node) != nil {
		return nil, nil // a leaf
	}
	s, ok := sessionmgr.FromContext(ctx)
	if node != NS || !ok {
		return nil, stanza.ItemNotFound()
	}
	role, err := mod.roles.Role(ctx, s.JID().Bare())
	if err != nil {
		return nil, err
	}
	var all []items.Item
	for _, c := range mod.commands {
		if c.fits(s, role) {
			all = append(all, items.Item{Node: c.Node, Name: c.Name})
		}
	}
	return all, nil
}

// NodeInfo tells about the list and about each command (XEP-0050 §2.2). Of
// another node it knows nothing: item-not-found.
func (mod *Module) NodeInfo(ctx context.Context, iq *stanza.Stanza, node string) (disco.Info, error) {
	if node == NS {
		return disco.Info{Identity: []info.Identity{{Category: "automation", Type: "command-list"}},
			Features: []info.Feature{{Var: NS}}}, nil
	}
	c := mod.find(node)
	s, ok := sessionmgr.FromContext(ctx)
	if c == nil || !ok {
		return disco.Info{}, stanza.ItemNotFound()
	}
	if may, err := mod.allows(ctx, s, c); err != nil {
		return disco.Info{}, err
	} else if !may {
		return disco.Info{}, stanza.Forbidden()
	}
	return disco.Info{
		Identity: []info.Identity{{Category: "automation", Type: "command-node", Name: c.Name}},
		Features: []info.Feature{{Var: NS}, {Var: dataform.NS}},
	}, nil
}
