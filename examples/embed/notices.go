package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"encoding/xml"
	"io"
	"log/slog"
	"net/http"
	"time"

	"weir"
	"weir/auth"
	"weir/hook"
	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/storage"
)

// Bounds of what is posted and waited for.
const (
	maxPost  = 16 << 10
	patience = 30 * time.Second
)

// Notices tells notices to accounts, and keeps which were told.
type Notices struct {
	m     *sessionmgr.Manager
	store storage.Store
	told  storage.Map // of each account, by time and id
	from  jid.JID
	log   *slog.Logger
	page  *http.ServeMux
}

// New registers with a server, between weir.New and Start.
func New(s *weir.Server) *Notices {
	n := &Notices{m: s.Sessions, store: s.Store, told: storage.NewMap(s.Store, "notices"),
		from: jid.MustParse(s.Config.Domains[0]), log: s.Log, page: http.NewServeMux()}
	s.Auth.Hooks.AccountChanged.Add("notices", hook.Late, n.accountChanged)
	n.page.HandleFunc("POST /notices/{account}", n.post)
	n.page.HandleFunc("GET /notices/{account}", n.list)
	return n
}

// ServeHTTP is the page.
func (n *Notices) ServeHTTP(w http.ResponseWriter, r *http.Request) { n.page.ServeHTTP(w, r) }

// accountChanged removes what is kept for an account that was deleted: the next one
// with its name is somebody else's.
func (n *Notices) accountChanged(ctx context.Context, c auth.AccountChange) {
	if c.Kind != auth.AccountDeleted {
		return
	}
	var b storage.Batch
	storage.DeleteAccount(&b, c.JID.String(), n.told.Table())
	if err := storage.Commit(ctx, n.store, &b); err != nil {
		n.log.Error("the notices of a deleted account are left", "account", c.JID, "err", err)
	}
}

// body is the payload of a message.
type body struct {
	XMLName xml.Name `xml:"body"`
	Text    string   `xml:",chardata"`
}

// Tell sends a notice and waits until it is safe: in the account's log, written to a
// client, or refused. It is sent as if it came from the server's own address.
func (n *Notices) Tell(ctx context.Context, account jid.JID, text string) (sessionmgr.Report, error) {
	st, err := stanza.New(stanza.Message, "chat", rand.Text(), n.from, account, body{Text: text})
	if err != nil {
		return sessionmgr.Report{}, err
	}
	tracker := sessionmgr.NewTracker(nil)
	if err := n.m.RouteFollowed(ctx, st, tracker); err != nil {
		return sessionmgr.Report{}, err
	}
	return tracker.Wait(ctx, sessionmgr.Kept)
}

// post takes the body of a request as the text of a notice.
func (n *Notices) post(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	account, err := jid.Parse(r.PathValue("account"))
	if err != nil || !account.IsBare() {
		http.Error(w, "that is no account's address", http.StatusBadRequest)
		return
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPost))
	if err != nil {
		http.Error(w, "a notice is up to 16 KiB", http.StatusRequestEntityTooLarge)
		return
	}
	report, err := n.Tell(ctx, account, string(text))
	switch {
	case err != nil:
		n.log.Error("a notice could not be told", "account", account, "err", err)
		http.Error(w, "the server could not take it", http.StatusServiceUnavailable)
		return
	case report.Fate == sessionmgr.Bounced:
		http.Error(w, "refused: "+report.Err.Error(), http.StatusNotFound)
		return
	}
	if err := n.note(ctx, account, string(text)); err != nil {
		n.log.Error("a notice was told and not noted", "account", account, "err", err)
	}
	answer(w, map[string]string{"account": account.String(), "fate": report.Fate.String()})
}

// note keeps a notice in the server's own store, in a table of this module.
func (n *Notices) note(ctx context.Context, account jid.JID, text string) error {
	var b storage.Batch
	key := time.Now().UTC().Format("2006-01-02T15:04:05.000000000Z") + " " + rand.Text()
	n.told.Put(&b, account.String(), key, []byte(text))
	return storage.Commit(ctx, n.store, &b) // returns when it is durable
}

// list tells what an account was told, oldest first.
func (n *Notices) list(w http.ResponseWriter, r *http.Request) {
	account, err := jid.Parse(r.PathValue("account"))
	if err != nil {
		http.Error(w, "that is no account's address", http.StatusBadRequest)
		return
	}
	all := []string{}
	err = n.told.All(r.Context(), account.String(), func(_ string, rec []byte) bool {
		all = append(all, string(rec))
		return len(all) < 1000
	})
	if err != nil {
		n.log.Error("notices could not be read", "account", account, "err", err)
		http.Error(w, "the store can't be read", http.StatusServiceUnavailable)
		return
	}
	answer(w, all)
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // whoever asked has gone
}
