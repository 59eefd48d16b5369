package c2s

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/auth"
	"weir/jid"
	"weir/netserver"
	"weir/sessionmgr"
	"weir/stanza"

	"mellium.im/xmpp/stream"
)

const (
	agentID  = "d4565fa7-4d72-4749-b3d3-740edbf87770"
	theAgent = "<user-agent id='" + agentID + "'><software>Test</software><device>phone</device></user-agent>"
	bind2    = "<bind xmlns='" + nsBind2 + "'/>"
)

// authenticate is a login by SASL2.
func authenticate(mechanism, initial, inside string) string {
	return "<authenticate xmlns='" + nsSASL2 + "' mechanism='" + mechanism + "'><initial-response>" + initial +
		"</initial-response>" + inside + "</authenticate>"
}

// plain2 is a login by SASL2 and PLAIN.
func plain2(user, inside string) string {
	return authenticate("PLAIN", b64("\x00"+user+"\x00"+password), inside)
}

// bind2 logs in and binds, and returns the full JID.
func (c *client) bind2(user, inside string) string {
	c.t.Helper()
	c.open()
	c.send(plain2(user, inside))
	all := c.expect("</success>")
	c.expect(endFeatures)
	_, rest, _ := strings.Cut(all, "<authorization-identifier>")
	full, _, _ := strings.Cut(rest, "<")
	return full
}

// Header and login come in one segment.
func TestSASL2InOneSegment(t *testing.T) {
	c := newHouse(t).dial()
	c.send(headerVerona + plain2("juliet", bind2))
	c.expectAll(endFeatures, "<success xmlns='"+nsSASL2+"'><authorization-identifier>juliet@verona.lit/", "<bound xmlns='"+nsBind2+"'></bound></success>", endFeatures)
	c.sync()
}

// Without anything asked for the older binding follows, on the same stream.
func TestSASL2Alone(t *testing.T) {
	h := newHouse(t, withTLS)
	c := h.dial()
	c.upgrade()
	if f := c.open(); !strings.Contains(f, "<authentication xmlns='"+nsSASL2+"'>") {
		t.Fatalf("not offered: %s", f)
	}
	c.send(plain2("juliet", ""))
	c.expect("<success xmlns='" + nsSASL2 + "'><authorization-identifier>juliet@verona.lit</authorization-identifier></success>")
	if f := c.expect(endFeatures); strings.Contains(f, nsSASL2) || !strings.Contains(f, "<bind xmlns='"+nsBind+"'/>") || !strings.Contains(f, "<max-bytes>262144<") {
		t.Errorf("features: %s", f)
	}
	c.send(bindIQ)
	c.expect("<jid>juliet@verona.lit/balcony</jid>")
	c.sync()
	c.send(plain2("juliet", "")) // XEP-0388 §4.8
	c.expectError("unsupported-stanza-type")
}

