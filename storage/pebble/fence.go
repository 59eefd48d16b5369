package pebble

import (
	"errors"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// fence is the file system between Pebble and the disk. Pebble doesn't survive
// an error where it writes its log or its manifest: it ends the process, or panics
// holding locks. So the fence
//
//   - finds failed syncs, and failed writes of these vital files, and marks the
//     store failed at once. From then on the disk is frozen: nothing is
//     changed any more, so that it stays as it was when the fault was found, and Pebble is
//     told that all is well, which only it believes: no commit is answered nil
//     after a fault. Its readers go on undisturbed;
//   - with durability process turns the sync of the log into nothing: its bytes were
//     handed to the kernel by then, and that is all which is promised;
//   - gives the vital files a second try out of the reserve when the disk is
//     full (space.go);
//   - lets Pebble handle what it can, a table that could not be written, but slows
//     down its endless retries;
//   - hides from Pebble that a blob file could not be written, which would crash it: for
//     want of space the writer waits here, all else is a fault.
type fence struct {
	vfs.FS
	process bool          // immutable
	onFault func(error)   // immutable
	reserve func() bool   // immutable: frees the reserve, false if there is none
	onFull  func()        // immutable: told when a table can't be written for lack of space
	opening atomic.Bool   // Pebble is in Open, where it would retry for ever: every error is a fault
	shut    atomic.Bool   // the disk is frozen
	missing func(string)  // immutable; if set, told of a table or values that aren't there
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
	blob                  // values that a table refers to: Pebble panics if it can't be finished
)

func kindOf(name string) fileKind {
	switch {
	case strings.HasSuffix(name, ".log"):
		return wal
	case strings.HasSuffix(name, ".sst"):
		return table
	case strings.HasSuffix(name, ".blob"):
		return blob
	}
	return vital
}

// do runs one operation that changes the folder. If it returns nil the
// operation was done or the disk is frozen.
func (f *fence) do(kind fileKind, op func() error) error {
	retried := kind == table && !f.opening.Load() // by Pebble
	if f.shut.Load() {
		if retried {
			f.pause()
			return errShut
		}
		return nil
	}
	err := op()
	for kind == blob && err != nil && noSpace(err) && !f.opening.Load() {
		f.onFull()
		if !f.pause() {
			break
		}
		if f.shut.Load() {
			return nil
		}
		err = op()
	}
	if err != nil && noSpace(err) && kind != blob {
		if retried {
			f.onFull()
		} else if f.reserve() {
			err = op()
		}
	}
	switch {
	case err == nil:
		return nil
	case retried:
		f.pause()
		return err
	}
	f.onFault(err)
	return nil
}

// pause keeps Pebble from retrying in a busy loop. It holds no lock meanwhile. It
// reports false if the store closes.
func (f *fence) pause() bool {
	t := time.NewTimer(retryPause)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-f.closing:
		return false
	}
}

func (f *fence) open(name string, op func() (vfs.File, error)) (vfs.File, error) {
	var file vfs.File
	kind := kindOf(name)
	making := kind
	if kind == blob {
		making = table // one that can't be made is no trouble
	}
	err := f.do(making, func() (err error) {
		file, err = op()
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case file == nil:
		return frozenFile{name: name}, nil
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
		return nil
	}
	return f.FS.Remove(name)
}

// RemoveAll implements vfs.FS.
func (f *fence) RemoveAll(name string) error {
	if f.shut.Load() {
		return nil
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
	if err == nil {
		n = len(p)
	}
	return n, err
}

// Sync implements vfs.File.
func (f *fencedFile) Sync() error { return f.sync(f.File.Sync) }

// SyncData implements vfs.File.
func (f *fencedFile) SyncData() error { return f.sync(f.File.SyncData) }

// SyncTo implements vfs.File. It promises nothing if full is false.
func (f *fencedFile) SyncTo(length int64) (full bool, err error) {
	if f.kind == wal && f.fs.process {
		return false, nil
	}
	err = f.sync(func() (err error) {
		full, err = f.File.SyncTo(length)
		return err
	})
	return full, err
}

func (f *fencedFile) sync(sync func() error) error {
	if f.kind == wal && f.fs.process {
		f.dirty.Store(true)
		return nil
	}
	return f.reallySync(sync)
}

// reallySync: after a failed sync the kernel may have dropped the bytes and
// answer nil the next time, so it is never tried again. Only a table that
// found no space is an exception: Pebble throws the whole file away.
func (f *fencedFile) reallySync(sync func() error) error {
	if f.fs.shut.Load() {
		if f.kind == table {
			return errShut
		}
		return nil
	}
	err := sync()
	if err == nil {
		return nil
	}
	if f.kind == table && noSpace(err) && !f.fs.opening.Load() {
		f.fs.onFull()
		return err
	}
	f.fs.onFault(err)
	if f.kind == table {
		return err
	}
	return nil
}

// Close implements vfs.File. A log that was never really synced is synced
// now, once for its few MiB: Pebble relies on older logs being whole.
func (f *fencedFile) Close() error {
	if f.dirty.Load() {
		_ = f.reallySync(f.File.SyncData) // nil: a log's fault is told to the store
	}
	err := f.File.Close()
	if err != nil && f.kind != table {
		f.fs.onFault(err)
		return nil
	}
	return err
}

// frozenFile stands for a file that could not be made.
type frozenFile struct {
	vfs.File // nil
	name     string
}

func (frozenFile) Close() error                           { return nil }
func (frozenFile) Read([]byte) (int, error)               { return 0, io.EOF }
func (frozenFile) ReadAt([]byte, int64) (int, error)      { return 0, io.EOF }
func (frozenFile) Write(p []byte) (int, error)            { return len(p), nil }
func (frozenFile) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (frozenFile) Preallocate(int64, int64) error         { return nil }
func (frozenFile) Sync() error                            { return nil }
func (frozenFile) SyncTo(int64) (bool, error)             { return false, nil }
func (frozenFile) SyncData() error                        { return nil }
func (frozenFile) Prefetch(int64, int64) error            { return nil }
func (frozenFile) Fd() uintptr                            { return vfs.InvalidFd }
func (f frozenFile) Stat() (vfs.FileInfo, error)          { return frozenInfo{name: f.name}, nil }

// frozenInfo is an empty file's.
type frozenInfo struct{ name string }

func (i frozenInfo) Name() string           { return i.name }
func (i frozenInfo) Size() int64            { return 0 }
func (i frozenInfo) Mode() os.FileMode      { return 0o600 }
func (i frozenInfo) ModTime() time.Time     { return time.Time{} }
func (i frozenInfo) IsDir() bool            { return false }
func (i frozenInfo) Sys() any               { return nil }
func (i frozenInfo) DeviceID() vfs.DeviceID { return vfs.DeviceID{} }
