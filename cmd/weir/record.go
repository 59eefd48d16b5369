package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"weir/admin"
	"weir/jid"
)

// cast are the accounts that the server of a replay has.
var cast = []string{"juliet", "romeo", "nurse", "mercutio"}

// recorder writes what sessions do as a stream script of the integration tests.
// What it can't say in that language (stream management, client state) it leaves out:
// a resumed session logs in anew.
type recorder struct {
	w        io.Writer
	err      error
	begun    bool
	bodies   bool
	accounts map[string]string // address to name
	actors   map[string]string // id of a session to who plays it
	used     map[string]int    // name of an account to how many actors it has
}

func newRecorder(w io.Writer, bodies bool) *recorder {
	return &recorder{w: w, bodies: bodies, accounts: map[string]string{}, actors: map[string]string{}, used: map[string]int{}}
}

func (r *recorder) line(format string, args ...any) {
	if r.err == nil {
		_, r.err = fmt.Fprintf(r.w, format+"\n", args...)
	}
}

// add writes the step that an event is, if it is one.
func (r *recorder) add(e admin.Event) error {
	if !r.begun {
		r.begun = true
		texts := "Texts are replaced by x."
		if r.bodies {
			texts = "Texts are as they were."
		}
		r.line("Recorded on %s by weir session watch. %s\n\n-- script --", e.At.UTC().Format("2006-01-02 15:04:05 UTC"), texts)
	}
	actor := r.actors[e.Session]
	switch e.Event {
	case "present", "bound", "resumed":
		r.enter(e)
	case "in":
		if actor != "" {
			r.sent(actor, e.Stanza)
		}
	case "out":
		if actor != "" && e.State == "c2s" {
			r.got(actor, e.Stanza)
		}
	case "hibernated", "closed":
		r.leave(actor, e)
	case "missed":
		r.line("# %d events are missing here", e.Missed)
	}
	return r.err
}

// enter has a session's actor log in. Beyond the cast there is nobody to play.
func (r *recorder) enter(e admin.Event) {
	j, err := jid.Parse(e.JID)
	if err != nil || e.State == "c2s_hibernating" {
		return
	}
	name := r.name(j.Bare().String())
	if name == "" {
		r.line("# a session of a further account is left out")
		return
	}
	actor := name
	if n := r.used[name]; n > 0 {
		actor = fmt.Sprintf("%s%d", name, n+1)
	}
	r.used[name]++
	r.actors[e.Session] = actor
	if e.Event == "resumed" {
		r.line("# resumed; here it logs in anew")
	}
	r.line("%s: login %s as %s", actor, word(j.Resource()), name)
	if e.Event == "present" && e.Available != nil && *e.Available {
		r.line("%s> <presence><priority>%d</priority></presence>\n%s: sync", actor, *e.Priority, actor)
	}
}

// name returns who of the cast plays an account, "" where all play already.
func (r *recorder) name(account string) string {
	name, known := r.accounts[account]
	if !known && len(r.accounts) < len(cast) {
		name = cast[len(r.accounts)]
		r.accounts[account] = name
	}
	return name
}

// leave ends a session's stream the way that it ended.
func (r *recorder) leave(actor string, e admin.Event) {
	if actor == "" {
		return
	}
	delete(r.actors, e.Session)
	switch code, _, _ := strings.Cut(e.Cause, ":"); code {
	case "closed-by-client":
		r.line("%s: close", actor)
	default:
		r.line("# %s\n%s: cut", printable(e.Cause), actor)
	}
}

// sent writes a stanza of an actor, and waits until it is handled.
func (r *recorder) sent(actor string, s *admin.SeenStanza) {
	r.line("%s> %s", actor, r.replay(s.XML))
	if s.Kind != "iq" || s.Type == "result" || s.Type == "error" {
		r.line("%s: sync", actor)
	}
}

// got writes what an actor is to receive: its head, not what is in it.
func (r *recorder) got(actor string, s *admin.SeenStanza) {
	pattern := "<" + s.Kind
	for _, a := range [][2]string{{"type", s.Type}, {"from", r.address(s.From)}} {
		if a[1] != "" {
			pattern += fmt.Sprintf(" %s='%s'", a[0], escapeAttr(a[1]))
		}
	}
	if s.Kind == "iq" && s.ID != "" && s.Type != "set" && s.Type != "get" {
		pattern += fmt.Sprintf(" id='%s'", escapeAttr(s.ID))
	}
	r.line("%s<~ %s ...>...</%s>", actor, pattern, s.Kind)
}

// address is the address in the replay.
func (r *recorder) address(s string) string {
	j, err := jid.Parse(s)
	if err != nil {
		return s
	}
	name := r.accounts[j.Bare().String()]
	switch {
	case name == "" && j.Local() == "":
		return "localhost"
	case name == "":
		return s
	case j.IsFull():
		return name + "@localhost/" + j.Resource()
	}
	return name + "@localhost"
}

// replay is a stanza with the addresses of the replay, on one line.
func (r *recorder) replay(xml string) string {
	for account, name := range r.accounts {
		xml = strings.ReplaceAll(xml, account, name+"@localhost")
	}
	xml = strings.NewReplacer("{", "&#123;", "}", "&#125;", "\n", " ", "\r", " ").Replace(xml)
	return fromAttr.ReplaceAllString(xml, "$1")
}

// fromAttr is the sender in a stanza's start tag: the server puts it there.
var fromAttr = regexp.MustCompile(`^(<[a-z]+(?:\s[^>]*?)?)\sfrom=(?:'[^']*'|"[^"]*")`)

func escapeAttr(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", "'", "&apos;").Replace(s)
}

// word makes a resource one word of a script.
func word(s string) string { return strings.Join(strings.Fields(s), "_") }