func TestSASL2Failures(t *testing.T) {
	plain := b64("\x00juliet\x00" + password)
	for _, tt := range []struct{ name, send, condition string }{
		{"wrong password", authenticate("PLAIN", b64("\x00juliet\x00wrong"), bind2), "not-authorized"},
		{"no such account", authenticate("PLAIN", b64("\x00nobody\x00"+password), bind2), "not-authorized"},
		{"authzid of another", authenticate("PLAIN", b64("romeo@verona.lit\x00juliet\x00"+password), ""), "invalid-authzid"},
		{"no mechanism", "<authenticate xmlns='" + nsSASL2 + "'/>", "invalid-mechanism"},
		{"unknown mechanism", authenticate("CRAM-MD5", plain, ""), "invalid-mechanism"},
		{"not base64", authenticate("PLAIN", "!!!!", ""), "incorrect-encoding"},
		{"the older form's sign for nothing", authenticate("PLAIN", "=", ""), "incorrect-encoding"},
		{"line end inside", authenticate("PLAIN", plain[:8]+"\n"+plain[8:], ""), "incorrect-encoding"},
		{"empty", authenticate("PLAIN", "", ""), "malformed-request"},
		{"a child", authenticate("PLAIN", "<x/>", ""), "malformed-request"},
		{"two initial responses", authenticate("PLAIN", plain, "<initial-response/>"), "malformed-request"},
		{"two agents", plain2("juliet", theAgent+theAgent), "malformed-request"},
		{"two binds", plain2("juliet", bind2+bind2), "malformed-request"},
		{"two tags", plain2("juliet", "<bind xmlns='"+nsBind2+"'><tag>a</tag><tag>b</tag></bind>"), "malformed-request"},
		{"agent of another version", plain2("juliet", "<user-agent id='d4565fa7-4d72-1749-b3d3-740edbf87770'/>"), "malformed-request"},
		{"agent that is no UUID", plain2("juliet", "<user-agent id='../../etc/passwd'/>"), "malformed-request"},
		{"agent of nothing", plain2("juliet", "<user-agent id=''/>"), "malformed-request"},
		{"agent far too long", plain2("juliet", "<user-agent id='"+strings.Repeat("d", 4000)+"'/>"), "malformed-request"},
		{"token with a password", plain2("juliet", "<fast xmlns='"+nsFast+"'/>"), "invalid-mechanism"},
		{"password with a token's mechanism", authenticate("HT-SHA-256-NONE", plain, ""), "invalid-mechanism"},
		{"token that is none", authenticate("HT-SHA-256-NONE", plain, "<fast xmlns='"+nsFast+"'/>"), "malformed-request"},
		{"token of nobody", authenticate("HT-SHA-256-NONE", b64("juliet\x00"+strings.Repeat("x", 32)), theAgent+"<fast xmlns='"+nsFast+"'/>"), "not-authorized"},
		{"counted backwards from zero", authenticate("HT-SHA-256-NONE", plain, "<fast xmlns='"+nsFast+"' count='-1'/>"), "malformed-request"},
		{"counted beyond everything", authenticate("HT-SHA-256-NONE", plain, "<fast xmlns='"+nsFast+"' count='99999999999999999999'/>"), "malformed-request"},
		{"abort", "<authenticate xmlns='" + nsSASL2 + "' mechanism='PLAIN'/><abort xmlns='" + nsSASL2 + "'><text>no</text></abort>", "aborted"},
		{"bad response", "<authenticate xmlns='" + nsSASL2 + "' mechanism='PLAIN'/><response xmlns='" + nsSASL2 + "'>?</response>", "incorrect-encoding"},
		{"response in the other form", authElement("PLAIN", "") + "<response xmlns='" + nsSASL2 + "'>" + plain + "</response>", "malformed-request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			c := h.dial()
			c.open()
			c.send(tt.send)
			got := c.expect("</failure>")
			if !strings.Contains(got, "<failure xmlns='"+nsSASL2+"'><"+tt.condition+" xmlns='"+nsSASL+"'/>") {
				t.Errorf("want %s, got %s", tt.condition, got)
			}
			if n := len(h.sm.ByAccount(jid.MustParse("juliet@verona.lit"))); n != 0 {
				t.Errorf("%d sessions are bound", n) // XEP-0388 §2.6.2
			}
			c.send(plain2("juliet", bind2)) // each refusal leaves the stream usable
			c.expectAll("<success xmlns='"+nsSASL2+"'>", "<bound")
		})
	}
}

// While an exchange is under way nothing else is taken (XEP-0388 §2.4).
func TestSASL2OutOfTurn(t *testing.T) {
	for _, x := range []string{"<message/>", "<iq type='get' id='1'/>", "<pubsub/>", authElement("PLAIN", ""), responseElement("AA=="),
		plain2("juliet", ""), starttls, "<next xmlns='" + nsSASL2 + "'/>", "<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>"} {
		c := newHouse(t).dial()
		c.open()
		c.send(authenticate("SCRAM-SHA-256", b64("n,,n=juliet,r=abcdefgh"), bind2))
		c.expect("</challenge>")
		c.send(" \n") // passed over, as everywhere
		c.send(x)
		if x == "<next xmlns='"+nsSASL2+"'/>" {
			c.expectError("unsupported-stanza-type")
			continue
		}
		c.expectError("not-authorized")
	}
}

