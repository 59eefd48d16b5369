package attacks

import (
	"fmt"
	"strings"
	"testing"
)

const nsArchive = "urn:xmpp:mam:2"

func page(inside string) string {
	return "<query xmlns='" + nsArchive + "'><set xmlns='http://jabber.org/protocol/rsm'>" + inside + "</set></query>"
}

func filters(inside string) string {
	return "<query xmlns='" + nsArchive + "'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>" + nsArchive +
		"</value></field>" + inside + "</x></query>"
}

func field(name string, values ...string) string {
	return "<field var='" + name + "'><value>" + strings.Join(values, "</value><value>") + "</value></field>"
}

// TestArchive asks an archive what it can't answer.
func TestArchive(t *testing.T) {
	h := open(t, nil)
	h.run(t, "questions", attackQuestions)
	h.run(t, "others' archives", attackOthersArchives)
	h.run(t, "flood", attackQuestionFlood)
}

// fill writes messages that are archived by both.
func (h *house) fill(t *testing.T, messages int) {
	t.Helper()
	f := h.login(t, "friend", "pen")
	for i := range messages {
		f.send(fmt.Sprintf("<message type='chat' id='a%d' to='attacker@localhost'><body>%d</body></message>", i, i))
	}
	f.sync()
}

func attackQuestions(t *testing.T, h *house) {
	h.fill(t, 20)
	w := h.login(t, "attacker", "historian")
	many := make([]string, 501)
	for i := range many {
		many[i] = fmt.Sprintf("%016x", i)
	}
	for _, a := range []struct{ name, query, want string }{
		{"a page of none", page("<max>0</max>"), "result"}, // XEP-0059 §2.7
		{"a page of very many", page("<max>99999999999999999999</max>"), "result"},
		{"a page of less than none", page("<max>-1</max>"), "modify bad-request"},
		{"a page of many", page("<max>many</max>"), "modify bad-request"},
		{"a page of a part", page("<max>1.5</max>"), "modify bad-request"},
		{"a page of nothing said", page("<max/>"), "modify bad-request"},
		{"two sizes", page("<max>1</max><max>2</max>"), "modify bad-request"},
		{"a page by index", page("<index>7</index>"), "cancel feature-not-implemented"},
		{"behind nothing", page("<after/>"), "cancel item-not-found"},
		{"behind what isn't there", page("<after>ffffffffffffffff</after>"), "cancel item-not-found"},
		{"behind rubbish", page("<after>../../&amp;&lt;</after>"), "cancel item-not-found"},
		{"behind 100,000 bytes", page("<after>" + strings.Repeat("a", 100_000) + "</after>"), "cancel item-not-found"},
		{"before rubbish", page("<before>\u202e</before>"), "cancel item-not-found"},
		{"two sets", "<query xmlns='" + nsArchive + "'>" + strings.Repeat("<set xmlns='http://jabber.org/protocol/rsm'/>", 2) + "</query>", "modify bad-request"},
		{"a node", "<query xmlns='" + nsArchive + "' node='x'/>", "cancel feature-not-implemented"},
		{"a queryid of 5,000 bytes", "<query xmlns='" + nsArchive + "' queryid='" + strings.Repeat("q", 5000) + "'/>", "modify bad-request"},
		{"a queryid that would be markup", "<query xmlns='" + nsArchive + "' queryid='&lt;/iq>&apos;&quot;&amp;&#10;'/>", "result"},
		{"no date", filters(field("start", "yesterday")), "modify bad-request"},
		{"the 31st of February", filters(field("start", "2026-02-31T00:00:00Z")), "modify bad-request"},
		{"a date without a zone", filters(field("end", "2026-02-01T00:00:00")), "modify bad-request"},
		{"the year 0", filters(field("start", "0000-01-01T00:00:00Z")), "result"},
		{"the year 9999", filters(field("start", "9999-12-31T23:59:59.999999999Z")), "result"},
		{"the year 99999", filters(field("end", "99999-01-01T00:00:00Z")), "modify bad-request"},
		{"an end before the start", filters(field("start", "2030-01-01T00:00:00Z") + field("end", "2020-01-01T00:00:00Z")), "result"},
		{"a fraction of 1,000 digits", filters(field("start", "2020-01-01T00:00:00."+strings.Repeat("0", 1000)+"Z")), "result|modify bad-request"},
		{"with nobody", filters(field("with", "@")), "modify jid-malformed"},
		{"with 10,000 bytes", filters(field("with", strings.Repeat("a", 10_000)+"@localhost")), "modify jid-malformed"},
		{"with two", filters(field("with", "a@localhost", "b@localhost")), "modify bad-request"},
		{"with twice", filters(field("with", "a@localhost") + field("with", "a@localhost")), "modify bad-request"},
		{"an unknown field", filters(field("mood", "lonely")), "cancel feature-not-implemented"},
		{"300 fields", filters(strings.Repeat(field("with", "a@localhost"), 300)), "modify bad-request"},
		{"501 ids", filters(field("ids", many...)), "modify policy-violation|cancel policy-violation"},
		{"500 ids that aren't there", filters(field("ids", many[:500]...)), "cancel item-not-found"},
		{"another form", strings.Replace(filters(""), ">"+nsArchive+"</value>", ">urn:example:x</value>", 1), "modify bad-request"},
		{"a form that is none", strings.Replace(filters(""), "submit", "form", 1), "modify bad-request"},
		{"a form without its name", "<query xmlns='" + nsArchive + "'><x xmlns='jabber:x:data' type='submit'/></query>", "modify bad-request"},
		{"a form in a form", filters("<x xmlns='jabber:x:data' type='submit'/>"), "result|modify bad-request"},
	} {
		t.Run(a.name, func(t *testing.T) {
			w.t = t
			w.expect(w.ask("set", "", a.query), a.want)
		})
	}
	w.t = t
	for _, a := range []struct{ prefs, want string }{
		{"<prefs xmlns='" + nsArchive + "' default='sometimes'/>", "modify bad-request"},
		{"<prefs xmlns='" + nsArchive + "'/>", "modify bad-request"},
		{"<prefs xmlns='" + nsArchive + "' default='always'><always><jid>@</jid></always></prefs>", "modify jid-malformed|modify bad-request"},
	} {
		w.expect(w.ask("set", "", a.prefs), a.want)
	}
	w.sync()
}

