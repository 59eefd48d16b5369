package administration

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/stanza/dataform"
	"weir/xmlstream"

	"mellium.im/xmpp/stream"
)

// end ends sessions: those of an account, or the one that an address names.
func (mod *Module) end(ctx context.Context, by jid.JID, answer *dataform.Form) (Result, error) {
	wanted := make(map[jid.JID]bool)
	for _, address := range answer.Values("accountjids") {
		j, err := jid.Parse(address)
		if err != nil {
			return failed(err), nil
		}
		wanted[j] = true
	}
	n := 0
	var notes []string
	for j := range wanted {
		before := n
		for _, s := range mod.m.ByAccount(j.Bare()) {
			if j.IsFull() && s.JID() != j {
				continue
			}
			mod.m.Kick(s, sessionmgr.Cause{Code: sessionmgr.Kicked, Text: "ended by " + by.String()}, &stream.Error{Err: "policy-violation"})
			n++
		}
		if n > before {
			continue
		}
		why, err := mod.without(ctx, j)
		if err != nil {
			return Result{}, err
		}
		notes = append(notes, fmt.Sprintf("%s: %s", j, why))
	}
	mod.log.Info("sessions ended", "sessions", n, "by", by)
	r := Result{Note: sessionsEnded(n), Failed: len(notes) > 0}
	if slices.Sort(notes); len(notes) > 0 {
		r.Note += "; not " + strings.Join(notes, ", ")
	}
	return r, nil
}

func sessionsEnded(n int) string {
	if n == 1 {
		return "1 session ended"
	}
	return fmt.Sprintf("%d sessions ended", n)
}

// without says why no session of an address could be ended.
func (mod *Module) without(ctx context.Context, j jid.JID) (string, error) {
	if _, err := mod.ours(j.Bare().String()); err != nil {
		return "no account of this server", nil
	}
	there, err := mod.accounts.Exists(ctx, j.Bare())
	switch {
	case err != nil:
		return "", err
	case !there:
		return "no such account", nil
	case j.IsFull():
		return "no such session", nil
	}
	return "nobody is logged in", nil
}

// announce sends a headline to every session that is available. It isn't kept
// for anybody: it is for those who are here.
func (mod *Module) announce(ctx context.Context, by jid.JID, answer *dataform.Form) (Result, error) {
	text := strings.Join(answer.Values("announcement"), "\n")
	from, err := jid.New("", by.Domain(), "")
	if err != nil {
		return Result{}, err
	}
	body := append(xmlstream.AppendEscaped([]byte("<body>"), text), "</body>"...)
	st, err := stanza.New(stanza.Message, "headline", rand.Text(), from, by, body)
	if err != nil {
		return Result{}, err
	}
	n, err := mod.m.Broadcast(ctx, sessionmgr.Filter{Phase: sessionmgr.PhaseAvailable, Where: func(s *sessionmgr.Session) bool {
		return s.State() == sessionmgr.Bound
	}}, st)
	if err != nil {
		return Result{}, err
	}
	mod.log.Info("announcement sent", "sessions", n, "by", by)
	if n == 1 {
		return Result{Note: "1 session has it"}, nil
	}
	return Result{Note: fmt.Sprintf("%d sessions have it", n)}, nil
}

// idleAfter is after what time without a stanza of any of its sessions an account
// is online and not active.
const idleAfter = 10 * time.Minute

// online calls fn for each account with a session that has a connection, in no
// order, and tells when the last stanza of it came.
func (mod *Module) online(fn func(account jid.JID, last time.Time)) {
	seen := make(map[jid.JID]time.Time)
	mod.m.Range(func(s *sessionmgr.Session) bool {
		if s.State() == sessionmgr.Bound {
			account, last := s.JID().Bare(), s.LastActive()
			if old, ok := seen[account]; !ok || last.After(old) {
				seen[account] = last
			}
		}
		return true
	})
	for account, last := range seen {
		fn(account, last)
	}
}
