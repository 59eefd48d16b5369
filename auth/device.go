package auth

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"
)

// tableDevices is a Map: account (bare JID) → DeviceID → device.
const tableDevices = "auth.devices"

// deviceVersion is the first byte of a stored device. A newer one is refused.
const deviceVersion = 1

// errDevice says that a stored device can't be read.
var errDevice = errors.New("auth: damaged device record")

// device is what is stored of an installation that may log in with a token. No
// token can be read out of it: see tokenValue.
type device struct {
	created, used  time.Time // to the second
	addr           netip.Addr
	software, name string
	// tokens are two: that in use, and one that was handed out to take its place
	// and has not been used (XEP-0484 §5.1). nil: there is none.
	tokens [2]*token
}

// The places of device.tokens.
const (
	tokenInUse = iota
	tokenNew
)

// token is what is stored of one.
type token struct {
	mechanism byte     // of the client's choice, for which alone it is good
	nonce     [16]byte // random: what the token is made of
	hash      [32]byte // SHA-256 of it
	issued    time.Time
	expires   time.Time
	count     uint32 // one more than the client's count at its last use; 0: it has told none
}

// Format prints nothing of a token.
func (t token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "token") }

const tokenLength = 1 + 16 + 32 + 8 + 8 + 4

// encode writes: version, created and used (seconds, 8 bytes), then address,
// software and name, each after its length in one byte, then for both tokens one
// byte that says whether it is there, and the token: mechanism, nonce, hash,
// issued, expires, count. Numbers are big endian.
func (d *device) encode() []byte {
	b := append(make([]byte, 0, 256), deviceVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(d.created.Unix()))
	b = binary.BigEndian.AppendUint64(b, uint64(d.used.Unix()))
	addr := ""
	if d.addr.IsValid() {
		addr = d.addr.WithZone("").String()
	}
	for _, text := range []string{addr, d.software, d.name} {
		b = append(append(b, byte(len(text))), text...)
	}
	for _, t := range d.tokens {
		if t == nil {
			b = append(b, 0)
			continue
		}
		b = append(append(append(b, 1, t.mechanism), t.nonce[:]...), t.hash[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(t.issued.Unix()))
		b = binary.BigEndian.AppendUint64(b, uint64(t.expires.Unix()))
		b = binary.BigEndian.AppendUint32(b, t.count)
	}
	return b
}

// decodeDevice reads what encode wrote.
func decodeDevice(b []byte) (*device, error) {
	if len(b) < 17 {
		return nil, errDevice
	}
	if b[0] != deviceVersion {
		return nil, fmt.Errorf("%w: version %d, this program knows %d", errDevice, b[0], deviceVersion)
	}
	d := &device{created: unix(b[1:]), used: unix(b[9:])}
	b = b[17:]
	var texts [3]string
	for i := range texts {
		if len(b) < 1 || len(b) < 1+int(b[0]) {
			return nil, errDevice
		}
		n := 1 + int(b[0])
		texts[i], b = string(b[1:n]), b[n:]
	}
	d.software, d.name = texts[1], texts[2]
	if texts[0] != "" {
		var err error
		if d.addr, err = netip.ParseAddr(texts[0]); err != nil || d.addr.Zone() != "" || d.addr.String() != texts[0] {
			return nil, errDevice
		}
	}
	for i := range d.tokens {
		if len(b) < 1 || b[0] > 1 || len(b) < 1+int(b[0])*tokenLength {
			return nil, errDevice
		}
		there := b[0] == 1
		if b = b[1:]; !there {
			continue
		}
		t := &token{mechanism: b[0], issued: unix(b[49:]), expires: unix(b[57:]), count: binary.BigEndian.Uint32(b[65:])}
		copy(t.nonce[:], b[1:])
		copy(t.hash[:], b[17:])
		d.tokens[i], b = t, b[tokenLength:]
	}
	if len(b) != 0 {
		return nil, errDevice
	}
	return d, nil
}

func unix(b []byte) time.Time { return time.Unix(int64(binary.BigEndian.Uint64(b)), 0).UTC() }

// expires is when the last of its tokens does.
func (d *device) expires() (last time.Time) {
	for _, t := range d.tokens {
		if t != nil && t.expires.After(last) {
			last = t.expires
		}
	}
	return last
}
