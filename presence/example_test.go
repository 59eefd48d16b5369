package presence_test

import (
	"context"
	"fmt"

	"weir/hook"
	"weir/jid"
	"weir/presence"
	"weir/roster"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/storage/pebble"

	"github.com/cockroachdb/pebble/v2/vfs"
	"mellium.im/xmpp/stream"
)

// printer is a link that prints.
type printer struct{}

func (printer) Append(st *stanza.Stanza) error { fmt.Println(string(st.AppendTo(nil))); return nil }
func (printer) Flush()                         {}
func (printer) WantDrain()                     {}
func (printer) Waiting() int                   { return 0 }
func (printer) Close(*stream.Error)            {}

// anybody is an account.
type anybody struct{}

func (anybody) Exists(context.Context, jid.JID) (bool, error) { return true, nil }

func Example() {
	st, err := pebble.Open(pebble.Options{FS: vfs.NewMem(), Dir: "data"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer st.Close()
	m, err := sessionmgr.New(sessionmgr.Options{Domains: []string{"example.com"}}, st, anybody{})
	if err != nil {
		fmt.Println(err)
		return
	}
	rosters, err := roster.New(st, roster.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler, err := presence.New(m, rosters, st, presence.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler.Hooks.Initial.Add("example", hook.Normal, func(_ context.Context, s *sessionmgr.Session) {
		fmt.Println(s.JID(), "is available, priority", s.Priority())
	})

	s := m.Open(printer{}, sessionmgr.LinkInfo{})
	m.StreamOpened(s, "example.com")
	m.Authenticated(s, jid.MustParse("juliet@example.com"))
	if err := m.Bind(context.Background(), s, "balcony", func(jid.JID) {}); err != nil {
		fmt.Println(err)
		return
	}
	p, err := stanza.Parse([]byte("<presence><priority>5</priority></presence>"))
	if err != nil {
		fmt.Println(err)
		return
	}
	m.Inbound(s, printer{}, p.With(s.JID(), p.To), nil)
	m.Settle(context.Background(), s, printer{})
	// Unordered output:
	// <presence from='juliet@example.com/balcony' to='juliet@example.com'><priority>5</priority></presence>
	// juliet@example.com/balcony is available, priority 5
}
