package admin_test

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"weir"
	"weir/admin"
	"weir/config"
	"weir/integration/testclient"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// folder makes a data folder whose path is short, as sockets need it.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "weir")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// settings of a server in memory, on free ports.
func settings(data string) config.Config {
	cfg := config.Default()
	cfg.Data, cfg.Storage.FS = data, vfs.NewMem()
	cfg.Domains = []string{"localhost", "second.example"}
	cfg.Auth.Iterations, cfg.Auth.SHA1 = 4096, false // soon done
	cfg.Listen = config.Listen{C2SInsecure: "127.0.0.1:0", InsecurePlain: true}
	return cfg
}

// start runs a whole server, changed before its start, and returns it with a client of
// its socket.
func start(t testing.TB, cfg config.Config, change ...func(*weir.Server)) (*weir.Server, *admin.Client) {
	t.Helper()
	s, err := weir.New(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	for _, c := range change {
		c(s)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := admin.Dial(cfg.Data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return s, c
}

// login brings a client of an account online.
func login(t testing.TB, s *weir.Server, user, resource string) *testclient.Client {
	t.Helper()
	x, err := testclient.Dial(t.Context(), testclient.Options{Addr: s.Addresses()[0].Addr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.Cut() })
	if err := x.Login(t.Context(), user, "correct horse", resource); err != nil {
		t.Fatal(err)
	}
	return x
}

// add makes accounts.
func add(t testing.TB, c *admin.Client, jids ...string) {
	t.Helper()
	for _, j := range jids {
		if _, err := c.AddUser(t.Context(), j, "correct horse"); err != nil {
			t.Fatal(err)
		}
	}
}
