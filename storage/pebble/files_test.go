package pebble

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// newest returns the newest file of the store that matches.
func newest(t *testing.T, dir, pattern string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("no %s in %s: %v", pattern, dir, err)
	}
	return slices.Max(names)
}

// tear cuts the end of the newest log off, or fills it with zeros or noise.
func tear(t *testing.T, dir string, rng *rand.Rand) {
	t.Helper()
	remove(t, filepath.Join(dir, closedName)) // a power cut, no Close
	name := newest(t, dir, "*.log")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	at := rng.IntN(len(b))
	switch rng.IntN(3) {
	case 0:
		b = b[:at]
	case 1:
		clear(b[at:])
	default:
		for i := at; i < len(b); i++ {
			b[i] = byte(rng.Uint32())
		}
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// flip changes one byte in the middle of a file.
func flip(t *testing.T, name string, at int) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b[at%len(b)] ^= 0x55
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
}
