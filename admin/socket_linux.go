package admin

import (
	"fmt"
	"os"
	"path/filepath"
)

// maxSocketPath is what fits into sun_path of unix(7).
const maxSocketPath = 107

// socketPath returns a name of the control socket that is short enough for a
// socket's address: where the path itself is too long, it leads through an open
// descriptor of the folder. release ends that; a connection made stays.
func socketPath(data string) (path string, release func(), err error) {
	path = filepath.Join(data, SocketName)
	if len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	dir, err := os.Open(data)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), SocketName), func() { dir.Close() }, nil
}
