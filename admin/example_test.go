package admin_test

import (
	"context"
	"fmt"
	"os"

	"weir"
	"weir/admin"
	"weir/config"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A program asks the server that runs on a data folder.
func Example() {
	ctx := context.Background()
	data, _ := os.MkdirTemp("", "weir")
	defer os.RemoveAll(data)
	cfg := config.Default()
	cfg.Data, cfg.Storage.FS = data, vfs.NewMem()
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

	client, err := admin.Dial(data)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	user, err := client.AddUser(ctx, "juliet@localhost", "correct horse battery")
	fmt.Println(user.JID, user.Disabled, err)
	_, err = client.AddUser(ctx, "juliet@example.net", "correct horse battery")
	fmt.Println(err)
	// Output:
	// juliet@localhost false <nil>
	// juliet@example.net: example.net is not a domain of this server, which serves localhost
}
