package pebble

import (
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
)

// Durability says what a committed batch survives.
type Durability string

// The durabilities.
const (
	// Disk: a power cut. Batches that wait together share one fdatasync.
	Disk Durability = "disk"
	// Process: the end of the process by any means, kill -9 too. The bytes are
	// with the kernel (write, no sync) before a batch counts as committed; a power cut
	// may take the newest batches, from some point on all of them.
	Process Durability = "process"
)

// Options are the settings of a store.
type Options struct {
	// Dir is the folder of the store. It is made if it doesn't exist, and
	// nothing else should be kept in it.
	Dir string
	// Durability is "disk" (default) or "process".
	Durability Durability
	// CacheBytes is the memory for blocks read from disk. Default 8 MiB.
	CacheBytes int64
	// MemTable is the memory, in bytes, for newly written records before they go to a
	// table on disk; up to three such tables exist under load, none
	// of them larger than what was written since the start. Default 8 MiB.
	MemTable int64
	// MinFree is how many bytes of the disk are left free: with less, commits
	// that add something answer storage.ErrFull. Default 64 MiB; negative: no check.
	MinFree int64
	// FS is the file system. Default: the operating system's.
	FS vfs.FS
	// Log gets what an admin should know. Default: nothing is logged.
	Log *slog.Logger
	// Metrics is where the counters are registered. Default: nowhere.
	Metrics prometheus.Registerer
}

// DefaultOptions returns the settings of a store that nobody configured.
func DefaultOptions() Options {
	var o Options
	o.setDefaults()
	return o
}

func (o *Options) setDefaults() {
	if o.Durability == "" {
		o.Durability = Disk
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 8 << 20
	}
	if o.MemTable == 0 {
		o.MemTable = 8 << 20
	}
	if o.MinFree == 0 {
		o.MinFree = 64 << 20
	}
	if o.FS == nil {
		o.FS = faulty(vfs.Default)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Validate reports the first setting that can't be.
func (o *Options) Validate() error {
	switch {
	case o.Dir == "":
		return fmt.Errorf("pebble: no folder for the store")
	case o.Durability != "" && o.Durability != Disk && o.Durability != Process:
		return fmt.Errorf("pebble: durability is %q, it can be %q or %q", o.Durability, Disk, Process)
	case o.CacheBytes < 0:
		return fmt.Errorf("pebble: a cache of %d bytes", o.CacheBytes)
	case o.MemTable < 0 || o.MemTable > 0 && o.MemTable < 64<<10 || o.MemTable > 1<<30:
		return fmt.Errorf("pebble: a memtable of %d bytes, it can be 64 KiB to 1 GiB", o.MemTable)
	}
	return nil
}
