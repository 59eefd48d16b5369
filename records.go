package weir

import (
	"weir/auth"
	"weir/modules/announce"
	"weir/modules/blocking"
	"weir/modules/invitations"
	"weir/modules/privatexml"
	"weir/modules/vcard"
	"weir/sessionmgr"
	"weir/storage"
)

// CheckRecord reports whether a record of the store can be read by the package
// that owns it; nil for records of tables that nobody looks into. It is for those
// who check a store while no server runs.
func CheckRecord(k storage.Key, value []byte) error {
	for _, err := range []error{
		auth.CheckRecord(k, value),
		announce.CheckRecord(k.Table, value),
		blocking.CheckRecord(k.Table, value),
		invitations.CheckRecord(k.Table, value),
		privatexml.CheckRecord(k.Table, k.Item, value),
		vcard.CheckRecord(k.Table, value),
	} {
		if err != nil {
			return err
		}
	}
	return sessionmgr.CheckRecord(k.Table, k.Item, value)
}
