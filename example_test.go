package weir_test

import (
	"context"
	"fmt"
	"os"

	"weir"
	"weir/config"
	"weir/jid"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A server inside a program of one's own: here with its store in memory and one
// listener on a free port.
func ExampleNew() {
	ctx := context.Background()
	data, err := os.MkdirTemp("", "weir")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(data)

	cfg := config.Default()
	cfg.Data = data
	cfg.Storage.FS = vfs.NewMem()
	cfg.Listen = config.Listen{C2S: "127.0.0.1:0"}
	server, err := weir.New(ctx, cfg, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Stop(ctx)
	if err := server.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	err = server.Auth.Create(ctx, jid.MustParse("juliet@localhost"), "correct horse battery")
	fmt.Println(server.Addresses()[0].Name, server.Sessions.Domains(), err)
	// Output: c2s [localhost] <nil>
}
