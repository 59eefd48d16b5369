package admin_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/admin"
)

// TestSocket holds how the control socket lies in the data folder.
func TestSocket(t *testing.T) {
	dir := filepath.Join(folder(t), "data")
	if _, err := admin.Dial(dir); !errors.Is(err, admin.ErrNotRunning) {
		t.Errorf("without a folder: %v", err)
	}
	cfg := settings(dir)
	s, c := start(t, cfg)
	path := filepath.Join(dir, admin.SocketName)
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 || fi.Mode().Type() != os.ModeSocket {
		t.Errorf("the socket is %v, %v", fi, err)
	}
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("the folder is %v, %v", fi, err)
	}
	other, err := weir.Open(t.Context(), settings(dir), nil) // a store of its own, in memory
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Control.Start(dir); err == nil || !strings.Contains(err.Error(), "another server answers on "+path) {
		t.Errorf("a second server: %v", err)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("the first server's socket after that: %v", err)
	}
	if err := other.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
	if _, err := admin.Dial(dir); !errors.Is(err, admin.ErrNotRunning) {
		t.Errorf("after the end: %v", err)
	}
}

// TestDeadSocket holds that what a killed server left behind is replaced, and
// what isn't a socket stays.
func TestDeadSocket(t *testing.T) {
	dir := folder(t)
	path := filepath.Join(dir, admin.SocketName)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if _, err := admin.Dial(dir); !errors.Is(err, admin.ErrNotRunning) {
		t.Errorf("a dead socket: %v", err)
	}
	_, c := start(t, settings(dir))
	if _, err := c.Status(t.Context()); err != nil {
		t.Error(err)
	}
	file := folder(t)
	if err := os.WriteFile(filepath.Join(file, admin.SocketName), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := weir.Open(t.Context(), settings(file), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop(t.Context())
	if err := s.Control.Start(file); err == nil {
		t.Error("a file in the way was not told")
	}
	if b, err := os.ReadFile(filepath.Join(file, admin.SocketName)); err != nil || string(b) != "mine" {
		t.Errorf("the file that was in the way: %q, %v", b, err)
	}
}

// TestLongPath holds that a data folder may have a path longer than a socket's
// address (on Linux; TestSocket is for all).
func TestLongPath(t *testing.T) {
	dir := filepath.Join(folder(t), strings.Repeat("long", 30), "data")
	_, c := start(t, settings(dir))
	if st, err := c.Status(t.Context()); err != nil || st.Data != dir {
		t.Errorf("%+v, %v", st, err)
	}
	if fi, err := os.Stat(filepath.Join(dir, admin.SocketName)); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v, %v", fi, err)
	}
}

// TestMaxClients holds that 16 may use the socket at once: the next one waits
// until one has gone.
func TestMaxClients(t *testing.T) {
	dir := folder(t)
	_, c := start(t, settings(dir))
	c.Close() // its own connection counts too
	ask := func(conn net.Conn) (*http.Response, error) {
		if _, err := io.WriteString(conn, "GET /v1/status HTTP/1.1\r\nHost: weir\r\n\r\n"); err != nil {
			return nil, err
		}
		return http.ReadResponse(bufio.NewReader(conn), nil)
	}
	dial := func() net.Conn {
		conn, err := net.Dial("unix", filepath.Join(dir, admin.SocketName))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	var conns []net.Conn
	for range 16 {
		conns = append(conns, dial())
		if r, err := ask(conns[len(conns)-1]); err != nil || r.StatusCode != 200 {
			t.Fatalf("client %d: %v", len(conns), err)
		}
	}
	next := dial()
	if err := next.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(next); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("client 17 was answered: %v", err)
	}
	conns[3].Close()
	if err := next.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if r, err := http.ReadResponse(bufio.NewReader(next), nil); err != nil || r.StatusCode != 200 {
		t.Errorf("client 17 after one had gone: %v", err)
	}
}

// TestStrictRequests holds that requests that aren't understood whole are
// refused.
func TestStrictRequests(t *testing.T) {
	dir := folder(t)
	start(t, settings(dir))
	for _, x := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/v1/users", `{"jid":"a@localhost","pasword":"x"}`, 400, `unknown field`},
		{"POST", "/v1/users", `{"jid":"a@localhost"} {}`, 400, `goes on after its JSON value`},
		{"POST", "/v1/users", `{"jid":5}`, 400, `cannot unmarshal`},
		{"POST", "/v1/users", ``, 400, `EOF`},
		{"POST", "/v1/users", `{"jid":"` + strings.Repeat("a", 70<<10) + `"}`, 413, `that is too much: a request has at most 65536 bytes`},
		{"PUT", "/v1/users/a@localhost/disabled", `{}`, 400, `"disabled" is missing`},
		{"PUT", "/v1/users/a@localhost/password", `{"jid":"b@localhost","password":"xxxxxxxx"}`, 400, `jid belongs into the path only`},
		{"GET", "/v1/users?domian=x", ``, 400, `unknown parameter "domian", known here: domain`},
		{"GET", "/v1/sessions?acount=x", ``, 400, `unknown parameter "acount", known here: account, state`},
		{"GET", "/v1/nothing", ``, 404, `there is no GET /v1/nothing`},
		{"POST", "/v1/status", ``, 404, `there is no POST /v1/status`},
		{"GET", "/", ``, 404, `there is no GET /`},
	} {
		conn, err := net.Dial("unix", filepath.Join(dir, admin.SocketName))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: weir\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", x.method, x.path, len(x.body), x.body)
		r, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s %s: %v", x.method, x.path, err)
			continue
		}
		b, _ := io.ReadAll(r.Body)
		conn.Close()
		if r.StatusCode != x.status || !strings.Contains(strings.ReplaceAll(string(b), `\"`, `"`), x.want) || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %d %s, want %d %s", x.method, x.path, r.StatusCode, b, x.status, x.want)
		}
	}
}
