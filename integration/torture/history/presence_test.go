package history

import (
	"slices"
	"testing"
)

// shows lets a client show its presence and learn that it was handled.
func (p *tape) shows(c int32, status string) {
	p.out[c]++
	p.add(c, Event{Kind: SentOther, N: p.out[c], Flags: Shows, Note: status})
	p.acked(c, p.out[c])
	p.add(c, Event{Kind: Available, Note: "r0"})
}

// sees lets a client see a contact; status "" is unavailable.
func (p *tape) sees(c, contact int32, resource, status string) {
	e := Event{Kind: Saw, Peer: contact, Note: resource + " " + status}
	if status == "" {
		e.Flags, e.Note = Gone, resource
	}
	p.add(c, e)
}

// views are what client 1 sees of client 0, which shows two things in its first session.
var views = []struct {
	name string
	see  func(p *tape)
	want []string
}{
	{"all of it", func(p *tape) { p.sees(1, 0, "r0", "s1-1"); p.sees(1, 0, "r0", "s1-2") }, nil},
	{"the last only", func(p *tape) { p.sees(1, 0, "r0", "s1-2") }, nil},
	{"nothing", func(p *tape) {}, []string{"presence"}},
	{"not the last", func(p *tape) { p.sees(1, 0, "r0", "s1-1") }, []string{"presence"}},
	{"a resource that isn't there", func(p *tape) { p.sees(1, 0, "r0", "s1-2"); p.sees(1, 0, "r1", "s0-1") }, []string{"presence"}},
	{"one that was there", func(p *tape) {
		p.sees(1, 0, "r1", "s0-1")
		p.sees(1, 0, "r0", "s1-2")
		p.sees(1, 0, "r1", "")
	}, nil},
	{"all that were there", func(p *tape) { p.sees(1, 0, "r1", "s0-1"); p.sees(1, 0, "", ""); p.sees(1, 0, "r0", "s1-2") }, nil},
	{"gone at the end", func(p *tape) { p.sees(1, 0, "r0", "s1-2"); p.sees(1, 0, "r0", "") }, []string{"presence"}},
	{"gone and back", func(p *tape) {
		p.sees(1, 0, "r0", "s1-1")
		p.sees(1, 0, "r0", "")
		p.sees(1, 0, "r0", "s1-2")
	}, []string{"presence"}},
	{"gone and back as another session", func(p *tape) {
		p.sees(1, 0, "r0", "s0-9")
		p.sees(1, 0, "r0", "")
		p.sees(1, 0, "r0", "s1-2")
	}, nil},
	{"in the session before only", func(p *tape) { p.sees(1, 0, "r0", "s1-2"); p.end(1); p.begin(1, 1); p.acked(1, 1) }, []string{"presence"}},
	{"before a resumption", func(p *tape) { p.sees(1, 0, "r0", "s1-2"); p.resume(1, 1, p.out[1]) }, nil},
	{"without a stream, when all is quiet", func(p *tape) { p.end(1) }, nil},
	{"with something under way", func(p *tape) { p.other(1) }, nil},
}

func TestPresence(t *testing.T) {
	for _, c := range views {
		p := pair()
		p.shows(0, "s1-1")
		p.shows(0, "s1-2")
		p.sees(0, 1, "r0", "s1-1")
		p.shows(1, "s1-1")
		c.see(p)
		p.add(1, Event{Kind: Available, Note: "r0"})
		p.deed(Quiet, 1)
		p.run.Contacts = [][]int32{{1}, {0}}
		v := Check(p.run, Rules{})
		var got []string
		for _, f := range v.Findings {
			if f.Client == 1 {
				got = append(got, f.Promise)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, v.Findings, c.want)
		}
	}
}
