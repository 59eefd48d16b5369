package integration_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/integration/testserver"
)

// TestEventsKept: events that no target took are posted after a kill, and after a stop, in
// order and before those that follow; a new account is one.
func TestEventsKept(t *testing.T) {
	addr := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("correct horse battery staple\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := testserver.Start(t, testserver.Options{Binary: binary, Accounts: accounts, Config: fmt.Sprintf(
		"[webhook]\ntargets = [\"http://%s/\"]\nsecret_file = %q\nevents = [\"auth-failed\", \"bound\", \"account-created\", \"account-deleted\"]\n", addr, secret)})
	visit(t, s, "wrong")
	visit(t, s, testserver.Password("juliet"))
	awaitLines(t, s, "a webhook target fails", 1)
	s.Kill()
	s.Again()
	s.Command("user", "delete", "romeo@localhost")
	s.Stop()
	s.Again()
	s.Command("user", "add", "romeo@localhost")
	s.Stop()
	posted := make(chan event, 100)
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	target := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var p struct{ Events []event }
		if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
			t.Error(err)
		}
		for _, e := range p.Events {
			posted <- e
		}
	})}
	go func() { _ = target.Serve(l) }()
	defer target.Close()
	s.Again()
	visit(t, s, testserver.Password("juliet"))
	var got []string
	for timeout := time.After(patience); len(got) < 5; {
		select {
		case e := <-posted:
			got = append(got, e.Event+" "+e.Account)
		case <-timeout:
			t.Fatalf("posted only %v", got)
		}
	}
	s.Stop()
	if want := "auth-failed |bound juliet@localhost|account-deleted romeo@localhost|account-created romeo@localhost|bound juliet@localhost"; strings.Join(got, "|") != want {
		t.Errorf("posted %s, want %s", strings.Join(got, "|"), want)
	}
}
