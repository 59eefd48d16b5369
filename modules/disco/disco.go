// Package disco answers service discovery (XEP-0030) for the server and for
// accounts, and makes the server's own entity capabilities (XEP-0115).
//
// It owns no list of features: what it tells is what was registered with the
// manager, so nothing is announced that isn't handled. It must not know what the
// features are. Handlers for the server run on a goroutine of their own, since who
// answers for a node may read storage; those for accounts on the stream's, and they
// do not block.
//
// Start reading at [New].
package disco

import (
	"context"
	"crypto/sha1"
	"encoding/xml"
	"sync"

	"weir/sessionmgr"
	"weir/stanza"
	"weir/stanza/dataform"

	"mellium.im/xmpp/disco"
	"mellium.im/xmpp/disco/info"
	"mellium.im/xmpp/disco/items"
	"mellium.im/xmpp/form"
)

// Node is the name under which the capabilities are told (XEP-0115 §4).
const Node = "https://weir.example/caps"

// Module answers for one manager.
type Module struct {
	m    *sessionmgr.Manager
	name string
	once sync.Once
	ver  string // of the server's capabilities, made once: nothing is registered later

	nodes    Nodes           // nil: the server has none
	services func() []string // nil: none
	form     *dataform.Form  // that the server tells about itself, nil without
	data     []form.Data     // the same, for the capabilities
}

// Extend adds a form to what the server tells about itself (XEP-0128 §2), and to
// its capabilities. Call it once at most, before the first session.
func (mod *Module) Extend(f *dataform.Form) error {
	b, err := xml.Marshal(f)
	if err != nil {
		return err
	}
	var d form.Data
	if err := xml.Unmarshal(b, &d); err != nil {
		return err
	}
	mod.form, mod.data = f, []form.Data{d}
	return nil
}

// Nodes answers for nodes of the server. An error that is item-not-found says
// that there is no such node; it may read storage. Items need no address: it is
// the server's.
type Nodes interface {
	NodeInfo(ctx context.Context, iq *stanza.Stanza, node string) (disco.Info, error)
	NodeItems(ctx context.Context, iq *stanza.Stanza, node string) ([]items.Item, error)
}

// HandleNodes sets who answers for nodes of the server. Call it before the first
// session.
func (mod *Module) HandleNodes(n Nodes) { mod.nodes = n }

// ListServices sets who tells which domains beside the server's own are items of it
// (XEP-0030 §4.1). Call it before the first session.
func (mod *Module) ListServices(domains func() []string) { mod.services = domains }

// New registers with m. name is the server's name in its identity.
func New(m *sessionmgr.Manager, name string) *Module {
	mod := &Module{m: m, name: name}
	m.HandleIQ(sessionmgr.IQHandler{NS: disco.NSInfo, Local: "query", Scope: sessionmgr.OnServer, Get: mod.serverInfo, Blocking: true})
	m.HandleIQ(sessionmgr.IQHandler{NS: disco.NSInfo, Local: "query", Scope: sessionmgr.OnSelf, Get: mod.selfInfo})
	m.HandleIQ(sessionmgr.IQHandler{NS: disco.NSInfo, Local: "query", Scope: sessionmgr.OnAccount, Get: mod.accountInfo})
	m.HandleIQ(sessionmgr.IQHandler{NS: disco.NSItems, Local: "query", Scope: sessionmgr.OnServer, Get: mod.serverItems, Blocking: true})
	m.HandleIQ(sessionmgr.IQHandler{
		NS: disco.NSItems, Local: "query", Scope: sessionmgr.OnSelf | sessionmgr.OnAccount, Get: mod.accountItems,
	})
	m.Advertise(sessionmgr.OnServer, disco.NSCaps)
	return mod
}

// Caps returns the server's capabilities as they stand among the stream features
// (XEP-0115 §6.2): hash function, node and verification string. Call it when
// everything is registered.
func (mod *Module) Caps() (hash, node, ver string) {
	mod.once.Do(func() {
		i := mod.info(sessionmgr.OnServer, "server", "im", mod.name)
		i.Form = mod.data
		mod.ver = Hash(i)
	})
	return "sha-1", Node, mod.ver
}

// Hash returns the verification string of an answer (XEP-0115 §5.1).
func Hash(i disco.Info) string { return i.Hash(sha1.New()) }

// info is what is registered for a scope, with one identity.
func (mod *Module) info(scope sessionmgr.Scope, category, kind, name string) disco.Info {
	i := disco.Info{Identity: []info.Identity{{Category: category, Type: kind, Name: name}}}
	for _, f := range mod.m.Features(scope) {
		i.Features = append(i.Features, info.Feature{Var: f})
	}
	return i
}

