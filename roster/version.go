package roster

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// version is a place in the history of one roster. Clients get it as an opaque
// string (RFC 6121 §2.1.1). The epoch is random, made at the first change and
// again when the history is broken, so that a client with the cache of an earlier
// roster of the same name is never told that nothing changed.
type version struct {
	epoch   uint64
	n       uint64 // counts the changes that clients see
	deleted uint64 // n at the last removal: older caches can't be led on by pushes
}

// token returns the version as clients see it.
func (v version) token() string { return v.at(v.n) }

// at returns the token that v had when its counter was n.
func (v version) at(n uint64) string {
	if v.epoch == 0 {
		return "0" // never changed: empty
	}
	return strconv.FormatUint(v.epoch, 36) + "-" + strconv.FormatUint(n, 36)
}

// parse returns the counter of a token of this history.
func (v version) parse(token string) (n uint64, ok bool) {
	if v.epoch == 0 {
		return 0, token == "0"
	}
	e, c, found := strings.Cut(token, "-")
	if !found || e != strconv.FormatUint(v.epoch, 36) {
		return 0, false
	}
	n, err := strconv.ParseUint(c, 36, 64)
	return n, err == nil && n <= v.n
}

// next counts one change.
func (v version) next() version {
	if v.epoch == 0 {
		var b [8]byte
		rand.Read(b[:]) // never fails
		v.epoch = binary.BigEndian.Uint64(b[:]) | 1
	}
	v.n++
	return v
}

// encode returns the record of a version.
func (v version) encode() []byte {
	b := binary.BigEndian.AppendUint64([]byte{recordFormat}, v.epoch)
	b = binary.AppendUvarint(b, v.n)
	return binary.AppendUvarint(b, v.deleted)
}

// decodeVersion is the reverse of encode.
func decodeVersion(b []byte) (version, error) {
	d := decoder{b: b}
	if d.byte() != recordFormat || len(d.b) < 8 {
		return version{}, fmt.Errorf("%w: version", errRecord)
	}
	v := version{epoch: binary.BigEndian.Uint64(d.b)}
	d.b = d.b[8:]
	v.n, v.deleted = d.number(), d.number()
	if d.bad || len(d.b) > 0 || v.deleted > v.n || v.epoch == 0 {
		return version{}, fmt.Errorf("%w: version", errRecord)
	}
	return v, nil
}
