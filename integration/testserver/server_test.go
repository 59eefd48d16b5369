package testserver

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// stub is a program that behaves as the server's command line promises.
const stub = `#!/bin/sh
case "$1" in
user) cp "$6" "$4.added" 2>/dev/null || { mkdir -p "$(dirname "$4")"; cp "$6" "$4.added"; }; exit 0;;
fail) echo oops; exit 3;;
esac
trap 'echo bye; exit 0' TERM
echo "weir is starting, data in $3"
echo "listening c2s 127.0.0.1:1001"
echo "listening c2s-tls on 127.0.0.1:1002 (TLS)"
echo "WARNING listening c2s-insecure: addr=127.0.0.1:1003" >&2
while :; do sleep 0.05; done
`

func stubBinary(t *testing.T) *Binary {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stub")
	if err := os.WriteFile(path, []byte(stub), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("WEIR_BINARY", path)
	return &Binary{}
}

func TestStartStopKillAgain(t *testing.T) {
	s := Start(t, Options{Binary: stubBinary(t), Accounts: []string{"juliet"}})
	for l, want := range map[string]string{C2S: "127.0.0.1:1001", Direct: "127.0.0.1:1002", Insecure: "127.0.0.1:1003", "no": ""} {
		if got := s.Addr(l); got != want {
			t.Errorf("%s is at %q, not %q", l, got, want)
		}
	}
	added, err := os.ReadFile(s.Dir + ".added")
	if err != nil || string(added) != "juliet@localhost juliet-password\n" {
		t.Errorf("accounts: %q, %v", added, err)
	}
	s.Stop()
	if !strings.HasSuffix(s.Output(), "bye") {
		t.Errorf("output: %q", s.Output())
	}
	s.Again()
	s.Kill()
	s.Again()
	if s.Addr(C2S) == "" {
		t.Error("no address after starting again")
	}
}

func TestListeningLines(t *testing.T) {
	for line, want := range map[string]string{
		"listening c2s 127.0.0.1:5222":                     "c2s 127.0.0.1:5222",
		"c2s-tls: [::1]:5223":                              "c2s-tls [::1]:5223",
		`level=INFO msg=listening name=c2s addr=[::]:5222`: "c2s [::]:5222",
		"c2s-insecure 127.0.0.1:1":                         "c2s-insecure 127.0.0.1:1",
		"c2s would be 127.0.0.1:0":                         "",
		"connection from 127.0.0.1:40000":                  "",
	} {
		got := ""
		if m := listening.FindStringSubmatch(line); m != nil {
			got = m[1] + " " + m[2]
		}
		if got != want {
			t.Errorf("%q tells %q, not %q", line, got, want)
		}
	}
}

func ExamplePassword() {
	fmt.Println(Password("juliet"))
	// Output: juliet-password
}
