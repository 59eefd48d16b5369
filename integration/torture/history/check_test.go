package history

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func promises(v Verdict) (all []string) {
	for _, f := range v.Findings {
		all = append(all, f.Promise)
	}
	return all
}

func TestCheck(t *testing.T) {
	for _, c := range slices.Concat(deliveries, counters) {
		t.Run(c.name, func(t *testing.T) {
			p := c.make()
			v := Check(p.run, c.rules)
			if got := promises(v); !slices.Equal(got, c.want) {
				t.Errorf("found %q, not %q", got, c.want)
				for _, f := range v.Findings {
					var b strings.Builder
					p.run.Tell(&b, f)
					t.Log(b.String())
				}
			}
		})
	}
}

// TestCheckArchives tries archives: whole, with a double, with a hole on either
// side, out of order, with the same id twice.
func TestCheckArchives(t *testing.T) {
	p := pair()
	p.send(0, 1, 0)
	p.send(0, 1, 1)
	p.acked(0, 3)
	p.get(0, 1, 0, 0)
	p.get(0, 1, 1, 0)
	p.send(0, 1, 2) // nobody knows what became of it
	p.add(0, Event{Kind: Dropped, Peer: 1, Seq: 2})
	entry := func(n int32) Archived { return Archived{ID: fmt.Sprint("id", n), Message: Message{0, 1, n}} }
	a, b, c := entry(0), entry(1), entry(2)
	again := a
	again.ID = "other"
	sameID := b
	sameID.ID = a.ID
	for _, x := range []struct {
		name         string
		mine, theirs []Archived
		want         int
	}{
		{"whole", []Archived{a, b}, []Archived{a, b}, 0},
		{"with what was given up", []Archived{a, b, c}, []Archived{c, a, b}, 0},
		{"given up, in one only", []Archived{a, b, c}, []Archived{a, b}, 1},
		{"double", []Archived{a, again, b}, []Archived{a, b}, 1},
		{"hole at the sender", []Archived{b}, []Archived{a, b}, 1},
		{"hole at the receiver", []Archived{a, b}, []Archived{a}, 1},
		{"holes at both", []Archived{a}, []Archived{a}, 1},
		{"out of order", []Archived{b, a}, []Archived{a, b}, 1},
		{"one id for two", []Archived{a, sameID}, []Archived{a, b}, 1},
		{"somebody else's", []Archived{a, b, {ID: "x", Message: Message{5, 6, 0}}}, []Archived{a, b}, 1},
	} {
		p.run.Archives = [][]Archived{x.mine, x.theirs}
		v := Check(p.run, Rules{})
		if got := v.Count("archive"); got != x.want || len(v.Findings) != x.want {
			t.Errorf("%s: %v", x.name, v.Findings)
		}
		if len(v.NotChecked) != 2 {
			t.Errorf("%s: not checked: %q", x.name, v.NotChecked)
		}
	}
	p.run.Archives = nil
	if v := Check(p.run, Rules{}); len(v.NotChecked) != 3 {
		t.Errorf("without archives, not checked: %q", v.NotChecked)
	}
}

// TestCounts looks at what the table is made of.
func TestCounts(t *testing.T) {
	p := pair()
	p.send(0, 1, 0)
	p.get(0, 1, 0, 0)
	p.acked(0, 2)
	p.resume(1, 1, 1)
	p.end(1)
	p.now += 5 * time.Second
	p.begin(1, 1)
	p.get(0, 1, 0, Delayed)
	v := Check(p.run, Rules{})
	if len(v.Findings) != 0 { // the request to resume is no proof: nothing was acknowledged behind it
		t.Errorf("findings: %v", v.Findings)
	}
	if v.Sent != 1 || v.Acked != 1 || v.Received != 1 || v.Resumes != 1 || v.Sessions != 3 || v.Again != 1 || v.Outage < 5*time.Second || v.Outage > 6*time.Second {
		t.Errorf("counts: %+v", v)
	}
}

// TestTell: the story of a lost message has what its sender and the nemesis know.
func TestTell(t *testing.T) {
	p := pair()
	p.send(0, 1, 0)
	p.acked(0, 2)
	p.deed(Killed, 1)
	v := Check(p.run, Rules{})
	var b strings.Builder
	p.run.Tell(&b, v.Findings[0])
	for _, want := range []string{"lost: client 0 m-0-1-0", "client 0: [session 1, stream 1] sends as stanza 2: message 0 with peer 1",
		"is acknowledged up to 2", "nemesis: kill, process 1"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the story lacks %q:\n%s", want, b.String())
		}
	}
	b.Reset()
	if err := p.run.Write(&b); err != nil || strings.Count(b.String(), "\n") < 10 {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestParseMessage(t *testing.T) {
	m := Message{3, 14, 15}
	if got, ok := ParseMessage(m.String()); !ok || got != m {
		t.Errorf("%v, %v", got, ok)
	}
	for _, s := range []string{"", "m-1-2", "m-1-2-3x", "m-01-2-3", "x"} {
		if got, ok := ParseMessage(s); ok {
			t.Errorf("%q is %v", s, got)
		}
	}
}

func ExampleCheck() {
	// Client 0 sent a message, was told that the server has it, and client 1 never got it.
	run := Run{Clients: []Log{{
		{At: 1 * time.Second, Kind: Connected, Stream: 1, N: 1},
		{At: 2 * time.Second, Kind: Bound, Stream: 1, Session: 1},
		{At: 3 * time.Second, Kind: Enabled, Stream: 1, Session: 1},
		{At: 4 * time.Second, Kind: Sent, Stream: 1, Session: 1, N: 1, Peer: 1, Seq: 0},
		{At: 5 * time.Second, Kind: Acked, Stream: 1, Session: 1, N: 1},
	}, {}}}
	for _, f := range Check(run, Rules{}).Findings {
		fmt.Println(f)
	}
	// Output: lost: client 0 m-0-1-0 at 5.0000s: acknowledged, and never came
}
