package weir

import (
	"weir/auth"
	"weir/modules/blocking"
	"weir/sessionmgr"
	"weir/storage"
)

// CheckRecord reports whether a record of the store can be read by the package
// that owns it; nil for records of tables that nobody looks into. It is for those
// who check a store while no server runs.
func CheckRecord(k storage.Key, value []byte) error {
	if err := auth.CheckRecord(k.Table, value); err != nil {
		return err
	}
	if err := blocking.CheckRecord(k.Table, value); err != nil {
		return err
	}
	return sessionmgr.CheckRecord(k.Table, k.Item, value)
}
