package jid

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	mjid "mellium.im/xmpp/jid"
)

// What may be wrong with an address; PRECIS and IDNA have errors of their own.
var (
	errTooLong  = errors.New("jid: address is too long")
	errNoDomain = errors.New("jid: no domainpart")
	errDomain   = errors.New("jid: domainpart has an empty label")
	errUnstable = errors.New("jid: address has no stable normal form")
)

// maxInput bounds what is given to PRECIS and IDNA, whose work grows faster
// than their input: three parts of 1,023 bytes, and room for bytes that
// normalising takes away.
const maxInput = 4096

// Parse parses and normalises an address: domain by IDNA, localpart by PRECIS
// UsernameCaseMapped, resource by PRECIS OpaqueString (RFC 7622 §3.2–3.4). It
// keeps s where that is normal already.
func Parse(s string) (JID, error) {
	if local, bare, ok := plain(s); ok {
		return JID{s: s, local: uint16(local), bare: uint16(bare)}, nil
	}
	if j, ok := folded(s); ok {
		return j, nil
	}
	return slow(s)
}

// ParseBytes is Parse for bytes that the caller goes on using.
func ParseBytes(b []byte) (JID, error) {
	if local, bare, ok := plain(b); ok {
		return JID{s: string(b), local: uint16(local), bare: uint16(bare)}, nil
	}
	if j, ok := folded(b); ok {
		return j, nil
	}
	if len(b) > maxInput {
		return JID{}, errTooLong
	}
	return slow(string(b))
}

// MustParse is Parse for constants; it panics on an invalid address.
func MustParse(s string) JID {
	j, err := Parse(s)
	if err != nil {
		panic(fmt.Sprintf("jid: MustParse(%q): %v", s, err))
	}
	return j
}

// New makes an address of its parts; local and resource may be empty.
func New(local, domain, resource string) (JID, error) {
	if (local == "" || plainLocal(local)) && plainDomain(domain) &&
		(resource == "" || plainResource(resource)) {
		return join(local, domain, resource), nil
	}
	if len(local)+len(domain)+len(resource) > maxInput {
		return JID{}, errTooLong
	}
	return normalise(local, domain, resource)
}

// folded takes the addresses that are plain but for ASCII capitals before the
// resource, which people type.
func folded[T text](s T) (JID, bool) {
	var buf [256]byte
	if len(s) > len(buf) {
		return JID{}, false
	}
	b := buf[:copy(buf[:], s)]
	for i, c := range b {
		if c == '/' {
			break
		}
		if c >= 'A' && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	local, bare, ok := plain(b)
	if !ok {
		return JID{}, false
	}
	return JID{s: string(b), local: uint16(local), bare: uint16(bare)}, true
}

// slow parses any address. It splits before it normalises anything, because
// normalising can make separators (RFC 7622 §3.1).
func slow(s string) (JID, error) {
	if len(s) > maxInput {
		return JID{}, errTooLong
	}
	local, domain, resource, err := mjid.SplitString(s)
	if err != nil {
		return JID{}, fmt.Errorf("jid: %w", err)
	}
	return normalise(local, domain, resource)
}

// normalise brings the parts into their normal form. PRECIS and IDNA need not
// come to rest in one step (a wide full stop becomes a final dot, say); an
// address whose text means another address would break ==, so the step is
// repeated until nothing changes. The check on labels is stricter than IDNA,
// which lets a name be empty between two dots.
func normalise(local, domain, resource string) (JID, error) {
	for range 4 {
		m, err := mjid.New(local, host(domain), resource)
		if err != nil {
			return JID{}, fmt.Errorf("jid: %w", err)
		}
		l, d, r := m.Localpart(), m.Domainpart(), m.Resourcepart()
		if strings.HasPrefix(d, ".") || strings.Contains(domain, "..") || strings.Contains(d, "..") {
			return JID{}, errDomain
		}
		if l == local && d == domain && r == resource {
			return join(l, d, r), nil
		}
		if (l == "") != (local == "") || (r == "") != (resource == "") {
			break
		}
		local, domain, resource = l, d, r
	}
	return JID{}, errUnstable
}

// host gives an IPv6 address in brackets the one spelling of RFC 5952 and leaves other
// domains alone.
func host(domain string) string {
	inner, ok := strings.CutPrefix(domain, "[")
	if !ok {
		return domain
	}
	inner, ok = strings.CutSuffix(inner, "]")
	if !ok {
		return domain
	}
	ip, err := netip.ParseAddr(inner)
	if err != nil || ip.Zone() != "" || !ip.Is6() {
		return domain
	}
	return "[" + ip.String() + "]"
}

// join makes the value of normalised parts.
func join(local, domain, resource string) JID {
	j := JID{local: uint16(len(local)), bare: uint16(len(domain))}
	if local != "" {
		j.bare += j.local + 1
	}
	switch {
	case local == "" && resource == "":
		j.s = domain
	case resource == "":
		j.s = local + "@" + domain
	case local == "":
		j.s = domain + "/" + resource
	default:
		j.s = local + "@" + domain + "/" + resource
	}
	return j
}
