package auth

import (
	"bytes"
	"crypto/subtle"
	"unicode/utf8"

	"mellium.im/sasl"
)

// plainNext is the Next of PLAIN: one message, checked by deriving the keys that
// the password would have. RFC 4616 §2
func (x *Exchange) plainNext(_ *sasl.Negotiator, msg []byte, _ any) (more bool, out []byte, cache any, err error) {
	authzid, authcid, password, f := parsePlain(msg)
	if f == nil {
		f = x.claim(authcid, authzid)
	}
	if f == nil {
		f = x.checkPassword(authcid, password)
	}
	if f != nil {
		return false, nil, nil, f
	}
	return false, nil, nil, nil
}

// parsePlain takes the message apart:
//
//	message = [authzid] UTF8NUL authcid UTF8NUL passwd
func parsePlain(msg []byte) (authzid, authcid, password string, _ *Failure) {
	parts := bytes.Split(msg, []byte{0})
	switch {
	case !utf8.Valid(msg):
		return "", "", "", malformed("not UTF-8")
	case len(parts) != 3:
		return "", "", "", malformed("PLAIN has three parts")
	case len(parts[1]) == 0:
		return "", "", "", malformed("no user name")
	case len(parts[2]) == 0:
		return "", "", "", malformed("no password")
	}
	return string(parts[0]), string(parts[1]), string(parts[2]), nil
}

// checkPassword derives keys whatever the name is and whether or not the
// password can be anyone's: that takes as long for all.
func (x *Exchange) checkPassword(name, password string) *Failure {
	if f := x.service.admit(&x.channel); f != nil {
		return f
	}
	a := sha256Algorithm
	k, known := x.keys(a, name)
	prepared, ok := prepare(password)
	if !ok {
		prepared, known = "-", false // RFC 4616 §2: verification fails
	}
	var stored secret
	err := x.service.pool.run(x.ctx, func() (err error) {
		stored, _, err = a.derive(prepared, k.salt, int(k.iterations))
		return err
	})
	if err != nil {
		return unavailable("too many logins at once; try again", err)
	}
	right := subtle.ConstantTimeCompare(stored, k.stored) == 1
	if f := x.finish(a, right && known); f != nil {
		return f
	}
	x.completeKeys(prepared)
	return nil
}
