package pebble

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/cockroachdb/pebble/v2"
)

// formatVersion is the layout of keys and of the driver's own records which this
// program writes. A change of it adds a migration.
const formatVersion = 1

// formatKey holds the version in decimal.
var formatKey = []byte("\x00format")

// migration brings a store from one version to the next: it adds to b what is
// to change, which is committed together with the new version.
type migration func(db *pebble.DB, b *pebble.Batch) error

// migrations has, for each version but the newest, how to leave it. It is never
// written at run time.
var migrations = map[int]migration{}

// readFormat returns the store's version, 0 for a new store.
func readFormat(db *pebble.DB) (int, error) {
	v, closer, err := db.Get(formatKey)
	if errors.Is(err, pebble.ErrNotFound) {
		it, err := db.NewIter(nil)
		if err != nil {
			return 0, err
		}
		used := it.First()
		if err := it.Close(); err != nil {
			return 0, err
		}
		if used {
			return 0, errors.New("it has records but no format version: it is not weir's")
		}
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(string(v))
	if err == nil && n <= 0 {
		err = errors.New("not positive")
	}
	if err != nil {
		err = fmt.Errorf("its format version is %q: %w", v, err)
	}
	return n, errors.Join(err, closer.Close())
}

// bringToFormat takes the store to the version want, or refuses. It returns
// the version that was found.
func bringToFormat(db *pebble.DB, want int, table map[int]migration) (found int, err error) {
	found, err = readFormat(db)
	if err != nil {
		return found, err
	}
	if found > want {
		return found, fmt.Errorf("its format is version %d and this weir knows up to %d: "+
			"start the newer weir that wrote it, or restore a backup made before the upgrade", found, want)
	}
	for v := found; v < want; v++ {
		b := db.NewBatch()
		next := v + 1
		if v == 0 {
			next = want // a new store has nothing to migrate
		} else if m := table[v]; m == nil {
			return found, fmt.Errorf("its format is version %d, from which this weir can't migrate: start a weir in between first", v)
		} else if err := m(db, b); err != nil {
			return found, fmt.Errorf("migration from format %d to %d: %w", v, next, errors.Join(err, b.Close()))
		}
		if err := b.Set(formatKey, []byte(strconv.Itoa(next)), nil); err != nil {
			return found, err
		}
		if err := b.Commit(pebble.Sync); err != nil {
			return found, err
		}
		if err := b.Close(); err != nil {
			return found, err
		}
		if v == 0 {
			break
		}
	}
	return found, nil
}
