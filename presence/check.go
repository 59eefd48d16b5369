package presence

import (
	"fmt"

	"weir/jid"
)

// CheckRecord reports whether a record of one of this package's tables can be read; nil
// for those of others. item is that of its storage.Key. It is for those who check a store.
func CheckRecord(table, item string, rec []byte) (err error) {
	switch table {
	case tableAway:
		_, err = readAway(rec)
	case tableDirected:
		_, _, _, _, err = readDirected(item, rec)
	case tableTraces:
		if !goodTrace(item, rec) {
			err = fmt.Errorf("presence: the trace of the resource %q can't be read: % x", item, rec)
		}
	case tableClock:
		if len(rec) != 8 {
			err = fmt.Errorf("presence: when the server ran last can't be read: % x", rec)
		}
	}
	return err
}

// goodTrace reports whether a record says that a resource was here: the first version
// didn't say when.
func goodTrace(resource string, rec []byte) bool {
	if _, err := jid.New("", "localhost", resource); err != nil || len(rec) == 0 {
		return false
	}
	return rec[0] == 1 || rec[0] == traceVersion && len(rec) == 9
}
