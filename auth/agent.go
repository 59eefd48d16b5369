package auth

import (
	"encoding/base32"
	"strings"
	"unicode"
	"unicode/utf8"

	"weir/jid"
)

// UserAgent is what a client says of its installation (XEP-0388 §2.3).
type UserAgent struct {
	ID       string // as AgentID returns it, "" if it didn't say
	Software string // for people
	Device   string // for people
}

// maxAgentText is how much is kept of the texts, in bytes.
const maxAgentText = 100

// AgentID checks the id of a client's installation and returns it in lower case.
// It must be a UUID v4 (XEP-0388 §2.3).
func AgentID(s string) (string, bool) {
	if len(s) != 36 {
		return "", false
	}
	s = strings.ToLower(s)
	for i, c := range []byte(s) {
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return "", false
			}
		case c < '0' || c > '9' && c < 'a' || c > 'f':
			return "", false
		}
	}
	return s, s[14] == '4' && strings.IndexByte("89ab", s[19]) >= 0
}

// AgentText makes of what a client calls itself or its device a text that fits on
// a line: without control characters, and not too long.
func AgentText(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	s = strings.TrimSpace(s)
	for len(s) > maxAgentText {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}

// deviceIDBytes is how long the name of a device is before it is written as text.
const deviceIDBytes = 10

var agentEncoding = base32.NewEncoding("abcdefghijkmnpqrstuvwxyz23456789").WithPadding(base32.NoPadding)

// DeviceID is the name of a client's installation among the devices of an
// account, "" for an empty agent id: always the same, and not to be traced back to
// the id that the client gave.
func (s *Service) DeviceID(account jid.JID, agent string) string {
	return s.deviceName("device", account, agent)
}

// DeviceResource is a name for resources of a client's installation: as DeviceID,
// and another, since contacts see it.
func (s *Service) DeviceResource(account jid.JID, agent string) string {
	return s.deviceName("resource", account, agent)
}

func (s *Service) deviceName(use string, account jid.JID, agent string) string {
	if agent == "" {
		return ""
	}
	sum := sha256Algorithm.hmac(s.secret, []byte("weir "+use+"\x00"), []byte(account.Bare().String()), []byte{0}, []byte(agent))
	return agentEncoding.EncodeToString(sum[:deviceIDBytes])
}
