package weir_test

import (
	"context"
	"fmt"
	"os"

	"weir"
	"weir/config"
	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A bot inside of the server: a session without a client that answers what it is
// asked. It has a name of its own, so that it needs no account. Another session, of an
// account this time, asks it and follows the question until the bot has it.
func ExampleServer_virtualSession() {
	ctx := context.Background()
	data, err := os.MkdirTemp("", "weir")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(data)
	cfg := config.Default()
	cfg.Data, cfg.Storage.FS = data, vfs.NewMem()
	server, err := weir.New(ctx, cfg, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Stop(ctx)

	oracle, err := server.Sessions.OpenVirtual(ctx, sessionmgr.VirtualOptions{
		JID: jid.MustParse("oracle@localhost"), Named: true, Acks: true,
		Receive: func(ctx context.Context, v *sessionmgr.Virtual, st *stanza.Stanza) error {
			if !st.HasBody() || st.IsError() {
				return nil // presence, a chat state, an error
			}
			return v.Say(ctx, st.From, "know thyself, "+st.From.Local())
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := server.Auth.Create(ctx, jid.MustParse("romeo@localhost"), "correct horse battery"); err != nil {
		fmt.Println(err)
		return
	}
	answer := make(chan string, 1)
	romeo, err := server.Sessions.OpenVirtual(ctx, sessionmgr.VirtualOptions{
		JID: jid.MustParse("romeo@localhost/orchard"),
		Receive: func(_ context.Context, _ *sessionmgr.Virtual, st *stanza.Stanza) error {
			if st.HasBody() {
				answer <- st.Text(stanza.NSClient, "body")
			}
			return nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	question, err := stanza.New(stanza.Message, "chat", "q1", jid.JID{}, oracle.JID(), []byte("<body>who am I?</body>"))
	if err != nil {
		fmt.Println(err)
		return
	}
	asked := sessionmgr.NewTracker(nil)
	if err := romeo.SendFollowed(ctx, question, asked); err != nil {
		fmt.Println(err)
		return
	}
	report, err := asked.Wait(ctx, sessionmgr.Acked)
	fmt.Println(report.Fate, err)
	fmt.Println(<-answer)
	// Output:
	// acked <nil>
	// know thyself, romeo
}
