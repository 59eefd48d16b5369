package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"time"

	"weir/jid"

	"mellium.im/sasl"
)

// maxMessage bounds what is looked at, in bytes. Messages that a client has
// reason to send are much shorter.
const maxMessage = 8192

// Failure is a failed exchange with its SASL condition (RFC 6120 §6.5).
type Failure struct {
	Condition string // "not-authorized", "temporary-auth-failure", …
	Text      string // for the peer; the same for every wrong credential
	// Credentials reports that a password or key was wrong: it counts against
	// the stream and the address. Refused mechanisms and bindings don't.
	Credentials bool
	Err         error // for the log; never holds a secret
}

// Error names the condition and the reason, if one is known.
func (f *Failure) Error() string {
	if f.Err != nil {
		return "auth: " + f.Condition + ": " + f.Err.Error()
	}
	return "auth: " + f.Condition
}

// Unwrap returns the reason.
func (f *Failure) Unwrap() error { return f.Err }

func refuse(condition, text string, err error) *Failure {
	return &Failure{Condition: condition, Text: text, Err: err}
}

// malformed is for messages against the grammar of their mechanism.
// RFC 6120 §6.5.8
func malformed(what string) *Failure {
	return refuse("malformed-request", what, nil)
}

// unavailable is for what isn't the peer's fault. RFC 6120 §6.5.11
func unavailable(text string, err error) *Failure {
	return refuse("temporary-auth-failure", text, err)
}

// wrong is the one answer to everything that a stranger could learn from: no
// such account, a wrong password, a proof for other keys. RFC 6120 §6.5.10. why is for
// the log alone.
func wrong(why error) *Failure {
	return &Failure{Condition: "not-authorized", Text: "wrong user name or password", Credentials: true, Err: why}
}

// What is wrong with credentials. None has a name in it: people type their password
// where the name belongs.
var (
	errPassword = errors.New("auth: wrong password")
	errNoKeys   = errors.New("auth: the account has no keys for the mechanism")
	errChanged  = errors.New("auth: the account has changed during the login")
	errToken    = errors.New("auth: no token of the account fits")
	errUsed     = errors.New("auth: the token was used already")
)

// Exchange is one SASL exchange. Step may read storage and derive keys: call
// it off the reader goroutine. It isn't safe for concurrent use.
type Exchange struct {
	// immutable
	service *Service
	channel Channel
	offer   *offer
	mech    mechanism
	token   *tokenExchange // nil: it is by password
	loop    *sasl.Negotiator

	ctx     context.Context // of the Step under way: mechanisms aren't given one
	asked   bool            // a message came, or the empty challenge went out
	ended   bool
	done    bool
	claimed jid.JID // who the client says it is; zero if no account can have the name
	epoch   uint64  // of the claimed account, from before it was read
	found   *record // of claimed, or nil
	keyed   *record // found when the keys were chosen that a proof has to fit
	proven  []byte  // by password: the origin of the keys that the proof fitted
	binding string
}

// Begin starts an exchange with a mechanism that was offered on ch. An error is
// a *Failure: invalid-mechanism, mechanism-too-weak, encryption-required, or
// temporary-auth-failure if the address is refused or the store has failed.
func (s *Service) Begin(ch Channel, mechanism string) (*Exchange, error) {
	x := &Exchange{service: s, channel: ch, offer: s.offer(&ch)}
	m, f := s.pick(x.offer, &ch, mechanism)
	if f == nil {
		f = s.admit(&ch)
	}
	if f != nil {
		if m.name == "" {
			m.name = "unknown" // metrics have no label of the peer's choice
		}
		s.metrics.ended(m.name, f.Condition)
		return nil, f
	}
	x.mech = m
	next := x.plainNext
	if m.algo != nil {
		next = x.scramNext
	}
	x.loop = sasl.NewServer(sasl.Mechanism{Name: m.name, Start: serverFirst, Next: next}, nil)
	return x, nil
}

// serverFirst is there because a Mechanism has a Start: all of ours let the
// client speak first, and a server's Negotiator doesn't call it.
func serverFirst(*sasl.Negotiator) (bool, []byte, any, error) {
	return false, nil, nil, sasl.ErrInvalidState
}

// admit asks the limits that hold before a credential is looked at.
func (s *Service) admit(ch *Channel) *Failure {
	if err := s.store.Err(); err != nil {
		return unavailable("the server can't check passwords now", err)
	}
	if ok, wait := s.throttle.allow(ch.Addr); !ok {
		s.metrics.throttled.Inc()
		return unavailable(fmt.Sprintf("too many failed logins from your address; try again in %d s",
			(wait+time.Second-1)/time.Second), errThrottled)
	}
	return nil
}

var errThrottled = errors.New("auth: too many failed logins from the address")

// Step takes a message of the client (nil: none, RFC 6120 §6.4.2) and returns
// the server's next one. done means success: the message is the additional data
// of <success/> (nil: none), Identity tells who it is. An error is a *Failure,
// and the exchange is over; the stream may begin another.
func (x *Exchange) Step(ctx context.Context, msg []byte) (out []byte, done bool, err error) {
	out, done, f := x.step(ctx, msg)
	if f == nil {
		if done {
			x.service.metrics.ended(x.mech.name, "success")
		}
		return out, done, nil
	}
	if f.Credentials {
		x.service.throttle.fail(x.channel.Addr)
	}
	x.service.metrics.ended(x.mech.name, f.Condition)
	x.ended, x.found, x.keyed = true, nil, nil
	return nil, false, f
}

