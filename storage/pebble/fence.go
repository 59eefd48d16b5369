package pebble

import (
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// fence is the file system between Pebble and the disk. It
//
//   - finds failed syncs and failed writes of what can't be written again (the
//     write-ahead log and the manifest) at once, whatever Pebble makes of them;
//   - refuses every change of the folder once the store has failed, so that what
//     is on the disk stays as it was when the fault was found;
//   - with durability process turns the sync of the log into nothing: its bytes were
//     handed to the kernel by then, and that is all which is promised;
//   - gives the vital files a second try out of the reserve when the disk is
//     full (space.go), and slows down Pebble's endless retries of the others.
type fence struct {
	vfs.FS
	process bool          // immutable
	onFault func(error)   // immutable
	reserve func() bool   // immutable: frees the reserve, false if there is none
	onFull  func()        // immutable: told when a table can't be written for lack of space
	shut    atomic.Bool   // the store has failed
	closing chan struct{} // closed when the store closes: no more waiting
}

// retryPause is how long Pebble waits before it tries again to write a table that failed.
const retryPause = 200 * time.Millisecond

var errShut = errors.New("the store has failed, its folder is not written any more")

// noSpace reports whether the disk or a quota is full.
func noSpace(err error) bool { return vfs.IsNoSpaceError(err) || errors.Is(err, syscall.EDQUOT) }

// fileKind says how bad it is when a file can't be written.
type fileKind uint8

const (
	vital fileKind = iota // manifest, markers, options: Pebble gives up
	wal                   // the write-ahead log: Pebble gives up
	table                 // Pebble keeps the old ones and tries again
)

func kindOf(name string) fileKind {
	switch {
	case strings.HasSuffix(name, ".log"):
		return wal
	case strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".blob"):
		return table
	}
	return vital
}

// do runs one operation that changes the folder.
func (f *fence) do(kind fileKind, op func() error) error {
	if f.shut.Load() {
		if kind == table {
			f.pause()
		}
		return errShut
	}
	err := op()
	if err == nil || !noSpace(err) {
		return err
	}
	if kind == table {
		f.onFull()
		f.pause()
		return err
	}
	if f.reserve() {
		err = op()
	}
	return err
}

// pause keeps Pebble from retrying in a busy loop. It holds no lock meanwhile.
func (f *fence) pause() {
	t := time.NewTimer(retryPause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-f.closing:
	}
}

// fault reports an error after which this store must not commit any more.
func (f *fence) fault(err error) {
	if !f.shut.Load() {
		f.onFault(err)
	}
}

func (f *fence) open(name string, op func() (vfs.File, error)) (vfs.File, error) {
	var file vfs.File
	kind := kindOf(name)
	err := f.do(kind, func() (err error) {
		file, err = op()
		return err
	})
	if err != nil {
		return nil, err
	}
	return &fencedFile{File: file, fs: f, kind: kind}, nil
}

// Create implements vfs.FS.
func (f *fence) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.open(name, func() (vfs.File, error) { return f.FS.Create(name, c) })
}

// OpenReadWrite implements vfs.FS.
func (f *fence) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return f.open(name, func() (vfs.File, error) { return f.FS.OpenReadWrite(name, c, opts...) })
}

// ReuseForWrite implements vfs.FS.
func (f *fence) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.open(newname, func() (vfs.File, error) { return f.FS.ReuseForWrite(oldname, newname, c) })
}

// OpenDir implements vfs.FS.
func (f *fence) OpenDir(name string) (vfs.File, error) {
	file, err := f.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &fencedFile{File: file, fs: f, kind: vital}, nil
}

// Link implements vfs.FS.
func (f *fence) Link(oldname, newname string) error {
	return f.do(kindOf(newname), func() error { return f.FS.Link(oldname, newname) })
}

// Rename implements vfs.FS.
func (f *fence) Rename(oldname, newname string) error {
	return f.do(kindOf(newname), func() error { return f.FS.Rename(oldname, newname) })
}

// Remove implements vfs.FS.
func (f *fence) Remove(name string) error {
	if f.shut.Load() {
		return errShut
	}
	return f.FS.Remove(name)
}

// RemoveAll implements vfs.FS.
func (f *fence) RemoveAll(name string) error {
	if f.shut.Load() {
		return errShut
	}
	return f.FS.RemoveAll(name)
}

// MkdirAll implements vfs.FS.
func (f *fence) MkdirAll(dir string, perm os.FileMode) error {
	return f.do(vital, func() error { return f.FS.MkdirAll(dir, perm) })
}

// Unwrap implements vfs.FS.
func (f *fence) Unwrap() vfs.FS { return f.FS }

// fencedFile is a file opened for writing, or a folder opened for syncing.
type fencedFile struct {
	vfs.File
	fs    *fence
	kind  fileKind
	dirty atomic.Bool // durability process: a sync was skipped
}

// Write implements vfs.File.
func (f *fencedFile) Write(p []byte) (n int, err error) {
	err = f.fs.do(f.kind, func() error {
		m, err := f.File.Write(p[n:])
		n += m
		return err
	})
	if err != nil && f.kind != table {
		f.fs.fault(err)
	}
	return n, err
}

// Sync implements vfs.File.
func (f *fencedFile) Sync() error { return f.sync(f.File.Sync) }

// SyncData implements vfs.File.
func (f *fencedFile) SyncData() error { return f.sync(f.File.SyncData) }

// SyncTo implements vfs.File. It promises nothing, so the next real sync tells what failed.
func (f *fencedFile) SyncTo(length int64) (bool, error) {
	if f.kind == wal && f.fs.process {
		return false, nil
	}
	full, err := f.File.SyncTo(length)
	if err != nil {
		f.syncFailed(err)
	}
	return full, err
}

func (f *fencedFile) sync(sync func() error) error {
	if f.fs.shut.Load() {
		return errShut
	}
	if f.kind == wal && f.fs.process {
		f.dirty.Store(true)
		return nil
	}
	err := sync()
	if err != nil {
		f.syncFailed(err)
	}
	return err
}

// syncFailed: after a failed sync the kernel may have dropped the bytes and
// answer nil the next time. Only a table that found no space is an
// exception: Pebble throws the whole file away.
func (f *fencedFile) syncFailed(err error) {
	if f.kind == table && noSpace(err) {
		f.fs.onFull()
		return
	}
	f.fs.fault(err)
}

// Close implements vfs.File. A log that was never really synced is synced
// now, once for its few MiB: Pebble relies on older logs being whole.
func (f *fencedFile) Close() error {
	var err error
	if f.dirty.Load() && !f.fs.shut.Load() {
		if err = f.File.SyncData(); err != nil {
			f.fs.fault(err)
		}
	}
	return errors.Join(err, f.File.Close())
}
