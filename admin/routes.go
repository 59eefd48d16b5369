package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"weir/auth"
	"weir/jid"
	"weir/modules/announce"
	"weir/modules/invitations"
	"weir/modules/offers"
	"weir/sessionmgr"
	"weir/storage"
)

// table is what can be asked; docs/control.md has it for people.
func (c *Control) table() map[string]func(http.ResponseWriter, *http.Request) (any, error) {
	return map[string]func(http.ResponseWriter, *http.Request) (any, error){
		"GET /v1/status":                c.getStatus,
		"POST /v1/backup":               c.makeBackup,
		"GET /v1/hooks":                 c.listHooks,
		"POST /v1/reload":               c.reload,
		"POST /v1/stop":                 c.stop,
		"GET /v1/watch":                 c.watch,
		"GET /v1/sessions":              c.listSessions,
		"DELETE /v1/sessions":           c.kickSome,
		"GET /v1/sessions/count":        c.countSome,
		"GET /v1/sessions/{id}":         c.showSession,
		"GET /v1/sessions/{id}/explain": c.explainSession,
		"DELETE /v1/sessions/{id}":      c.kickSession,
		"GET /v1/policy":                c.getPolicies,
		"PUT /v1/policy":                c.setPolicies,
		"GET /v1/policy/test":           c.testPolicy,
		"GET /v1/users":                 c.listUsers,
		"POST /v1/users":                c.addUser,
		importPattern:                   c.importUsers,
		"DELETE /v1/users/{jid}":        c.deleteUser,
		"PUT /v1/users/{jid}/password":  c.setPassword,
		"PUT /v1/users/{jid}/disabled":  c.setDisabled,
		"PUT /v1/users/{jid}/role":      c.setRole,

		"GET /v1/users/{jid}/messages/{id}":   c.explainMessage,
		"GET /v1/users/{jid}/devices":         c.listDevices,
		"DELETE /v1/users/{jid}/devices":      c.revokeDevices,
		"DELETE /v1/users/{jid}/devices/{id}": c.revokeDevices,

		"GET /v1/invitations":         c.listInvitations,
		"POST /v1/invitations":        c.makeInvitation,
		"DELETE /v1/invitations/{id}": c.revokeInvitation,

		"GET /v1/offers":         c.listOffers,
		"POST /v1/offers":        c.addOffer,
		"DELETE /v1/offers/{id}": c.cancelOffer,

		"GET /v1/motd":             c.listMessages,
		"PUT /v1/motd/{domain}":    c.setMessage,
		"DELETE /v1/motd/{domain}": c.deleteMessage,
	}
}

// routes makes the table a handler.
func (c *Control) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, serve := range c.table() {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			limit := int64(maxBody)
			if pattern == importPattern {
				limit = maxImport
			}
			r.Body = http.MaxBytesReader(w, r.Body, limit)
			answer, err := serve(w, r)
			c.reply(w, answer, err)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		c.reply(w, nil, problemf(http.StatusNotFound, "there is no %s %s", r.Method, r.URL.Path))
	})
	return mux
}

// How large a request may be.
const (
	maxBody   = 64 << 10
	maxImport = 256 << 20 // some million accounts

	importPattern = "POST /v1/users/import"
)

// problem is an error with the HTTP status it is answered with.
type problem struct {
	status int
	text   string
}

func (p *problem) Error() string { return p.text }

func problemf(status int, format string, args ...any) error {
	return &problem{status, fmt.Sprintf(format, args...)}
}

// streamed is the answer of a handler that has written it already.
type streamed struct{}

// Failure is the body of an answer that is no success.
type Failure struct {
	Error string `json:"error"`
}

func (c *Control) reply(w http.ResponseWriter, answer any, err error) {
	if _, done := answer.(streamed); done {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(status(err))
		answer = Failure{plain(err)}
	}
	if answer == nil {
		answer = struct{}{}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false) // no browser reads this, and people do
	if err := enc.Encode(answer); err != nil {
		c.log.Debug("control client left", "err", err)
	}
}

// status is the HTTP status of an error.
func status(err error) int {
	var p *problem
	switch {
	case errors.As(err, &p):
		return p.status
	case errors.Is(err, auth.ErrNoAccount), errors.Is(err, auth.ErrNoDevice), errors.Is(err, invitations.ErrNotFound),
		errors.Is(err, offers.ErrNoOffer), errors.Is(err, sessionmgr.ErrGone),
		errors.Is(err, announce.ErrNone), errors.Is(err, announce.ErrDomain):
		return http.StatusNotFound
	case errors.Is(err, auth.ErrExists), errors.Is(err, invitations.ErrTaken), errors.Is(err, invitations.ErrTooMany),
		errors.Is(err, invitations.ErrOff), errors.Is(err, offers.ErrTooMany), errors.Is(err, sessionmgr.ErrAttributeSize):
		return http.StatusConflict
	case errors.Is(err, auth.ErrWeakPassword), errors.Is(err, auth.ErrBadRole), errors.Is(err, invitations.ErrBad),
		errors.Is(err, offers.ErrBadOffer), errors.Is(err, announce.ErrText):
		return http.StatusBadRequest
	case errors.Is(err, storage.ErrFull), errors.Is(err, storage.ErrFailed), errors.Is(err, storage.ErrClosed):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// plain is an error as it is told to people: without the names of packages.
func plain(err error) string {
	text := err.Error()
	for _, prefix := range []string{"auth: ", "jid: ", "storage: ", "pebble: ", "sessionmgr: ", "policy: ", "invitations: ", "offers: ", "announce: "} {
		text = strings.ReplaceAll(text, prefix, "")
	}
	return text
}

// about adds whose account an error is about.
func about(j jid.JID, err error) error { return fmt.Errorf("%s: %w", j, err) }

// onlyParameters refuses parameters of a request that it doesn't have.
func onlyParameters(r *http.Request, known ...string) error {
	for name := range r.URL.Query() {
		if !slices.Contains(known, name) {
			return problemf(http.StatusBadRequest, "unknown parameter %q, known here: %s", name, strings.Join(known, ", "))
		}
	}
	return nil
}

func (c *Control) getStatus(http.ResponseWriter, *http.Request) (any, error) {
	st := c.status()
	st.PID = os.Getpid()
	st.Sessions = c.countSessions()
	return st, nil
}

// body decodes a request's JSON, strictly.
func body(r *http.Request, v any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	var large *http.MaxBytesError
	switch err := dec.Decode(v); {
	case errors.As(err, &large):
		return problemf(http.StatusRequestEntityTooLarge, "that is too much: a request has at most %d bytes", large.Limit)
	case err != nil:
		return problemf(http.StatusBadRequest, "the request's body: %v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return problemf(http.StatusBadRequest, "the request's body goes on after its JSON value")
	}
	return nil
}
