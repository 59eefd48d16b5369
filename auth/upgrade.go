package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"

	"weir/storage"
)

// upgradePrefix begins the names of upgrade tasks. XEP-0480 §2.1
const upgradePrefix = "UPGR-"

// Upgrade is a task by which a client helps to keys that its account lacks: those of
// an algorithm that was switched on after its password was set, and those with the
// count that is set now, where it was lower then. XEP-0480 §3
type Upgrade struct {
	Task       string // its name
	Salt       []byte
	Iterations int

	algo *algorithm
}

// UpgradeTasks lists the tasks that may be announced on ch. They are the same whoever
// it is: who needs one is told only who has logged in. XEP-0480 §2.1
func (s *Service) UpgradeTasks(ch Channel) []string {
	if !ch.secure() {
		return nil // what the client sends is as good as the password
	}
	var all []string
	for _, a := range s.algorithms {
		all = append(all, upgradePrefix+a.name)
	}
	return all
}

// Upgrades returns which of the tasks asked for make sense after a login by password:
// each once, in our order. One by token has none: a token must not be enough to
// set what stands for a password.
func (x *Exchange) Upgrades(ctx context.Context, asked []string) []*Upgrade {
	if !x.done || x.proven == nil || len(asked) == 0 || !x.channel.secure() {
		return nil
	}
	r, err := x.service.find(ctx, x.claimed)
	if r == nil || err != nil {
		return nil // the login goes on without
	}
	var all []*Upgrade
	for _, a := range x.service.algorithms {
		if !x.service.wants(r, a) || !slices.Contains(asked, upgradePrefix+a.name) {
			continue
		}
		u := &Upgrade{Task: upgradePrefix + a.name, Salt: make([]byte, saltLength), Iterations: x.service.iterations(a), algo: a}
		_, _ = rand.Read(u.Salt) // never fails (crypto/rand)
		all = append(all, u)
	}
	return all
}

// wants reports whether an account should have other keys for a hash: it has none, or
// some with a lower count than new ones have. A higher count stays.
func (s *Service) wants(r *record, a *algorithm) bool {
	k := r.of(a)
	return k == nil || int(k.iterations) < s.iterations(a)
}

// Keep ends a task with the SaltedPassword that the client computed (RFC 5802 §3): it
// keeps the keys that follow from it. It waits for the store. An error is a *Failure,
// and the login has then failed: the account may have changed since the password was
// checked.
func (x *Exchange) Keep(ctx context.Context, u *Upgrade, salted []byte) error {
	if len(salted) != u.algo.size {
		return malformed("the hash has not the length of its mechanism's")
	}
	stored, server := u.algo.fromSalted(salted)
	k := keys{hash: u.algo.id, iterations: uint32(u.Iterations), salt: u.Salt, stored: stored, server: server}
	return x.keepKeys(ctx, k)
}

// keepKeys puts keys into what is kept of the account, unless it has some that are as
// good by now. Tokens, sessions and logins under way stay: the password is the same.
func (x *Exchange) keepKeys(ctx context.Context, all ...keys) error {
	s := x.service
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := x.stillProven(ctx); err != nil {
		return asRefusal(err)
	}
	old, err := s.fetch(ctx, x.claimed)
	if err != nil {
		return asRefusal(err)
	}
	if old == nil {
		return wrong(errChanged)
	}
	next := old
	var names []string
	for _, k := range all {
		a := algorithmByID(k.hash)
		if had := next.of(a); had == nil || had.iterations < k.iterations {
			next, names = next.with(k), append(names, a.name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	var batch storage.Batch
	s.accounts.Put(&batch, x.claimed.Domain(), x.claimed.Local(), next.encode())
	defer s.cache.forget(x.claimed)
	if err := s.commit(&batch); err != nil {
		return asRefusal(err)
	}
	s.log.Info("an account has new keys since its login", "account", x.claimed.String(), "for", strings.Join(names, " "))
	return nil
}

// asRefusal makes a *Failure of any error.
func asRefusal(err error) error {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return unavailable("the server can't keep keys now", err)
}

// completeKeys derives the keys that an account should have from the password that its
// client has just sent. The login doesn't depend on it.
func (x *Exchange) completeKeys(password string) {
	s := x.service
	var missing []keys
	for _, a := range s.algorithms {
		if !s.wants(x.found, a) {
			continue
		}
		err := s.pool.run(x.ctx, func() error {
			k, err := a.fresh(password, s.iterations(a))
			missing = append(missing, k)
			return err
		})
		if err != nil {
			return // the next login is another chance
		}
	}
	if len(missing) == 0 {
		return
	}
	if err := x.keepKeys(x.ctx, missing...); err != nil {
		s.log.Warn("an account doesn't get the keys that it should have", "account", x.claimed.String(), "err", err)
	}
}