// answer is a disco.Info in the order of the schema (XEP-0030 §11.1): identities
// before features.
type answer struct {
	XMLName  xml.Name   `xml:"http://jabber.org/protocol/disco#info query"`
	Node     string     `xml:"node,attr,omitempty"`
	Identity []identity `xml:"identity"`
	Features []feature  `xml:"feature"`
	Form     *dataform.Form
}

type identity struct {
	Category string `xml:"category,attr"`
	Type     string `xml:"type,attr"`
	Name     string `xml:"name,attr,omitempty"`
}

type feature struct {
	Var string `xml:"var,attr"`
}

func toAnswer(i disco.Info, node string) answer {
	a := answer{Node: node}
	for _, id := range i.Identity {
		a.Identity = append(a.Identity, identity{id.Category, id.Type, id.Name})
	}
	for _, f := range i.Features {
		a.Features = append(a.Features, feature{f.Var})
	}
	return a
}

// query reads which node is asked for.
func query(iq *stanza.Stanza, ns string) (node string, err error) {
	var q struct {
		Node string `xml:"node,attr"`
	}
	err = iq.Decode(ns, "query", &q)
	return q.Node, err
}

func (mod *Module) serverInfo(ctx context.Context, iq *stanza.Stanza) (any, error) {
	node, err := query(iq, disco.NSInfo)
	if err != nil {
		return nil, err
	}
	i, about := mod.info(sessionmgr.OnServer, "server", "im", mod.name), mod.form
	if _, _, ver := mod.Caps(); node != "" && node != Node+"#"+ver {
		if mod.nodes == nil {
			return nil, stanza.ItemNotFound() // XEP-0030 §7
		}
		if i, err = mod.nodes.NodeInfo(ctx, iq, node); err != nil {
			return nil, err
		}
		about = nil
	}
	a := toAnswer(i, node)
	a.Form = about
	return a, nil
}

func (mod *Module) selfInfo(_ context.Context, iq *stanza.Stanza) (any, error) {
	return mod.account(iq, sessionmgr.OnSelf)
}

func (mod *Module) accountInfo(_ context.Context, iq *stanza.Stanza) (any, error) {
	return mod.account(iq, sessionmgr.OnAccount)
}

func (mod *Module) account(iq *stanza.Stanza, scope sessionmgr.Scope) (any, error) {
	node, err := query(iq, disco.NSInfo)
	if err != nil {
		return nil, err
	}
	if node != "" {
		return nil, stanza.ItemNotFound()
	}
	return toAnswer(mod.info(scope, "account", "registered", ""), ""), nil
}

// list is the payload of an answer about items.
type list struct {
	XMLName xml.Name `xml:"http://jabber.org/protocol/disco#items query"`
	Node    string   `xml:"node,attr,omitempty"`
	Items   []item   `xml:"item"`
}

type item struct {
	JID  string `xml:"jid,attr"`
	Node string `xml:"node,attr,omitempty"`
	Name string `xml:"name,attr,omitempty"`
}

func (mod *Module) serverItems(ctx context.Context, iq *stanza.Stanza) (any, error) {
	node, err := query(iq, disco.NSItems)
	if err != nil {
		return nil, err
	}
	switch {
	case node == "":
		var all list
		if mod.services != nil {
			for _, d := range mod.services() {
				all.Items = append(all.Items, item{JID: d})
			}
		}
		return all, nil
	case mod.nodes == nil:
		return nil, stanza.ItemNotFound()
	}
	all, err := mod.nodes.NodeItems(ctx, iq, node)
	if err != nil {
		return nil, err
	}
	out := list{Node: node}
	for _, i := range all {
		out.Items = append(out.Items, item{JID: iq.To.String(), Node: i.Node, Name: i.Name})
	}
	return out, nil
}

// accountItems lists the available resources (XEP-0030 §4.1); who may not know
// them was refused before.
func (mod *Module) accountItems(_ context.Context, iq *stanza.Stanza) (any, error) {
	node, err := query(iq, disco.NSItems)
	if err != nil {
		return nil, err
	}
	if node != "" {
		return nil, stanza.ItemNotFound()
	}
	account := iq.To
	if account.IsZero() {
		account = iq.From.Bare()
	}
	var all list
	for _, s := range mod.m.ByAccount(account) {
		if s.Available() && !s.Unseen() {
			all.Items = append(all.Items, item{JID: s.JID().String()})
		}
	}
	return all, nil
}
