package integration_test

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/integration/testclient"
	"weir/integration/testserver"
)

// event is what these tests read of one.
type event struct {
	Event, Session, Account, Resource, Address, Mechanism, Cause string
}

// eventServer starts a server that tells events to a file and to a target.
func eventServer(t *testing.T, target string) (s *testserver.Server, file, secret string) {
	t.Helper()
	dir := t.TempDir()
	file, secret = filepath.Join(dir, "sessions.log"), filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("correct horse battery staple\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = testserver.Start(t, testserver.Options{Binary: binary, Accounts: accounts, Config: fmt.Sprintf(
		"[session_log]\nfile = %q\n[webhook]\ntargets = [%q]\nsecret_file = %q\n", file, target, secret)})
	return s, file, secret
}

// visit logs in with a right or a wrong password and leaves.
func visit(t *testing.T, s *testserver.Server, password string) {
	t.Helper()
	c, err := testclient.Dial(t.Context(), testclient.Options{
		Addr: s.Addr(testserver.Direct), Domain: s.Domain, Security: testclient.DirectTLS, Timeout: patience,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Cut() }()
	if password == "wrong" {
		if err := c.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := c.Auth(t.Context(), "SCRAM-SHA-256", "juliet", password); err == nil {
			t.Fatal("a wrong password is right")
		}
		return
	}
	if err := c.Login(t.Context(), "juliet", password, "balcony"); err != nil {
		t.Fatal(err)
	}
	if err := c.Send("<message to='romeo@localhost'><body>wherefore art thou</body></message>"); err != nil {
		t.Fatal(err)
	}
	if err := c.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestEvents: the file and the target are told the same, in the same order, signed,
// with no secret in it; a file that was moved away is begun anew on SIGHUP.
func TestEvents(t *testing.T) {
	var mu sync.Mutex
	var posted []event
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, []byte("correct horse battery staple"))
		mac.Write([]byte(r.Header.Get("Weir-Timestamp") + "." + string(body)))
		var p struct{ Events []event }
		if err != nil || r.Header.Get("Weir-Signature") != "sha256="+hex.EncodeToString(mac.Sum(nil)) || json.Unmarshal(body, &p) != nil {
			t.Errorf("a bad post: %v %s %v", r.Header, body, err)
		}
		mu.Lock()
		defer mu.Unlock()
		posted = append(posted, p.Events...)
	}))
	defer target.Close()
	s, file, _ := eventServer(t, target.URL)
	visit(t, s, "wrong")
	visit(t, s, testserver.Password("juliet"))
	if err := os.Rename(file, file+".moved"); err != nil {
		t.Fatal(err)
	}
	hangUp(t, s, 1)
	s.Command("user", "role", "romeo@localhost", "guest")
	s.Command("user", "delete", "romeo@localhost")
	s.Stop()

	var written []event
	for _, name := range []string{file + ".moved", file} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "wherefore") || strings.Contains(string(b), "password\"") {
			t.Errorf("too much is told:\n%s", b)
		}
		n := 0
		for line := range strings.Lines(string(b)) {
			var e event
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			written = append(written, e)
			n++
		}
		if n == 0 {
			t.Errorf("nothing is in %s", name)
		}
	}
	if !slices.Equal(written, posted) {
		t.Errorf("written:\n%v\nposted:\n%v", written, posted)
	}
	var kinds []string
	for _, e := range written {
		kinds = append(kinds, e.Event)
		switch e.Event {
		case "auth-failed":
			if e.Cause != "not-authorized" || e.Mechanism != "SCRAM-SHA-256" || !strings.HasPrefix(e.Address, "127.0.0.1:") {
				t.Errorf("%+v", e)
			}
		case "bound":
			if e.Account != "juliet@localhost" || e.Resource != "balcony" || e.Session == "" {
				t.Errorf("%+v", e)
			}
		}
	}
	want := "connected auth-failed closed connected authenticated bound closed role-changed account-deleted"
	if got := strings.Join(kinds, " "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestDeadTarget: a target that isn't there disturbs neither logins nor the end.
func TestDeadTarget(t *testing.T) {
	target := httptest.NewServer(nil)
	target.Close()
	s, _, _ := eventServer(t, target.URL)
	visit(t, s, testserver.Password("juliet"))
	s.Stop()
	if out := s.Output(); !strings.Contains(out, "a webhook target fails") || !strings.Contains(out, "events wait for a webhook target until the next start") {
		t.Errorf("nothing is said of it:\n%s", out)
	}
}

// freePort returns a port that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// TestReceiverOfDocs runs the receiver that docs/events.md shows.
func TestReceiverOfDocs(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal("the receiver needs python3: install it")
	}
	text, err := os.ReadFile("../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```python\n(.*?)```").FindSubmatch(text)
	if m == nil {
		t.Fatal("docs/events.md has no receiver")
	}
	port := freePort(t)
	s, _, secret := eventServer(t, fmt.Sprintf("http://127.0.0.1:%d/", port))
	script := filepath.Join(t.TempDir(), "receiver.py")
	if err := os.WriteFile(script, m[1], 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, script, fmt.Sprint(port), secret)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()
	visit(t, s, testserver.Password("juliet"))
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			lines <- in.Text()
		}
	}()
	for timeout := time.After(patience); ; {
		select {
		case line := <-lines:
			if strings.HasSuffix(line, " closed juliet@localhost closed-by-client") {
				return
			}
		case <-timeout:
			t.Fatal("the receiver didn't tell of the end of the session")
		}
	}
}
