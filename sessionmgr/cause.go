package sessionmgr

import "fmt"

// CauseCode enumerates why a session ended.
type CauseCode uint8

// The codes.
const (
	ClosedByClient CauseCode = iota + 1 // the client closed its stream
	LinkLost                            // the connection broke
	Replaced                            // another session took the resource
	Kicked                              // an admin or a module ended it
	StreamFailed                        // the client broke a rule; the text has the condition
	TimedOut                            // a deadline passed: login, binding, idle
	TooSlow                             // output limit, or no progress in writing
	ShuttingDown                        // the server stops
	AccountGone                         // deleted, disabled, or its password changed
	Internal                            // a fault of ours
	Expired                             // it hibernated, and nobody resumed it
	Merged                              // its connection resumed another session
	GaveUp                              // its resource was taken from it, and its stream goes on
)

var causeNames = [...]string{
	ClosedByClient: "closed-by-client",
	LinkLost:       "link-lost",
	Replaced:       "replaced",
	Kicked:         "kicked",
	StreamFailed:   "stream-error",
	TimedOut:       "timed-out",
	TooSlow:        "too-slow",
	ShuttingDown:   "shutting-down",
	AccountGone:    "account-gone",
	Internal:       "internal",
	Expired:        "expired",
	Merged:         "resumed-another",
	GaveUp:         "unbound",
}

// String returns the code as listings and metrics show it.
func (c CauseCode) String() string {
	if int(c) < len(causeNames) && causeNames[c] != "" {
		return causeNames[c]
	}
	return fmt.Sprintf("cause-%d", uint8(c))
}

// CauseCodes lists every code.
func CauseCodes() []CauseCode {
	var all []CauseCode
	for c := ClosedByClient; c <= GaveUp; c++ {
		all = append(all, c)
	}
	return all
}

// Cause says why a session ended, for machines and for people.
type Cause struct {
	Code CauseCode
	Text string
}

// String returns code and text.
func (c Cause) String() string {
	if c.Text == "" {
		return c.Code.String()
	}
	return c.Code.String() + ": " + c.Text
}
