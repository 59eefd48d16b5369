package auth

import (
	"bytes"
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// clientFirst is a client-first-message. RFC 5802 §7
type clientFirst struct {
	flag    byte   // 'n', 'y' or 'p'
	binding string // after 'p'
	authzid string // unescaped
	header  string // the gs2-header as it came, for c=
	bare    string // the rest as it came, for the AuthMessage
	name    string // unescaped
	nonce   string
}

// clientFinal is a client-final-message. RFC 5802 §7
type clientFinal struct {
	binding      string // the value of c=, in base64
	nonce        string
	proof        []byte
	withoutProof []byte // as it came; part of the message that was given
}

// parseClientFirst follows the grammar to the letter:
//
//	gs2-header           = gs2-cbind-flag "," [ "a=" saslname ] ","
//	client-first-message = gs2-header [ "m=" … "," ] "n=" saslname "," "r=" printable ["," extensions]
func parseClientFirst(msg []byte) (m clientFirst, _ *Failure) {
	if f := checkText(msg); f != nil {
		return m, f
	}
	text := string(msg)
	flag, rest, ok1 := strings.Cut(text, ",")
	authzid, bare, ok2 := strings.Cut(rest, ",")
	if !ok1 || !ok2 {
		return m, malformed("no gs2 header")
	}
	m.header, m.bare = text[:len(text)-len(bare)], bare
	if f := m.setFlag(flag); f != nil {
		return m, f
	}
	if authzid != "" {
		escaped, ok := strings.CutPrefix(authzid, "a=")
		if ok {
			m.authzid, ok = unescape(escaped)
		}
		if !ok {
			return m, malformed("bad authorization identity")
		}
	}
	if strings.HasPrefix(bare, "m=") {
		return m, mandatoryExtension()
	}
	name, rest, ok1 := strings.Cut(bare, ",")
	escaped, ok2 := strings.CutPrefix(name, "n=")
	if !ok1 || !ok2 {
		return m, malformed("no user name")
	}
	var ok bool
	if m.name, ok = unescape(escaped); !ok {
		return m, malformed("bad user name")
	}
	nonce, extensions, more := strings.Cut(rest, ",")
	if m.nonce, ok = strings.CutPrefix(nonce, "r="); !ok || !printable(m.nonce) {
		return m, malformed("bad nonce")
	}
	if more {
		return m, checkExtensions(extensions)
	}
	return m, nil
}

// setFlag reads gs2-cbind-flag = ("p=" cb-name) / "n" / "y".
func (m *clientFirst) setFlag(flag string) *Failure {
	switch {
	case flag == "n" || flag == "y":
		m.flag = flag[0]
		return nil
	case strings.HasPrefix(flag, "p=") && bindingName(flag[2:]):
		m.flag, m.binding = 'p', flag[2:]
		return nil
	}
	return malformed("bad channel binding flag")
}

// parseClientFinal follows the grammar to the letter:
//
//	client-final-message = "c=" base64 "," "r=" printable ["," extensions] "," "p=" base64
func parseClientFinal(msg []byte, size int) (m clientFinal, _ *Failure) {
	if f := checkText(msg); f != nil {
		return m, f
	}
	cut := bytes.LastIndexByte(msg, ',')
	if cut < 0 || !bytes.HasPrefix(msg[cut+1:], []byte("p=")) {
		return m, malformed("no proof at the end")
	}
	m.withoutProof = msg[:cut]
	var ok bool
	if m.proof, ok = decodeBase64(string(msg[cut+3:])); !ok || len(m.proof) != size {
		return m, malformed("bad proof")
	}
	binding, rest, _ := strings.Cut(string(m.withoutProof), ",")
	if strings.HasPrefix(binding, "m=") {
		return m, mandatoryExtension()
	}
	if m.binding, ok = strings.CutPrefix(binding, "c="); ok {
		_, ok = decodeBase64(m.binding)
	}
	if !ok {
		return m, malformed("bad channel binding")
	}
	nonce, extensions, more := strings.Cut(rest, ",")
	if m.nonce, ok = strings.CutPrefix(nonce, "r="); !ok || !printable(m.nonce) {
		return m, malformed("bad nonce")
	}
	if more {
		return m, checkExtensions(extensions)
	}
	return m, nil
}

// checkText refuses what can't be in any SCRAM message.
func checkText(msg []byte) *Failure {
	if bytes.IndexByte(msg, 0) >= 0 || !utf8.Valid(msg) {
		return malformed("not UTF-8 text")
	}
	return nil
}

// mandatoryExtension is for the attribute m, of which none is defined: the
// exchange must fail. RFC 5802 §5.1
func mandatoryExtension() *Failure {
	return refuse("not-authorized", "mandatory extensions are not supported", nil)
}

// checkExtensions checks attr-val *("," attr-val). Attributes that nobody
// defined are ignored; those that are defined have their place elsewhere.
func checkExtensions(list string) *Failure {
	for attr := range strings.SplitSeq(list, ",") {
		switch {
		case len(attr) < 3 || attr[1] != '=' || !alpha(attr[0]):
			return malformed("bad extension")
		case attr[0] == 'm':
			return mandatoryExtension()
		case strings.IndexByte("anrcsipve", attr[0]) >= 0:
			return malformed("attribute out of its place")
		}
	}
	return nil
}

// unescape reads saslname = 1*(value-safe-char / "=2C" / "=3D"). The comma can't
// be in s: it ends the attribute.
func unescape(s string) (string, bool) {
	if s == "" {
		return "", false
	}
	if strings.IndexByte(s, '=') < 0 {
		return s, true
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "=")
		b.WriteString(before)
		switch {
		case !found:
			return b.String(), true
		case strings.HasPrefix(after, "2C"):
			b.WriteByte(',')
		case strings.HasPrefix(after, "3D"):
			b.WriteByte('=')
		default:
			return "", false
		}
		s = after[2:]
	}
}

// printable is 1*(%x21-2B / %x2D-7E).
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7e || s[i] == ',' {
			return false
		}
	}
	return s != ""
}

// bindingName is cb-name = 1*(ALPHA / DIGIT / "." / "-").
func bindingName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !alpha(c) && !(c >= '0' && c <= '9') && c != '.' && c != '-' {
			return false
		}
	}
	return s != ""
}

func alpha(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// decodeBase64 takes canonical base64 only: padded, without line breaks, no bits
// left over. RFC 4648 §3
func decodeBase64(s string) ([]byte, bool) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, false // which the decoder would skip
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	return b, err == nil
}
