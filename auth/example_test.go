package auth_test

import (
	"context"
	"errors"
	"fmt"

	"weir/auth"
	"weir/hook"
	"weir/jid"
	"weir/storage/pebble"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A login by PLAIN on a connection that is secure by other means: once with a
// wrong password, once with the right one.
func Example() {
	ctx := context.Background()
	store, err := pebble.Open(pebble.Options{Dir: "data", FS: vfs.NewMem()})
	if err != nil {
		panic(err)
	}
	defer store.Close()
	service, err := auth.New(ctx, auth.DefaultOptions(), store)
	if err != nil {
		panic(err)
	}
	if err := service.Create(ctx, jid.MustParse("juliet@example.net"), "wherefore art thou"); err != nil {
		panic(err)
	}

	channel := auth.Channel{Domain: "example.net", AllowPlain: true}
	names, _ := service.Mechanisms(channel)
	fmt.Println("offered:", names)
	for _, password := range []string{"romeo", "wherefore art thou"} {
		exchange, err := service.Begin(channel, "PLAIN")
		if err != nil {
			panic(err)
		}
		_, done, err := exchange.Step(ctx, []byte("\x00juliet\x00"+password))
		var failure *auth.Failure
		if errors.As(err, &failure) {
			fmt.Println(failure.Condition, "–", failure.Text)
		}
		fmt.Printf("done: %v %q\n", done, exchange.Identity())
	}
	// Output:
	// offered: [SCRAM-SHA-256 SCRAM-SHA-1 PLAIN]
	// not-authorized – wrong user name or password
	// done: false ""
	// done: true "juliet@example.net"
}

// Whoever keeps sessions ends them when their account changes.
func ExampleHooks() {
	ctx := context.Background()
	store, err := pebble.Open(pebble.Options{Dir: "data", FS: vfs.NewMem()})
	if err != nil {
		panic(err)
	}
	defer store.Close()
	service, err := auth.New(ctx, auth.DefaultOptions(), store)
	if err != nil {
		panic(err)
	}
	service.Hooks.AccountChanged.Add("sessions", hook.Normal, func(_ context.Context, c auth.AccountChange) {
		if c.Kind != auth.AccountCreated { // it has none
			fmt.Println("end the sessions of", c.JID, "because:", c.Kind)
		}
	})
	juliet := jid.MustParse("juliet@example.net")
	_ = service.Create(ctx, juliet, "wherefore art thou")
	_ = service.SetPassword(ctx, juliet, "parting is such sweet sorrow")
	_ = service.Delete(ctx, juliet)
	// Output:
	// end the sessions of juliet@example.net because: password changed
	// end the sessions of juliet@example.net because: account deleted
}
