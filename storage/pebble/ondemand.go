//go:build faults && unix

package pebble

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// faultsVariable names the folder with the control files; without it nothing fails.
const faultsVariable = "TORTURE_FAULTS"

// faulty lets a file system fail on demand, for the torture run
// (integration/torture). Files in the folder that TORTURE_FAULTS names say how:
//
//   - enospc: the disk is full while that file exists. No space is free but what
//     removing other files has given back since.
//   - fsync: the next sync fails with EIO, and only that: a kernel forgets
//     what it couldn't write and answers the next one with success. The file is renamed to
//     fsync.done once the sync has failed.
func faulty(under vfs.FS) vfs.FS {
	dir := os.Getenv(faultsVariable)
	if dir == "" {
		return under
	}
	d := &demand{FS: under, dir: dir}
	return &fullDisk{FS: errorfs.Wrap(under, d), demand: d}
}

// demand knows which faults are asked for.
type demand struct {
	vfs.FS // the real one
	dir    string

	mu     sync.Mutex
	full   bool
	looked time.Time
	room   int64 // bytes that are free although the disk is full
}

// lookEvery bounds how often the folder is looked at.
const lookEvery = 2 * time.Millisecond

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// isFull reports whether the disk is full. mu is held.
func (d *demand) isFull() bool {
	if now := time.Now(); now.Sub(d.looked) >= lookEvery {
		d.looked = now
		full := exists(filepath.Join(d.dir, "enospc"))
		if full && !d.full {
			d.room = 0
		}
		d.full = full
	}
	return d.full
}

// take uses n bytes of the disk, or fails.
func (d *demand) take(n int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.isFull() {
		return nil
	}
	if d.room < n {
		return syscall.ENOSPC
	}
	d.room -= n
	return nil
}

// String implements errorfs.Injector.
func (d *demand) String() string { return "faults on demand" }

// MaybeError implements errorfs.Injector.
func (d *demand) MaybeError(op errorfs.Op) error {
	switch op.Kind {
	case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
		name := filepath.Join(d.dir, "fsync")
		if exists(name) && os.Rename(name, name+".done") == nil {
			return syscall.EIO
		}
	case errorfs.OpCreate, errorfs.OpFilePreallocate:
		return d.take(4 << 10)
	}
	return nil
}

// fullDisk counts what is written and removed.
type fullDisk struct {
	vfs.FS
	demand *demand
}

// Unwrap implements vfs.FS.
func (f *fullDisk) Unwrap() vfs.FS { return f.demand.FS }

func (f *fullDisk) open(file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &countedFile{File: file, demand: f.demand}, nil
}

// Create implements vfs.FS.
func (f *fullDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.open(f.FS.Create(name, c))
}

// OpenReadWrite implements vfs.FS.
func (f *fullDisk) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return f.open(f.FS.OpenReadWrite(name, c, opts...))
}

// ReuseForWrite implements vfs.FS.
func (f *fullDisk) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.open(f.FS.ReuseForWrite(oldname, newname, c))
}

// Remove implements vfs.FS.
func (f *fullDisk) Remove(name string) error {
	var size int64 // on disk: blocks may have been allocated behind the end
	if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() {
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			size = st.Blocks * 512
		}
	}
	err := f.FS.Remove(name)
	if err == nil {
		f.demand.mu.Lock()
		f.demand.room += size
		f.demand.mu.Unlock()
	}
	return err
}

// GetDiskUsage implements vfs.FS.
func (f *fullDisk) GetDiskUsage(path string) (vfs.DiskUsage, error) {
	u, err := f.FS.GetDiskUsage(path)
	f.demand.mu.Lock()
	defer f.demand.mu.Unlock()
	if err == nil && f.demand.isFull() {
		u.AvailBytes = uint64(max(f.demand.room, 0))
	}
	return u, err
}

// countedFile is a file that takes from the room of a full disk.
type countedFile struct {
	vfs.File
	demand *demand
}

// Write implements vfs.File.
func (f *countedFile) Write(p []byte) (int, error) {
	if err := f.demand.take(int64(len(p))); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

// WriteAt implements vfs.File.
func (f *countedFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.demand.take(int64(len(p))); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, off)
}
