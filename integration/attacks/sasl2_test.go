package attacks

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"weir/integration/testserver"
)

const (
	victimsAgent = "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'><software>V</software></user-agent>"
	bindWith     = "<bind xmlns='urn:xmpp:bind:0'><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind>"
	wantToken    = "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>"
)

func authenticateWith(mechanism, message, inside string) string {
	return "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='" + mechanism + "'><initial-response>" + b64(message) +
		"</initial-response>" + inside + "</authenticate>"
}

// sasl2 logs in by PLAIN, over TLS, and returns the outcome.
func (w *wire) sasl2(user, inside string) string {
	w.t.Helper()
	return w.send(authenticateWith("PLAIN", "\x00"+user+"\x00"+testserver.Password(user), inside)).next()
}

// byToken logs in by a token and returns the outcome.
func (w *wire) byToken(user, token, inside string) string {
	w.t.Helper()
	m := hmac.New(sha256.New, []byte(token))
	m.Write([]byte("Initiator"))
	return w.send(authenticateWith("HT-SHA-256-NONE", user+"\x00"+string(m.Sum(nil)), inside)).next()
}

func part(t *testing.T, pattern, of string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(of)
	if m == nil {
		t.Fatalf("no %s in %s", pattern, of)
	}
	return m[1]
}

// TestLogins attacks what comes with a login.
func TestLogins(t *testing.T) {
	h := open(t, limits{"WEIR_AUTH_FAILURE_BURST": "100000", "WEIR_AUTH_MAX_DEVICES": "5"})
	h.run(t, "of others", attackOthersLogins)
	h.run(t, "one device many times", attackOneDevice)
	h.run(t, "many devices", attackManyDevices)
	h.run(t, "malformed", attackMalformedLogins)
}

// attackOthersLogins uses what is the victim's: stream, token, device.
func attackOthersLogins(t *testing.T, h *house) {
	v := h.opened(t, testserver.Direct)
	success := v.sasl2("victim", victimsAgent+wantToken+bindWith)
	stream, token := part(t, ` id='([^']+)' resume`, success), part(t, ` token='([^']+)'`, success)
	full := part(t, "<authorization-identifier>([^<]*)<", success)
	v.find("<stream:features")
	for _, r := range []string{stream, strings.ToLower(stream), stream + "=", "", strings.Repeat("A", 32), strings.Repeat("A", 4000)} {
		w := h.opened(t, testserver.Direct)
		e := w.sasl2("attacker", victimsAgent+"<resume xmlns='urn:xmpp:sm:3' previd='"+r+"' h='0'/>"+bindWith)
		if !strings.Contains(e, "<failed xmlns='urn:xmpp:sm:3'><item-not-found xmlns=") || !strings.Contains(e, "<enabled") {
			t.Errorf("%q: %s", r, e)
		}
		if own := part(t, "<authorization-identifier>([^<]*)<", e); own[strings.Index(own, "/"):] == full[strings.Index(full, "/"):] {
			t.Errorf("the same resource for another account: %s", own)
		}
		w.cut()
	}
	for name, try := range map[string]func(w *wire) string{
		"another account": func(w *wire) string {
			return w.byToken("attacker", token, victimsAgent+"<fast xmlns='urn:xmpp:fast:0'/>")
		},
		"another device": func(w *wire) string {
			return w.byToken("victim", token, strings.Replace(victimsAgent, "70'", "71'", 1)+"<fast xmlns='urn:xmpp:fast:0'/>")
		},
		"no such account": func(w *wire) string {
			return w.byToken("nobody", token, victimsAgent+"<fast xmlns='urn:xmpp:fast:0'/>")
		},
		"a guess": func(w *wire) string {
			return w.byToken("victim", token[1:]+"A", victimsAgent+"<fast xmlns='urn:xmpp:fast:0'/>")
		},
	} {
		w := h.opened(t, testserver.Direct)
		if e := try(w); e != "<failure xmlns='urn:xmpp:sasl:2'><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"+
			"<text xmlns='urn:xmpp:sasl:2' xml:lang='en'>wrong user name or password</text></failure>" {
			t.Errorf("%s: %s", name, e) // each is told the same
		}
		w.cut()
	}
	v.sync() // nothing of it touched the victim
	w := h.opened(t, testserver.Direct)
	if e := w.byToken("victim", token, victimsAgent+"<fast xmlns='urn:xmpp:fast:0'/>"); !strings.HasPrefix(e, "<success") {
		t.Errorf("the victim's own: %s", e)
	}
}

