package testserver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// Binary is the server's program, built at most once.
type Binary struct {
	// Race builds with the race detector.
	Race bool

	once sync.Once
	path string
	err  error
}

// Path builds the binary on the first call and returns where it is. The go
// command's cache makes later test runs fast. WEIR_BINARY names one that is
// built already.
func (b *Binary) Path() (string, error) {
	b.once.Do(func() { b.path, b.err = b.build() })
	return b.path, b.err
}

func (b *Binary) build() (string, error) {
	if path := os.Getenv("WEIR_BINARY"); path != "" {
		return filepath.Abs(path)
	}
	dir, err := os.MkdirTemp("", "weir-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "weir")
	args := []string{"build", "-o", path}
	if b.Race {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "weir/cmd/weir")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("testserver: building weir/cmd/weir: %w\n%s", err, out)
	}
	return path, nil
}

// Remove deletes what Path built. TestMain calls it at the end.
func (b *Binary) Remove() error {
	if b.path == "" || os.Getenv("WEIR_BINARY") != "" {
		return nil
	}
	return os.RemoveAll(filepath.Dir(b.path))
}
