package mam

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/jid"
	"weir/sessionmgr/sessiontest"
	"weir/stanza"
)

// epoch is when the fake archives begin.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// fake is an archive in memory.
type fake struct {
	mu     sync.Mutex
	logs   map[jid.JID][]Archived
	prefs  map[jid.JID]Prefs
	err    error
	looked int // messages shown
	// How many read, and the most that ever did.
	readers, most int
}

func newFake() *fake { return &fake{logs: map[jid.JID][]Archived{}, prefs: map[jid.JID]Prefs{}} }

func idFor(t time.Time) uint64 { return uint64(max(t.UnixMilli(), 0)) << 20 }

// add appends a message made at epoch plus d, and returns its id.
func (f *fake) add(account string, d time.Duration, outgoing bool, message string) uint64 {
	a := jid.MustParse(account)
	st, err := stanza.Parse([]byte(message))
	if err != nil {
		panic(err)
	}
	log := f.logs[a]
	id := idFor(epoch.Add(d))
	if n := len(log); n > 0 && log[n-1].ID >= id {
		id = log[n-1].ID + 1
	}
	f.logs[a] = append(log, Archived{ID: id, At: epoch.Add(d), Outgoing: outgoing, Stanza: st})
	return id
}

func (f *fake) walk(account jid.JID, fn func(Archived) bool, backward bool, in func(uint64) bool) error {
	f.mu.Lock()
	log, err := slices.Clone(f.logs[account]), f.err
	f.readers++
	f.most = max(f.most, f.readers)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.readers--
	}()
	if backward {
		slices.Reverse(log)
	}
	for _, a := range log {
		if !in(a.ID) {
			continue
		}
		f.mu.Lock()
		f.looked++
		f.mu.Unlock()
		if !fn(a) {
			return err
		}
	}
	return err
}

func (f *fake) Archived(_ context.Context, account jid.JID, after uint64, fn func(Archived) bool) error {
	return f.walk(account, fn, false, func(id uint64) bool { return id > after })
}

func (f *fake) ArchivedBefore(_ context.Context, account jid.JID, before uint64, fn func(Archived) bool) error {
	return f.walk(account, fn, true, func(id uint64) bool { return id < before })
}

func (f *fake) FirstArchivedAt(t time.Time) uint64 {
	if ms := t.Truncate(time.Millisecond); ms.Before(t) {
		t = ms.Add(time.Millisecond)
	}
	return idFor(t)
}

func (f *fake) ArchivePrefs(_ context.Context, account jid.JID) (Prefs, error) {
	return f.prefs[account], f.err
}

func (f *fake) SetArchivePrefs(_ context.Context, account jid.JID, p Prefs) error {
	if f.err == nil {
		f.prefs[account] = p
	}
	return f.err
}

var errDisk = errors.New("the disk burns")

// romeo's is the archive that most tests ask about.
const romeo = "romeo@verona.lit"

// fill gives romeo n messages, a second apart, with three people in turn and now
// and then a note to himself. What is said is the number.
func (f *fake) fill(n int) {
	for i := range n {
		to, from, out := romeo+"/orchard", []string{"juliet@verona.lit/balcony", "nurse@far.away/x", "tybalt@verona.lit"}[i%3], i%2 == 0
		if out {
			to, from = from, romeo+"/orchard"
		}
		if i%17 == 16 {
			to, from = romeo, romeo+"/orchard"
		}
		f.add(romeo, time.Duration(i)*time.Second, out, fmt.Sprintf("<message from='%s' to='%s' type='chat' id='m%d'><body>%d</body></message>", from, to, i, i))
	}
}

// scene is a house with the module and romeo.
type scene struct {
	t *testing.T
	*sessiontest.House
	f     *fake
	mod   *Module
	romeo *sessiontest.Client
}

func newScene(t *testing.T, o Options) *scene {
	t.Helper()
	s := &scene{t: t, House: sessiontest.New(), f: newFake()}
	t.Cleanup(s.Close)
	s.mod = New(s.Manager, s.f, o)
	s.romeo = s.Bind(romeo + "/orchard") // not available: nothing is owed to it that comes between
	return s
}

// got is what came of a query.
type got struct {
	iq    string
	texts []string // bodies, as sent
	ids   []string
	raw   []string
	fin   struct {
		Complete string `xml:"complete,attr"`
		Set      struct {
			First *struct {
				Index string `xml:"index,attr"`
				ID    string `xml:",chardata"`
			} `xml:"first"`
			Last  string  `xml:"last"`
			Count *string `xml:"count"`
		} `xml:"http://jabber.org/protocol/rsm set"`
	}
}

func (g *got) count() string {
	if g.fin.Set.Count == nil {
		return ""
	}
	return *g.fin.Set.Count
}

// query sends the children of a query and reads what comes back.
func (s *scene) query(children string) *got {
	s.t.Helper()
	s.romeo.Send("<iq type='set' id='q1'><query xmlns='urn:xmpp:mam:2' queryid='f27'>" + children + "</query></iq>")
	all := s.romeo.Got()
	if len(all) == 0 {
		s.t.Fatalf("no answer to %s", children)
	}
	g := &got{iq: all[len(all)-1], raw: all[:len(all)-1]}
	for _, m := range g.raw {
		var r struct {
			From   string `xml:"from,attr"`
			To     string `xml:"to,attr"`
			Result struct {
				ID        string `xml:"id,attr"`
				QueryID   string `xml:"queryid,attr"`
				Forwarded struct {
					Delay struct {
						Stamp string `xml:"stamp,attr"`
					} `xml:"urn:xmpp:delay delay"`
					Message struct {
						Body string `xml:"jabber:client body"`
					} `xml:"jabber:client message"`
				} `xml:"urn:xmpp:forward:0 forwarded"`
			} `xml:"urn:xmpp:mam:2 result"`
		}
		if err := xml.Unmarshal([]byte(m), &r); err != nil || r.From != romeo || r.To != romeo+"/orchard" || r.Result.QueryID != "f27" || r.Result.Forwarded.Delay.Stamp == "" {
			s.t.Fatalf("%s: %+v %v", m, r, err)
		}
		g.ids, g.texts = append(g.ids, r.Result.ID), append(g.texts, r.Result.Forwarded.Message.Body)
	}
	if !strings.Contains(g.iq, "id='q1'") {
		s.t.Fatalf("the last isn't the answer: %s", g.iq)
	}
	if _, fin, ok := strings.Cut(g.iq, "<fin"); ok {
		fin = "<fin" + strings.TrimSuffix(fin, "</iq>")
		if err := xml.Unmarshal([]byte(fin), &g.fin); err != nil {
			s.t.Fatalf("%s: %v", fin, err)
		}
	} else if len(g.raw) > 0 {
		s.t.Fatalf("results before an error: %v", all)
	}
	return g
}

// submitted is a form with fields given as name, value, name, value.
func submitted(pairs ...string) string {
	b := "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field>"
	for i := 0; i < len(pairs); i += 2 {
		b += "<field var='" + pairs[i] + "'><value>" + pairs[i+1] + "</value></field>"
	}
	return b + "</x>"
}

func rsm(inner string) string {
	return "<set xmlns='http://jabber.org/protocol/rsm'>" + inner + "</set>"
}

// said are the numbers from one to another, as bodies.
func said(from, to, step int) []string {
	var all []string
	for i := from; i != to+step; i += step {
		all = append(all, fmt.Sprint(i))
	}
	return all
}

func stampOf(d time.Duration) string { return epoch.Add(d).Format(time.RFC3339Nano) }
