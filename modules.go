package weir

import (
	"context"

	"weir/auth"
	"weir/c2s"
	"weir/hook"
	"weir/modules/access"
	"weir/modules/acks"
	"weir/modules/announce"
	"weir/modules/blocking"
	"weir/modules/carbons"
	"weir/modules/clientstate"
	"weir/modules/contacts"
	"weir/modules/disco"
	"weir/modules/entitytime"
	"weir/modules/invitations"
	"weir/modules/last"
	"weir/modules/mam"
	"weir/modules/offers"
	"weir/modules/ping"
	"weir/modules/privatexml"
	"weir/modules/registration"
	"weir/modules/servicecontact"
	"weir/modules/vcard"
	"weir/modules/version"
	"weir/presence"
	"weir/roster"
	"weir/sessionmgr"
	"weir/storage"

	"mellium.im/xmpp/stream"
)

// modules is the one list of what this server can do beside streams and
// sessions. To add a module: make it in makeModules.
type modules struct {
	sessions *sessionmgr.Manager
	presence *presence.Handler
	contacts *contacts.Module
	disco    *disco.Module
	archive  *mam.Module
	last     *last.Module
	blocking *blocking.Module
	private  *privatexml.Module
	vcard    *vcard.Module
	invited  *invitations.Module
	announce *announce.Module
}

func (s *Server) makeModules(ctx context.Context) (err error) {
	if s.Rosters, err = roster.New(s.Store, s.Config.Roster); err != nil {
		return err
	}
	s.modules.sessions = s.Sessions
	po := s.Config.Presence
	po.Log = s.Log
	if s.modules.presence, err = presence.New(s.Sessions, s.Rosters, s.Store, po); err != nil {
		return err
	}
	s.Presence = s.modules.presence
	co := s.Config.Contacts
	co.Log, co.Metrics = s.Log, s.Registry
	if s.modules.contacts, err = contacts.New(s.Sessions, s.Rosters, s.modules.presence, co); err != nil {
		return err
	}
	access.New(s.Sessions, s.Auth)
	bo := s.Config.Blocking
	bo.Log = s.Log
	if s.modules.blocking, err = blocking.New(s.Sessions, s.Store, s.modules.presence, bo); err != nil {
		return err
	}
	if s.modules.private, err = privatexml.New(s.Sessions, s.Store, s.Config.Private); err != nil {
		return err
	}
	vo := s.Config.VCard
	vo.Log = s.Log
	if s.modules.vcard, err = vcard.New(s.Sessions, s.Store, vo); err != nil {
		return err
	}
	if s.Offers, err = offers.New(s.Sessions, s.Config.Offers); err != nil {
		return err
	}
	carbons.New(s.Sessions)
	ping.New(s.Sessions)
	s.modules.archive = mam.New(s.Sessions, s.Sessions, s.Config.MAM)
	version.New(s.Sessions, "weir", Version)
	entitytime.New(s.Sessions)
	s.modules.last = last.New(s.Sessions, s.Store)
	s.modules.disco = disco.New(s.Sessions, "weir")
	contact, err := servicecontact.Form(s.Config.Contact)
	if err == nil && contact != nil {
		err = s.modules.disco.Extend(contact)
	}
	if err != nil {
		return err
	}
	io := s.Config.Invitations
	io.Log = s.Log
	if s.modules.invited, err = invitations.New(s.Sessions, s.Store, s.Auth, s.modules.contacts, io); err != nil {
		return err
	}
	if s.modules.announce, err = announce.New(ctx, s.Sessions, s.modules.presence, s.Store, s.Log); err != nil {
		return err
	}
	if err := s.makeCommands(); err != nil {
		return err
	}
	s.Sessions.Advertise(sessionmgr.OnServer, "msgoffline") // XEP-0160 §4
	if s.Config.Session.Archive != sessionmgr.ArchiveNever {
		s.Sessions.Advertise(sessionmgr.OnServer, "urn:xmpp:message-retract:1") // XEP-0424 §2: they are archived
	}
	s.knowRoles()
	ro := s.Config.Registration
	ro.Log = s.Log
	s.Auth.Hooks.AccountChanged.Add("registration", hook.Early, registration.New(s.Sessions, s.Auth, ro).Changed)
	s.Auth.Hooks.AccountChanged.Add("sessions", hook.Normal, s.accountChanged)
	s.Auth.Hooks.PreCreate.Add("sessions", hook.Normal, func(_ context.Context, c *auth.PreCreate) error {
		if len(s.Sessions.ByAccount(c.JID)) > 0 { // a bot's: it would get what is for the account
			return nameTaken{}
		}
		return nil
	})
	return nil
}

