package jid

// Classes of ASCII bytes, for addresses that normalising would not change.
const (
	isLocal    = 1 << iota // RFC 7622 §3.3: printable, without §3.3.1's and capitals
	isLabel                // lower-case letter, digit, hyphen (RFC 7622 §3.2.1)
	isResource             // printable, space included (RFC 7622 §3.4)
)

// class has the classes of each byte. It is never written after its making.
var class = makeClasses()

func makeClasses() (t [256]uint8) {
	for c := ' '; c <= '~'; c++ {
		t[c] |= isResource
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-':
			t[c] |= isLocal | isLabel
		case c >= 'A' && c <= 'Z':
		default:
			t[c] |= isLocal
		}
	}
	// RFC 7622 §3.3.1
	for _, c := range ` "&'/:<>@` {
		t[c] &^= isLocal
	}
	return t
}

const (
	maxPart  = 1023 // bytes of each part once it is normalised (RFC 7622 §3.2–3.4)
	maxLabel = 63   // bytes of a domain's label
	maxHost  = 253  // bytes of a domain for the fast path to take it
)

// text is what an address may be read from.
type text interface{ string | []byte }

// plain reports whether s is an address that is normalised already, as far as
// this can be seen byte by byte, and where its parts end. No means "ask slow".
func plain[T text](s T) (local, bare int, ok bool) {
	all := uint8(isLocal)
	i := 0
	for i < len(s) && s[i] != '@' && s[i] != '/' {
		all &= class[s[i]]
		i++
	}
	domain := 0
	if i < len(s) && s[i] == '@' {
		if i == 0 || i > maxPart || all == 0 {
			return 0, 0, false
		}
		local, domain = i, i+1
	}
	bare = domain
	for bare < len(s) && s[bare] != '/' {
		bare++
	}
	if !plainDomain(s[domain:bare]) {
		return 0, 0, false
	}
	if bare == len(s) {
		return local, bare, true
	}
	return local, bare, plainResource(s[bare+1:])
}

// plainLocal reports whether s is a localpart in normal form.
func plainLocal[T text](s T) bool {
	all := uint8(isLocal)
	for i := 0; i < len(s); i++ {
		all &= class[s[i]]
	}
	return all != 0 && len(s) > 0 && len(s) <= maxPart
}

// plainDomain reports whether s is a host name of labels that IDNA leaves
// alone: no final dot, nothing that could be an A-label or some other reserved
// LDH label ("??--").
func plainDomain[T text](s T) bool {
	if len(s) == 0 || len(s) > maxHost {
		return false
	}
	start := 0
	for i := 0; ; i++ {
		if i < len(s) && s[i] != '.' {
			if class[s[i]]&isLabel == 0 {
				return false
			}
			continue
		}
		n := i - start
		if n == 0 || n > maxLabel || s[start] == '-' || s[i-1] == '-' ||
			n >= 4 && s[start+2] == '-' && s[start+3] == '-' {
			return false
		}
		if i == len(s) {
			return true
		}
		start = i + 1
	}
}

// plainResource reports whether s is a resourcepart in normal form.
func plainResource[T text](s T) bool {
	all := uint8(isResource)
	for i := 0; i < len(s); i++ {
		all &= class[s[i]]
	}
	return all != 0 && len(s) > 0 && len(s) <= maxPart
}
