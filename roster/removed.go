package roster

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"weir/jid"
	"weir/storage"
)

// What was removed of a roster lately: a client that comes back after a crash may
// not have been told, and the roster as it is says nothing of it.

// tableRemoved is a Map of an account's removed contacts, by the slot of the change.
const tableRemoved = "roster-removed"

// removedSlots is how many of the last changes can be looked up. Each takes the slot
// of its counter, so an account never has more records.
const removedSlots = 128

func removedKey(account jid.JID, n uint64) storage.Key {
	return storage.Key{Kind: storage.KindMap, Table: tableRemoved, Account: account.String(), Item: fmt.Sprintf("%03d", n%removedSlots)}
}

// encodeRemoved returns the record of a removal: format, seconds, address.
func encodeRemoved(contact jid.JID, at time.Time) []byte {
	b := binary.AppendUvarint([]byte{recordFormat}, uint64(at.Unix()))
	return appendString(b, contact.String())
}

func decodeRemoved(b []byte) (contact jid.JID, at time.Time, err error) {
	d := decoder{b: b}
	if d.byte() != recordFormat {
		return jid.JID{}, at, fmt.Errorf("%w: format", errRecord)
	}
	at = time.Unix(int64(d.number()), 0)
	contact, err = jid.Parse(d.string())
	if d.bad || len(d.b) > 0 || err != nil {
		return jid.JID{}, at, fmt.Errorf("%w: removal", errRecord)
	}
	return contact, at, nil
}

// Removed returns the contacts that were removed from an account's roster since a
// time, among its last changes. They may have come back. It reads storage.
func (r *Rosters) Removed(ctx context.Context, account jid.JID, since time.Time) (gone []jid.JID, err error) {
	from := storage.Key{Kind: storage.KindMap, Table: tableRemoved, Account: account.String()}
	err = r.store.Scan(ctx, from, func(_ string, b []byte) bool {
		contact, at, err := decodeRemoved(b)
		if err == nil && at.Unix() >= since.Unix() {
			gone = append(gone, contact)
		}
		return true // a record that can't be read costs itself only
	})
	return gone, err
}
