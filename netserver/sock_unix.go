//go:build unix

package netserver

import (
	"net"
	"syscall"
)

// rawConn returns what tells readiness of nc, nil where that isn't possible.
func rawConn(nc net.Conn) syscall.RawConn {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return nil // a wrapper's Read may do more than the socket's
	}
	raw, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// sysRead reads from a non-blocking socket; again: there is nothing for now.
func sysRead(fd uintptr, b []byte) (n int, again bool, err error) {
	for {
		n, err = socketRead(fd, b)
		switch err {
		case nil:
			return n, false, nil
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return 0, true, nil
		}
		return 0, false, err
	}
}

// sysWrite writes to a non-blocking socket; again: there is no room for now.
func sysWrite(fd uintptr, b []byte) (n int, again bool, err error) {
	for {
		n, err = socketWrite(fd, b)
		switch err {
		case nil:
			return n, false, nil
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return 0, true, nil
		}
		return 0, false, err
	}
}
