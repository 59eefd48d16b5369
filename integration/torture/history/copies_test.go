package history

import (
	"slices"
	"testing"
)

// device adds a device of an account that has copies on, with what it saw.
func (p *tape) device(account int32, events ...Event) {
	log := Log{{Kind: Connected, N: 1}, {Kind: Bound}, {Kind: Enabled}, {Kind: Copying}}
	for i := range log {
		log[i].At, log[i].Stream = p.now, 1
		if i > 0 {
			log[i].Session = 1
		}
	}
	for i, e := range events {
		e.At, e.Session, e.Stream, e.N = p.now, 1, 1, uint32(i+1)
		log = append(log, e)
	}
	p.run.Devices = append(p.run.Devices, Device{account, log})
}

// copies are histories of two messages from client 0 to 1, of which a device of
// the one and a device of the other see something.
var copies = []struct {
	name         string
	sent, gotten []int32
	want         []string
}{
	{"each sees each", []int32{0, 1}, []int32{0, 1}, nil},
	{"the sender's misses one", []int32{0}, []int32{0, 1}, []string{"copies"}},
	{"the receiver's misses one", []int32{0, 1}, []int32{1}, []string{"copies"}},
	{"one comes twice", []int32{0, 1}, []int32{0, 1, 0}, []string{"copies", "copies"}}, // and behind the other
	{"in another order than in the archive", []int32{1, 0}, []int32{0, 1}, []string{"copies"}},
	{"a copy of nothing", []int32{0, 1, 2}, []int32{0, 1}, []string{"wrong"}},
}

func TestCopies(t *testing.T) {
	for _, c := range copies {
		p := pair()
		begin := p.now
		for seq := range int32(2) {
			p.send(0, 1, seq)
			p.get(0, 1, seq, 0)
		}
		p.acked(0, 3)
		end := p.now
		for account, seen := range [][]int32{c.sent, c.gotten} {
			var events []Event
			for _, seq := range seen {
				e := Event{Kind: Copied, Peer: 1, Seq: seq, Flags: FromUs}
				if account == 1 {
					e.Peer, e.Flags = 0, 0
				}
				events = append(events, e)
			}
			p.now = begin
			p.device(int32(account), events...)
			p.now = end
		}
		both := []Archived{{"a", Message{0, 1, 0}}, {"b", Message{0, 1, 1}}}
		p.run.Archives = [][]Archived{both, both}
		v := Check(p.run, Rules{})
		var got []string
		for _, f := range v.Findings {
			got = append(got, f.Promise)
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, v.Findings, c.want)
		}
	}
}
