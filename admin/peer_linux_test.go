package admin

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

// TestPeer holds that the kernel is asked who is at the other end, and who may
// use the socket.
func TestPeer(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if uid, err := peerUID(in); err != nil || int(uid) != os.Getuid() {
		t.Errorf("the other end is %d, %v; it is us: %d", uid, err, os.Getuid())
	}
	for _, c := range []struct {
		uid  uint32
		euid int
		want bool
	}{{0, 1000, true}, {1000, 1000, true}, {1001, 1000, false}, {65534, 0, false}, {0, 0, true}, {1<<32 - 1, -1, false}} {
		if got := mayUse(c.uid, c.euid); got != c.want {
			t.Errorf("user %d at a server of %d: %v, want %v", c.uid, c.euid, got, c.want)
		}
	}
}
