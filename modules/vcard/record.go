package vcard

import (
	"crypto/sha1" // #nosec G505: what XEP-0153 names pictures by, no secret
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"weir/jid"
	"weir/stanza"
)

// card is what is recorded of an account's card: the hash of the picture and the
// nickname, "" for none, stand before it, so that nobody reads the whole for them.
type card struct {
	hash, nick string
	xml        []byte
}

// The first byte of a record. One without nicknames is read as a card that has none.
const (
	versionWithoutNick = 1
	recordVersion      = 2
)

var errRecord = errors.New("vcard: damaged card")

// encode writes: version, length of the hash in a byte, hash, the nickname likewise, card.
func encode(c card) []byte {
	return slices.Concat([]byte{recordVersion, byte(len(c.hash))}, []byte(c.hash), []byte{byte(len(c.nick))}, []byte(c.nick), c.xml)
}

func decode(rec []byte) (c card, err error) {
	if len(rec) < 2 || rec[0] != versionWithoutNick && rec[0] != recordVersion {
		return card{}, fmt.Errorf("%w: not of version %d", errRecord, recordVersion)
	}
	hash, rest, ok := cut(rec[1:])
	if _, err := hex.DecodeString(hash); !ok || err != nil || hash != "" && len(hash) != 2*sha1.Size {
		return card{}, fmt.Errorf("%w: its hash", errRecord)
	}
	c = card{hash: hash, xml: rest}
	if rec[0] == versionWithoutNick {
		return c, nil
	}
	if c.nick, c.xml, ok = cut(rest); !ok || !utf8.ValidString(c.nick) {
		return card{}, fmt.Errorf("%w: its nickname", errRecord)
	}
	return c, nil
}

// cut takes a text off the front of b, before which its length stands in a byte.
func cut(b []byte) (text string, rest []byte, ok bool) {
	if len(b) == 0 || len(b) < 1+int(b[0]) {
		return "", nil, false
	}
	n := 1 + int(b[0])
	return string(b[1:n]), b[n:], true
}

// CheckRecord reports whether a record of the table of cards can be read; nil
// for records of other tables. It is for those who check a store.
func CheckRecord(table string, value []byte) error {
	if table != tableCards {
		return nil
	}
	c, err := decode(value)
	if err != nil {
		return err
	}
	st, err := stanza.New(stanza.IQ, "set", "x", jid.JID{}, jid.JID{}, c.xml)
	if err != nil || !st.HasChild(NS, "vCard") {
		return fmt.Errorf("%w: no vCard in it", errRecord)
	}
	return nil
}
