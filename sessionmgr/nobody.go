package sessionmgr

import (
	"context"

	"weir/stanza"
)

// nobody stands in for a presence handler that was never set: a server without
// presence. It drops what it gets, as RFC 6121 §8.5.1 does for addresses that
// don't exist.
type nobody struct{}

func (nobody) FromClient(_ context.Context, s *Session, st *stanza.Stanza) error {
	if st.To.IsZero() && st.Type == "" {
		s.SetPresence(st, 0)
	}
	return nil
}

func (nobody) ToAccount(context.Context, *stanza.Stanza) error { return nil }

func (nobody) Blocking(*Session, *stanza.Stanza) bool { return false }
