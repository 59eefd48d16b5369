package attacks

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

const (
	nsAcks = "urn:xmpp:sm:3"
	// flooded bounds what a flood of elements that cost nothing may leave behind.
	flooded = 24 << 20
)

func enableWith(attrs string) string { return "<enable xmlns='" + nsAcks + "'" + attrs + "/>" }

func resumeWith(id, h string) string {
	return "<resume xmlns='" + nsAcks + "' previd='" + id + "' h='" + h + "'/>"
}

func ackWith(h string) string { return "<a xmlns='" + nsAcks + "' h='" + h + "'/>" }

const askAck = "<r xmlns='" + nsAcks + "'/>"

// failedBy is what <failed/> says, and the count that it tells, "" if none.
func (w *wire) failedBy(element string) (condition, h string) {
	w.t.Helper()
	m := regexp.MustCompile(`^<failed xmlns='urn:xmpp:sm:3'(?: h='(\d+)')?><([a-z-]+) xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>$`).FindStringSubmatch(element)
	if m == nil {
		w.t.Errorf("no failure of stream management: %s\n%s", element, w.tail())
		return "", ""
	}
	return m[2], m[1]
}

// enable turns stream management on and returns the stream's id.
func (w *wire) enable() string {
	w.t.Helper()
	e := w.send(enableWith(" resume='true'")).find("<enabled")
	m := regexp.MustCompile(` id='([^']+)'`).FindStringSubmatch(e)
	if m == nil {
		w.t.Fatalf("no id: %s", e)
	}
	return m[1]
}

// resumed resumes a stream and binds nothing.
func (w *wire) resumed(id, h string) *wire {
	w.t.Helper()
	w.send(resumeWith(id, h)).find("<resumed", "previd='"+id+"'")
	return w
}

// TestAcks attacks stream management.
func TestAcks(t *testing.T) {
	h := open(t, nil)
	h.run(t, "out of turn", attackAckTurns)
	h.run(t, "ids", attackStreamIDs)
	h.run(t, "counts", attackCounts)
	h.run(t, "floods", attackAckFloods)
	h.run(t, "ended by the hundred", attackEndedStreams)
}

// attackAckTurns does everything at the wrong time, over and over.
func attackAckTurns(t *testing.T, h *house) {
	w := h.opened(t, "c2s-insecure")
	for range 100 {
		for _, e := range []string{enableWith(""), resumeWith("x", "0")} {
			if c, _ := w.failedBy(w.send(e).next()); c != "unexpected-request" {
				t.Errorf("%s before login: %s", e, c)
			}
		}
	}
	w.authenticate("attacker")
	for range 100 {
		if c, _ := w.failedBy(w.send(enableWith(" resume='true'")).next()); c != "unexpected-request" {
			t.Errorf("before the bind: %s", c)
		}
	}
	w.bind("turns")
	for range 100 {
		if c, _ := w.failedBy(w.send(resumeWith("x", "0")).next()); c != "unexpected-request" {
			t.Errorf("behind the bind: %s", c)
		}
	}
	for _, attrs := range []string{" resume='yes'", " resume=''", " max='x'", " max='-1'", " max='99999999999999999999x'"} {
		if c, _ := w.failedBy(w.send(enableWith(attrs)).next()); c != "bad-request" {
			t.Errorf("%s: %s", attrs, c)
		}
	}
	for _, e := range []string{enableWith(""), enableWith(" resume='true'")} {
		w := h.login(t, "attacker", "twice")
		w.enable()
		c, _ := w.failedBy(w.send(e + e + e).next())
		if c != "unexpected-request" {
			t.Errorf("twice: %s", c)
		}
		w.find("<policy-violation")
		w.send("</stream:stream>").ended()
	}
}

