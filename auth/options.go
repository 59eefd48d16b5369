package auth

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// minIterations is the least that may be set. RFC 5802 §5.1
	minIterations = 4096
	// maxIterations keeps a slip of the hand from stopping all logins.
	maxIterations = 10_000_000
)

// Options are the settings of a Service. Zero fields mean their default, with
// the exception of SHA1, which is taken as it is: start from [DefaultOptions].
type Options struct {
	// Iterations of PBKDF2 for the SCRAM-SHA-256 keys of new passwords, at least
	// 4,096; default 10,000 (XEP-0438). Accounts with a lower count get new keys at
	// their next login by PLAIN or by a client that upgrades (XEP-0480); those with a
	// higher one keep it. Every PLAIN login costs this much at the server, every SCRAM
	// login at the client.
	Iterations int
	// SHA1 keeps keys for SCRAM-SHA-1 and offers it, for older clients. Accounts
	// made while it was off can't use it before their next login by PLAIN, by a
	// client that upgrades (XEP-0480), or their next password. Default true in
	// DefaultOptions.
	SHA1 bool
	// SHA1Iterations is Iterations for SCRAM-SHA-1, at least 4,096; default
	// 10,000, and raised in the same way. The server never needs it at login, but it is half of the cost of
	// making an account: 4,096 makes a bulk import 40 % faster, and a stolen store
	// cheaper to search.
	SHA1Iterations int
	// MinPassword is the shortest password accepted when one is set, in
	// characters; default 8.
	MinPassword int
	// FailuresPerAddr is how many failed logins a minute an address may go on
	// with after its burst (an IPv6 /64 is one address); default 10.
	FailuresPerAddr float64
	// FailureBurst is how many failed logins an address may have at once;
	// default 20.
	FailureBurst int
	// MaxBackoff is the longest that an address is refused, which doubles with
	// every failure beyond the rate; default 15 min.
	MaxBackoff time.Duration
	// LimitLoopback makes the limits hold for loopback addresses too. Set it
	// where a proxy on this machine hides the real ones. Default false.
	LimitLoopback bool
	// KDFQueue is how many derivations of keys from passwords may wait for a
	// core; beyond it the peer gets temporary-auth-failure. Default 256, about a
	// fifth of a second on two cores.
	KDFQueue int
	// TokenLife is how long a client may log in by token, without the password,
	// after it was last given a new one, which is once a day when it is used, and
	// after half of that time where that is sooner; a second to 10 years, default 30
	// days, which 0 stands for too. Negative: nobody gets tokens, and those that were
	// given are good for nothing as long as that is set.
	TokenLife time.Duration
	// MaxDevices is how many installations of clients may have tokens of an
	// account; a new one takes the place of that which wasn't used for longest.
	// Default 50.
	MaxDevices int
	// AnonymousDevices keeps neither names nor addresses of the devices that have
	// tokens, only when they came and were last used. Default false: who looks at
	// them has to recognise them.
	AnonymousDevices bool
	// KeyFile is the file with the key that tokens are made of; it is made if it isn't
	// there, and takes the key out of the store where it is in it. Without it a copy
	// of the store is no good for a login. "": the key is in the store.
	KeyFile string
	// Log gets what the callers can't know (damaged records); nil discards it.
	Log *slog.Logger
	// Metrics is where the counters are registered; nil: nowhere.
	Metrics prometheus.Registerer
}

// DefaultOptions returns the settings of a server that nobody configured.
func DefaultOptions() Options {
	o := Options{SHA1: true}
	o.setDefaults()
	return o
}

func (o *Options) setDefaults() {
	if o.Iterations == 0 {
		o.Iterations = 10_000
	}
	if o.SHA1Iterations == 0 {
		o.SHA1Iterations = 10_000
	}
	if o.MinPassword == 0 {
		o.MinPassword = 8
	}
	if o.FailuresPerAddr == 0 {
		o.FailuresPerAddr = 10
	}
	if o.FailureBurst == 0 {
		o.FailureBurst = 20
	}
	if o.MaxBackoff == 0 {
		o.MaxBackoff = 15 * time.Minute
	}
	if o.KDFQueue == 0 {
		o.KDFQueue = 256
	}
	if o.TokenLife == 0 {
		o.TokenLife = 30 * 24 * time.Hour
	}
	if o.MaxDevices == 0 {
		o.MaxDevices = 50
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Validate reports settings that make no sense, all at once.
func (o Options) Validate() error {
	var errs []error
	for name, n := range map[string]int{"Iterations": o.Iterations, "SHA1Iterations": o.SHA1Iterations} {
		if n != 0 && (n < minIterations || n > maxIterations) {
			errs = append(errs, fmt.Errorf("auth: %s is %d, must be between %d and %d", name, n, minIterations, maxIterations))
		}
	}
	if o.MinPassword < 0 || o.MinPassword > maxPassword {
		errs = append(errs, fmt.Errorf("auth: MinPassword is %d, must be between 1 and %d", o.MinPassword, maxPassword))
	}
	if o.FailuresPerAddr < 0 || o.FailureBurst < 0 || o.MaxBackoff < 0 || o.KDFQueue < 0 {
		errs = append(errs, errors.New("auth: FailuresPerAddr, FailureBurst, MaxBackoff and KDFQueue can't be negative"))
	}
	if o.TokenLife > 0 && (o.TokenLife < time.Second || o.TokenLife > maxTokenLife) {
		errs = append(errs, fmt.Errorf("auth: TokenLife is %v, must be between a second and 10 years, or negative for no tokens", o.TokenLife))
	}
	if o.MaxDevices < 0 || o.MaxDevices > 1000 {
		errs = append(errs, fmt.Errorf("auth: MaxDevices is %d, must be between 1 and 1,000", o.MaxDevices))
	}
	return errors.Join(errs...)
}

const maxTokenLife = 10 * 366 * 24 * time.Hour
