package mam

import (
	"context"
	"fmt"

	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
)

// Namespaces and features.
const (
	NS         = "urn:xmpp:mam:2"
	nsExtended = NS + "#extended"
	// nsGroupchat says that include-groupchat is understood, not that there are
	// messages of rooms (XEP-0313 §7).
	nsGroupchat = NS + "#groupchat-field"
)

// Options are the settings of a Module.
type Options struct {
	MaxPage   int // messages of a page at most, and where a client names no number; up to 1,000, default 100
	PageBytes int // bytes of a page, about, half of what may wait for a connection at most; one message is always admitted; default 128 KiB
	CountScan int // messages looked at for the number of all that match, before it is left out; default 10,000
	Queries   int // questions that read at a time, the others wait; default 4
}

// DefaultOptions returns the settings of a module that nobody configured.
func DefaultOptions() Options {
	var o Options
	o.setDefaults()
	return o
}

// Validate says which setting makes no sense. Zero fields are fine.
func (o *Options) Validate() error {
	for _, r := range []struct {
		name          string
		value, lo, hi int
	}{
		{"MaxPage", o.MaxPage, 1, 1000},
		{"PageBytes", o.PageBytes, 4 << 10, 1 << 20},
		{"CountScan", o.CountScan, 1, 10_000_000},
		{"Queries", o.Queries, 1, 1000},
	} {
		if r.value != 0 && (r.value < r.lo || r.value > r.hi) {
			return fmt.Errorf("mam: %s is %d, must be %d to %d", r.name, r.value, r.lo, r.hi)
		}
	}
	return nil
}

func (o *Options) setDefaults() {
	for _, d := range []struct {
		v     *int
		value int
	}{
		{&o.MaxPage, 100}, {&o.PageBytes, 128 << 10}, {&o.CountScan, 10_000}, {&o.Queries, 4},
	} {
		if *d.v <= 0 {
			*d.v = d.value
		}
	}
}

// Module answers for one manager.
type Module struct {
	m       *sessionmgr.Manager
	archive Archive
	o       Options
	reading chan struct{} // holds one token for each question that reads
}

// New registers with m. archive is the log that is asked about.
func New(m *sessionmgr.Manager, archive Archive, o Options) *Module {
	o.setDefaults()
	mod := &Module{m: m, archive: archive, o: o, reading: make(chan struct{}, o.Queries)}
	for _, h := range []sessionmgr.IQHandler{
		{Local: "query", Get: mod.form, Set: mod.query},
		{Local: "metadata", Get: mod.metadata},
		{Local: "prefs", Get: mod.prefs, Set: mod.setPrefs},
	} {
		h.NS, h.Scope, h.Blocking = NS, sessionmgr.OnSelf, true
		m.HandleIQ(h)
	}
	m.HandleIQ(sessionmgr.IQHandler{
		NS: NS, Scope: sessionmgr.OnAccount, Silent: true, Get: forbid, Set: forbid, // XEP-0313 §8.1
	})
	for _, feature := range []string{nsExtended, nsGroupchat, nsRSM, stanza.NSStanzaID} { // XEP-0313 §7, XEP-0359 §5
		m.Advertise(sessionmgr.OnSelf, feature)
	}
	return mod
}

// forbid answers those who ask for the archive of somebody else.
func forbid(context.Context, *stanza.Stanza) (any, error) { return nil, stanza.Forbidden() }

// asker returns whose archive is asked for, and by which session.
func asker(ctx context.Context, iq *stanza.Stanza) (*sessionmgr.Session, jid.JID, error) {
	s, ok := sessionmgr.FromContext(ctx)
	if !ok {
		return nil, jid.JID{}, stanza.Forbidden()
	}
	return s, iq.From.Bare(), nil
}

// read waits until this question may read; the caller calls the function it
// returns when it is done.
func (mod *Module) read() (done func()) {
	mod.reading <- struct{}{}
	return func() { <-mod.reading }
}
