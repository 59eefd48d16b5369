package sessionmgr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/jid"
	"weir/storage"
)

// logger makes a logger when there is something to log.
type logger = func() *slog.Logger

// logged is the logger of what belongs to no session.
func (m *Manager) logged() *slog.Logger { return m.log }

// attribute is one value under a name. It is replaced and never changed, but for
// what was decoded of it.
type attribute struct {
	name     string
	lifetime Lifetime
	value    any    // nil: only raw is known
	raw      []byte // JSON; nil for what is of the process
	expires  int64  // unix nanoseconds, 0 never

	read atomic.Pointer[reading] // what came of raw, nil before it was asked for
}

// reading is what came of decoding an attribute.
type reading struct {
	by    *declaration
	value any
	err   error
}

func (a *attribute) expired(now time.Time) bool { return a.expires != 0 && now.UnixNano() >= a.expires }

// decoded returns the value as the type of a key.
func (a *attribute) decoded(d *declaration, log logger) (any, error) {
	if a.value != nil || a.raw == nil { // what is of the process may be a nil interface
		return a.value, nil
	}
	if r := a.read.Load(); r != nil && r.by == d {
		return r.value, r.err
	}
	r := &reading{by: d}
	if r.value, r.err = d.read(a.raw); r.err != nil {
		r.err = fmt.Errorf("sessionmgr: the stored attribute %s can't be read: %w", d.name, r.err)
		log().Warn("an attribute is left alone", "err", r.err)
	}
	a.read.Store(r)
	return r.value, r.err
}

// attributes are what modules keep on one session, or with one account.
type attributes struct {
	account atomic.Pointer[attributes] // a session's: those of its account, nil before it is bound
	broken  error                      // an account's: its record can't be read, and isn't overwritten

	mu   sync.Mutex
	list []*attribute // guarded by mu; few, so they are looked for one by one
}

// of returns those with a lifetime, nil where there are none.
func (at *attributes) of(l Lifetime) *attributes {
	if at == nil || l != OfAccount {
		return at
	}
	return at.account.Load()
}

func (at *attributes) get(name string) *attribute {
	at.mu.Lock()
	defer at.mu.Unlock()
	for _, a := range at.list {
		if a.name == name {
			return a
		}
	}
	return nil
}

// replace puts fresh in the place of old, either may be nil, unless something
// else is there by now.
func (at *attributes) replace(name string, old, fresh *attribute) bool {
	at.mu.Lock()
	defer at.mu.Unlock()
	i := slices.IndexFunc(at.list, func(a *attribute) bool { return a.name == name })
	switch {
	case (i < 0) != (old == nil) || i >= 0 && at.list[i] != old:
		return false
	case fresh == nil && i >= 0:
		at.list = slices.Delete(at.list, i, i+1)
	case fresh == nil:
	case i >= 0:
		at.list[i] = fresh
	default:
		at.list = append(at.list, fresh)
	}
	return true
}

// all returns the attributes that are in force.
func (at *attributes) all() (list []*attribute) {
	if at == nil {
		return nil
	}
	now := time.Now()
	at.mu.Lock()
	defer at.mu.Unlock()
	for _, a := range at.list {
		if !a.expired(now) {
			list = append(list, a)
		}
	}
	return list
}

// storedAttribute is an attribute in a record.
type storedAttribute struct {
	Value   json.RawMessage `json:"v"`
	Expires int64           `json:"e,omitempty"` // unix nanoseconds
}

// stored returns those that outlive the process; nil for none.
func (at *attributes) stored() (all map[string]storedAttribute) {
	for _, a := range at.all() {
		if a.lifetime == OfProcess {
			continue
		}
		if all == nil {
			all = make(map[string]storedAttribute)
		}
		all[a.name] = storedAttribute{a.raw, a.expires}
	}
	return all
}

// restoredAttributes makes attributes of what a record has.
func restoredAttributes(all map[string]storedAttribute, l Lifetime) *attributes {
	at := new(attributes)
	for name, x := range all {
		at.list = append(at.list, &attribute{name: name, lifetime: l, raw: x.Value, expires: x.Expires})
	}
	return at
}

