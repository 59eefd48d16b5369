package auth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"weir/jid"
	"weir/storage"

	"mellium.im/sasl"
)

// A token is a secret of the server's making that stands for the password of one
// account on one installation of a client (XEP-0484). The mechanisms that use one
// send a keyed hash with the token as key (the HT family of draft-ietf-kitten-sasl-ht),
// so the server has to know it: it makes it again each time, from its own secret
// and a nonce, and keeps only that nonce and a hash.

// tokenMechanism is one way to use a token.
type tokenMechanism struct {
	name    string
	id      byte   // in stored records
	binding string // channel binding type, "" for none
}

// tokenMechanisms are those there are, best first.
var tokenMechanisms = []*tokenMechanism{
	{"HT-SHA-256-EXPR", 1, bindExporter},
	{"HT-SHA-256-UNIQ", 2, bindUnique},
	{"HT-SHA-256-ENDP", 3, bindEndPoint},
	{"HT-SHA-256-NONE", 4, ""},
}

// tokenNames lists the mechanisms for connections with these bindings. Without a
// binding the message could be used again by who reads it, as a password could.
func tokenNames(bindings []string, plain bool) (names []string) {
	for _, m := range tokenMechanisms {
		fits := m.binding == "" && plain
		for _, b := range bindings {
			fits = fits || m.binding == b
		}
		if fits {
			names = append(names, m.name)
		}
	}
	return names
}

// TokenMechanisms lists the mechanisms by which a token can be used on ch, best
// first. The slice is shared and must not be changed.
func (s *Service) TokenMechanisms(ch Channel) []string {
	if s.opts.TokenLife < 0 {
		return nil
	}
	return s.offer(&ch).tokens
}

func (s *Service) tokenMechanism(ch *Channel, name string) *tokenMechanism {
	for _, n := range s.TokenMechanisms(*ch) {
		if n == name {
			for _, m := range tokenMechanisms {
				if m.name == name {
					return m
				}
			}
		}
	}
	return nil
}

// Token is a token as a client gets it. However it is printed, it isn't.
type Token struct {
	Value   string // "": none
	Expires time.Time
}

// Format prints three stars for every verb.
func (Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "***") }

// MarshalText keeps it out of JSON.
func (Token) MarshalText() ([]byte, error) { return []byte("***"), nil }

// TokenUse is what a client says of the token that it logs in with (XEP-0484
// §3.4).
type TokenUse struct {
	Agent      string // id of the installation, "" if it didn't say: that has no token
	Count      uint32 // grows with each use of the token, if Counted
	Counted    bool
	Invalidate bool // the token is to be the last of the device
}

// tokenExchange is what an exchange by token knows.
type tokenExchange struct {
	mech *tokenMechanism
	use  TokenUse
	// Once the proof was right.
	device string // DeviceID
	nonce  [16]byte
}

// BeginToken is Begin for a client that says that it uses a token. name is
// one of TokenMechanisms.
func (s *Service) BeginToken(ch Channel, name string, use TokenUse) (*Exchange, error) {
	m := s.tokenMechanism(&ch, name)
	f := s.admit(&ch)
	if m == nil {
		name, f = "unknown", refuse("invalid-mechanism", "", nil) // metrics have no label of the peer's choice
	}
	if f != nil {
		s.metrics.ended(name, f.Condition)
		return nil, f
	}
	x := &Exchange{service: s, channel: ch, offer: s.offer(&ch), mech: mechanism{name: name}, token: &tokenExchange{mech: m, use: use}}
	x.loop = sasl.NewServer(sasl.Mechanism{Name: name, Start: serverFirst, Next: x.tokenNext}, nil)
	return x, nil
}

// tokenNext is the Next of the mechanisms for tokens: one message,
//
//	message = authcid NUL HMAC(token, "Initiator" cb-data)
//
// which is answered by HMAC(token, "Responder" cb-data).
func (x *Exchange) tokenNext(_ *sasl.Negotiator, msg []byte, _ any) (more bool, out []byte, cache any, err error) {
	name, proof, whole := bytes.Cut(msg, []byte{0})
	if !whole || len(name) == 0 || !utf8.Valid(name) || len(proof) != sha256.Size {
		return false, nil, nil, malformed("a name, NUL and 32 bytes are expected")
	}
	f := x.claim(string(name), "")
	if f == nil {
		out, f = x.checkToken(proof)
	}
	if f != nil {
		return false, nil, nil, f
	}
	return false, out, nil, nil
}

// checkToken compares the proof with those that the device's tokens give. It does
// the same work where there is no such device, or no such account.
func (x *Exchange) checkToken(proof []byte) (out []byte, _ *Failure) {
	s, t := x.service, x.token
	account := x.claimed
	if account.IsZero() {
		account, _ = jid.New("", x.channel.Domain, "")
	}
	t.device = s.DeviceID(account, t.use.Agent)
	d, err := s.fetchDevice(x.ctx, account, t.device)
	if err != nil {
		return nil, unavailable("the server can't check tokens now", err)
	}
	if f := s.admit(&x.channel); f != nil {
		return nil, f
	}
	data := [][]byte{nil}
	if t.mech.binding != "" {
		data = s.binding(&x.channel, t.mech.binding)
		x.binding = t.mech.binding
	}
	var fits *token
	for _, i := range []int{tokenNew, tokenInUse} { // XEP-0484 §5.1
		known := d != nil && d.tokens[i] != nil
		tok := new(token)
		if known {
			tok = d.tokens[i]
		}
		value := s.tokenValue(tok, account, t.use.Agent, t.mech)
		sum := sha256.Sum256([]byte(value))
		right := subtle.ConstantTimeCompare(sum[:], tok.hash[:])
		for _, b := range data {
			if subtle.ConstantTimeCompare(proof, tokenHash(value, "Initiator", b))&right == 1 && known && tok.mechanism == t.mech.id {
				fits, out = tok, tokenHash(value, "Responder", b)
			}
		}
	}
	s.proofs.Add(1)
	switch {
	case x.found == nil:
		return nil, wrong(ErrNoAccount)
	case fits == nil:
		return nil, wrong(errToken)
	case x.found.disabled:
		return nil, refuse("account-disabled", "", ErrDisabled)
	case !time.Now().Before(fits.expires): // told to who has it, and to nobody else
		return nil, refuse("credentials-expired", "the token has expired", nil)
	case t.use.Counted && t.use.Count < fits.count:
		return nil, wrong(errUsed)
	}
	t.nonce = fits.nonce
	return out, nil
}

// tokenHash is what one side proves with that it has the token.
func tokenHash(value, side string, binding []byte) []byte {
	return sha256Algorithm.hmac([]byte(value), []byte(side), binding)
}

// tokenValue makes the token of what is stored of it. Nobody can without the
// key, and it fits no other account, installation or mechanism.
func (s *Service) tokenValue(t *token, account jid.JID, agent string, m *tokenMechanism) string {
	sum := sha256Algorithm.hmac(s.key, []byte("weir token\x00"), t.nonce[:], []byte{m.id},
		[]byte(account.Bare().String()), []byte{0}, []byte(agent))
	return base64.RawURLEncoding.EncodeToString(sum)
}

// fetchDevice reads a device; nil means that there is none.
func (s *Service) fetchDevice(ctx context.Context, account jid.JID, id string) (*device, error) {
	b, err := s.devices.Get(ctx, account.Bare().String(), id)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	d, err := decodeDevice(b)
	if err != nil { // its client logs in by password, and gets another
		s.log.Error("a device can't be read", "account", account.String(), "device", id, "err", err)
		return nil, nil
	}
	return d, nil
}