// The limits of SASL hold for SASL2.
func TestSASL2Limits(t *testing.T) {
	c := newHouse(t).dial()
	c.open()
	for range 5 {
		c.send(authenticate("PLAIN", b64("\x00juliet\x00wrong"), ""))
		c.expect("</failure>")
	}
	if text := c.expectError("policy-violation"); text != "5 wrong credentials on one stream" {
		t.Errorf("text: %q", text)
	}
	for _, send := range []string{authenticate("CRAM-MD5", "", ""), "<abort xmlns='" + nsSASL2 + "'/>", "<response xmlns='" + nsSASL2 + "'/>"} {
		c = newHouse(t).dial()
		c.open()
		for range 10 {
			c.send(send)
			c.expect("</failure>")
		}
		c.send(send)
		c.expectError("policy-violation")
	}
	c = newHouse(t).dial() // the limits before login hold for what is asked for, too
	c.open()
	c.send(plain2("juliet", strings.Repeat("<x xmlns='x'/>", 40)))
	c.expectError("policy-violation")
	h := newHouse(t, func(u *setup) { u.auth.LimitLoopback, u.auth.FailureBurst = true, 2 })
	c = h.dialTCP()
	c.open()
	for range 2 {
		c.send(authenticate("HT-SHA-256-NONE", b64("juliet\x00"+strings.Repeat("x", 32)), theAgent+"<fast xmlns='"+nsFast+"'/>"))
		c.expect("<not-authorized")
	}
	c.send(plain2("juliet", ""))
	c.expectAll("<temporary-auth-failure", "too many failed logins from your address", "</failure>")
}

// Under TLS the header's from must be who logs in (XEP-0388 §2.3).
func TestSASL2From(t *testing.T) {
	c := newHouse(t, withTLS).dial()
	c.upgrade()
	c.send(strings.Replace(headerVerona, " to=", " from='romeo@verona.lit' to=", 1))
	c.expect(endFeatures)
	c.send(plain2("juliet", bind2))
	if got := c.expect("</failure>"); strings.Contains(got, "success") || !strings.Contains(got, "<invalid-authzid") {
		t.Errorf("got %s", got)
	}
	c.send(plain2("romeo", bind2))
	c.expect("<authorization-identifier>romeo@verona.lit/")
}

// What comes for a session while its login is not done stands behind the success,
// also where it is much, or the stream ends just then.
func TestSASL2SuccessComesFirst(t *testing.T) {
	for _, tt := range []struct {
		name string
		n    int // messages
		end  bool
		fail bool // the hook does
		want string
	}{
		{"much", 100, false, false, ""},
		{"kicked", 2, true, false, "reset"},
		{"much and kicked", 100, true, false, "reset"},
		{"a failed hook", 2, false, true, "internal-server-error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t)
			h.Hooks.InlineBound.Add("test", 0, func(_ context.Context, ev *InlineBound) {
				for range tt.n {
					st, err := stanza.New(stanza.Message, "chat", "", ev.Session.JID(), ev.Session.JID(), []byte("<body>"+strings.Repeat("x", 1000)+"</body>"))
					if err != nil {
						t.Error(err)
						return
					}
					h.sm.Submit(sessionmgr.Entry{Out: []sessionmgr.Delivery{{To: ev.Session, Stanza: st}}})
				}
				h.sm.FlushTouched()
				if tt.end {
					h.sm.Kick(ev.Session, sessionmgr.Cause{Code: sessionmgr.Kicked, Text: "test"}, &stream.Reset)
				}
				if tt.fail {
					panic("on purpose")
				}
			})
			c := h.dial()
			c.send(headerVerona + plain2("juliet", bind2))
			c.expect(endFeatures)
			if got := c.expect(endFeatures); strings.Contains(got, "<message") || !strings.Contains(got, "</bound></success>") {
				t.Errorf("before the messages: %.2000s", got)
			}
			for range tt.n {
				c.expect("</message>")
			}
			if tt.want != "" {
				c.expectError(tt.want)
			} else {
				c.sync()
			}
		})
	}
}

