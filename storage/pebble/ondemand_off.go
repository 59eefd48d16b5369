//go:build !(faults && unix)

package pebble

import "github.com/cockroachdb/pebble/v2/vfs"

// faulty returns the file system as it is: faults on demand are in builds with the
// tag faults only (ondemand.go).
func faulty(fs vfs.FS) vfs.FS { return fs }
