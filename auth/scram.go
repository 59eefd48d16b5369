package auth

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"

	"mellium.im/sasl"
)

// scramState is what an exchange remembers between the client's two messages.
// It holds copies only.
type scramState struct {
	algo     *algorithm
	keys     *keys
	known    bool     // keys are an account's
	bindings []string // what c= may be; RFC 5802 §6
	nonce    string   // both parts
	prefix   []byte   // of the AuthMessage, up to the last comma
}

// scramNext is the Next of the four SCRAM mechanisms.
func (x *Exchange) scramNext(n *sasl.Negotiator, msg []byte, data any) (more bool, out []byte, cache any, err error) {
	var f *Failure
	st, second := data.(*scramState)
	if second {
		out, f = x.scramFinal(st, msg)
	} else {
		st, out, f = x.scramFirst(n.Nonce(), msg)
	}
	if f != nil {
		return false, nil, nil, f
	}
	return !second, out, st, nil
}

// scramFirst reads the client's first message and answers with nonce, salt and
// count. RFC 5802 §5
func (x *Exchange) scramFirst(nonce, msg []byte) (*scramState, []byte, *Failure) {
	m, f := parseClientFirst(msg)
	if f != nil {
		return nil, nil, f
	}
	data, f := x.bind(m)
	if f != nil {
		return nil, nil, f
	}
	if f := x.claim(m.name, m.authzid); f != nil {
		return nil, nil, f
	}
	a := x.mech.algo
	st := &scramState{algo: a, nonce: m.nonce + string(nonce)}
	st.keys, st.known = x.keys(a, m.name)
	for _, d := range data {
		st.bindings = append(st.bindings, base64.StdEncoding.EncodeToString(append([]byte(m.header), d...)))
	}

	b := make([]byte, 0, len(m.bare)+len(st.nonce)+128)
	b = append(append(b, m.bare...), ',')
	start := len(b)
	b = append(append(b, "r="...), st.nonce...)
	b = base64.StdEncoding.AppendEncode(append(b, ",s="...), st.keys.salt)
	b = strconv.AppendUint(append(b, ",i="...), uint64(st.keys.iterations), 10)
	if h := x.offer.hashes[a]; h != "" {
		b = append(append(b, ",h="...), h...) // XEP-0474 §6.1
	}
	if x.channel.secure() {
		b = fmt.Appendf(b, ",t=%04x", x.channel.TLS.Version) // XEP-0515 §4.1
	}
	out := append([]byte(nil), b[start:]...)
	st.prefix = append(b, ',')
	return st, out, nil
}

// bind checks the channel binding flag against what was offered and returns the
// data that may follow the header in c=. RFC 5802 §6
func (x *Exchange) bind(m clientFirst) ([][]byte, *Failure) {
	switch {
	case m.flag == 'p' && !x.mech.plus:
		return nil, malformed("channel binding needs a -PLUS mechanism")
	case m.flag == 'p':
		data := x.service.binding(&x.channel, m.binding)
		if data == nil {
			return nil, refuse("not-authorized", "this channel binding type is not supported here", nil)
		}
		x.binding = m.binding
		return data, nil
	case x.mech.plus:
		return nil, malformed("a -PLUS mechanism needs channel binding")
	case m.flag == 'y' && x.offer.plus:
		// The client thinks that we have no channel binding, but it was offered:
		// someone between us may have taken it away.
		return nil, refuse("not-authorized", "the server does support channel binding", nil)
	}
	return [][]byte{nil}, nil
}

// scramFinal checks the client's proof and answers with the server's signature.
// RFC 5802 §3
func (x *Exchange) scramFinal(st *scramState, msg []byte) ([]byte, *Failure) {
	m, f := parseClientFinal(msg, st.algo.size)
	if f != nil {
		return nil, f
	}
	if subtle.ConstantTimeCompare([]byte(m.nonce), []byte(st.nonce)) != 1 {
		return nil, refuse("not-authorized", "wrong nonce", nil)
	}
	bound := 0
	for _, c := range st.bindings {
		bound |= subtle.ConstantTimeCompare([]byte(m.binding), []byte(c))
	}
	if bound != 1 {
		return nil, refuse("not-authorized", "channel bindings don't match", nil)
	}
	if f := x.service.admit(&x.channel); f != nil {
		return nil, f
	}
	a := st.algo
	signature := a.hmac(st.keys.stored, st.prefix, m.withoutProof)
	clientKey := make([]byte, a.size)
	subtle.XORBytes(clientKey, m.proof, signature)
	x.service.proofs.Add(1)
	right := subtle.ConstantTimeCompare(a.sum(clientKey), st.keys.stored) == 1
	if f := x.finish(a, right && st.known); f != nil {
		return nil, f
	}
	verifier := a.hmac(st.keys.server, st.prefix, m.withoutProof)
	return base64.StdEncoding.AppendEncode([]byte("v="), verifier), nil
}