// attackOneDevice has one device log in by the dozen at once: the last one stays.
// Each login ends the one before it, and that has to be durable: they come to
// their outcomes one after the other, so patience is for the next of them and not
// for all.
func attackOneDevice(t *testing.T, h *house) {
	const logins = 30
	outcomes := make(chan *wire, logins)
	var all []*wire
	for range logins {
		w := h.opened(t, testserver.Direct)
		w.send(authenticateWith("PLAIN", "\x00attacker\x00"+testserver.Password("attacker"), victimsAgent+bindWith))
		go func() { outcomes <- w.outcome() }()
		all = append(all, w)
	}
	for n := range logins {
		select {
		case w := <-outcomes:
			if got := w.all(); !strings.Contains(got, "<success ") && !strings.Contains(got, "<stream:error><conflict ") {
				t.Errorf("neither logged in nor replaced:\n%s", w.tail())
			}
		case <-time.After(patience):
			for _, w := range all {
				w.cut() // or those who wait for an outcome would stay
			}
			t.Fatalf("%d of %d logins came to an outcome", n, logins)
		}
	}
	w := h.opened(t, testserver.Direct)
	e := w.sasl2("attacker", victimsAgent+bindWith)
	if !strings.Contains(e, "<bound") {
		t.Errorf("after %d at once: %s", logins, e)
	}
	w.sync()
}

// outcome returns when a login has succeeded or the connection has ended.
func (w *wire) outcome() *wire {
	for {
		w.mu.Lock()
		over := w.over != nil || strings.Contains(string(w.got), "</success>")
		w.mu.Unlock()
		if over {
			return w
		}
		<-w.news
	}
}

// attackManyDevices asks for tokens under ever new names.
func attackManyDevices(t *testing.T, h *house) {
	for i := range 40 {
		w := h.opened(t, testserver.Direct)
		e := w.sasl2("attacker", fmt.Sprintf("<user-agent id='11111111-2222-4333-8444-%012d'><software>%s</software></user-agent>", i, strings.Repeat("x", 3000))+wantToken)
		if !strings.Contains(e, "<token") {
			t.Fatalf("device %d: %s", i, e)
		}
		w.cut()
	}
	list := h.server.Run("device", "list", "attacker@localhost", "--data", h.server.Dir, "--json")
	// Others may be there that have a session and no token.
	if n := strings.Count(list, `"expires":`); n != 5 || len(list) > 5000 {
		t.Errorf("%d devices with a token in %d bytes: %s", n, len(list), list)
	}
}

// attackMalformedLogins asks for what can't be.
func attackMalformedLogins(t *testing.T, h *house) {
	for _, inside := range []string{
		"<user-agent id='d4565fa7-4d72-3749-b3d3-740edbf87770'/>", "<user-agent id='" + strings.Repeat("a", 5000) + "'/>",
		"<user-agent id='&#x202e;4565fa7-4d72-4749-b3d3-740edbf87770'/>", bindWith + bindWith,
		"<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/><resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>",
		"<fast xmlns='urn:xmpp:fast:0' count='-5'/>", "<fast xmlns='urn:xmpp:fast:0' count='4294967296'/>", "<fast xmlns='urn:xmpp:fast:0' count=''/>",
	} {
		w := h.opened(t, testserver.Direct)
		if e := w.sasl2("attacker", inside); !strings.HasPrefix(e, "<failure xmlns='urn:xmpp:sasl:2'><malformed-request ") {
			t.Errorf("%.100s: %s", inside, e)
		}
		if e := w.sasl2("attacker", ""); !strings.HasPrefix(e, "<success") {
			t.Errorf("behind %.100s: %s", inside, e)
		}
		w.cut()
	}
	for inside, want := range map[string]string{
		strings.Repeat("<x xmlns='x'/>", 100):                      "stream policy-violation",
		strings.Repeat("<a xmlns='x'>", 20):                        "stream policy-violation",
		"<user-agent><software>" + strings.Repeat("x", 9000):       "stream policy-violation",
		"<bind xmlns='urn:xmpp:bind:0'><tag>\x01</tag></bind>":     "stream not-well-formed",
		"<bind xmlns='urn:xmpp:bind:0'><tag>&lt;</bind>":           "stream not-well-formed",
		"</authenticate><iq type='get' id='1'><q xmlns='x'/></iq>": "",
	} {
		w := h.opened(t, testserver.Direct)
		w.send(authenticateWith("SCRAM-SHA-256", "n,,n=attacker,r=abcdefgh", inside))
		e := w.next()
		if want == "" { // what came behind the login is out of turn
			if !strings.HasPrefix(e, "<challenge") {
				t.Errorf("%.60s: %s", inside, e)
			}
			e, want = w.next(), "stream not-authorized"
		}
		w.expect(e, want)
		w.cut()
	}
}