// The hooks of SASL run for SASL2.
func TestSASL2Hooks(t *testing.T) {
	h := newHouse(t)
	var seen []string
	h.Hooks.PreAuth.Add("test", 0, func(_ context.Context, ev *PreAuth) error {
		seen = append(seen, "asked for "+ev.Mechanism)
		if len(seen) == 1 {
			return &auth.Failure{Condition: "account-disabled", Text: "not <today>"}
		}
		return nil
	})
	h.Hooks.AuthFailed.Add("test", 0, func(_ context.Context, ev AuthFailed) { seen = append(seen, "failed "+ev.Condition) })
	h.sm.Hooks.Authenticated.Add("test", 0, func(_ context.Context, s *sessionmgr.Session) {
		seen = append(seen, "authenticated "+s.JID().String()+" on "+s.Device().Software)
	})
	h.Hooks.InlineBound.Add("test", 0, func(_ context.Context, ev *InlineBound) { ev.XML = append(ev.XML, "<more xmlns='urn:test'/>"...) })
	c := h.dial()
	c.open()
	c.send(plain2("juliet", ""))
	c.expect("<failure xmlns='" + nsSASL2 + "'><account-disabled xmlns='" + nsSASL + "'/><text xmlns='" + nsSASL2 + "' xml:lang='en'>not &lt;today&gt;</text></failure>")
	c.send(plain2("juliet", theAgent+bind2))
	c.expect("<bound xmlns='" + nsBind2 + "'><more xmlns='urn:test'/></bound></success>")
	c.sync()
	if got := strings.Join(seen, "; "); got != "asked for PLAIN; failed account-disabled; asked for PLAIN; authenticated juliet@verona.lit on Test" {
		t.Error(got)
	}
}

// The resource is the same for the same device and tag, and another for another
// account, device or tag; nobody can tell the device from it (XEP-0386 §3.2.1).
func TestBind2Resource(t *testing.T) {
	h := newHouse(t)
	bind := func(user, id, tag string) string {
		t.Helper()
		c := h.dial()
		agent := ""
		if id != "" {
			agent = "<user-agent id='" + id + "'/>"
		}
		full := c.bind2(user, agent+"<bind xmlns='"+nsBind2+"'>"+tag+"</bind>")
		c.send("</stream:stream>")
		c.expect("</stream:stream>")
		return full
	}
	const other = "11111111-2222-4333-8444-555555555555"
	first := bind("juliet", agentID, "<tag>App</tag>")
	_, own, _ := strings.Cut(first, "/App/")
	if len(own) != 16 || strings.Contains(own, "d456") {
		t.Errorf("the resource is %s", first)
	}
	if again := bind("juliet", strings.ToUpper(agentID), "<tag>App</tag>"); again != first {
		t.Errorf("%s, then %s", first, again)
	}
	for _, x := range []string{bind("romeo", agentID, "<tag>App</tag>"), bind("juliet", other, "<tag>App</tag>"), bind("juliet", "", "<tag>App</tag>")} {
		if strings.HasSuffix(x, own) {
			t.Errorf("%s and %s", first, x)
		}
	}
	for tag, want := range map[string]string{
		"":                           "juliet@verona.lit/" + own,
		"a/b@c d":                    "juliet@verona.lit/a/b@c d/" + own,
		"Zoë 🙂":                      "juliet@verona.lit/Zoë 🙂/" + own,
		"&lt;&amp;&apos;":            "juliet@verona.lit/&lt;&amp;&apos;/" + own,
		"x\u0007y":                   "", // no XML
		"x\u00ady":                   "juliet@verona.lit/" + own,
		"\u202ex":                    "juliet@verona.lit/" + own,
		strings.Repeat("long ", 100): "juliet@verona.lit/" + own,
		strings.Repeat("ö", 64):      "juliet@verona.lit/" + strings.Repeat("ö", 64) + "/" + own,
	} {
		if want == "" {
			c := h.dial()
			c.open()
			c.send(plain2("juliet", "<bind xmlns='"+nsBind2+"'><tag>"+tag+"</tag></bind>"))
			c.expectError("not-well-formed")
			continue
		}
		if got := bind("juliet", agentID, "<tag>"+tag+"</tag>"); got != want {
			t.Errorf("tag %q makes %q, want %q", tag, got, want)
		}
	}
}

