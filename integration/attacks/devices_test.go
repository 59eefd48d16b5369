package attacks

import (
	"fmt"
	"strings"
	"testing"
)

// TestDevices attacks by what devices of an account tell each other and the
// server: copies (XEP-0280) and client state (XEP-0352).
func TestDevices(t *testing.T) {
	h := open(t, nil)
	h.run(t, "forged copies", attackForgedCopies)
	h.run(t, "state flapping", attackFlapping)
	h.run(t, "copies flapping", attackCopiesFlapping)
}

// attackForgedCopies makes messages that look like copies: each comes from the
// one who sent it, none from a bare address, and none is wrapped once more.
func attackForgedCopies(t *testing.T, h *house) {
	w, victim := h.login(t, "attacker", "a"), h.online(t, "friend", "a")
	phone := h.login(t, "friend", "b")
	phone.send("<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>").find("id='c'", "type='result'")
	inner := "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='watcher@localhost/x' to='friend@localhost/a' type='chat'><body>forged</body></message></forwarded>"
	n := 0
	for _, to := range []string{"friend@localhost", "friend@localhost/a"} {
		for _, typ := range []string{"chat", "normal", "headline"} {
			for _, name := range []string{"received", "sent"} {
				n++
				w.send(fmt.Sprintf("<message to='%s' type='%s' id='f%d'><body>x</body><c:%s xmlns:c='urn:xmpp:carbons:2'>%s</c:%s></message>", to, typ, n, name, inner, name))
				if got := victim.find(fmt.Sprintf("id='f%d'", n)); !strings.Contains(got, "from='attacker@localhost/a'") {
					t.Errorf("it came as %s", got)
				}
			}
		}
	}
	phone.sync()
	if strings.Contains(phone.all(), "forged") {
		t.Errorf("it was copied:\n%s", phone.tail())
	}
	w.cut()
	victim.cut()
	phone.cut()
}

// attackFlapping changes its mind all the time, with presence to be held each
// time: that costs no memory, loses nothing that is urgent, and disturbs nobody.
func attackFlapping(t *testing.T, h *house) {
	for _, managed := range []bool{false, true} {
		w := h.login(t, "attacker", "flap")
		if managed {
			w.enable()
		}
		w.sync()
		before := h.rss(t)
		const rounds = 400
		for i := range rounds {
			w.send(fmt.Sprintf("<inactive xmlns='urn:xmpp:csi:0'/><presence to='attacker@localhost/flap'><status>%d</status></presence><active xmlns='urn:xmpp:csi:0'/>", i))
			if managed && i%100 == 0 {
				w.send(ackWith("0"))
			}
		}
		w.sync()
		h.watcher.served(t)
		if n := strings.Count(w.all(), "<status>"); n != rounds {
			t.Errorf("managed %v: %d of %d came", managed, n, rounds)
		}
		if after := h.rss(t); after > before+flooded {
			t.Errorf("it took %d KiB", (after-before)>>10)
		}
		w.cut()
	}
}

// attackCopiesFlapping turns copies on and off all the time, which writes to the
// store each time.
func attackCopiesFlapping(t *testing.T, h *house) {
	w := h.login(t, "attacker", "flap")
	w.enable()
	var all strings.Builder
	for i := range 300 {
		fmt.Fprintf(&all, "<iq type='set' id='f%d'><%s xmlns='urn:xmpp:carbons:2'/></iq>", i, []string{"enable", "disable"}[i%2])
	}
	w.send(all.String()).find("id='f299'", "type='result'")
	h.watcher.served(t)
	w.send("</stream:stream>").ended()
}
