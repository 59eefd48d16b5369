package pebble

import (
	"bytes"
	"errors"
	"fmt"

	"weir/storage"
)

// A key is
//
//	kind (1 byte) | table, escaped | account, escaped | item, as it is
//
// where an escaped string has 0x00 as 0x00 0xFF and ends with 0x00 0x01. Compared
// as bytes such keys have the order of (kind, table, account, item) for any
// bytes, and the keys of one account are exactly those that begin with its prefix.
const (
	escape    = 0x00
	escaped00 = 0xFF
	escapeEnd = 0x01
)

// metaPrefix begins the keys of the driver's own records. It is no kind.
const metaPrefix = 0x00

// appendEscaped appends s so that no other string is a prefix of it.
func appendEscaped(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] == escape {
			dst = append(dst, escape, escaped00)
			continue
		}
		dst = append(dst, s[i])
	}
	return append(dst, escape, escapeEnd)
}

// appendTable appends what all keys of a table begin with.
func appendTable(dst []byte, kind storage.Kind, table string) []byte {
	return appendEscaped(append(dst, byte(kind)), table)
}

// appendPrefix appends what all keys of an account in a table begin with.
func appendPrefix(dst []byte, k *storage.Key) []byte {
	return appendEscaped(appendTable(dst, k.Kind, k.Table), k.Account)
}

// appendKey appends the whole key.
func appendKey(dst []byte, k *storage.Key) []byte {
	return append(appendPrefix(dst, k), k.Item...)
}

// endOf turns a prefix made by appendTable or appendPrefix, in place, into the
// first key after all that begin with it: its last byte is escapeEnd, and
// no string continues with escape and the byte after that.
func endOf(prefix []byte) []byte {
	prefix[len(prefix)-1]++
	return prefix
}

// errBadKey is what decodeKey answers for bytes that appendKey never makes.
var errBadKey = errors.New("a key that was not made by this program")

// decodeKey is the opposite of appendKey.
func decodeKey(b []byte) (storage.Key, error) {
	var k storage.Key
	if len(b) == 0 || !storage.Kind(b[0]).Valid() {
		return k, errBadKey
	}
	k.Kind = storage.Kind(b[0])
	table, rest, err := cutEscaped(b[1:])
	if err != nil {
		return k, err
	}
	account, item, err := cutEscaped(rest)
	if err != nil {
		return k, err
	}
	k.Table, k.Account, k.Item = table, account, string(item)
	return k, nil
}

// cutEscaped reads one escaped string and returns what follows it.
func cutEscaped(b []byte) (s string, rest []byte, err error) {
	var out []byte
	for {
		i := bytes.IndexByte(b, escape)
		if i < 0 || i+1 == len(b) {
			return "", nil, errBadKey
		}
		out = append(out, b[:i]...)
		mark := b[i+1]
		b = b[i+2:]
		switch mark {
		case escapeEnd:
			return string(out), b, nil
		case escaped00:
			out = append(out, escape)
		default:
			return "", nil, errBadKey
		}
	}
}

// checkKey refuses keys that the contract doesn't know.
func checkKey(k *storage.Key) error {
	switch {
	case !k.Kind.Valid():
		return fmt.Errorf("%w: kind %q of table %q", storage.ErrInvalid, byte(k.Kind), k.Table)
	case k.Table == "":
		return fmt.Errorf("%w: no table", storage.ErrInvalid)
	case k.Kind == storage.KindKeyVal && k.Item != "":
		return fmt.Errorf("%w: table %q has one record for each account, no item %q", storage.ErrInvalid, k.Table, k.Item)
	}
	return nil
}