// A device that comes back ends its own sessions, whatever the policy, and nobody
// else's (XEP-0386 §3.2).
func TestBind2EndsOwnSessions(t *testing.T) {
	for _, conflict := range []string{"replace", "refuse", "rename"} {
		h := newHouse(t, func(u *setup) { u.sm.Conflict = conflict })
		legacy := h.dial().bind("juliet", "balcony")
		first := h.dial()
		full := first.bind2("juliet", theAgent+bind2)
		other := h.dial()
		other.bind2("juliet", "<user-agent id='11111111-2222-4333-8444-555555555555'/>"+bind2)
		second := h.dial()
		if got := second.bind2("juliet", theAgent+bind2); got != full {
			t.Errorf("%s: %s, then %s", conflict, full, got)
		}
		first.expectError("conflict")
		if got := h.cause(); got.Code != sessionmgr.Replaced {
			t.Errorf("%s: %v", conflict, got)
		}
		third := h.dial() // also under another tag
		third.bind2("juliet", theAgent+"<bind xmlns='"+nsBind2+"'><tag>new</tag></bind>")
		second.expectError("conflict")
		for _, c := range []*client{legacy, other, third} {
			c.sync()
		}
		third.send("</stream:stream>")
		third.expect("</stream:stream>")
		// Somebody else of the account has the very name: it stays his.
		_, resource, _ := strings.Cut(full, "/")
		squatter := h.dial().bind("juliet", resource)
		if got := h.dial().bind2("juliet", theAgent+bind2); !strings.HasPrefix(got, full+"-") {
			t.Errorf("%s: beside %s comes %s", conflict, full, got)
		}
		squatter.sync()
	}
}

// A binding that is refused is no failed login.
func TestBind2Refused(t *testing.T) {
	h := newHouse(t, func(u *setup) { u.sm.MaxSessions = 1 })
	h.dial().bind("juliet", "balcony")
	c := h.dial()
	c.open()
	c.send(plain2("juliet", bind2))
	c.expect("<success xmlns='" + nsSASL2 + "'><authorization-identifier>juliet@verona.lit</authorization-identifier></success>")
	c.expect("<bind xmlns='" + nsBind + "'/>")
	c.send(bindIQ[:len(bindIQ)-len("<resource>balcony</resource></bind></iq>")] + "</bind></iq>")
	c.expect("<resource-constraint")
}

// Requests that come with a login run in their places, and only if it succeeds.
func TestInline(t *testing.T) {
	h := newHouse(t)
	var ran []string
	note := func(what string) func(context.Context, *InlineRequest) {
		return func(_ context.Context, r *InlineRequest) {
			v, _ := r.Element.Attr("v")
			ran = append(ran, what+" "+string(v)+" in "+r.Stream.Session().State().String())
			r.Answer = append(r.Answer, "<"+what+" xmlns='urn:test'/>"...)
		}
	}
	h.HandleInline(Inline{NS: "urn:test", Local: "login", Feature: "test", Before: note("login")})
	h.HandleInline(Inline{NS: "urn:test", Local: "login", Bind: true, Feature: "urn:test", Before: note("before"), After: note("after")})
	h.HandleInline(Inline{NS: "urn:test", Local: "silent", Bind: true})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("two handlers for one request")
			}
		}()
		h.HandleInline(Inline{NS: "urn:test", Local: "login"})
	}()
	c := h.dial()
	if f := c.open(); !strings.Contains(f, "<inline><test xmlns='urn:test'/><bind xmlns='"+nsBind2+"'><inline><feature var='urn:test'/></inline></bind>") {
		t.Errorf("features: %s", f)
	}
	const ask = "<login xmlns='urn:test' v='1'/>"
	c.send(authenticate("PLAIN", b64("\x00juliet\x00wrong"), ask))
	c.expect("</failure>")
	c.send(plain2("juliet", ask+"<bind xmlns='"+nsBind2+"'><login xmlns='urn:test' v='2'/><silent xmlns='urn:test'/><other xmlns='urn:test'/></bind>"))
	c.expectAll("</authorization-identifier><login xmlns='urn:test'/><bound xmlns='"+nsBind2+"'><before xmlns='urn:test'/><after xmlns='urn:test'/></bound></success>", endFeatures)
	c.sync()
	if got := strings.Join(ran, "; "); got != "login 1 in c2s_unbound; before 2 in c2s_unbound; after 2 in c2s" {
		t.Error(got)
	}
	c = h.dial()
	c.open()
	c.send(plain2("juliet", ask+ask))
	c.expect("<malformed-request")
}

