package roster

import (
	"fmt"

	"weir/stanza"
)

// CheckRecord reports whether a record of one of this package's tables can be read; nil
// for those of others. item is that of its storage.Key. It is for those who check a store.
func CheckRecord(table, item string, rec []byte) (err error) {
	switch {
	case table == tableItems && item == versionItem:
		_, err = decodeVersion(rec)
	case table == tableItems:
		_, err = decodeItem(item, rec)
	case table == tableRequests:
		if _, err = stanza.Parse(rec); err != nil {
			err = fmt.Errorf("%w: request: %w", errRecord, err)
		}
	case table == tableRemoved:
		_, _, err = decodeRemoved(rec)
	}
	return err
}
