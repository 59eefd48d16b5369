package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"weir"
)

// TestBackupSecrets: the key of tokens is in a copy only where that was asked for.
func TestBackupSecrets(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	weirCommand := func(args ...string) {
		t.Helper()
		cmd := root()
		cmd.SetArgs(append(args, "--data", data))
		cmd.SetOut(new(bytes.Buffer))
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	plain, whole := filepath.Join(dir, "plain"), filepath.Join(dir, "whole")
	weirCommand("backup", plain)
	weirCommand("backup", whole, "--secrets")
	want, err := os.ReadFile(weir.KeyFile(data))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(weir.KeyFile(plain))); !os.IsNotExist(err) {
		t.Errorf("it is in the copy: %v", err)
	}
	got, err := os.ReadFile(weir.KeyFile(whole))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("it isn't in the copy with secrets: %v", err)
	}
	if fi, err := os.Stat(weir.KeyFile(whole)); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", fi, err)
	}
}

// TestCheckTokenKey holds what is said about each state of the file.
func TestCheckTokenKey(t *testing.T) {
	name := filepath.Join(t.TempDir(), "tokens")
	look := func() string {
		c := new(checker)
		c.tokenKey(name)
		if len(c.found) == 0 {
			return ""
		}
		return c.found[0].Outcome
	}
	if got := look(); got != "" {
		t.Errorf("none: %s", got)
	}
	for _, s := range []struct {
		text string
		mode os.FileMode
		want string
	}{
		{"weir-token-key-1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", 0o600, checkOK},
		{"weir-token-key-1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", 0o604, checkWarn},
		{"?", 0o600, checkFail},
	} {
		if err := os.WriteFile(name, []byte(s.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, s.mode); err != nil {
			t.Fatal(err)
		}
		if got := look(); got != s.want {
			t.Errorf("%q %04o: %s", s.text, s.mode, got)
		}
	}
}