// attackStreamIDs tries ids by the hundred: the victim's, guessed, malformed.
func attackStreamIDs(t *testing.T, h *house) {
	v := h.login(t, "victim", "home")
	id := v.enable()
	cut := h.login(t, "victim", "away")
	gone := cut.enable()
	cut.cut()
	w := h.authed(t, "attacker")
	flip := func(s string, i int) string {
		c := byte('A')
		if s[i] == c {
			c = 'B'
		}
		return s[:i] + string(c) + s[i+1:]
	}
	ids := []string{id, gone, "", " ", "x", strings.Repeat("A", 32), strings.Repeat("A", 33), strings.Repeat("A", 4000), id + "=", id + id,
		"../../etc/passwd", "&lt;&apos;&quot;&amp;", "\u202e\u00ad", strings.ToLower(id), "victim@localhost/home", id[:len(id)-1]}
	for i := range 300 {
		ids = append(ids, flip(id, i%len(id)), flip(gone, i%len(gone)))
	}
	for i, x := range ids {
		c, told := w.failedBy(w.send(resumeWith(x, fmt.Sprint(i%3))).next())
		if c != "item-not-found" || told != "" {
			t.Fatalf("%q: %s, h %q", x, c, told)
		}
	}
	// The owner's own password doesn't help a guess, and tells nothing of how near it is.
	o := h.authed(t, "victim")
	for i := range id {
		if c, told := o.failedBy(o.send(resumeWith(flip(id, i), "0")).next()); c != "item-not-found" || told != "" {
			t.Errorf("the id with another character at %d: %s, h %q", i, c, told)
		}
	}
	for _, x := range []string{"", "x", "-1", "+1", "1.0", "0x1", "4294967296", "99999999999999999999", " 1", "１"} {
		if c, _ := o.failedBy(o.send(resumeWith(gone, x)).next()); c != "bad-request" {
			t.Errorf("h %q: %s", x, c)
		}
	}
	for _, x := range []string{"2147483648", "4294967295"} { // far from what was sent
		if c, _ := o.failedBy(o.send(resumeWith(gone, x)).next()); c != "bad-request" && c != "item-not-found" {
			t.Errorf("h %q: %s", x, c)
		}
	}
	w.bind("late")
	w.sync()
	o.resumed(gone, "0").sync() // nothing of all that harmed it
	v.sync()
}

// attackCounts acknowledges what it likes.
func attackCounts(t *testing.T, h *house) {
	w := h.login(t, "attacker", "counts")
	id := w.enable()
	f := h.login(t, "friend", "x")
	for i := range 20 {
		f.send(fmt.Sprintf("<message id='c%d' to='attacker@localhost/counts'><body>x</body></message>", i))
		w.find("id='c" + fmt.Sprint(i) + "'")
	}
	for i := 20; i >= 0; i-- { // falls: nothing new
		w.send(ackWith(fmt.Sprint(i)))
	}
	w.sync()
	w.cut()
	w = h.authed(t, "attacker").resumed(id, "21") // with the answer to the ping
	if got := w.sync(); strings.Contains(strings.Join(got, ""), "<body>") {
		t.Errorf("came again: %s", got)
	}
	for _, x := range []string{"1000", "2147483647"} {
		w.send(ackWith(x))
		e := w.find("<stream:error")
		if !containsAll(e, []string{"<undefined-condition ", "<handled-count-too-high xmlns='urn:xmpp:sm:3' h='" + x + "'"}) {
			t.Errorf("h %s: %s", x, e)
		}
		w.send("</stream:stream>").ended()
		w = h.authed(t, "attacker").resumed(id, "22")
	}
	for i, x := range []string{"", "x", "-1", "4294967296", strings.Repeat("9", 1000)} {
		w := h.login(t, "attacker", fmt.Sprint("malformed", i))
		w.send(enableWith("")).find("<enabled")
		w.send(ackWith(x)).find("<stream:error", "<bad-format ")
		w.send("</stream:stream>").ended()
	}
	f.sync()
}

// attackAckFloods sends elements that count for no limit of stanzas.
func attackAckFloods(t *testing.T, h *house) {
	const elements = 200_000
	for _, on := range []bool{false, true} {
		for _, e := range []string{askAck, ackWith("0"), askAck + ackWith("0") + " "} {
			w := h.login(t, "attacker", "flood")
			if on {
				w.enable()
			}
			w.sync()
			before := h.rss(t)
			piece := strings.Repeat(e, 500)
			for range elements / 500 {
				w.send(piece)
			}
			w.sync()
			h.watcher.served(t)
			if after := h.rss(t); after > before+flooded {
				t.Errorf("%d of %s took %d KiB", elements, e, (after-before)>>10)
			}
			if n := strings.Count(w.all(), "<a "); n > elements+10 {
				t.Errorf("%d answers", n)
			}
			w.cut()
		}
	}
}

// attackEndedStreams leaves many ended sessions and asks for each.
func attackEndedStreams(t *testing.T, h *house) {
	var ids []string
	for range 200 {
		w := h.login(t, "attacker", "ended")
		ids = append(ids, w.enable())
		w.send("</stream:stream>").ended()
	}
	w, o := h.authed(t, "attacker"), h.authed(t, "friend")
	for _, id := range ids {
		if c, told := w.failedBy(w.send(resumeWith(id, "0")).next()); c != "item-not-found" || told != "0" {
			t.Errorf("ended: %s, h %q", c, told)
		}
		if c, told := o.failedBy(o.send(resumeWith(id, "0")).next()); c != "item-not-found" || told != "" {
			t.Errorf("another's ended one: %s, h %q", c, told)
		}
	}
	w.bind("after")
	w.sync()
}
