package sessionmgr

import (
	"fmt"
	"testing"
)

// TestMessageTable goes through RFC 6121 §8.5.4, table 1: a row for what the
// account has, a column for what the address names, a letter for each type
// (normal, chat, groupchat, headline, error):
//
//	S nothing, E error, O kept and delivered at the next login, D to the resource
//	named, M to the resource of the highest priority, A to all non-negative ones.
func TestMessageTable(t *testing.T) {
	type receiver struct {
		resource string
		priority int8 // unbound presence below -128: connected only
	}
	const connectedOnly = -128 // stands for no presence here
	rows := []struct {
		name      string
		account   string
		receivers []receiver
		bare      string
		match     string // to the first receiver
		noMatch   string
	}{
		{"no such account", "nobody", nil, "EEESS", "", "EEESS"},
		{"nobody here", "juliet", nil, "OOESS", "", "EOESS"},
		{"connected only", "juliet", []receiver{{"a", connectedOnly}}, "OOESS", "DDDDD", "EOESS"},
		{"all negative", "juliet", []receiver{{"a", -1}, {"b", -5}}, "OOESS", "DDDDD", "EOESS"},
		{"one", "juliet", []receiver{{"a", 0}}, "DDEDS", "DDDDD", "EDESS"},
		{"one and a negative one", "juliet", []receiver{{"a", 3}, {"b", -1}}, "DDEDS", "DDDDD", "EDESS"},
		{"several", "juliet", []receiver{{"a", 5}, {"b", 0}, {"c", -1}}, "MMEAS", "DDDDD", "EMESS"},
		{"several of the same", "juliet", []receiver{{"a", 5}, {"b", 5}}, "AAEAS", "DDDDD", "EAESS"},
	}
	types := []string{"normal", "chat", "groupchat", "headline", "error"}
	for _, row := range rows {
		for _, column := range []struct{ name, address, letters string }{
			{"bare", "", row.bare}, {"match", "/a", row.match}, {"no match", "/zzz", row.noMatch},
		} {
			for i, letter := range column.letters {
				t.Run(fmt.Sprintf("%s/%s/%s", row.name, column.name, types[i]), func(t *testing.T) {
					h := newHouse(t)
					romeo := h.online("romeo@verona.lit/orchard", 0)
					var all []*client
					for _, r := range row.receivers {
						full := row.account + "@verona.lit/" + r.resource
						if r.priority == connectedOnly {
							all = append(all, h.bind(full))
						} else {
							all = append(all, h.online(full, r.priority))
						}
					}
					romeo.send(fmt.Sprintf("<message to='%s@verona.lit%s' type='%s' id='m1'><body>hi</body></message>",
						row.account, column.address, types[i]))
					h.settle()
					checkLetter(t, h, byte(letter), romeo, all)
				})
			}
		}
	}
}

func checkLetter(t *testing.T, h *house, letter byte, romeo *client, all []*client) {
	t.Helper()
	wanted := make([]bool, len(all))
	switch letter {
	case 'E':
		romeo.want("type='error' & service-unavailable & id='m1'")
	case 'D', 'M':
		wanted[0] = true
	case 'A':
		for i, c := range all {
			wanted[i] = c.Priority() >= 0
		}
	}
	if letter != 'E' {
		romeo.want()
	}
	for i, c := range all {
		if wanted[i] {
			c.want("<body>hi</body> & from='romeo@verona.lit/orchard'")
		} else {
			c.want()
		}
	}
	if letter == 'O' || letter == 'S' {
		later := h.bind("juliet@verona.lit/later")
		later.available(0)
		if letter == 'O' {
			later.want("<body>hi</body> & urn:xmpp:delay & from='verona.lit'")
		} else {
			later.want()
		}
	}
}

func TestMessageWithoutToIsForOneself(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	romeo.send("<message id='m'><body>note</body></message>") // RFC 6120 §10.3.1
	romeo.want("<body>note</body> & to='romeo@verona.lit'")
}

func TestMessageElsewhere(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	romeo.send("<message to='someone@far.away' id='a'><body>x</body></message>")
	romeo.want("remote-server-not-found & type='error'") // RFC 6120 §10.4
	romeo.send("<message to='verona.lit' id='b'><body>x</body></message>")
	romeo.want("service-unavailable")
	romeo.send("<message to='far.away' type='error' id='c'/>") // never an error to an error
	romeo.want()
}

func TestSilenceAboutUnknownAccounts(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.SilentUnknown = true })
	romeo := h.online("romeo@verona.lit/orchard", 0)
	for _, account := range []string{"nobody", "juliet"} { // one exists, one doesn't: no difference
		for _, to := range []string{"", "/x"} {
			for _, typ := range []string{"chat", "groupchat", "headline", "normal"} {
				romeo.send(fmt.Sprintf("<message to='%s@verona.lit%s' type='%s' id='m'><body>x</body></message>", account, to, typ))
				want := typ == "groupchat" || typ == "normal" && to != ""
				if got := len(romeo.got()) == 1; got != want {
					t.Errorf("%s%s %s: answered %v, want %v", account, to, typ, got, want)
				}
			}
		}
	}
}
