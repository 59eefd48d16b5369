package config

//go:generate go run ./docgen

import (
	"time"

	"weir/auth"
	"weir/c2s"
	"weir/component"
	"weir/modules/acks"
	"weir/modules/blocking"
	"weir/modules/commands"
	"weir/modules/contacts"
	"weir/modules/events/sessionlog"
	"weir/modules/events/webhook"
	"weir/modules/invitations"
	"weir/modules/mam"
	"weir/modules/offers"
	"weir/modules/privatexml"
	"weir/modules/registration"
	"weir/modules/servicecontact"
	"weir/modules/vcard"
	"weir/netserver"
	"weir/policy"
	"weir/presence"
	"weir/roster"
	"weir/sessionmgr"
	"weir/storage/pebble"
)

// Config is everything that can be set. Each section is the Options struct of
// the package that obeys it; fields that the program fills in by itself (logs,
// metrics, folders) are no settings.
type Config struct {
	// Domains are the domains served: what stands behind the @ in an address.
	// Default "localhost".
	Domains []string
	// Data is the folder for everything that is kept. It is made if it doesn't
	// exist. Default "./weir-data".
	Data string
	// ShutdownTimeout is how long stopping may take before connections are cut.
	// Default 10 s.
	ShutdownTimeout time.Duration

	Listen   Listen             // Listen says where clients connect.
	TLS      TLS                // TLS names certificates.
	Log      Log                // Log says what is logged, and how.
	Storage  pebble.Options     // Storage is how things are kept.
	Network  netserver.Options  // Network bounds connections.
	Stream   c2s.Options        // Stream bounds what one client may send, and when.
	Auth     auth.Options       // Auth is about passwords and logins.
	Session  sessionmgr.Options // Session is about sessions and messages for nobody online.
	Policy   policy.Options     // Policy says which sessions an account may have at the same time, by role and class of device.
	Roster   roster.Options     // Roster bounds contact lists.
	Presence presence.Options   // Presence bounds directed presence, and says what contacts see of sessions that hibernate.
	Contacts contacts.Options   // Contacts bounds subscription requests.
	Acks     acks.Options       // Acks is about stream management: acknowledgements and resumption.
	MAM      mam.Options        // MAM bounds what a question about an archive may cost.
	Blocking blocking.Options   // Blocking bounds the lists of whom accounts block.
	Private  privatexml.Options // Private bounds the XML that clients keep on the server.
	VCard    vcard.Options      `toml:"vcard"` // VCard bounds the cards of accounts.
	// Registration is about what the owner of an account may do with it.
	Registration registration.Options
	Contact      servicecontact.Options // Contact says whom to turn to about the server.
	Commands     commands.Options       // Commands bounds the ad-hoc commands that clients have under way.
	Component    component.Options      // Component is about external components.
	Invitations  invitations.Options    // Invitations lets people make accounts who were invited.
	Offers       offers.Options         // Offers lets admins and users offer files on behalf of sessions.
	SessionLog   sessionlog.Options     // SessionLog writes what happens to sessions to a file.
	Webhook      webhook.Options        // Webhook posts what happens to sessions to other programs.
}

// Listen says where clients connect.
type Listen struct {
	// C2S is the address for clients that begin without TLS and have to go on
	// with STARTTLS. "" opens none. Default ":5222".
	C2S string
	// C2STLS is the address for clients that begin with TLS. "" opens none.
	// Default ":5223".
	C2STLS string `toml:"c2s_tls"`
	// C2SInsecure is an address where TLS is offered but not required: for
	// measurements, and for proxies that end TLS. Default "" (none).
	C2SInsecure string
	// InsecureAnywhere allows C2SInsecure on addresses that aren't loopback:
	// everybody on the way can then read everything. Default false.
	InsecureAnywhere bool
	// InsecurePlain offers PLAIN on C2SInsecure without TLS, so that passwords
	// cross it readable. Default false.
	InsecurePlain bool
	// Component is an address for external components, programs of this machine that
	// are a domain of their own: without TLS, so loopback only. Default "" (none).
	Component string
	// ComponentAnywhere allows Component on addresses that aren't loopback:
	// everybody on the way can then read and change everything. Default false.
	ComponentAnywhere bool
	// Metrics is an address that serves metrics for Prometheus over HTTP, for a
	// local or private network: it asks for no password. Default "" (none).
	Metrics string
}

// TLS names certificates, and says whether sessions are resumed.
type TLS struct {
	// Certificates are files with certificates and keys. Domains that none of
	// them serves get a self-signed one, made in the data folder. Default none.
	Certificates []netserver.CertFiles
	// Strict refuses clients that ask for a name that isn't served (by SNI).
	// Default false.
	Strict bool
	// Tickets lets clients that were here in the last week resume their TLS session
	// (TLS 1.3): a shorter handshake, also after a restart. Default true.
	Tickets bool
}

// Log says what is logged, and how.
type Log struct {
	// Level is "debug", "info", "warn" or "error". Default "info".
	Level string
	// Format is "text" or "json". Default "text".
	Format string
}

// Default returns the settings of a server that nobody configured.
func Default() Config {
	c := Config{
		Domains:         []string{"localhost"},
		Data:            "./weir-data",
		ShutdownTimeout: 10 * time.Second,
		Listen:          Listen{C2S: ":5222", C2STLS: ":5223"},
		TLS:             TLS{Tickets: true},
		Log:             Log{Level: "info", Format: "text"},
		Storage:         pebble.DefaultOptions(),
		Network:         netserver.DefaultOptions(),
		Stream:          c2s.DefaultOptions(),
		Auth:            auth.DefaultOptions(),
		Session:         sessionmgr.DefaultOptions(),
		Roster:          roster.DefaultOptions(),
		Presence:        presence.DefaultOptions(),
		Contacts:        contacts.DefaultOptions(),
		Acks:            acks.DefaultOptions(),
		MAM:             mam.DefaultOptions(),
		Blocking:        blocking.DefaultOptions(),
		Private:         privatexml.DefaultOptions(),
		VCard:           vcard.DefaultOptions(),
		Registration:    registration.DefaultOptions(),
		Commands:        commands.DefaultOptions(),
		Component:       component.DefaultOptions(),
		Invitations:     invitations.DefaultOptions(),
		Offers:          offers.DefaultOptions(),
		SessionLog:      sessionlog.DefaultOptions(),
		Webhook:         webhook.DefaultOptions(),
	}
	clearFilledIn(&c)
	return c
}
