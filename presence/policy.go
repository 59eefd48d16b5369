package presence

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"weir/stanza"
)

// What contacts see of a session that hibernates.
const (
	Stay        = "stay"        // what they saw before
	Away        = "away"        // after a while its last presence, as <show>away</show>
	Unavailable = "unavailable" // after a while that it isn't there
)

// Options are the settings of a Handler.
type Options struct {
	// MaxDirected is to how many addresses a session may send directed presence
	// and not take it back. Default 1000.
	MaxDirected int
	// Hibernating says what contacts see of a session whose connection is lost and
	// whose client may resume it, once HibernatingAfter is over: "stay" (default;
	// what they saw before), "away" or "unavailable". When it is resumed they see
	// its own presence again.
	Hibernating string
	// HibernatingAfter is how long contacts see no difference, counted from the loss
	// of the connection: a second to 30 days, default 5 min. The server's own
	// downtime doesn't count.
	HibernatingAfter time.Duration
	// Log is where what goes wrong is told. Default: nowhere.
	Log *slog.Logger
}

// maxAfter is the longest HibernatingAfter: no session hibernates longer.
const maxAfter = 30 * 24 * time.Hour

// DefaultOptions returns the settings of a handler that nobody configured.
func DefaultOptions() Options {
	var o Options
	o.setDefaults()
	return o
}

func (o *Options) setDefaults() {
	if o.MaxDirected == 0 {
		o.MaxDirected = 1000
	}
	if o.Hibernating == "" {
		o.Hibernating = Stay
	}
	if o.HibernatingAfter == 0 {
		o.HibernatingAfter = 5 * time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Validate says which setting makes no sense.
func (o *Options) Validate() error {
	switch {
	case o.MaxDirected < 0:
		return errors.New("presence: MaxDirected can't be negative")
	case o.Hibernating != "" && o.Hibernating != Stay && o.Hibernating != Away && o.Hibernating != Unavailable:
		return fmt.Errorf("presence: Hibernating is %q, which is none of stay, away, unavailable", o.Hibernating)
	case o.HibernatingAfter != 0 && (o.HibernatingAfter < time.Second || o.HibernatingAfter > maxAfter):
		return fmt.Errorf("presence: HibernatingAfter is %v, must be a second to 30 days", o.HibernatingAfter)
	}
	return nil
}

// masked is what contacts see of a presence when the time is over; nil for
// unavailable. Who has said more than that it is away already (RFC 6121
// §4.7.2.1) stays as it is.
func (o *Options) masked(st *stanza.Stanza) *stanza.Stanza {
	if st == nil || o.Hibernating == Unavailable {
		return nil
	}
	switch st.Text(stanza.NSClient, "show") {
	case "away", "xa":
		return st
	}
	rest := st.Without(func(ns, local string) bool { return ns == stanza.NSClient && local == "show" })
	return rest.WithChild([]byte("<show>away</show>"))
}