// carried returns the session's attributes, which are made when they are first
// needed.
func (s *Session) carried() *attributes {
	if at := s.attributes.Load(); at != nil {
		return at
	}
	s.attributes.CompareAndSwap(nil, new(attributes))
	return s.attributes.Load()
}

// carry gives a session that is being bound or restored what is kept with its
// account, if any module keeps something there.
func (s *Session) carry(l *ledger) {
	if l.attributes != nil {
		s.carried().account.Store(l.attributes)
	}
}

// recordAttributes has the session's record be written with the next commit, if
// it has one.
func (s *Session) recordAttributes() {
	s.m.pipe.run(func() {
		if s.sm == nil || s.ledger == nil {
			return
		}
		s.sm.snap = true
		s.m.pipe.number(&item{Entry: Entry{From: s}, rec: true})
	})
}

// recordAccount has an account's attributes be written with the next commit, and
// releases the ledger then.
func (m *Manager) recordAccount(l *ledger) {
	m.pipe.run(func() {
		m.pipe.number(&item{
			prepare: func(b *batch) {
				if l.dead {
					return
				}
				all := l.attributes.stored()
				if all == nil {
					m.ledgers.attributes.Delete(&b.writes, l.account.String())
					return
				}
				rec, err := json.Marshal(all)
				if err != nil {
					m.log.Error("the attributes of an account can't be recorded", "account", l.account, "err", err)
					return
				}
				m.ledgers.attributes.Set(&b.writes, l.account.String(), rec)
			},
			Entry: Entry{Done: func(error) { m.ledgers.release(l) }},
		})
	})
}

// readAttributes reads what is kept with an account. A record that can't be read
// is left alone: everything else of the account works.
func readAttributes(ctx context.Context, kv storage.KeyVal, account jid.JID) (*attributes, error) {
	rec, err := kv.Get(ctx, account.String())
	if errors.Is(err, storage.ErrNotFound) {
		return new(attributes), nil
	}
	if err != nil {
		return nil, err
	}
	all, err := parseAttributes(rec)
	if err != nil {
		return &attributes{broken: fmt.Errorf("%w; they are those of %s", err, account)}, nil
	}
	return restoredAttributes(all, OfAccount), nil
}

func parseAttributes(rec []byte) (all map[string]storedAttribute, err error) {
	if err := json.Unmarshal(rec, &all); err != nil {
		return nil, fmt.Errorf("sessionmgr: the attributes can't be read: %w", err)
	}
	return all, nil
}

// Attribute is what is told about one attribute.
type Attribute struct {
	Name     string          `json:"name"`
	Lifetime string          `json:"lifetime"`         // process, session or account
	Value    json.RawMessage `json:"value,omitempty"`  // for who may read it
	Expires  time.Time       `json:"expires,omitzero"` // when it goes
	// Problem says that the value isn't in force: no module has the key, or it
	// can't be read as the key's type.
	Problem string `json:"problem,omitempty"`
}

// Attributes lists what modules keep on the session and with its account, by
// name, with the values that a reader may know.
func (s *Session) Attributes(reader Reader) (list []Attribute) {
	own := s.attributes.Load()
	for _, a := range slices.Concat(own.all(), own.of(OfAccount).all()) {
		list = append(list, s.m.attribute(a, reader, s.Log))
	}
	slices.SortFunc(list, func(a, b Attribute) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func (m *Manager) attribute(a *attribute, reader Reader, log logger) Attribute {
	x := Attribute{Name: a.name, Lifetime: a.lifetime.String()}
	if a.expires != 0 {
		x.Expires = time.Unix(0, a.expires)
	}
	known, ok := m.keys.Load(a.name)
	if !ok {
		x.Problem = "no module has this key"
		return x
	}
	d := known.(*declaration)
	v, err := a.decoded(d, log)
	switch {
	case err != nil:
		x.Problem = err.Error()
	case d.o.Readers < max(reader, ReadByAdmin): // others see that there is one
	case a.raw != nil:
		x.Value = a.raw
	default:
		if x.Value, err = json.Marshal(v); err != nil {
			x.Problem = err.Error()
		}
	}
	return x
}