// counted is a connection that counts writes.
type counted struct {
	net.Conn
	writes atomic.Int32
}

func (c *counted) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

// What is sent to a session as it is bound comes behind the success, in one write.
func TestSuccessComesFirst(t *testing.T) {
	h := newHouse(t)
	h.HandleInline(Inline{NS: "urn:test", Local: "slow", Bind: true, After: func(_ context.Context, r *InlineRequest) {
		s := r.Stream.Session()
		for _, id := range []string{"m1", "m2"} {
			st, err := stanza.Parse([]byte("<message xmlns='jabber:client' from='romeo@verona.lit/x' to='" + s.JID().String() + "' id='" + id + "'/>"))
			must(t, err)
			h.sm.Submit(sessionmgr.Entry{Out: []sessionmgr.Delivery{{To: s, Stanza: st}}})
		}
		h.sm.FlushTouched()
		time.Sleep(20 * time.Millisecond)
	}})
	here, there := net.Pipe()
	w := &counted{Conn: there}
	h.net.Serve(w, netserver.Listen{New: h.Accept(h.lis)})
	c := h.client(here)
	c.send(headerVerona + plain2("juliet", "<bind xmlns='"+nsBind2+"'><slow xmlns='urn:test'/></bind>"))
	all := c.expectAll(endFeatures, endFeatures, "id='m2'")
	success, m1, m2 := strings.Index(all, "<success"), strings.Index(all, "id='m1'"), strings.Index(all, "id='m2'")
	if success < 0 || m1 < success || m2 < m1 {
		t.Error(all)
	}
	if n := w.writes.Load(); n != 2 { // the first features, and the rest
		t.Errorf("%d writes", n)
	}
	wellFormed(t, []byte(all))
}

// A session that is ended while its success is being made ends in order.
func TestEndDuringLogin(t *testing.T) {
	for name, end := range map[string]func(h *house, s *sessionmgr.Session){
		"kicked": func(h *house, s *sessionmgr.Session) {
			e := streamError(stream.Reset, "")
			h.sm.Kick(s, sessionmgr.Cause{Code: sessionmgr.Kicked}, e)
		},
		"panic": func(*house, *sessionmgr.Session) { panic("after the binding") },
	} {
		h := newHouse(t)
		h.Hooks.Ending.Add("test", 0, func(_ context.Context, ev *Ending) { ev.XML = append(ev.XML, "<last xmlns='urn:test'/>"...) })
		h.HandleInline(Inline{NS: "urn:test", Local: "end", Bind: true, After: func(_ context.Context, r *InlineRequest) { end(h, r.Stream.Session()) }})
		c := h.dial()
		c.open()
		c.send(plain2("juliet", "<bind xmlns='"+nsBind2+"'><end xmlns='urn:test'/></bind>"))
		got := c.expect("</stream:stream>")
		if strings.Contains(got, "<success") || strings.Contains(got, "<last") || !strings.Contains(got, "<stream:error>") {
			t.Errorf("%s: %s", name, got)
		}
		wellFormed(t, append([]byte(headerVerona), got...))
	}
}
