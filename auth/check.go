package auth

import (
	"fmt"

	"weir/jid"
	"weir/storage"
)

// CheckRecord says what is wrong with a record of one of this package's tables; nil
// for what is right and for tables of others. Nothing is read but what is given, and
// nothing of it is told.
func CheckRecord(k storage.Key, rec []byte) error {
	switch k.Table {
	case tableAccounts:
		if j, err := jid.New(k.Item, k.Account, ""); err != nil || k.Item == "" || j.Local() != k.Item {
			return fmt.Errorf("%w: no account can have that name", errRecord)
		}
		_, err := decodeRecord(rec)
		return err
	case tableDevices:
		return checkDevice(k.Item, rec)
	case tableServer:
		_, err := decodeServer(rec)
		return err
	}
	return nil
}

func checkDevice(id string, rec []byte) error {
	if b, err := agentEncoding.DecodeString(id); err != nil || len(b) != deviceIDBytes {
		return fmt.Errorf("%w: %q is no name of a device", errDevice, id)
	}
	d, err := decodeDevice(rec)
	if err != nil {
		return err
	}
	if d.tokens == [2]*token{} {
		return fmt.Errorf("%w: it has no token", errDevice)
	}
	for _, t := range d.tokens {
		switch {
		case t == nil:
		case !knownMechanism(t.mechanism):
			return fmt.Errorf("%w: a token for the mechanism %d, which this program doesn't know", errDevice, t.mechanism)
		case t.expires.Before(t.issued):
			return fmt.Errorf("%w: a token that expires before it was issued", errDevice)
		}
	}
	return nil
}

func knownMechanism(id byte) bool {
	for _, m := range tokenMechanisms {
		if m.id == id {
			return true
		}
	}
	return false
}
