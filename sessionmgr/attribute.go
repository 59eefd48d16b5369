package sessionmgr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"weir/jid"
)

// Lifetime says what an attribute belongs to.
type Lifetime uint8

// The lifetimes.
const (
	// OfProcess is in memory: it is kept over resumptions, and gone with the
	// session or the process.
	OfProcess Lifetime = iota
	// OfSession is in the session's record as well: as long as its client may
	// resume the session it survives a restart and a kill -9.
	OfSession
	// OfAccount is the same for all sessions of an account and goes with it.
	OfAccount
)

// String returns the lifetime as listings show it.
func (l Lifetime) String() string { return [...]string{"process", "session", "account"}[l] }

// Reader says who may read an attribute. Each may what the one before may.
type Reader uint8

// The readers.
const (
	ReadByModule Reader = iota // who has the Key; others see that there is one
	ReadByAdmin                // listings
	ReadByUser                 // the account's owner, where a module offers it
)

// KeyOptions say how an attribute is kept.
type KeyOptions struct {
	Lifetime Lifetime
	Readers  Reader
	Expiry   time.Duration // after each change; 0 never
	// MaxBytes bounds a value as JSON, up to 16 KiB; 0 is 1 KiB. One that is of the
	// process is measured only if this is set.
	MaxBytes int
}

// Bounds of attributes.
const (
	maxAttributeName  = 64
	maxAttributeBytes = 16 << 10
)

// Errors of attributes.
var (
	ErrKeyTaken      = errors.New("sessionmgr: another module has this key")
	ErrAttributeSize = errors.New("sessionmgr: an attribute is too large")
	ErrGone          = errors.New("sessionmgr: the session has ended")
	ErrNotBound      = errors.New("sessionmgr: what is kept with the account can be had of a bound session only")
)

// declaration is what is known of a key, whatever the type of its values.
type declaration struct {
	name string
	o    KeyOptions
	read func(raw []byte) (any, error)
}

// Key is a typed attribute of sessions or accounts. What it holds is a value: it
// is replaced and never changed in place, since others read it at the same time.
// What is kept for longer than the process is kept as JSON.
//
// What is set is in force at once. What is kept joins the next commit: nothing
// that the same goroutine submits afterwards is durable before it.
//
// Records outlive code. What a record has under a name that no key has any more is
// kept as it is, and listed. What can't be read as the key's type is not there for
// [Key.Get], told by [Key.Lookup], logged once, and stays until it is set again.
type Key[T any] struct {
	m *Manager
	d *declaration
}

// NewKey declares an attribute: a module does so in its New, before the first
// session. A name is that of the module, a dot and one of its own; a second key of
// a name is ErrKeyTaken.
func NewKey[T any](m *Manager, name string, o KeyOptions) (Key[T], error) {
	if o.MaxBytes == 0 && o.Lifetime != OfProcess {
		o.MaxBytes = 1024
	}
	switch {
	case name == "" || len(name) > maxAttributeName || !utf8.ValidString(name) || strings.ContainsFunc(name, notInName):
		return Key[T]{}, fmt.Errorf("sessionmgr: %q is no name of an attribute: 1 to %d bytes, no blanks", name, maxAttributeName)
	case o.Lifetime > OfAccount || o.Readers > ReadByUser:
		return Key[T]{}, fmt.Errorf("sessionmgr: attribute %s: unknown lifetime or reader", name)
	case o.MaxBytes < 0 || o.MaxBytes > maxAttributeBytes || o.Expiry < 0:
		return Key[T]{}, fmt.Errorf("sessionmgr: attribute %s: MaxBytes is %d and Expiry %v, must be up to %d and not negative", name, o.MaxBytes, o.Expiry, maxAttributeBytes)
	}
	if kind := reflect.TypeFor[T]().Kind(); o.MaxBytes > 0 && (kind == reflect.Chan || kind == reflect.Func) {
		return Key[T]{}, fmt.Errorf("sessionmgr: attribute %s: a %s can't be kept as JSON, with OfProcess and without MaxBytes only", name, kind)
	}
	d := &declaration{name: name, o: o, read: func(raw []byte) (any, error) {
		var v T
		err := json.Unmarshal(raw, &v)
		return v, err
	}}
	if _, taken := m.keys.LoadOrStore(name, d); taken {
		return Key[T]{}, fmt.Errorf("%w: %s", ErrKeyTaken, name)
	}
	if o.Lifetime == OfAccount {
		m.ledgers.keeps.Store(true)
	}
	return Key[T]{m, d}, nil
}

