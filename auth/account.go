package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"weir/jid"
	"weir/storage"

	"golang.org/x/text/secure/precis"
)

// Errors of account administration.
var (
	ErrNoAccount = errors.New("auth: no such account")
	ErrExists    = errors.New("auth: the account exists already")
	ErrDisabled  = errors.New("auth: the account is disabled")
	// ErrWeakPassword is wrapped with the reason.
	ErrWeakPassword = errors.New("auth: password refused")
	// ErrBadName: the address has no localpart, so it can't be an account's.
	ErrBadName = errors.New("auth: an account needs an address of the form user@domain")
)

// maxPassword is in bytes. It keeps every password within a message of PLAIN.
const maxPassword = 1024

// Account is what is known of an account besides its secrets.
type Account struct {
	JID      jid.JID // bare
	Created  time.Time
	Disabled bool
	Role     string // RoleUser unless it was given another
}

// account is what of the record others may know.
func (r *record) account(j jid.JID) Account {
	a := Account{JID: j, Created: r.created, Disabled: r.disabled, Role: r.role}
	if a.Role == "" {
		a.Role = RoleUser
	}
	return a
}

// prepare applies the profile that passwords are compared by. RFC 8265 §4.2
func prepare(password string) (string, bool) {
	if len(password) == 0 || len(password) > maxPassword {
		return "", false
	}
	p, err := precis.OpaqueString.String(password)
	return p, err == nil && p != ""
}

// newPassword is prepare with the rules for passwords that are set.
func (s *Service) newPassword(password string) (string, error) {
	p, ok := prepare(password)
	switch {
	case len(password) > maxPassword:
		return "", fmt.Errorf("%w: longer than %d bytes", ErrWeakPassword, maxPassword)
	case password != "" && !ok:
		return "", fmt.Errorf("%w: it holds characters that no password may hold", ErrWeakPassword)
	case utf8.RuneCountInString(p) < s.opts.MinPassword:
		return "", fmt.Errorf("%w: shorter than %d characters", ErrWeakPassword, s.opts.MinPassword)
	}
	return p, nil
}

// account returns the bare address that the account is kept under.
func account(j jid.JID) (jid.JID, error) {
	if j.IsZero() || j.Local() == "" {
		return jid.JID{}, ErrBadName
	}
	return j.Bare(), nil
}

