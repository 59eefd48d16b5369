package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir"
)

// TestTimes holds how times are told.
func TestTimes(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		-time.Hour: "now", 0: "now", 5 * time.Second: "5s ago", 3*time.Minute + 59*time.Second: "3m ago", 47 * time.Hour: "47h ago", 100 * time.Hour: "4d ago",
	} {
		if got := ago(now, now.Add(-d)); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	if ago(now, time.Time{}) != "never" || ago(now, time.Unix(0, 0)) != "never" {
		t.Error("no time isn't never")
	}
}

// TestPrintable holds that what clients chose can't speak to a terminal.
func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{"Zoë 🙂": "Zoë 🙂", "a\x1b[31mb\r\n\tc": "a�[31mb���c", "\u202etxt\u009b": "�txt�"} {
		if got := printable(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

// TestExplainListen holds what is advised for each reason.
func TestExplainListen(t *testing.T) {
	for reason, want := range map[error]string{
		syscall.EADDRINUSE:    "the address :80 for c2s is taken: another program listens there",
		syscall.EACCES:        "the address :80 for c2s is not permitted: ports below 1024 need a privilege",
		syscall.EADDRNOTAVAIL: "the address :80 for c2s is not one of this machine",
		syscall.EMFILE:        "can't listen on :80 for c2s: listen tcp: socket: too many open files",
	} {
		err := fmt.Errorf("start: %w", &weir.ListenError{Name: "c2s", Addr: ":80", Err: &net.OpError{Op: "listen", Net: "tcp", Err: os.NewSyscallError("socket", reason)}})
		got := explainListen(err).Error()
		if reason == syscall.EMFILE {
			want = "start: " + want
		}
		if !strings.HasPrefix(got, want) || !strings.Contains(got, "--c2s") {
			t.Errorf("%v: %s", reason, got)
		}
	}
	if plain := errors.New("x"); explainListen(plain) != plain {
		t.Error("another error is changed")
	}
}

// TestShellWord holds that what is printed to be pasted is one word.
func TestShellWord(t *testing.T) {
	for in, want := range map[string]string{"/var/lib/weir": "/var/lib/weir", "my data": "'my data'", "it's": `'it'\''s'`, "$(x)": "'$(x)'", "": "''"} {
		if got := shellWord(in); got != want {
			t.Errorf("%q is %s, want %s", in, got, want)
		}
	}
}

// TestReadPassword holds what standard input may have.
func TestReadPassword(t *testing.T) {
	for in, want := range map[string]string{"": "", "\n": "", "secret\n": "secret", "secret\r\n": "secret", " a b ": " a b "} {
		if got, err := readPassword(strings.NewReader(in), nil, "x"); err != nil || got != want {
			t.Errorf("%q is %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"a\nb", strings.Repeat("x", 5000)} {
		if _, err := readPassword(strings.NewReader(in), nil, "x"); err == nil || strings.Contains(err.Error(), in) {
			t.Errorf("%.20q: %v", in, err)
		}
	}
}

// TestPrivate holds that no address of the world is taken for a private one.
func TestPrivate(t *testing.T) {
	for host, want := range map[string]bool{"127.0.0.1": true, "::1": true, "localhost": true, "10.1.2.3": true, "192.0.2.1": false, "": false, "0.0.0.0": false, "example.org": false} {
		if private(host) != want {
			t.Errorf("%q is %v", host, !want)
		}
	}
}
