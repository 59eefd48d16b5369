package roster

import (
	"errors"
	"fmt"

	"weir/stanza"

	merr "mellium.im/xmpp/stanza"
)

// Options are the limits of rosters. Zero takes the default.
type Options struct {
	// MaxItems is how many contacts a roster may have. Default 2000.
	MaxItems int
	// MaxBytes is the sum of all addresses, names and groups of a roster.
	// Default 1 MiB.
	MaxBytes int
	// MaxGroups is how many groups an item may be in. Default 32.
	MaxGroups int
	// MaxName is the length of a name and of a group's name, in bytes. Default 1023.
	MaxName int
	// MaxPending is how many unanswered subscription requests are kept for an
	// account; those beyond are dropped. Default 1000.
	MaxPending int
	// MaxRequest is the size of one subscription request, in bytes. Default 8 KiB.
	MaxRequest int
	// Cache is how many bytes of rosters of accounts that aren't online stay in
	// memory. Default 16 MiB.
	Cache int
}

// DefaultOptions returns the settings of rosters that nobody configured.
func DefaultOptions() Options {
	var o Options
	o.setDefaults()
	return o
}

// setDefaults fills in what is zero.
func (o *Options) setDefaults() {
	for _, d := range []struct {
		v   *int
		def int
	}{
		{&o.MaxItems, 2000}, {&o.MaxBytes, 1 << 20}, {&o.MaxGroups, 32}, {&o.MaxName, 1023},
		{&o.MaxPending, 1000}, {&o.MaxRequest, 8 << 10}, {&o.Cache, 16 << 20},
	} {
		if *d.v == 0 {
			*d.v = d.def
		}
	}
}

// Validate says which setting makes no sense.
func (o *Options) Validate() error {
	for _, v := range []int{o.MaxItems, o.MaxBytes, o.MaxGroups, o.MaxName, o.MaxPending, o.MaxRequest, o.Cache} {
		if v < 0 {
			return errors.New("roster: a limit can't be negative")
		}
	}
	return nil
}

// ErrPendingFull is returned by [Tx.Apply] for a request that found no room. The
// caller drops it without a word: an answer would tell that the account exists.
var ErrPendingFull = errors.New("roster: too many unanswered subscription requests")

// refuse makes a stanza error whose text names the broken rule.
func refuse(typ merr.ErrorType, cond merr.Condition, format string, args ...any) error {
	return stanza.Error{Type: typ, Condition: cond, Text: map[string]string{"en": fmt.Sprintf(format, args...)}}
}

// checkItem applies RFC 6121 §2.3.3 to an item of a roster set.
func (o *Options) checkItem(u *Update) error {
	if len(u.Name) > o.MaxName {
		return refuse(merr.Modify, merr.NotAcceptable, "a name may have %d bytes", o.MaxName)
	}
	if len(u.Groups) > o.MaxGroups {
		return refuse(merr.Modify, merr.NotAcceptable, "an item may be in %d groups", o.MaxGroups)
	}
	for i, g := range u.Groups {
		if g == "" {
			return refuse(merr.Modify, merr.NotAcceptable, "a group's name can't be empty")
		}
		if len(g) > o.MaxName {
			return refuse(merr.Modify, merr.NotAcceptable, "a group's name may have %d bytes", o.MaxName)
		}
		for _, other := range u.Groups[:i] {
			if other == g {
				return refuse(merr.Modify, merr.BadRequest, "the same group twice")
			}
		}
	}
	return nil
}

// CheckRequest applies the limit to a subscription request, before anything else
// is looked at, so that the answer depends on nothing but the stanza.
func (r *Rosters) CheckRequest(st *stanza.Stanza) error {
	if st.Size() > r.o.MaxRequest {
		return refuse(merr.Modify, merr.PolicyViolation, "a subscription request may have %d bytes", r.o.MaxRequest)
	}
	return nil
}
