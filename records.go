package weir

import (
	"weir/auth"
	"weir/component"
	"weir/modules/announce"
	"weir/modules/blocking"
	"weir/modules/events/webhook"
	"weir/modules/invitations"
	"weir/modules/last"
	"weir/modules/privatexml"
	"weir/modules/vcard"
	"weir/presence"
	"weir/roster"
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
		component.CheckRecord(k.Table, k.Item, value),
		invitations.CheckRecord(k.Table, value),
		last.CheckRecord(k.Table, value),
		presence.CheckRecord(k.Table, k.Item, value),
		privatexml.CheckRecord(k.Table, k.Item, value),
		roster.CheckRecord(k.Table, k.Item, value),
		storage.CheckRecord(k.Table, value),
		vcard.CheckRecord(k.Table, value),
		webhook.CheckRecord(k.Table, value),
	} {
		if err != nil {
			return err
		}
	}
	return sessionmgr.CheckRecord(k.Table, k.Item, value)
}
