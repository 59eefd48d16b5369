package blocking

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/storage"
	"weir/storage/pebble"

	"github.com/cockroachdb/pebble/v2/vfs"
	"mellium.im/xmpp/stream"
)

// full is a store that can have no space left.
type full struct {
	storage.Store
	is atomic.Bool
}

func (f *full) Commit(b *storage.Batch, done func(error)) {
	if f.is.Load() {
		go done(storage.ErrFull)
		return
	}
	f.Store.Commit(b, done)
}

type everybody struct{}

func (everybody) Exists(context.Context, jid.JID) (bool, error) { return true, nil }

// link keeps what it is given.
type link struct {
	mu  sync.Mutex
	got []string
}

func (l *link) Append(st *stanza.Stanza) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got = append(l.got, string(st.AppendTo(nil)))
	return nil
}
func (*link) Flush()              {}
func (*link) WantDrain()          {}
func (*link) Waiting() int        { return 0 }
func (*link) Close(*stream.Error) {}

// TestNotKept: a change that the store refuses is told as an error, and isn't in
// force.
func TestNotKept(t *testing.T) {
	mem, err := pebble.Open(pebble.Options{FS: vfs.NewMem(), Dir: "data"})
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	st := &full{Store: mem}
	m, err := sessionmgr.New(sessionmgr.Options{Domains: []string{"verona.lit"}}, st, everybody{})
	if err != nil {
		t.Fatal(err)
	}
	mod, err := New(m, st, &nobody{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	l := &link{}
	s := m.Open(l, sessionmgr.LinkInfo{})
	m.Authenticated(s, jid.MustParse("juliet@verona.lit"))
	if err := m.Bind(t.Context(), s, "x", func(jid.JID) {}); err != nil {
		t.Fatal(err)
	}
	send := func(name, items string) {
		request, err := stanza.Parse([]byte(iq("set", name, items)))
		if err != nil {
			t.Fatal(err)
		}
		handled := make(chan struct{})
		if m.Inbound(s, l, request.With(s.JID(), request.To), func() { close(handled) }) {
			<-handled
		}
	}
	last := func() string {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.got[len(l.got)-1]
	}
	romeo, nurse := jid.MustParse("romeo@verona.lit"), jid.MustParse("nurse@verona.lit")
	send("block", named("romeo@verona.lit"))
	st.is.Store(true)
	send("block", named("nurse@verona.lit"))
	if got := last(); !strings.Contains(got, "type='error'") {
		t.Errorf("a block that isn't kept: %s", got)
	}
	send("unblock", "")
	if got := last(); !strings.Contains(got, "type='error'") {
		t.Errorf("an end that isn't kept: %s", got)
	}
	if b := s.Blocklist(); !b.Has(romeo) || b.Has(nurse) {
		t.Error("another list than the one that is kept is in force")
	}
	st.is.Store(false)
	send("unblock", "")
	if got := last(); !strings.Contains(got, "type='result'") || s.Blocklist() != nil {
		t.Errorf("later: %s", got)
	}
	if items, err := mod.items(t.Context(), s.JID().Bare()); err != nil || len(items) != 0 {
		t.Errorf("kept %v, %v", items, err)
	}
	if err := m.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
