package roster

import (
	"encoding/binary"
	"errors"
	"fmt"

	"weir/jid"
	"weir/storage"
)

// The tables of this package.
const (
	// tableItems is a Map with a record for each contact, by its address, and one
	// for the version, by versionItem.
	tableItems = "roster"
	// tableRequests is a Map of the requests that wait for an answer, by the
	// address of who asks: the stanza as it would go to a client.
	tableRequests = "roster-request"
	// versionItem sorts before every address and can't be one.
	versionItem = "\x00version"
)

// recordFormat is the first byte of each record of tableItems.
const recordFormat = 1

// Flags of an item's record.
const (
	flagListed   = 1 << 0
	flagApproved = 1 << 1
)

var errRecord = errors.New("roster: a stored record is damaged")

func itemKey(account, contact jid.JID) storage.Key {
	return storage.Key{Kind: storage.KindMap, Table: tableItems, Account: account.String(), Item: contact.String()}
}

func versionKey(account jid.JID) storage.Key {
	return storage.Key{Kind: storage.KindMap, Table: tableItems, Account: account.String(), Item: versionItem}
}

func requestKey(account, contact jid.JID) storage.Key {
	return storage.Key{Kind: storage.KindMap, Table: tableRequests, Account: account.String(), Item: contact.String()}
}

// encode returns the record of an item: format, flags, state, version counter at
// the last change, name, groups. Numbers are uvarints, strings have their length
// in front.
func (i *Item) encode() []byte {
	var flags byte
	if i.Listed {
		flags |= flagListed
	}
	if i.Approved {
		flags |= flagApproved
	}
	b := make([]byte, 0, 8+i.size()+2*len(i.Groups))
	b = append(b, recordFormat, flags, byte(i.State))
	b = binary.AppendUvarint(b, i.changed)
	b = appendString(b, i.Name)
	b = binary.AppendUvarint(b, uint64(len(i.Groups)))
	for _, g := range i.Groups {
		b = appendString(b, g)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decodeItem is the reverse of encode. It takes no record that would leave a
// state outside the table.
func decodeItem(contact string, b []byte) (*Item, error) {
	j, err := jid.Parse(contact)
	if err != nil {
		return nil, fmt.Errorf("%w: address: %w", errRecord, err)
	}
	d := decoder{b: b}
	if d.byte() != recordFormat {
		return nil, fmt.Errorf("%w: format", errRecord)
	}
	flags := d.byte()
	i := &Item{JID: j, State: State(d.byte()), Listed: flags&flagListed != 0, Approved: flags&flagApproved != 0}
	i.changed = d.number()
	i.Name = d.string()
	if n := d.number(); n > 0 && n <= uint64(len(d.b)) {
		i.Groups = make([]string, n)
		for k := range i.Groups {
			i.Groups[k] = d.string()
		}
	} else if n > 0 {
		d.bad = true
	}
	if d.bad || len(d.b) > 0 || !i.possible() {
		return nil, errRecord
	}
	return i, nil
}

// possible reports whether an item may exist: unlisted only with nothing but a
// waiting request, and a pre-approval never beside a waiting request.
func (i *Item) possible() bool {
	switch {
	case i.State >= states:
		return false
	case !i.Listed:
		return i.State == NonePendingIn && !i.Approved && i.Name == "" && len(i.Groups) == 0
	}
	return !(i.Approved && i.State.PendingIn())
}

// decoder takes a record apart; after a mistake it returns zero values.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.bad = true
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *decoder) number() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) string() string {
	n := d.number()
	if n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}
