package auth

import (
	"encoding/base64"
	"slices"
	"strings"
)

const plainName = "PLAIN"

// What a connection has, which decides what is offered on it.
const (
	hasPlain    = 1 << iota // PLAIN may be used
	hasExporter             // tls-exporter can be used
	hasUnique               // tls-unique can be used
	hasEndPoint             // tls-server-end-point can be used
	offerCount  = 1 << iota
)

// offer is what is offered on one kind of connection. Immutable.
type offer struct {
	names    []string
	bindings []string
	tokens   []string // mechanisms for tokens
	plus     bool
	plain    bool
	hashes   map[*algorithm]string // XEP-0474, in base64
}

// makeOffers fills the table once, so that a login only picks from it.
func (s *Service) makeOffers() {
	for has := range s.offers {
		o := offer{plain: has&hasPlain != 0, hashes: make(map[*algorithm]string)}
		if has&hasExporter != 0 {
			o.bindings = append(o.bindings, bindExporter)
		}
		if has&hasUnique != 0 {
			o.bindings = append(o.bindings, bindUnique)
		}
		if has&hasEndPoint != 0 {
			o.bindings = append(o.bindings, bindEndPoint)
		}
		o.plus = len(o.bindings) > 0
		o.tokens = tokenNames(o.bindings, o.plain)
		if o.plus {
			for _, a := range s.algorithms {
				o.names = append(o.names, a.name+"-PLUS")
			}
		}
		for _, a := range s.algorithms {
			o.names = append(o.names, a.name)
		}
		if o.plain {
			o.names = append(o.names, plainName)
		}
		for _, a := range s.algorithms {
			o.hashes[a] = downgradeHash(a, o.names, o.bindings)
		}
		s.offers[has] = o
	}
}

// downgradeHash is what goes into the attribute h of the server's first message:
// a client that saw other lists than these knows that someone changed them.
// XEP-0474 §6.1
func downgradeHash(a *algorithm, names, bindings []string) string {
	text := strings.Join(slices.Sorted(slices.Values(names)), "\x1e")
	if len(bindings) > 0 {
		text += "\x1f" + strings.Join(slices.Sorted(slices.Values(bindings)), "\x1e")
	}
	return base64.StdEncoding.EncodeToString(a.sum([]byte(text)))
}

func (s *Service) offer(ch *Channel) *offer {
	has := 0
	if ch.secure() || ch.AllowPlain {
		has |= hasPlain
	}
	if ch.hasExporter() {
		has |= hasExporter
	}
	if ch.unique() != nil {
		has |= hasUnique
	}
	if s.endPoints.data(ch) != nil {
		has |= hasEndPoint
	}
	return &s.offers[has]
}

// Mechanisms lists what may be offered on ch, best first, and the channel
// binding types (XEP-0440) if a -PLUS mechanism is among them. The client is to
// be shown exactly these lists: their hash is part of the exchange (XEP-0474).
// The slices are shared and must not be changed.
func (s *Service) Mechanisms(ch Channel) (names, bindings []string) {
	o := s.offer(&ch)
	return o.names, o.bindings
}

// mechanism is a parsed mechanism name.
type mechanism struct {
	name string
	algo *algorithm // nil: PLAIN
	plus bool
}

// pick finds a mechanism by its name, or says why it can't be used here.
func (s *Service) pick(o *offer, ch *Channel, name string) (mechanism, *Failure) {
	if name == plainName {
		if !o.plain {
			return mechanism{}, refuse("encryption-required", "PLAIN needs TLS", nil) // RFC 6120 §6.5.4
		}
		return mechanism{name: plainName}, nil
	}
	base, plus := strings.CutSuffix(name, "-PLUS")
	for _, a := range []*algorithm{sha256Algorithm, sha1Algorithm} {
		switch {
		case base != a.name:
		case !slices.Contains(s.algorithms, a):
			return mechanism{}, refuse("mechanism-too-weak", "this mechanism is switched off", nil) // RFC 6120 §6.5.9
		case plus && !ch.secure():
			return mechanism{}, refuse("encryption-required", "channel binding needs TLS", nil)
		case plus && !o.plus:
			return mechanism{}, refuse("invalid-mechanism", "no channel binding is possible on this connection", nil)
		default:
			return mechanism{name: name, algo: a, plus: plus}, nil
		}
	}
	return mechanism{}, refuse("invalid-mechanism", "", nil) // RFC 6120 §6.5.7
}
