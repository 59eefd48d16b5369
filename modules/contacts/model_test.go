package contacts

import (
	"fmt"
	"testing"

	"weir/jid"
	"weir/roster"

	"pgregory.net/rapid"
)

// model says who asked whom and who sees whom, without states: for each ordered
// pair one relation, and what each has written into its roster.
type model struct {
	asked, sees map[[2]string]bool // [viewer, target]
	approved    map[[2]string]bool // [who approved, whom]
	listed      map[[2]string]bool // [whose roster, who is in it]
}

func newModel() *model {
	return &model{map[[2]string]bool{}, map[[2]string]bool{}, map[[2]string]bool{}, map[[2]string]bool{}}
}

// act is what RFC 6121 §3 tells in prose, for two accounts that both exist.
func (m *model) act(a, verb, b string) {
	ab, ba := [2]string{a, b}, [2]string{b, a}
	switch verb {
	case "subscribe":
		if m.sees[ab] {
			return
		}
		m.listed[ab] = true
		if m.approved[ba] {
			m.sees[ab], m.asked[ab] = true, false
		} else {
			m.asked[ab] = true
		}
	case "unsubscribe":
		m.asked[ab], m.sees[ab] = false, false
	case "subscribed":
		switch {
		case m.sees[ba]:
		case m.asked[ba]:
			m.asked[ba], m.sees[ba], m.listed[ab] = false, true, true
		default:
			m.approved[ab], m.listed[ab] = true, true
		}
	case "unsubscribed":
		m.asked[ba], m.sees[ba], m.approved[ab] = false, false, false
	case "set":
		m.listed[ab] = true
	case "remove":
		if m.listed[ab] {
			m.asked[ab], m.sees[ab], m.sees[ba] = false, false, false
			m.approved[ab], m.listed[ab] = false, false
		}
	}
}

// state is what the two relations look like from a.
func (m *model) state(a, b string) roster.State {
	out, in := [2]string{a, b}, [2]string{b, a}
	name := "None"
	switch {
	case m.sees[out] && m.sees[in]:
		name = "Both"
	case m.sees[out]:
		name = "To"
	case m.sees[in]:
		name = "From"
	}
	switch {
	case m.asked[out] && m.asked[in]:
		name += " + Pending Out+In"
	case m.asked[out]:
		name += " + Pending Out"
	case m.asked[in]:
		name += " + Pending In"
	}
	for s := roster.None; s <= roster.Both; s++ {
		if s.String() == name {
			return s
		}
	}
	panic("the model is in no state of the table: " + name)
}

// TestAgainstModel sends random sequences of roster sets and subscription stanzas
// between three accounts and compares all rosters, and what each client was
// pushed, with the model.
func TestAgainstModel(t *testing.T) {
	names := []string{"a@example.com", "b@example.net", "c@example.com"}
	verbs := []string{"subscribe", "unsubscribe", "subscribed", "unsubscribed", "set", "remove"}
	h := newHouse(t, roster.Options{}, Options{RequestsPerMinute: 1 << 20})
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		m := newModel()
		clients := map[string]*client{}
		for _, n := range names {
			c := h.bind(fmt.Sprintf("r%d-%s/x", round, n))
			c.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
			c.send("<presence/>")
			clients[n] = c
		}
		account := func(n string) string { return clients[n].JID().Bare().String() }
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			a := rapid.SampledFrom(names).Draw(rt, "who")
			b := rapid.SampledFrom(names).Filter(func(n string) bool { return n != a }).Draw(rt, "whom")
			verb := rapid.SampledFrom(verbs).Draw(rt, "verb")
			switch verb {
			case "set":
				clients[a].item("jid='" + account(b) + "'")
			case "remove":
				clients[a].item("jid='" + account(b) + "' subscription='remove'")
			default:
				clients[a].send("<presence to='" + account(b) + "' type='" + verb + "'/>")
			}
			m.act(a, verb, b)
			for _, x := range names {
				for _, y := range names {
					if x == y {
						continue
					}
					i, _ := h.rosters.Item(jid.MustParse(account(x)), jid.MustParse(account(y)))
					k := [2]string{x, y}
					if i.State != m.state(x, y) || i.Approved != m.approved[k] || i.Listed != m.listed[k] {
						rt.Fatalf("after %s %s %s: %s has %s as %v approved=%v listed=%v, want %v %v %v", a, verb, b, x, y,
							i.State, i.Approved, i.Listed, m.state(x, y), m.approved[k], m.listed[k])
					}
					if h.MayKnowPresence(clients[x].JID(), clients[y].JID()) != m.sees[k] {
						rt.Fatalf("after %s %s %s: %s sees %s, or not", a, verb, b, x, y)
					}
				}
			}
		}
		var all []*client
		for _, n := range names {
			all = append(all, clients[n])
		}
		checkPictures(rt, h, all)
		for _, c := range all {
			c.end()
		}
	})
}
