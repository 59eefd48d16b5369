package invitations

import (
	"context"
	"encoding/xml"
	"errors"
	"strings"
	"time"

	"weir/auth"
	"weir/c2s"
	"weir/hook"
	"weir/jid"
	"weir/stanza"
	"weir/storage"

	merr "mellium.im/xmpp/stanza"
)

// Namespaces of what clients without an account send and are told.
const (
	nsPreauth  = "urn:xmpp:pars:0"
	nsRegister = "jabber:iq:register"
)

// shown is the invitation that a client has shown: its domain and the hash of its token.
type shown struct {
	domain, hash string
}

// registering is how long who has shown an invitation has to fill the form in and
// to log in.
const registering = 10 * time.Minute

// features are told to clients that haven't logged in (XEP-0445 §3, XEP-0077 §8).
const features = "<register xmlns='urn:xmpp:ibr-token:0'/><register xmlns='http://jabber.org/features/iq-register'/>"

// Offer has the streams take invitations, if that is enabled.
func (mod *Module) Offer(streams *c2s.Server) {
	if !mod.o.Enabled {
		return
	}
	streams.Hooks.StreamFeatures.Add("invitations", hook.Normal, func(_ context.Context, f *c2s.StreamFeatures) {
		if f.State == c2s.Secured {
			f.XML = append(f.XML, features...)
		}
	})
	streams.HandleEarlyIQ(c2s.EarlyIQ{NS: nsPreauth, Local: "preauth", Handle: mod.preauth})
	streams.HandleEarlyIQ(c2s.EarlyIQ{NS: nsRegister, Local: "query", Handle: mod.query})
}

// errInvalid answers a token that isn't good (XEP-0445 §4).
func errInvalid() error { return stanza.ItemNotFound("The provided token is invalid or expired") }

// preauth takes a token (XEP-0445 §4). It is not used up by that.
func (mod *Module) preauth(ctx context.Context, s *c2s.Stream, iq *stanza.Stanza) (any, error) {
	var req struct {
		Token string `xml:"token,attr"`
	}
	if iq.Type != "set" {
		return nil, stanza.BadRequest()
	}
	if err := iq.Decode(nsPreauth, "preauth", &req); err != nil {
		return nil, err
	}
	hash := hashOf(strings.ToLower(strings.TrimSpace(req.Token)))
	i, err := mod.open(ctx, s.Host(), hash)
	if err != nil {
		if errors.Is(err, ErrNotFound) {
			s.Session().Log().Info("an invitation was refused", "remote", s.Session().Info().Remote)
			return nil, errInvalid()
		}
		return nil, err
	}
	if !i.Expires.After(time.Now()) {
		return nil, errInvalid()
	}
	mod.shown.Set(s.Session(), shown{s.Host(), hash})
	s.AllowLogin(registering)
	return nil, nil
}

// open returns an invitation that is there, expired or not, if who made it still may.
func (mod *Module) open(ctx context.Context, domain, hash string) (*Invitation, error) {
	rec, err := mod.all.Get(ctx, domain, hash)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	i, err := decode(rec)
	if err != nil {
		mod.o.Log.Error("an invitation can't be read", "domain", domain, "err", err)
		return nil, ErrNotFound
	}
	if i.By != "" {
		by, err := jid.Parse(i.By)
		if err != nil {
			return nil, ErrNotFound
		}
		a, err := mod.accounts.Lookup(ctx, by)
		if errors.Is(err, auth.ErrNoAccount) || err == nil && a.Disabled {
			return nil, ErrNotFound
		}
		if err != nil {
			return nil, err
		}
	}
	return i, nil
}

// form is the answer to a client that asks what it has to tell (XEP-0077 §3.1).
type form struct {
	XMLName      xml.Name `xml:"jabber:iq:register query"`
	Instructions string   `xml:"instructions"`
	Username     string   `xml:"username"`
	Password     string   `xml:"password"`
}

// request is what a client tells.
type request struct {
	Username string `xml:"jabber:iq:register username"`
	Password string `xml:"jabber:iq:register password"`
}

