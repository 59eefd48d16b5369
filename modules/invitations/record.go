package invitations

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"weir/storage"
)

// escape writes a local part for an address of the scheme xmpp.
func escape(local string) string { return url.PathEscape(local) }

// encode makes the record of an invitation.
func encode(i *Invitation) []byte {
	b, err := json.Marshal(i)
	if err != nil { // never: it has nothing that can't be marshalled
		panic(err)
	}
	return b
}

func decode(rec []byte) (*Invitation, error) {
	var i Invitation
	d := json.NewDecoder(bytes.NewReader(rec))
	d.DisallowUnknownFields()
	if err := d.Decode(&i); err != nil {
		return nil, fmt.Errorf("invitations: %w", err)
	}
	if len(i.ID) != idLength || i.Domain == "" || i.Uses < 1 || i.Expires.IsZero() {
		return nil, fmt.Errorf("invitations: the record of %q makes no sense", i.ID)
	}
	return &i, nil
}

// CheckRecord reports whether a record can be read; nil for those of other tables.
func CheckRecord(table string, rec []byte) error {
	if table != tableInvitations {
		return nil
	}
	_, err := decode(rec)
	return err
}

// Table names the records, which are kept by domain.
func (mod *Module) Table() storage.Table { return mod.all.Table() }

// walk calls fn with each invitation of a domain. Those that can't be read are told in
// the log and passed over: they are good for nothing.
func (mod *Module) walk(ctx context.Context, domain string, fn func(hash string, i *Invitation)) error {
	return mod.all.All(ctx, domain, func(hash string, rec []byte) bool {
		i, err := decode(rec)
		if err != nil {
			mod.o.Log.Error("an invitation can't be read", "domain", domain, "err", err)
			return true
		}
		fn(hash, i)
		return true
	})
}