// nameTaken is auth.ErrExists for a name that no account has.
type nameTaken struct{}

func (nameTaken) Error() string {
	return "no account but a session of the server itself has that name (weir session list): take another"
}

func (nameTaken) Is(err error) bool { return err == auth.ErrExists }

// offer adds the stream features of the modules.
func (m *modules) offer(streams *c2s.Server, o acks.Options) error {
	if err := acks.New(streams, m.sessions, o); err != nil {
		return err
	}
	carbons.Offer(streams)
	m.vcard.Offer(streams)
	m.invited.Offer(streams)
	clientstate.New(streams, m.sessions)
	streams.Hooks.StreamFeatures.Add("modules", hook.Normal, func(_ context.Context, f *c2s.StreamFeatures) {
		f.Caps.Hash, f.Caps.Node, f.Caps.Ver = m.disco.Caps()
		if f.State >= c2s.Authenticated {
			f.XML = append(f.XML, contacts.StreamFeatures()...)
		}
	})
	streams.Hooks.InlineBound.Add("archive", hook.Normal, func(ctx context.Context, b *c2s.InlineBound) {
		account := b.Session.JID().Bare()
		metadata, err := m.archive.Metadata(ctx, account)
		switch {
		case ctx.Err() != nil: // the session has ended: nobody is told
			return
		case err != nil: // its client can ask later
			b.Session.Log().Error("what an archive spans can't be told", "account", account, "err", err)
			return
		}
		b.XML = append(b.XML, metadata...)
	})
	return nil
}

// accountChanged ends the sessions of an account that has to prove itself again
// or is gone, and removes what is kept for one that was deleted.
func (s *Server) accountChanged(ctx context.Context, c auth.AccountChange) {
	switch c.Kind {
	case auth.RoleChanged:
		s.roleChanged(ctx, c.JID)
		return
	case auth.AccountCreated: // nobody is logged in to it
		return
	}
	if err := s.endSessions(ctx, c); err != nil {
		s.Log.Error("the sleeping sessions of an account stay: they can be resumed after the next start", "account", c.JID, "change", c.Kind, "err", err)
	}
	if c.Kind != auth.AccountDeleted {
		return
	}
	if err := s.modules.contacts.AccountDeleted(ctx, c.JID); err != nil {
		s.Log.Error("the roster of a deleted account stays", "account", c.JID, "err", err)
	}
	// In the pipeline's order: behind what the end of a session has just written.
	if err := s.Sessions.Forget(ctx, c.JID, s.modules.tables()...); err != nil {
		s.Log.Error("the messages of a deleted account stay", "account", c.JID, "err", err)
	}
}

// tables are what the modules keep for an account, beside its roster.
func (m *modules) tables() []storage.Table {
	return append(m.presence.Tables(), m.last.Table(), m.blocking.Table(), m.private.Table(), m.vcard.Table(), m.announce.Table())
}

// endSessions ends the sessions of an account, but for the one in which its owner
// has just given it another password.
func (s *Server) endSessions(ctx context.Context, c auth.AccountChange) error {
	var spared *sessionmgr.Session
	if c.Kind == auth.PasswordChanged {
		spared, _ = sessionmgr.FromContext(ctx)
	}
	return s.Sessions.Revoke(ctx, sessionmgr.Revocation{
		Account: c.JID, Spared: spared, Cause: sessionmgr.Cause{Code: sessionmgr.AccountGone, Text: c.Kind.String()}, Goodbye: &stream.NotAuthorized,
	})
}
