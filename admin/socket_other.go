//go:build !linux

package admin

import (
	"fmt"
	"path/filepath"
)

// maxSocketPath is what fits into sun_path of unix(4).
const maxSocketPath = 103

// socketPath returns the name of the control socket.
func socketPath(data string) (path string, release func(), err error) {
	path = filepath.Join(data, SocketName)
	if len(path) > maxSocketPath {
		return "", nil, fmt.Errorf("the path of the control socket is too long (%d bytes, at most %d): %s; choose a data folder with a shorter path",
			len(path), maxSocketPath, path)
	}
	return path, func() {}, nil
}
