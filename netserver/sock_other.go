//go:build !unix

package netserver

import (
	"errors"
	"net"
	"syscall"
)

// rawConn: on other systems connections use blocking reads and writes.
func rawConn(net.Conn) syscall.RawConn { return nil }

func sysRead(uintptr, []byte) (int, bool, error)  { return 0, false, errors.ErrUnsupported }
func sysWrite(uintptr, []byte) (int, bool, error) { return 0, false, errors.ErrUnsupported }
