package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/integration/testclient"
)

// fake is a server that keeps the promises in the simplest way: everything that
// happens is a line in a file before it is an event in memory, and a new process
// reads them all. What it gets wrong on purpose is named by bug.
type fake struct {
	mu       sync.Mutex
	bug      string
	file     *os.File
	replay   bool
	sessions map[string]*fakeSession // by id
	current  map[string]*fakeSession // by account
	owed     map[string][]fakeStanza // by account
	archive  map[string][]string     // by account: stanzas
	seen     map[string]bool         // origin-ids
	count    int
	resumes  int
}

type fakeSession struct {
	ID, Account, Resource string
	enabled, available    bool
	in, out               uint32
	queue                 []fakeStanza
	link                  *fakeLink
	ended                 bool
}

// fakeStanza is a stanza on its way to a client.
type fakeStanza struct {
	n    uint32
	raw  string
	kept bool // a message with a body
}

// op is one line of the file.
type op struct {
	Do       string // bind, enable, resume, ack, in
	ID       string
	Account  string `json:",omitempty"`
	Resource string `json:",omitempty"`
	H        uint32 `json:",omitempty"`
	Raw      string `json:",omitempty"`
	At       time.Time
}

// openFake reads the file in a folder up to its last whole line.
func openFake(dir, bug string) (*fake, error) {
	f := &fake{bug: bug, sessions: map[string]*fakeSession{}, current: map[string]*fakeSession{}, owed: map[string][]fakeStanza{},
		archive: map[string][]string{}, seen: map[string]bool{}}
	dir = filepath.Join(dir, "store")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var err error
	if f.file, err = os.OpenFile(filepath.Join(dir, "000001.log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600); err != nil {
		return nil, err
	}
	all, err := os.ReadFile(f.file.Name())
	if err != nil {
		return nil, err
	}
	whole := 0
	f.replay = true
	for line := range bytes.Lines(all) {
		var o op
		if len(line) < 10 || fmt.Sprintf("%08x", crc32.ChecksumIEEE(line[9:len(line)-1])) != string(line[:8]) || json.Unmarshal(line[9:len(line)-1], &o) != nil {
			break
		}
		f.apply(o)
		whole += len(line)
	}
	f.replay = false
	return f, f.file.Truncate(int64(whole))
}

// do makes an operation durable and then real. mu is held.
func (f *fake) do(o op) {
	o.At = time.Now()
	f.count++
	if f.bug == "forgets" && o.Do == "in" && f.count%20 == 0 {
		f.apply(o) // only in memory
		return
	}
	b, err := json.Marshal(o)
	if err == nil {
		_, err = fmt.Fprintf(f.file, "%08x %s\n", crc32.ChecksumIEEE(b), b)
	}
	if err != nil {
		panic(err)
	}
	f.apply(o)
}

func (f *fake) apply(o op) {
	switch s := f.sessions[o.ID]; o.Do {
	case "bind":
		if old := f.current[o.Account]; old != nil {
			f.end(old)
		}
		s = &fakeSession{ID: o.ID, Account: o.Account, Resource: o.Resource}
		f.sessions[o.ID], f.current[o.Account] = s, s
	case "enable":
		s.enabled = true
	case "ack", "resume":
		for len(s.queue) > 0 && s.queue[0].n <= o.H {
			s.queue = s.queue[1:]
		}
	case "end":
		f.end(s)
	case "in":
		s.in++
		e, err := testclient.Parse(o.Raw)
		if err != nil {
			panic(err)
		}
		f.route(s, e[0], o.At)
	}
}

// end ends a session: what it did not acknowledge is owed to its account, before the rest.
func (f *fake) end(s *fakeSession) {
	s.ended = true
	var left []fakeStanza
	for _, x := range s.queue {
		if x.kept {
			left = append(left, x)
		}
	}
	if f.bug == "drops" && len(left) > 1 {
		left = left[1:]
	}
	f.owed[s.Account] = append(left, f.owed[s.Account]...)
	s.queue = nil
	if s.link != nil {
		s.link.conflict()
		s.link = nil
	}
	if f.current[s.Account] == s {
		delete(f.current, s.Account)
	}
}

func attribute(e *testclient.Element, name, value string) {
	for i := range e.Attr {
		if e.Attr[i].Name.Local == name {
			e.Attr[i].Value = value
			return
		}
	}
	a := slices.Clone(e.Attr[:0:0])
	p, _ := testclient.Parse("<x " + name + "='" + value + "'/>")
	e.Attr = append(append(a, p[0].Attr...), e.Attr...)
}

// route does what a stanza of a session asks for.
func (f *fake) route(s *fakeSession, e *testclient.Element, at time.Time) {
	attribute(e, "from", s.Account+"@"+domain+"/"+s.Resource)
	to, resource, _ := strings.Cut(e.Get("to"), "/")
	name, _, _ := strings.Cut(to, "@")
	kept := e.Name.Local == "message" && e.Child("", "body") != nil
	switch {
	case e.Name.Local == "presence" && to == "":
		f.give(s, e.String(), false)
		if !s.available {
			s.available = true
			owed := f.owed[s.Account]
			f.owed[s.Account] = nil
			for _, x := range owed {
				f.give(s, x.raw, true)
			}
		}
	case to == nobody:
		if kept {
			f.give(s, "<message type='error' from='"+nobody+"' id='"+e.Get("id")+"'><error type='cancel'/></message>", false)
		}
	case to == domain:
		f.give(s, "<iq type='result' id='"+e.Get("id")+"' from='"+domain+"'/>", false)
	case !kept:
		if t := f.current[name]; t != nil && (resource == "" && t.available || resource == t.Resource) {
			f.give(t, e.String(), false)
		}
	default:
		f.message(name, resource, s.Account, e, at)
	}
}

// message delivers or keeps a message.
func (f *fake) message(to, resource, from string, e *testclient.Element, at time.Time) {
	if id := from + " " + e.Get("id"); f.seen[id] {
		return
	} else if f.bug != "copies" {
		f.seen[id] = true
	}
	raw := e.String()
	f.archive[to] = append(f.archive[to], raw)
	if f.bug != "unarchived" || len(f.archive[to])%10 != 0 {
		f.archive[from] = append(f.archive[from], raw)
	}
	if t := f.current[to]; t != nil && (t.available || resource == t.Resource) {
		f.give(t, raw, true)
		return
	}
	f.owed[to] = append(f.owed[to], fakeStanza{raw: stamped(raw, at), kept: true})
}

func stamped(raw string, at time.Time) string {
	if strings.Contains(raw, "<delay ") {
		return raw
	}
	return strings.TrimSuffix(raw, "</message>") + "<delay xmlns='" + nsDelay + "' stamp='" + at.UTC().Format(time.RFC3339) + "'/></message>"
}

// give numbers a stanza for a session and writes it if it has a stream.
func (f *fake) give(s *fakeSession, raw string, kept bool) {
	if !s.enabled {
		if s.link != nil {
			s.link.write(raw)
		}
		return
	}
	s.out++
	later := raw
	if kept {
		later = stamped(raw, time.Now())
	}
	s.queue = append(s.queue, fakeStanza{n: s.out, raw: later, kept: kept})
	if s.link != nil {
		s.link.write(raw)
	}
}

// results are a page of an account's archive as XEP-0313 has it.
func (f *fake) results(account string, query *testclient.Element) string {
	after, limit := 0, 50
	if a := query.Child(nsRSM, "set").Child(nsRSM, "after"); a != nil {
		fmt.Sscan(a.Text, &after)
	}
	var b strings.Builder
	all := f.archive[account]
	end := min(len(all), after+limit)
	for i, raw := range all[after:end] {
		fmt.Fprintf(&b, "<message><result xmlns='%s' id='%d'><forwarded xmlns='urn:xmpp:forward:0'>%s</forwarded></result></message>",
			nsMAM, after+i+1, strings.Replace(raw, "<message ", "<message xmlns='jabber:client' ", 1))
	}
	fmt.Fprintf(&b, "<iq type='result' id='q'><fin xmlns='%s' complete='%v'><set xmlns='%s'><last>%d</last></set></fin></iq>",
		nsMAM, end == len(all), nsRSM, end)
	return b.String()
}
