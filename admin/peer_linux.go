package admin

import (
	"log/slog"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// ownerOnly accepts connections of the server's own user and of root only. The
// mode of the socket says the same; this also holds where it was changed.
type ownerOnly struct {
	net.Listener
	log *slog.Logger
}

// Accept returns the next connection from somebody who may.
func (l ownerOnly) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		uid, err := peerUID(c)
		if err == nil && mayUse(uid, os.Geteuid()) {
			return c, nil
		}
		l.log.Warn("a stranger at the control socket was refused", "uid", uid, "err", err)
		c.Close()
	}
}

// mayUse reports whether a user may use the socket of a server that runs as euid.
func mayUse(uid uint32, euid int) bool { return uid == 0 || int64(uid) == int64(euid) }

// peerUID asks the kernel who is at the other end.
func peerUID(c net.Conn) (uid uint32, err error) {
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var asked error
	err = raw.Control(func(fd uintptr) { cred, asked = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err == nil {
		err = asked
	}
	if err != nil {
		return 0, err
	}
	return cred.Uid, nil
}
