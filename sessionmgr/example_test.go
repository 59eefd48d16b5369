package sessionmgr_test

import (
	"context"
	"fmt"

	"weir/hook"
	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/storage/pebble"

	"github.com/cockroachdb/pebble/v2/vfs"
	"mellium.im/xmpp/stream"
)

// printer is a link that prints: the end of a session in an example.
type printer struct{}

func (printer) Append(st *stanza.Stanza) error { fmt.Println(string(st.AppendTo(nil))); return nil }
func (printer) Flush()                         {}
func (printer) WantDrain()                     {}
func (printer) Waiting() int                   { return 0 }
func (printer) Close(*stream.Error)            {}

// everybody says that every account exists.
type everybody struct{}

func (everybody) Exists(context.Context, jid.JID) (bool, error) { return true, nil }

// A session goes through its states, sends itself a message and ends; a hook
// watches.
func Example() {
	store, err := pebble.Open(pebble.Options{FS: vfs.NewMem(), Dir: "data"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	m, err := sessionmgr.New(sessionmgr.Options{Domains: []string{"verona.lit"}, Archive: sessionmgr.ArchiveNever}, store, everybody{})
	if err != nil {
		fmt.Println(err)
		return
	}
	m.Hooks.Bound.Add("example", hook.Normal, func(_ context.Context, s *sessionmgr.Session) {
		fmt.Println("bound:", s.JID(), "is", s.State())
	})

	s := m.Open(printer{}, sessionmgr.LinkInfo{Transport: "example"})
	fmt.Println(s.State())
	m.StreamOpened(s, "verona.lit")
	m.Authenticated(s, jid.MustParse("juliet@verona.lit"))
	fmt.Println(s.State())
	if err := m.Bind(context.Background(), s, "balcony", func(jid.JID) {}); err != nil {
		fmt.Println(err)
		return
	}
	note, err := stanza.New(stanza.Message, "chat", "1", s.JID(), s.JID(), []byte("<body>What's in a name?</body>"))
	if err != nil {
		fmt.Println(err)
		return
	}
	m.Inbound(s, printer{}, note, nil)
	m.Closed(s, printer{}, sessionmgr.Cause{Code: sessionmgr.ClosedByClient})
	fmt.Println(s.State(), "because", s.Cause())
	// Output:
	// c2s_unauthed
	// c2s_unbound
	// bound: juliet@verona.lit/balcony is c2s
	// <message from='juliet@verona.lit/balcony' to='juliet@verona.lit/balcony' id='1' type='chat'><body>What's in a name?</body></message>
	// c2s_destroyed because closed-by-client
}
