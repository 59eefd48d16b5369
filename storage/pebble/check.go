package pebble

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"weir/storage"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage"
	"github.com/cockroachdb/pebble/v2/sstable"
	blobfile "github.com/cockroachdb/pebble/v2/sstable/blob"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Report is what Check found.
type Report struct {
	Format int // version of the store's format
	Tables []TableReport
	Files  int      // tables and files of values on disk whose checksums were verified
	Damage []string // each names a file or a record
	// Unreadable are records that CheckRecords was told of: what was stored comes
	// back, and its owner can't read it. Up to maxUnreadable are listed.
	Unreadable []string
	// Notes are no damage, but what an admin may want to know: that the log has no
	// proper end, as after a power cut or a kill.
	Notes []string

	look func(storage.Key, []byte) error
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
func Check(ctx context.Context, o Options) (Report, error) { return CheckRecords(ctx, o, nil) }

// maxUnreadable is how many unreadable records are listed.
const maxUnreadable = 1000

// CheckRecords is Check that also asks look about every record, unless it is nil:
// what it returns is listed as Unreadable and no damage of the store. The value is
// valid during the call.
func CheckRecords(ctx context.Context, o Options, look func(k storage.Key, value []byte) error) (Report, error) {
	r := Report{look: look}
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

// unreadable notes what is wrong with a record.
func (r *Report) unreadable(err error) {
	switch n := len(r.Unreadable); {
	case err == nil:
	case n < maxUnreadable:
		r.Unreadable = append(r.Unreadable, err.Error())
	case n == maxUnreadable:
		r.Unreadable = append(r.Unreadable, "and more")
	}
}

// checkFiles verifies the checksums of all blocks of all tables and files of
// values, and looks how the logs end.
func (r *Report) checkFiles(ctx context.Context, o Options) error {
	names, err := o.FS.List(o.Dir)
	if err != nil {
		return err
	}
	damage, listed, err := compareClosed(o.FS, o.Dir)
	if err != nil {
		return err
	}
	r.Damage = append(r.Damage, damage...)
	if head, err := headless(o.FS, o.Dir); err != nil {
		return err
	} else if head != "" {
		r.damage("%s", head)
	}
	if !listed {
		r.Notes = append(r.Notes, "the store was not closed, as after a kill or a power cut: "+
			"damage at the end of the newest log or of the manifest can't be told from that")
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		path := o.FS.PathJoin(o.Dir, name)
		err := error(nil)
		switch kindOf(name) {
		case table:
			r.Files++
			err, _ = guard(func() error { return checkTable(ctx, o.FS, path) })
		case blob:
			r.Files++
			err, _ = guard(func() error { return checkBlob(ctx, o.FS, path) })
		case wal:
			err = r.checkLog(o, path, name)
		}
		if err != nil {
			r.damage("file %s: %v", name, err)
		}
	}
	return nil
}

// checkLog looks how a log ends.
func (r *Report) checkLog(o Options, path, name string) error {
	f, err := o.FS.Open(path)
	if err != nil {
		return err
	}
	end, err := endOfLog(f, name)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	switch {
	case end.torn && (end.closed || end.synced && o.Durability == Disk):
		return fmt.Errorf("byte %d is damaged: more follows that was written later", end.bad)
	case end.torn:
		r.Notes = append(r.Notes, fmt.Sprintf("file %s ends in the middle of something, at byte %d, as after a power cut", name, end.bad))
	}
	return nil
}

// openParts opens a file of blocks, and says how to read it.
func openParts(fsys vfs.FS, path string) (objstorage.Readable, sstable.ReaderOptions, error) {
	var po pebble.Options
	po.EnsureDefaults()
	f, err := fsys.Open(path)
	if err != nil {
		return nil, sstable.ReaderOptions{}, err
	}
	parts, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return nil, sstable.ReaderOptions{}, errors.Join(err, f.Close())
	}
	return parts, po.MakeReaderOptions(), nil
}

// checkBlob reads all blocks of a file of values.
func checkBlob(ctx context.Context, fsys vfs.FS, path string) error {
	parts, o, err := openParts(fsys, path)
	if err != nil {
		return err
	}
	rd, err := blobfile.NewFileReader(ctx, parts, blobfile.FileReaderOptions{ReaderOptions: o.ReaderOptions})
	if err != nil {
		return errors.Join(err, parts.Close())
	}
	_, err = rd.Layout() // it reads them all
	return errors.Join(err, rd.Close())
}

func checkTable(ctx context.Context, fsys vfs.FS, path string) error {
	parts, o, err := openParts(fsys, path)
	if err != nil {
		return err
	}
	rd, err := sstable.NewReader(ctx, parts, o)
	if err != nil {
		return errors.Join(err, parts.Close())
	}
	return errors.Join(rd.ValidateBlockChecksums(), rd.Close())
}

// checkRecords opens the store without changing it, which reads the manifest
// and the log, and looks at every record.
func (r *Report) checkRecords(ctx context.Context, o Options, lock *pebble.Lock) error {
	// Nothing here may be written, and with this nothing can be.
	fence := &fence{FS: o.FS, process: o.Durability == Process, onFault: func(error) {}, reserve: func() bool { return false }, onFull: func() {},
		missing: func(name string) { r.damage("file %s is missing", name) }, closing: make(chan struct{})}
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
	case err != nil && len(r.Damage) > 0:
		r.damage("it can't be opened: %v", err)
		return nil
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
		r.damage("reading ended with %v; perhaps a .blob file is missing", err)
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
		if r.look != nil {
			r.unreadable(r.look(k, value))
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
