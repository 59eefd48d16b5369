package main

import (
	"bytes"
	"os"
	"testing"
)

// TestCurrent holds that the comments that the program prints are those of the
// source.
func TestCurrent(t *testing.T) {
	want, err := generate("../..")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../docs_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("config/docs_gen.go isn't current: run `go generate ./config`")
	}
}

// TestMissingStruct tries a root without the source.
func TestMissingStruct(t *testing.T) {
	if out, err := generate(t.TempDir()); err == nil {
		t.Errorf("no source, but %d bytes were generated", len(out))
	}
}