// notInName reports whether a rune can't be in the name of an attribute: it would not
// be one word of a table or of the log.
func notInName(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

// Get returns the session's value, or ok=false where it has none that can be read.
func (k Key[T]) Get(s *Session) (v T, ok bool) {
	v, ok, _ = k.Lookup(s)
	return v, ok
}

// Lookup is Get that says why a value can't be read.
func (k Key[T]) Lookup(s *Session) (v T, ok bool, err error) {
	if s == nil {
		return v, false, nil
	}
	at := s.attributes.Load().of(k.d.o.Lifetime)
	if at == nil {
		return v, false, nil
	}
	return k.read(s.Log, at.get(k.d.name))
}

// read returns what an attribute holds.
func (k Key[T]) read(log logger, a *attribute) (v T, ok bool, err error) {
	if a == nil || a.expired(time.Now()) {
		return v, false, nil
	}
	value, err := a.decoded(k.d, log)
	if err != nil {
		return v, false, err
	}
	if value == nil { // of an interface, and set as such
		return v, true, nil
	}
	v, ok = value.(T)
	return v, ok, nil
}

// Set gives the session's attribute a value.
func (k Key[T]) Set(s *Session, v T) error {
	return k.Update(s, func(T, bool) (T, bool) { return v, true })
}

// Delete takes the session's attribute away.
func (k Key[T]) Delete(s *Session) error {
	return k.Update(s, func(v T, _ bool) (T, bool) { return v, false })
}

// Update replaces a value by what fn makes of it, as one step: where another
// changes it meanwhile fn runs again, so all it may do is return a value. had is
// false where there was none; keep false takes it away. No lock is held. After
// the session's end nothing changes and ErrGone is returned.
func (k Key[T]) Update(s *Session, fn func(v T, had bool) (_ T, keep bool)) error {
	if s.State() == Destroyed {
		return ErrGone
	}
	if k.d.o.Lifetime == OfAccount {
		if !s.kept() {
			return ErrNotBound
		}
		l := s.m.ledgers.loaded(s.JID().Bare())
		if l == nil {
			return ErrGone
		}
		if at := s.attributes.Load().of(OfAccount); at == nil || at != l.attributes { // the account was deleted, and made again
			s.m.ledgers.release(l)
			return ErrGone
		}
		return k.updateAccount(l, s.Log, fn)
	}
	at := s.carried()
	if err := k.change(at, s.Log, fn); err != nil {
		return err
	}
	if k.d.o.Lifetime == OfSession {
		s.recordAttributes()
	}
	return nil
}

// UpdateAccount is Update for what is kept with an account, whether it has
// sessions or not. It reads storage. Nobody is asked whether there is such an
// account: what is kept for a name that nobody has is there for who takes it.
func (k Key[T]) UpdateAccount(ctx context.Context, account jid.JID, fn func(v T, had bool) (_ T, keep bool)) error {
	if k.d.o.Lifetime != OfAccount {
		return fmt.Errorf("sessionmgr: attribute %s is of the %s", k.d.name, k.d.o.Lifetime)
	}
	l, err := k.m.ledgers.acquire(ctx, account.Bare())
	if err != nil {
		return err
	}
	return k.updateAccount(l, k.m.logged, fn)
}

// GetAccount is Get for what is kept with an account, whether it has sessions or
// not: in PreBind, for example, where there is none yet. It may read storage. An
// error says that the store, or the account's record, can't be read.
func (k Key[T]) GetAccount(ctx context.Context, account jid.JID) (v T, ok bool, err error) {
	if k.d.o.Lifetime != OfAccount {
		return v, false, fmt.Errorf("sessionmgr: attribute %s is of the %s", k.d.name, k.d.o.Lifetime)
	}
	l, err := k.m.ledgers.acquire(ctx, account.Bare())
	if err != nil {
		return v, false, err
	}
	defer k.m.ledgers.release(l)
	if l.attributes.broken != nil {
		return v, false, l.attributes.broken
	}
	return k.read(k.m.logged, l.attributes.get(k.d.name))
}

// updateAccount changes what a ledger's account keeps. It takes over one use of
// the ledger, until the change is durable.
func (k Key[T]) updateAccount(l *ledger, log logger, fn func(T, bool) (T, bool)) error {
	changed := false
	defer func() {
		if !changed { // fn may have panicked
			k.m.ledgers.release(l)
		}
	}()
	if err := k.change(l.attributes, log, fn); err != nil {
		return err
	}
	changed = true
	k.m.recordAccount(l)
	return nil
}

// change is Update on what holds the attribute.
func (k Key[T]) change(at *attributes, log logger, fn func(T, bool) (T, bool)) error {
	for {
		if at.broken != nil {
			return at.broken
		}
		old := at.get(k.d.name)
		was, had, _ := k.read(log, old) // what can't be read is replaced
		v, keep := fn(was, had)
		var fresh *attribute
		if keep {
			var err error
			if fresh, err = k.attribute(v); err != nil {
				return err
			}
		}
		if at.replace(k.d.name, old, fresh) {
			return nil
		}
	}
}

// attribute makes one of a value.
func (k Key[T]) attribute(v T) (*attribute, error) {
	a := &attribute{name: k.d.name, lifetime: k.d.o.Lifetime, value: v}
	if k.d.o.MaxBytes > 0 {
		raw, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("sessionmgr: attribute %s: %w", k.d.name, err)
		}
		if len(raw) > k.d.o.MaxBytes {
			return nil, fmt.Errorf("%w: %s has %d bytes, up to %d are kept", ErrAttributeSize, k.d.name, len(raw), k.d.o.MaxBytes)
		}
		if k.d.o.Lifetime != OfProcess {
			a.raw = raw
		}
	}
	if k.d.o.Expiry > 0 {
		a.expires = time.Now().Add(k.d.o.Expiry).UnixNano()
	}
	return a, nil
}
