package pebble

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"weir/storage"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Report is what Check found.
type Report struct {
	Format int // version of the store's format
	Tables []TableReport
	Files  int      // tables on disk whose checksums were verified
	Damage []string // each names a file or a record
}

// TableReport counts the records of one table.
type TableReport struct {
	storage.Table
	Accounts, Records int
	Bytes             int64 // of items and records
}

// Check reads everything in the store at o.Dir, which no process may have open,
// verifies all checksums and changes nothing. The error is nil if the store is
// whole, storage.ErrLocked if it is in use, storage.ErrFailed if it is damaged:
// then the report's Damage has more.
func Check(ctx context.Context, o Options) (Report, error) {
	var r Report
	if err := o.Validate(); err != nil {
		return r, err
	}
	o.setDefaults()
	if _, err := o.FS.Stat(o.Dir); errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("pebble: there is no store in %s: %w", o.Dir, err)
	}
	lock, err := lockDir(o.FS, o.Dir)
	if err != nil {
		return r, err
	}
	defer lock.Close()
	err = r.checkFiles(ctx, o)
	if err == nil {
		err = r.checkRecords(ctx, o, lock)
	}
	if err != nil {
		return r, fmt.Errorf("pebble: check the store in %s: %w", o.Dir, err)
	}
	if len(r.Damage) > 0 {
		return r, fmt.Errorf("pebble: %w: the store in %s is damaged: %s", storage.ErrFailed, o.Dir, strings.Join(r.Damage, "; "))
	}
	return r, nil
}

func (r *Report) damage(format string, args ...any) {
	r.Damage = append(r.Damage, fmt.Sprintf(format, args...))
}

// checkFiles verifies the checksums of all blocks of all tables.
func (r *Report) checkFiles(ctx context.Context, o Options) error {
	names, err := o.FS.List(o.Dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if kindOf(name) != table {
			continue
		}
		r.Files++
		err, _ := guard(func() error { return checkFile(ctx, o.FS, o.FS.PathJoin(o.Dir, name)) })
		if err != nil {
			r.damage("table %s: %v", name, err)
		}
	}
	return nil
}

func checkFile(ctx context.Context, fsys vfs.FS, path string) error {
	f, err := fsys.Open(path)
	if err != nil {
		return err
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	var po pebble.Options
	po.EnsureDefaults()
	rd, err := sstable.NewReader(ctx, readable, po.MakeReaderOptions())
	if err != nil {
		return errors.Join(err, readable.Close())
	}
	return errors.Join(rd.ValidateBlockChecksums(), rd.Close())
}

// checkRecords opens the store without changing it, which reads the manifest
// and the log, and looks at every record.
func (r *Report) checkRecords(ctx context.Context, o Options, lock *pebble.Lock) error {
	// Nothing here may be written, and with this nothing can be.
	fence := &fence{FS: o.FS, onFault: func(error) {}, reserve: func() bool { return false }, onFull: func() {}, closing: make(chan struct{})}
	fence.shut.Store(true)
	var db *pebble.DB
	err, _ := guard(func() (err error) {
		db, err = pebble.Open(o.Dir, &pebble.Options{
			FS: fence, Lock: lock, ReadOnly: true, CacheSize: o.CacheBytes,
			Logger: &logger{log: o.Log, fatal: func(error) {}},
			EventListener: &pebble.EventListener{
				DataCorruption: func(i pebble.DataCorruptionInfo) { r.damage("file %s: %v", i.Path, i.Details) },
			},
		})
		return err
	})
	switch {
	case errors.Is(err, pebble.ErrDBDoesNotExist):
		return errors.New("it is not a store: there is no manifest")
	case err != nil && damaged(err):
		r.damage("it can't be opened: %v", err)
		return nil
	case err != nil:
		return err
	}
	err, panicked := guard(func() error {
		v, err := readFormat(db)
		if err != nil {
			r.damage("%v", err)
		}
		if r.Format = v; v > formatVersion {
			return fmt.Errorf("its format is version %d and this weir knows up to %d", v, formatVersion)
		}
		if err := db.CheckLevels(nil); err != nil {
			r.damage("the order of the tables: %v", err)
		}
		return r.countRecords(ctx, db)
	})
	if panicked {
		r.damage("reading ended with %v", err)
		return nil
	}
	return errors.Join(err, db.Close())
}

// countRecords reads every record.
func (r *Report) countRecords(ctx context.Context, db *pebble.DB) error {
	it, err := db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: []byte{metaPrefix + 1}})
	if err != nil {
		return err
	}
	var last storage.Key
	for ok := it.First(); ok; ok = it.Next() {
		if ctx.Err() != nil {
			return errors.Join(context.Cause(ctx), it.Close())
		}
		k, err := decodeKey(it.Key())
		if err == nil {
			err = checkKey(&k)
		}
		if err != nil {
			r.damage("the key %.60q: %v", it.Key(), err)
			continue
		}
		value, err := it.ValueAndErr()
		if err != nil {
			r.damage("the record %q of %q in table %q: %v", k.Item, k.Account, k.Table, err)
			continue
		}
		newTable := k.Table != last.Table || k.Kind != last.Kind
		if newTable {
			r.Tables = append(r.Tables, TableReport{Table: storage.Table{Kind: k.Kind, Name: k.Table}})
		}
		t := &r.Tables[len(r.Tables)-1]
		if newTable || k.Account != last.Account {
			t.Accounts++
		}
		t.Records++
		t.Bytes += int64(len(k.Item) + len(value))
		last = k
	}
	if err := it.Close(); err != nil {
		r.damage("reading stopped after account %q in table %q: %v", last.Account, last.Table, err)
	}
	return nil
}
