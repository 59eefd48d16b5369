package netserver

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// ticketKeyUse is for how long tickets are made with a key.
	ticketKeyUse = 24 * time.Hour
	// ticketKeyLife is after which time a key is forgotten: a ticket that was made
	// at the end of its use is then as old as crypto/tls lets a ticket become.
	ticketKeyLife = ticketKeyUse + 7*24*time.Hour
	// ticketClockSlack is how far in the future a key may have been made; it isn't
	// believed beyond.
	ticketClockSlack = time.Hour
	// ticketPoll is how often is looked whether a key is due.
	ticketPoll = 10 * time.Minute
	// maxTicketKeys bounds what is read from a file. There are nine at most.
	maxTicketKeys = 32
)

// TicketOptions are the settings of Tickets.
type TicketOptions struct {
	// File keeps the keys, readable by us only, so that tickets are good after a
	// restart. Default: they end with the process.
	File string
	// Log gets what is wrong with the file. Default: nothing is logged.
	Log *slog.Logger
}

// Tickets are the keys of TLS session tickets, with which a client that was here
// before resumes its TLS session (RFC 8446 §4.6.1). A key makes tickets for a day
// and opens them for a week more. Safe for concurrent use.
//
// Who steals the keys can't read what was or will be sent, since a resumed session
// has a key exchange of its own; for as long as clients hold tickets he can play the
// server towards them, as with the key of the certificate.
type Tickets struct {
	opt  TicketOptions // immutable
	now  func() time.Time
	seal *tls.Config // makes and opens tickets; has the keys in a form of its own

	mu   sync.Mutex
	keys []ticketKey // guarded by mu; the newest first
}

// NewTickets loads the keys, or makes one. What is wrong with the file is logged:
// without it clients make a full handshake, no worse.
func NewTickets(o TicketOptions) *Tickets {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	t := &Tickets{opt: o, now: time.Now, seal: new(tls.Config)}
	if o.File != "" {
		b, err := os.ReadFile(o.File)
		if err == nil {
			t.keys, err = parseTicketKeys(b)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			o.Log.Warn("the keys of TLS session tickets can't be read; clients make a full handshake", "file", o.File, "err", err)
		}
	}
	t.turn()
	return t
}

// Run makes a new key when it is time, until ctx ends.
func (t *Tickets) Run(ctx context.Context) {
	tick := time.NewTicker(ticketPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			t.turn()
		}
	}
}

// turn forgets keys that are too old and makes a new one where it is due. It
// keeps them before they are used.
func (t *Tickets) turn() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	var keys []ticketKey
	for _, k := range t.keys {
		if age := now.Sub(k.made); age < ticketKeyLife && age > -ticketClockSlack {
			keys = append(keys, k)
		}
	}
	changed := len(keys) != len(t.keys)
	if len(keys) == 0 || now.Sub(keys[0].made) >= ticketKeyUse {
		k := ticketKey{made: now.UTC().Truncate(time.Second)}
		_, _ = rand.Read(k.key[:]) // never fails (crypto/rand)
		keys = append([]ticketKey{k}, keys...)
		changed = true
	}
	if changed && t.opt.File != "" {
		if err := writePrivate(t.opt.File, formatTicketKeys(keys)); err != nil {
			t.opt.Log.Error("the keys of TLS session tickets can't be kept", "file", t.opt.File, "err", err)
		}
	}
	t.keys = keys
	raw := make([][32]byte, len(keys))
	for i, k := range keys {
		raw[i] = k.key
	}
	t.seal.SetSessionTicketKeys(raw)
}

// ticketMark begins what we put into a ticket; others might put something there too.
const ticketMark = "weir1:"

// ticketMarkOf is what a ticket says of where it is good: for the name that the client
// asked for, and the certificate that it was shown.
func ticketMarkOf(cert *tls.Certificate, name string) []byte {
	h := sha256.New()
	leaf := sha256.Sum256(cert.Certificate[0])
	h.Write(leaf[:])
	h.Write([]byte(strings.ToLower(strings.TrimSuffix(name, "."))))
	return h.Sum([]byte(ticketMark))
}

// issue turns the settings of a server that shows cert into settings with tickets.
// They are good as long as that certificate is the one in force: channel bindings to
// the certificate (RFC 5929 §4) mean the one that the client saw when it began.
func (t *Tickets) issue(cfg *tls.Config, cert *tls.Certificate) {
	cfg.SessionTicketsDisabled = false
	cfg.WrapSession = func(cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
		ss.Extra = append(ss.Extra, ticketMarkOf(cert, cs.ServerName))
		return t.seal.EncryptTicket(cs, ss)
	}
	cfg.UnwrapSession = func(ticket []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
		ss, err := t.seal.DecryptTicket(ticket, cs)
		if ss == nil || err != nil {
			return nil, err
		}
		want := ticketMarkOf(cert, cs.ServerName)
		for _, e := range ss.Extra {
			if subtle.ConstantTimeCompare(e, want) == 1 {
				return ss, nil
			}
		}
		return nil, nil // of another name or certificate: a full handshake
	}
}