func (x *Exchange) step(ctx context.Context, msg []byte) (out []byte, done bool, _ *Failure) {
	switch {
	case x.ended:
		return nil, false, malformed("the exchange is over")
	case msg == nil && !x.asked:
		// All mechanisms here let the client speak first: an empty challenge asks
		// it to. RFC 4422 §3
		x.asked = true
		return []byte{}, false, nil
	case len(msg) == 0:
		return nil, false, malformed("empty message")
	case len(msg) > maxMessage:
		return nil, false, malformed("message too long")
	}
	x.asked = true
	x.ctx = ctx
	more, out, err := x.loop.Step(msg)
	x.ctx = nil
	if err != nil {
		var f *Failure
		if !errors.As(err, &f) {
			f = unavailable("", err)
		}
		return nil, false, f
	}
	if !more {
		x.ended, x.done, x.found, x.keyed = true, true, nil, nil
	}
	return out, !more, nil
}

// Identity is the authenticated account's bare JID after done, else zero.
func (x *Exchange) Identity() jid.JID {
	if !x.done {
		return jid.JID{}
	}
	return x.claimed
}

// Claimed is who the client says it is, true or not: for an audit log, after a
// failure too. It is zero before the first message, and for a name that no
// account can have (such as a password typed into the wrong field).
func (x *Exchange) Claimed() jid.JID { return x.claimed }

// Mechanism names the mechanism.
func (x *Exchange) Mechanism() string { return x.mech.name }

// Binding names the channel binding that was used ("tls-exporter",
// "tls-unique", "tls-server-end-point"), or "".
func (x *Exchange) Binding() string { return x.binding }

// Format prints no keys, also where the struct is printed field by field.
func (x *Exchange) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "auth.Exchange("+x.mech.name+")")
}

// claim notes who the client says it is and reads the account. A name that no
// account can have goes the way of one that no account has. The authorization
// identity must be left out or be the same account, in whatever spelling:
// nobody acts for another. RFC 6120 §6.3.8
func (x *Exchange) claim(authcid, authzid string) *Failure {
	j, err := jid.New(authcid, x.channel.Domain, "")
	if err != nil || j.Local() == "" {
		j = jid.JID{}
	}
	if authzid != "" {
		z, err := jid.Parse(authzid)
		if err != nil || j.IsZero() || z != j {
			return refuse("invalid-authzid", "a user may act for itself only", nil) // RFC 6120 §6.5.6
		}
	}
	x.claimed = j
	x.epoch = x.service.epoch(j).Load()
	return x.reload()
}

// Confirm reports whether what the client proved still counts, and must be asked once
// its session is where handlers of [Hooks].AccountChanged find it: a change of the
// account that they were told of before that ends the login here. An error is a
// *Failure.
func (x *Exchange) Confirm(ctx context.Context) error {
	if !x.done || x.service.epoch(x.claimed).Load() == x.epoch {
		return nil // who changes the account from now on finds the session
	}
	err := x.stillProven(ctx)
	if err == nil && x.token != nil {
		err = x.stillHolds(ctx)
	}
	var f *Failure
	if err != nil && !errors.As(err, &f) {
		return unavailable("the server can't check passwords now", err)
	}
	return err
}

// stillHolds looks whether the device has a token yet: changes of the account take
// all of them away. One that the client gave back with this login can't tell.
func (x *Exchange) stillHolds(ctx context.Context) error {
	d, err := x.service.fetchDevice(ctx, x.claimed, x.token.device)
	if err == nil && d == nil {
		return wrong(errToken)
	}
	return err
}

// reload reads the claimed account, from memory as a rule.
func (x *Exchange) reload() *Failure {
	x.service.lookups.Add(1)
	x.found = nil
	if x.claimed.IsZero() {
		return nil
	}
	r, err := x.service.find(x.ctx, x.claimed)
	if err != nil {
		return unavailable("the server can't check passwords now", err)
	}
	x.found = r
	return nil
}

// keys returns the claimed account's keys, or some that nothing fits. The false
// ones are made in either case, so that both cost the same. Their salt is the
// same each time, as an account's is.
func (x *Exchange) keys(a *algorithm, name string) (k *keys, known bool) {
	if !x.claimed.IsZero() {
		name = x.claimed.String() // however it was spelled
	}
	k = new(x.service.falseKeys(a, name))
	x.keyed = x.found
	if x.found != nil {
		if own := x.found.of(a); own != nil {
			return own, true
		}
	}
	return k, false
}

// finish decides, after the credentials were compared. The account is read once
// more: it may have been changed, disabled or deleted since the exchange began. Another
// login may have replaced the keys; they count while the password is the same.
func (x *Exchange) finish(a *algorithm, right bool) *Failure {
	if f := x.reload(); f != nil {
		return f
	}
	switch {
	case x.found == nil:
		return wrong(ErrNoAccount)
	case !right && x.found.of(a) == nil:
		return wrong(errNoKeys)
	case !right:
		return wrong(errPassword)
	case x.keyed == nil:
		return wrong(errChanged)
	}
	origin := x.found.origin()
	if len(origin) == 0 || subtle.ConstantTimeCompare(origin, x.keyed.origin()) != 1 {
		return wrong(errChanged)
	}
	if x.found.disabled {
		return refuse("account-disabled", "", ErrDisabled) // RFC 6120 §6.5.2
	}
	x.proven = origin
	return nil
}
