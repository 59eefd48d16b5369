// Package privatexml keeps pieces of XML for the clients of an account (XEP-0049):
// preferences, bookmarks, whatever they like. The server doesn't look into them.
//
// It owns one record for each element that was stored. It must not know what is
// in it. Handlers run on a goroutine of their own, since they read and write
// storage. What is stored is durable before it is answered.
//
// Start reading at [New].
package privatexml

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"

	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/storage"
)

// NS is the namespace of private XML.
const NS = "jabber:iq:private"

// tableElements is a Map: bare JID → namespace, a blank and name → element.
const tableElements = "private"

// Options are the settings of a Module.
type Options struct {
	MaxItems int // elements that an account keeps, default 100
	MaxBytes int // of all of them, default 256 KiB
}

// DefaultOptions returns the settings of a module that nobody configured.
func DefaultOptions() Options {
	var o Options
	o.setDefaults()
	return o
}

func (o *Options) setDefaults() {
	if o.MaxItems == 0 {
		o.MaxItems = 100
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 256 << 10
	}
}

// Validate says which setting makes no sense. Zero fields are fine.
func (o *Options) Validate() error {
	if o.MaxItems < 0 || o.MaxBytes < 0 {
		return errors.New("privatexml: limits can't be negative")
	}
	return nil
}

// lockCount is a power of two: enough that unrelated accounts rarely meet.
const lockCount = 64

// Module keeps the elements of one manager's accounts.
type Module struct {
	m        *sessionmgr.Manager
	elements storage.Map
	o        Options
	seed     maphash.Seed
	locks    [lockCount]sync.Mutex // of an account's elements, from their reading to the commit
}

// New registers with m and keeps its records in st.
func New(m *sessionmgr.Manager, st storage.Store, o Options) (*Module, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.setDefaults()
	mod := &Module{m: m, elements: storage.NewMap(st, tableElements), o: o, seed: maphash.MakeSeed()}
	m.HandleIQ(sessionmgr.IQHandler{NS: NS, Local: "query", Scope: sessionmgr.OnSelf, Get: mod.get, Set: mod.set, Blocking: true})
	m.HandleIQ(sessionmgr.IQHandler{NS: NS, Scope: sessionmgr.OnAccount, Silent: true, Get: forbid, Set: forbid}) // XEP-0049 §2.3
	m.Advertise(sessionmgr.OnServer, NS)
	return mod, nil
}

// Table names the records, for the deletion of an account.
func (mod *Module) Table() storage.Table { return mod.elements.Table() }

// forbid answers those who ask for what is somebody else's.
func forbid(context.Context, *stanza.Stanza) (any, error) { return nil, stanza.Forbidden() }

// piece is one element.
type piece struct {
	key string
	xml []byte
}

// pieces reads the elements inside a request. Each is of a namespace of its own
// (XEP-0049 §2.3).
func pieces(iq *stanza.Stanza) ([]piece, error) {
	var q struct {
		Inner []byte `xml:",innerxml"`
	}
	if err := iq.Decode(NS, "query", &q); err != nil {
		return nil, err
	}
	inside, err := stanza.New(stanza.Message, "", "", jid.JID{}, jid.JID{}, q.Inner)
	if err != nil {
		return nil, stanza.NotAcceptable("each element has to declare the namespaces that it uses")
	}
	var all []piece
	for name, xml := range inside.Children() {
		if name.Space == "" || name.Space == stanza.NSClient || name.Space == NS {
			return nil, stanza.NotAcceptable("an element of no namespace of its own")
		}
		all = append(all, piece{name.Space + " " + name.Local, slices.Clone(xml)})
	}
	if len(all) == 0 {
		return nil, stanza.NotAcceptable("there is no element")
	}
	return all, nil
}

// get answers one element, empty if nothing was stored.
func (mod *Module) get(ctx context.Context, iq *stanza.Stanza) (any, error) {
	all, err := pieces(iq)
	if err != nil {
		return nil, err
	}
	if len(all) > 1 {
		return nil, stanza.NotAcceptable("only one element at a time is read")
	}
	xml, err := mod.elements.Get(ctx, iq.From.Bare().String(), all[0].key)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		xml = all[0].xml
	case err != nil:
		return nil, err
	}
	return slices.Concat([]byte("<query xmlns='"+NS+"'>"), xml, []byte("</query>")), nil
}

// set stores elements, all of a request or none.
func (mod *Module) set(ctx context.Context, iq *stanza.Stanza) (any, error) {
	s, ok := sessionmgr.FromContext(ctx)
	if !ok {
		return nil, stanza.Forbidden()
	}
	all, err := pieces(iq)
	if err != nil {
		return nil, err
	}
	account := iq.From.Bare().String()
	mu := &mod.locks[maphash.String(mod.seed, account)%lockCount]
	mu.Lock()
	defer mu.Unlock()
	sizes := make(map[string]int)
	err = mod.elements.All(ctx, account, func(key string, rec []byte) bool {
		sizes[strings.Clone(key)] = len(key) + len(rec)
		return true
	})
	if err != nil {
		return nil, err
	}
	e := sessionmgr.Entry{From: s}
	for _, p := range all {
		sizes[p.key] = len(p.key) + len(p.xml)
		mod.elements.Put(&e.Writes, account, p.key, p.xml)
	}
	bytes := 0
	for _, n := range sizes {
		bytes += n
	}
	if len(sizes) > mod.o.MaxItems || bytes > mod.o.MaxBytes {
		return nil, stanza.PolicyViolation(fmt.Sprintf("an account keeps at most %d elements, of %d bytes in all", mod.o.MaxItems, mod.o.MaxBytes))
	}
	done := make(chan error, 1)
	e.Done = func(err error) { done <- err }
	mod.m.Submit(e)
	return nil, <-done
}

// CheckRecord reports whether a record of the table of elements can be read; nil
// for records of other tables. It is for those who check a store.
func CheckRecord(table, item string, value []byte) error {
	if table != tableElements {
		return nil
	}
	st, err := stanza.New(stanza.Message, "", "", jid.JID{}, jid.JID{}, value)
	if err != nil {
		return fmt.Errorf("privatexml: %w", err)
	}
	n := 0
	for name := range st.Names() {
		if n++; n > 1 || name.Space+" "+name.Local != item {
			return fmt.Errorf("privatexml: the element isn't %q", item)
		}
	}
	if n == 0 {
		return errors.New("privatexml: there is no element")
	}
	return nil
}