// query is registration by who has shown an invitation (XEP-0077 §3.1). The form is for
// everybody: there are clients that ask for it before they show what they have, and it
// says no more than the stream's features do. XEP-0445 §4 leaves that open: it wants the token
// before an account is made.
func (mod *Module) query(ctx context.Context, s *c2s.Stream, iq *stanza.Stanza) (any, error) {
	sh, ok := mod.shown.Get(s.Session())
	switch ok = ok && sh.domain == s.Host(); {
	case !ok && iq.Type == "get":
		return form{Instructions: "Accounts are made by invitation only: show yours, and choose a name and a password."}, nil
	case !ok:
		return nil, stanza.NotAllowed("accounts are made by invitation only: show one first")
	}
	if iq.Type == "get" {
		i, err := mod.open(ctx, sh.domain, sh.hash)
		if errors.Is(err, ErrNotFound) {
			return nil, errInvalid()
		}
		if err != nil {
			return nil, err
		}
		return form{Instructions: "Choose a name and a password for your account.", Username: i.Name}, nil
	}
	var req request
	if err := iq.Decode(nsRegister, "query", &req); err != nil {
		return nil, err
	}
	account, err := mod.register(ctx, sh, req)
	if err != nil {
		return nil, err
	}
	mod.shown.Set(s.Session(), shown{}) // another account needs another look
	s.Session().Log().Info("account made by invitation", "account", account, "remote", s.Session().Info().Remote)
	return nil, nil
}

// register makes the account and takes one use away from the invitation. A crash between
// the two leaves that use: better than an invitation that is used up for nothing.
func (mod *Module) register(ctx context.Context, sh shown, req request) (jid.JID, error) {
	if req.Username == "" || req.Password == "" {
		return jid.JID{}, stanza.NotAcceptable("a name and a password are needed") // XEP-0077 §3.1
	}
	account, err := jid.New(req.Username, sh.domain, "")
	if err != nil {
		return jid.JID{}, stanza.NotAcceptable("that can't be the name of an account")
	}
	mod.mu.Lock()
	defer mod.mu.Unlock()
	i, err := mod.open(ctx, sh.domain, sh.hash)
	switch {
	case errors.Is(err, ErrNotFound):
		return account, errInvalid()
	case err != nil:
		return account, err
	case i.Name != "" && i.Name != account.Local():
		return account, stanza.NotAcceptable("the invitation is for the name " + i.Name)
	}
	if i.Name == "" {
		reserved, err := mod.reserved(ctx, account)
		if err != nil {
			return account, err
		}
		if reserved {
			return account, stanza.Conflict("that name is taken")
		}
	}
	switch err := mod.accounts.Create(ctx, account, req.Password); {
	case errors.Is(err, auth.ErrExists):
		return account, stanza.Conflict("that name is taken") // XEP-0077 §3.1
	case errors.Is(err, auth.ErrWeakPassword):
		return account, stanza.NotAcceptable(strings.TrimPrefix(err.Error(), "auth: "))
	case err != nil:
		mod.o.Log.Error("an account could not be made by invitation", "account", account, "err", err)
		return account, stanza.NewError(merr.InternalServerError, merr.Wait, "accounts can't be made at the moment")
	}
	mod.used(ctx, sh, i)
	if i.Inviter != "" {
		mod.befriend(ctx, i.Inviter, account)
	}
	return account, nil
}

// reserved reports whether another invitation has the name (XEP-0401 §6.2).
func (mod *Module) reserved(ctx context.Context, account jid.JID) (is bool, err error) {
	now := time.Now()
	err = mod.walk(ctx, account.Domain(), func(_ string, i *Invitation) {
		is = is || i.Name == account.Local() && i.Expires.After(now)
	})
	return is, err
}

// used takes one use away. Needs mu.
func (mod *Module) used(ctx context.Context, sh shown, i *Invitation) {
	var b storage.Batch
	if i.Uses--; i.Uses > 0 {
		mod.all.Put(&b, sh.domain, sh.hash, encode(i))
	} else {
		mod.all.Delete(&b, sh.domain, sh.hash)
	}
	if err := storage.Commit(context.WithoutCancel(ctx), mod.store, &b); err != nil {
		mod.o.Log.Error("an invitation that was used stays open: revoke it", "id", i.ID, "err", err)
	}
}

// befriend makes who invited and who came contacts (XEP-0401 §5.5). The account is made
// whether that works or not.
func (mod *Module) befriend(ctx context.Context, inviter string, account jid.JID) {
	who, err := jid.Parse(inviter)
	if err == nil {
		var there bool
		if there, err = mod.accounts.Exists(ctx, who); err == nil && there {
			err = mod.contacts.Befriend(context.WithoutCancel(ctx), who, account)
		}
	}
	if err != nil {
		mod.o.Log.Error("who was invited and who invited are no contacts", "account", account, "inviter", inviter, "err", err)
	}
}
