package c2s

import (
	"context"
	"maps"

	"weir/sessionmgr"
	"weir/xmlstream"
)

// Inline is something that a client may ask for together with its login, which
// saves the round trip of asking afterwards: in <authenticate/> (XEP-0388 §2.3),
// or in the <bind/> there, for the session that is about to begin (XEP-0386 §3.2).
// What isn't registered is ignored.
type Inline struct {
	NS, Local string // of the request
	// Bind says that it is asked for in <bind/>.
	Bind bool
	// Feature is how it is announced: in <authentication/> the name of an element
	// of the same namespace; in <bind/> a feature's name. "" announces nothing:
	// another request of the feature does.
	Feature string
	// Before runs once the client is authenticated and before a resource is bound;
	// nil: nothing is to be done then. What has to be in force for everything that
	// reaches the session is turned on here, in a slot of the session for instance. It
	// may resume a session by [Stream.Resume]: nothing else that was asked for is done
	// then.
	Before func(ctx context.Context, r *InlineRequest)
	// After runs once a resource is bound, for requests in <bind/>; nil: nothing
	// is to be done then. What others send to the session meanwhile waits behind the
	// answer.
	After func(ctx context.Context, r *InlineRequest)
}

// InlineRequest is one request of a login. Handlers run one at a time, on a
// goroutine that may block.
type InlineRequest struct {
	Stream  *Stream
	Element *Element
	// Binding is how the session is or was bound, for requests in <bind/>: Before
	// may change it.
	Binding *sessionmgr.Binding
	// Answer is appended to <success/>, or to <bound/>: complete elements that
	// declare their namespaces.
	Answer []byte
	// Unbound has the login end without a resource, whatever it asked for: the client
	// is told that it is authenticated, and may go on from there. Before sets it.
	Unbound bool
}

// InlineBound is a session bound with its login. A handler appends what clients
// are told of such a session without having asked.
type InlineBound struct {
	Session *sessionmgr.Session
	XML     []byte // complete elements that declare their namespaces
}

// inlines are the requests that somebody handles. Never changed.
type inlines struct {
	list []*Inline // as they were registered
	by   map[inlineKey]*Inline
}

type inlineKey struct {
	xmlstream.Name
	bind bool
}

// HandleInline registers i. A second handler of the same name in the same place
// is a programming error and panics.
func (srv *Server) HandleInline(i Inline) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	key := inlineKey{xmlstream.Name{Space: i.NS, Local: i.Local}, i.Bind}
	old := srv.inlines.Load()
	if old.by[key] != nil {
		panic("c2s: a second handler for <" + i.Local + " xmlns='" + i.NS + "'/> in a login")
	}
	next := &inlines{list: append(old.list[:len(old.list):len(old.list)], &i), by: maps.Clone(old.by)}
	next.by[key] = &i
	srv.inlines.Store(next)
}

// handler returns who handles an element of a login, nil for nobody.
func (in *inlines) handler(e *Element, bind bool) *Inline { return in.by[inlineKey{e.Name, bind}] }

// asked is a request of a login with its handler.
type asked struct {
	InlineRequest
	handler *Inline
}

// askedFor picks the requests that somebody handles, each once.
func (s *Stream) askedFor(all []Element, bind bool) (list []*asked, twice bool) {
	in := s.srv.inlines.Load()
	for i := range all {
		h := in.handler(&all[i], bind)
		if h == nil {
			continue
		}
		for _, a := range list {
			twice = twice || a.handler == h
		}
		list = append(list, &asked{InlineRequest{Stream: s, Element: &all[i]}, h})
	}
	return list, twice
}

// Element is an element within a login, without what nobody there needs of one.
type Element struct {
	Name     xmlstream.Name
	text     string
	attrs    []attr
	children []Element
}

type attr struct{ name, value string }

// Attr returns the value of an attribute without namespace.
func (e *Element) Attr(name string) (value []byte, ok bool) {
	for _, a := range e.attrs {
		if a.name == name {
			return []byte(a.value), true
		}
	}
	return nil, false
}

// child returns the only child with that name; nil where there is none. once is
// false where there are several.
func (e *Element) child(ns, local string) (c *Element, once bool) {
	for i := range e.children {
		if e.children[i].Name != (xmlstream.Name{Space: ns, Local: local}) {
			continue
		}
		if c != nil {
			return nil, false
		}
		c = &e.children[i]
	}
	return c, true
}

// readElement copies the element whose Start the walker has come to, and goes on
// to its End. What it takes is bounded by the limits before login.
func readElement(w *xmlstream.Walker) Element {
	e := Element{Name: xmlstream.Name{Space: string(w.Space()), Local: string(w.Local())}}
	w.Attrs(func(a xmlstream.Attr) bool {
		if len(a.Space) == 0 {
			e.attrs = append(e.attrs, attr{string(a.Local), string(a.Value)})
		}
		return true
	})
	for inside := w.Depth(); ; {
		switch event := w.Next(); {
		case event == xmlstream.Done, w.Depth() < inside:
			return e
		case event == xmlstream.Start:
			e.children = append(e.children, readElement(w))
		case event == xmlstream.Chars:
			e.text += string(w.Text())
		}
	}
}