// attackOthersArchives reads what isn't one's own, under every name.
func attackOthersArchives(t *testing.T, h *house) {
	w := h.login(t, "attacker", "spy")
	for _, to := range []string{"friend@localhost", "victim@localhost", "nobody@localhost", "friend@localhost/pen", "localhost"} {
		for _, payload := range []string{"<query xmlns='" + nsArchive + "'/>", "<metadata xmlns='" + nsArchive + "'/>", "<prefs xmlns='" + nsArchive + "'/>"} {
			for _, kind := range []string{"get", "set"} {
				w.expect(w.ask(kind, to, payload), "cancel service-unavailable|auth forbidden")
			}
		}
	}
}

// attackQuestionFlood asks for the whole archive over and over, without waiting.
func attackQuestionFlood(t *testing.T, h *house) {
	h.fill(t, 300)
	w := h.login(t, "attacker", "greedy")
	w.ask("set", "", page(""))
	before := h.rss(t)
	const questions = 300
	for i := range questions {
		w.send(fmt.Sprintf("<iq type='set' id='flood%d'>%s</iq>", i, page("<max>1000</max><before/>")))
	}
	w.wait("the last answer", func() bool {
		return strings.Contains(string(w.got[max(0, len(w.got)-4096):]), fmt.Sprintf("id='flood%d'", questions-1))
	})
	h.watcher.served(t)
	if after := h.rss(t); after > before+2*flooded {
		t.Errorf("%d questions took %d KiB", questions, (after-before)>>10)
	} else {
		t.Logf("%d questions took %d KiB", questions, (after-before)>>10)
	}
}