// freshKeys derives keys for every algorithm in use. The derivations go through
// run, one at a time.
func (s *Service) freshKeys(ctx context.Context, password string, run func(context.Context, func() error) error) ([]keys, error) {
	all := make([]keys, 0, len(s.algorithms))
	for _, a := range s.algorithms {
		err := run(ctx, func() error {
			k, err := a.fresh(password, s.iterations(a))
			all = append(all, k)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Create adds an account. It returns ErrExists, ErrWeakPassword, ErrBadName, what
// PreCreate refuses it with, or an error of the store; after an error nothing was
// added.
func (s *Service) Create(ctx context.Context, j jid.JID, password string) error {
	if err := s.Hooks.PreCreate.Run(ctx, &PreCreate{j.Bare()}); err != nil {
		return err
	}
	if err := s.setKeys(ctx, j, password, true); err != nil {
		return err
	}
	return s.changed(ctx, j, AccountCreated)
}

// SetPassword replaces an account's keys. It returns ErrNoAccount,
// ErrWeakPassword or an error of the store.
func (s *Service) SetPassword(ctx context.Context, j jid.JID, password string) error {
	if err := s.setKeys(ctx, j, password, false); err != nil {
		return err
	}
	return s.changed(ctx, j, PasswordChanged)
}

func (s *Service) setKeys(ctx context.Context, j jid.JID, password string, create bool) error {
	j, err := account(j)
	if err != nil {
		return err
	}
	if password, err = s.newPassword(password); err != nil {
		return err
	}
	// Look before the work is done, and again below when it counts.
	if _, err := s.read(ctx, j); create && err == nil {
		return ErrExists
	} else if err != nil && !(create && errors.Is(err, ErrNoAccount)) {
		return err
	}
	fresh, err := s.freshKeys(ctx, password, s.pool.run)
	if err != nil {
		return err
	}
	return s.change(ctx, j, false, func(old *record) (*record, error) {
		switch {
		case create && old != nil:
			return nil, ErrExists
		case create:
			return &record{created: time.Now(), keys: fresh}, nil
		case old == nil:
			return nil, ErrNoAccount
		}
		return &record{created: old.created, disabled: old.disabled, role: old.role, keys: fresh}, nil
	})
}

// SetDisabled locks an account or opens it again: while it is disabled, the
// right password ends in account-disabled. It returns ErrNoAccount or an error
// of the store.
func (s *Service) SetDisabled(ctx context.Context, j jid.JID, disabled bool) error {
	j, err := account(j)
	if err != nil {
		return err
	}
	err = s.change(ctx, j, false, func(old *record) (*record, error) {
		if old == nil {
			return nil, ErrNoAccount
		}
		next := *old
		next.disabled = disabled
		return &next, nil
	})
	if err != nil || !disabled {
		return err
	}
	return s.changed(ctx, j, AccountDisabled)
}

// Delete removes an account and its keys. What other packages keep of it is
// theirs to remove. It returns ErrNoAccount or an error of the store.
func (s *Service) Delete(ctx context.Context, j jid.JID) error {
	j, err := account(j)
	if err != nil {
		return err
	}
	err = s.change(ctx, j, false, func(old *record) (*record, error) {
		if old == nil {
			return nil, ErrNoAccount
		}
		return nil, nil
	})
	if err != nil {
		return err
	}
	return s.changed(ctx, j, AccountDeleted)
}

// change replaces what is stored by what edit returns; nil deletes it. Unless
// tokensStay, the account's tokens end.
func (s *Service) change(ctx context.Context, j jid.JID, tokensStay bool, edit func(old *record) (*record, error)) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	mu := s.deviceLock(j)
	mu.Lock()
	defer mu.Unlock()
	old, err := s.fetch(ctx, j)
	if err != nil {
		return err
	}
	next, err := edit(old)
	if err != nil {
		return err
	}
	var batch storage.Batch
	if next == nil {
		s.accounts.Delete(&batch, j.Domain(), j.Local())
	} else {
		s.accounts.Put(&batch, j.Domain(), j.Local(), next.encode())
	}
	if old != nil && !tokensStay {
		s.devices.Clear(&batch, j.String()) // tokens stood for what is no longer so
	}
	// Also after an error: nobody knows then what the store will say.
	defer func() {
		s.cache.forget(j)
		s.epoch(j).Add(1)
	}()
	return s.commit(&batch)
}

// changed tells the handlers. The account has changed even if one panicked.
func (s *Service) changed(ctx context.Context, j jid.JID, kind ChangeKind) error {
	j = j.Bare()
	if err := s.Hooks.AccountChanged.Run(ctx, AccountChange{JID: j, Kind: kind}); err != nil {
		s.log.Error("a handler of an account's change failed", "account", j.String(), "change", kind.String(), "err", err)
	}
	return nil
}

// fetch reads an account from the store; nil means that there is none.
func (s *Service) fetch(ctx context.Context, j jid.JID) (*record, error) {
	b, err := s.accounts.Get(ctx, j.Domain(), j.Local())
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r, err := decodeRecord(b)
	if err != nil {
		s.log.Error("an account can't be read", "account", j.String(), "err", err)
	}
	return r, err
}

// find is fetch through the cache.
func (s *Service) find(ctx context.Context, j jid.JID) (*record, error) {
	r, ok, gen := s.cache.get(j)
	if ok {
		return r, nil
	}
	r, err := s.fetch(ctx, j)
	if err != nil {
		return nil, err
	}
	s.cache.put(j, r, gen)
	return r, nil
}

// read is find with an error for a missing account.
func (s *Service) read(ctx context.Context, j jid.JID) (*record, error) {
	r, err := s.find(ctx, j)
	if err == nil && r == nil {
		err = ErrNoAccount
	}
	return r, err
}

// Lookup returns what is known of an account, or ErrNoAccount.
func (s *Service) Lookup(ctx context.Context, j jid.JID) (Account, error) {
	j, err := account(j)
	if err != nil {
		return Account{}, err
	}
	r, err := s.read(ctx, j)
	if err != nil {
		return Account{}, err
	}
	return r.account(j), nil
}

// Exists reports whether there is an account, disabled or not. It seldom reads
// from disk. An address without localpart is no account's.
func (s *Service) Exists(ctx context.Context, j jid.JID) (bool, error) {
	j, err := account(j)
	if err != nil {
		return false, nil
	}
	r, err := s.find(ctx, j)
	return r != nil, err
}

// accountsPage is how many accounts are read before fn is called with them.
const accountsPage = 256

// Accounts calls fn for all accounts of a domain in order of name (by bytes)
// until it returns false. fn may change accounts. Accounts that can't be read
// are logged and left out.
func (s *Service) Accounts(ctx context.Context, domain string, fn func(Account) bool) error {
	host, err := jid.New("", domain, "")
	if err != nil {
		return err
	}
	from := ""
	for {
		page := make([]Account, 0, accountsPage)
		last, n := "", 0
		err := s.accounts.From(ctx, host.Domain(), from, func(item string, value []byte) bool {
			last = string(append([]byte(nil), item...))
			n++
			j, err := jid.New(last, host.Domain(), "")
			var r *record
			if err == nil {
				r, err = decodeRecord(value)
			}
			if err != nil {
				s.log.Error("an account can't be read", "domain", host.Domain(), "name", last, "err", err)
			} else {
				page = append(page, r.account(j))
			}
			return n < accountsPage
		})
		if err != nil {
			return err
		}
		for _, a := range page {
			if !fn(a) {
				return nil
			}
		}
		if n < accountsPage {
			return ctx.Err()
		}
		from = last + "\x00"
	}
}
