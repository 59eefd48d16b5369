//go:build !linux

package admin

import (
	"log/slog"
	"net"
)

// ownerOnly is the listener as it is: where the kernel can't be asked who is at
// the other end, the modes of the socket and its folder protect it.
type ownerOnly struct {
	net.Listener
	log *slog.Logger
}
