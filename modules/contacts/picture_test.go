package contacts

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"testing"

	"weir/jid"
	"weir/roster"
)

// failer is a test, or a round of one.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
}

// picture is what a client believes, from what it was sent.
type picture struct {
	items    map[string]string // by jid: the <item/> of the last push
	presence map[string]string // by full JID: the id of the last available presence
}

var (
	itemOf     = regexp.MustCompile(`<item [^>]*jid='([^']*)'[^>]*?(/>|>.*?</item>)`)
	presenceOf = regexp.MustCompile(`^<presence from='([^']*/[^']*)' to='[^']*'(?: id='([^']*)')?(?: type='(\w+)')?`)
)

// picture looks at everything the client has received and not yet got().
func (c *client) picture() picture {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := picture{map[string]string{}, map[string]string{}}
	for _, x := range c.in {
		switch m := presenceOf.FindStringSubmatch(x); {
		case strings.HasPrefix(x, "<iq") && strings.Contains(x, "jabber:iq:roster"):
			for _, i := range itemOf.FindAllStringSubmatch(x, -1) {
				p.items[i[1]] = i[0]
				if strings.Contains(i[0], "subscription='remove'") {
					delete(p.items, i[1])
				}
			}
		case m == nil:
		case m[3] == "":
			p.presence[m[1]] = m[2]
		case m[3] == "unavailable":
			delete(p.presence, m[1])
		}
	}
	return p
}

// stored returns the items of an account as another process would read them.
func (h *house) stored(account jid.JID) map[string]string {
	h.t.Helper()
	r, err := roster.New(h.store, roster.Options{})
	if err != nil {
		h.t.Fatal(err)
	}
	items := map[string]string{}
	err = r.Get(h.t.Context(), account, nil, func(v *roster.View) {
		for _, i := range itemOf.FindAllStringSubmatch(string(v.Query()), -1) {
			items[i[1]] = i[0]
		}
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return items
}

// checkPictures compares what all clients believe with what is so: the rosters, and who
// is there for whom.
func checkPictures(t failer, h *house, clients []*client) {
	t.Helper()
	h.settle()
	for _, c := range clients {
		p := c.picture()
		if want := h.stored(c.JID().Bare()); fmt.Sprint(p.items) != fmt.Sprint(want) {
			t.Errorf("%s believes its roster is\n%v\nit is\n%v", c.JID(), p.items, want)
		}
		want := map[string]string{}
		for _, other := range clients {
			if h.MayKnowPresence(c.JID(), other.JID()) {
				want[other.JID().String()] = other.Presence().ID
			}
		}
		if fmt.Sprint(p.presence) != fmt.Sprint(want) {
			t.Errorf("%s believes there are\n%v\nthere are\n%v", c.JID(), p.presence, want)
		}
	}
}

// checkPairs: the two sides of each relation say the same.
func checkPairs(t failer, h *house, accounts []string) {
	t.Helper()
	for _, a := range accounts {
		for _, b := range accounts {
			if a == b {
				continue
			}
			ab, ba := h.shown(a, b).State, h.shown(b, a).State
			if ab.HasTo() != ba.HasFrom() || ab.PendingOut() != ba.PendingIn() {
				t.Errorf("%s has %s as %v, the other way it is %v", a, b, ab, ba)
			}
		}
	}
}

// TestManyAtOnce lets the sessions of four accounts do everything at once, and
// come and go; afterwards every client's picture is right.
func TestManyAtOnce(t *testing.T) {
	h := newHouse(t, roster.Options{}, Options{RequestsPerMinute: 1 << 20})
	accounts := []string{"a@example.com", "b@example.com", "c@example.net", "d@example.net"}
	const sessions, steps = 2, 150
	clients := make([]*client, len(accounts)*sessions)
	var wg sync.WaitGroup
	for n := range clients {
		account := accounts[n%len(accounts)]
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(n)))
			enter := func(k int) *client {
				c := h.bind(fmt.Sprintf("%s/%d-%d", account, n, k))
				c.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
				c.send(fmt.Sprintf("<presence id='%d-%d'/>", n, k))
				return c
			}
			c := enter(0)
			for k := 1; k < steps; k++ {
				other := accounts[(n+1+r.IntN(len(accounts)-1))%len(accounts)]
				switch r.IntN(12) {
				case 0:
					c.end()
					c = enter(k)
				case 1, 2, 3:
					c.send(fmt.Sprintf("<presence id='%d-%d'/>", n, k))
				case 4:
					c.item("jid='" + other + "' subscription='remove'")
				case 5:
					c.item(fmt.Sprintf("jid='%s' name='%d'", other, k))
				case 6, 7:
					c.send("<presence to='" + other + "' type='subscribe'/>")
				case 8, 9:
					c.send("<presence to='" + other + "' type='subscribed'/>")
				case 10:
					c.send("<presence to='" + other + "' type='unsubscribe'/>")
				case 11:
					c.send("<presence to='" + other + "' type='unsubscribed'/>")
				}
			}
			clients[n] = c
		})
	}
	wg.Wait()
	checkPairs(t, h, accounts)
	checkPictures(t, h, clients)
}
