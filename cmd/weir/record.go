package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"weir/admin"
	"weir/jid"
	"weir/xmlstream"
)

// cast are the accounts that the server of a replay has.
var cast = []string{"juliet", "romeo", "nurse", "mercutio"}

// recorder writes what sessions do as a stream script of the integration tests.
// What it can't say in that language (stream management, client state) it leaves out:
// a resumed session logs in anew.
type recorder struct {
	w       io.Writer
	err     error
	begun   bool
	bodies  bool
	names   map[string]string // address of an account to its name in the script
	domains map[string]bool   // of those accounts
	actors  map[string]string // id of a session to who plays it
	used    map[string]int    // name of an account to how many actors it has
}

func newRecorder(w io.Writer, bodies bool) *recorder {
	return &recorder{w: w, bodies: bodies, names: map[string]string{}, domains: map[string]bool{}, actors: map[string]string{}, used: map[string]int{}}
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
	r.domains[j.Domain()] = true
	name := r.name(j.Bare())
	if !slices.Contains(cast, name) {
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

// name is the local part that an account has in the script. Who has no session yet is
// named here already, so that it stays the same one; beyond the cast it is nobody that
// the replay's server has.
func (r *recorder) name(account jid.JID) string {
	name, known := r.names[account.String()]
	if !known {
		if n := len(r.names); n < len(cast) {
			name = cast[n]
		} else {
			name = fmt.Sprintf("extra%d", n-len(cast)+1)
		}
		r.names[account.String()] = name
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

// address is the address in the replay. That of another server stays.
func (r *recorder) address(s string) string {
	j, err := jid.Parse(s)
	switch {
	case err != nil || !r.domains[j.Domain()]:
		return s
	case j.Local() == "" && !j.IsFull():
		return "localhost"
	case j.Local() == "":
		return "localhost/" + j.Resource()
	case j.IsFull():
		return r.name(j.Bare()) + "@localhost/" + word(j.Resource())
	}
	return r.name(j) + "@localhost"
}

// replay is a stanza with the addresses of the replay, on one line. All are replaced
// in one pass: an account's name in the replay may be that of another here.
func (r *recorder) replay(xml string) string {
	xml = fromAttr.ReplaceAllString(xml, "$1")
	xml = addresses.ReplaceAllStringFunc(xml, func(at string) string {
		if at[0] != '=' {
			return r.renamed(at)
		}
		begin, value, end := at[:2], at[2:len(at)-1], at[len(at)-1:]
		if fresh := r.renamed(value); fresh != value {
			return begin + fresh + end
		}
		return begin + inText.ReplaceAllStringFunc(value, r.renamed) + end // like xmpp:juliet@localhost
	})
	return strings.NewReplacer("{", "&#123;", "}", "&#125;", "\n", " ", "\r", " ").Replace(xml)
}

// renamed is address for what is escaped.
func (r *recorder) renamed(s string) string {
	plain := unescapeAttr(s)
	if fresh := r.address(plain); fresh != plain {
		return escapeAttr(fresh)
	}
	return s
}

// What may be an address: the value of an attribute, with a resource or without, or
// an account's in a text. Whole words only.
var (
	inText    = regexp.MustCompile(bareAddress)
	addresses = regexp.MustCompile(`='[^'<>]+'|="[^"<>]+"|` + bareAddress)
)

const bareAddress = `[^\s"&'/:;<>@]+@[\pL\pN.-]*[\pL\pN]`

// fromAttr is the sender in a stanza's start tag: the server puts it there.
var fromAttr = regexp.MustCompile(`^(<[a-z]+(?:\s[^>]*?)?)\sfrom=(?:'[^']*'|"[^"]*")`)

func escapeAttr(s string) string { return string(xmlstream.AppendAttr(nil, s)) }

func unescapeAttr(s string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&apos;", "'", "&quot;", `"`, "&amp;", "&").Replace(s)
}

// word makes a resource one word of a script.
func word(s string) string { return strings.Join(strings.Fields(s), "_") }
