package admin_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// disk is a file system that may be full.
type disk struct {
	vfs.FS
	full atomic.Bool
}

func (d *disk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	if d.full.Load() {
		return vfs.DiskUsage{AvailBytes: 1 << 20, TotalBytes: 1 << 40}, nil
	}
	return vfs.DiskUsage{AvailBytes: 1 << 39, TotalBytes: 1 << 40}, nil
}

// TestStatusOfAFullDisk: a store that refuses everything isn't ok.
func TestStatusOfAFullDisk(t *testing.T) {
	d := &disk{FS: vfs.NewMem()}
	cfg := settings(folder(t))
	cfg.Storage.FS = d
	_, c := start(t, cfg)
	for _, full := range []bool{false, true, false} {
		d.full.Store(full)
		st, err := c.Status(t.Context())
		if err != nil || (st.Store == "ok") == full || strings.Contains(st.Store, "no space left") != full {
			t.Errorf("full is %v, and the store %q; %v", full, st.Store, err)
		}
	}
}
