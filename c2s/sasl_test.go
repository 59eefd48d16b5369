package c2s

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"weir/auth"
	"weir/jid"
	"weir/sessionmgr"

	"github.com/xdg-go/scram"
	"mellium.im/xmpp/stream"
)

func authElement(mechanism, data string) string {
	return "<auth xmlns='" + nsSASL + "' mechanism='" + mechanism + "'>" + data + "</auth>"
}

func responseElement(data string) string {
	return "<response xmlns='" + nsSASL + "'>" + data + "</response>"
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// data returns what a challenge or success carries.
func data(t testing.TB, element string) string {
	t.Helper()
	i := strings.LastIndex(element, "</")
	j := strings.LastIndexByte(element[:i], '>')
	b, err := base64.StdEncoding.DecodeString(element[j+1 : i])
	must(t, err)
	return string(b)
}

// scramLogin logs in by SCRAM-SHA-256, with or without the first message in auth.
func (c *client) scramLogin(initial bool) {
	c.t.Helper()
	client, err := scram.SHA256.NewClient("juliet", password, "")
	must(c.t, err)
	conv := client.NewConversation()
	first, err := conv.Step("")
	must(c.t, err)
	if initial {
		c.send(authElement("SCRAM-SHA-256", b64(first)))
	} else {
		c.send(authElement("SCRAM-SHA-256", ""))
		c.expect("<challenge xmlns='" + nsSASL + "'></challenge>")
		c.send(responseElement(b64(first)))
	}
	final, err := conv.Step(data(c.t, c.expect("</challenge>")))
	must(c.t, err)
	c.send(responseElement(b64(final)))
	_, err = conv.Step(data(c.t, c.expect("</success>")))
	must(c.t, err)
	if !conv.Valid() {
		c.t.Error("the server's signature is wrong")
	}
}

func TestSCRAM(t *testing.T) {
	for _, initial := range []bool{true, false} {
		c := newHouse(t).dial()
		c.open()
		c.scramLogin(initial)
		c.open()
	}
}

func TestSASLFailures(t *testing.T) {
	for _, tt := range []struct{ name, send, condition string }{
		{"wrong password", plain("juliet", "wrong"), "not-authorized"},
		{"no such account", plain("nobody", password), "not-authorized"},
		{"authzid of another", authElement("PLAIN", b64("romeo@verona.lit\x00juliet\x00"+password)), "invalid-authzid"},
		{"no mechanism", "<auth xmlns='" + nsSASL + "'/>", "invalid-mechanism"},
		{"unknown mechanism", authElement("CRAM-MD5", ""), "invalid-mechanism"},
		{"plus without TLS", authElement("SCRAM-SHA-256-PLUS", ""), "encryption-required"},
		{"not base64", authElement("PLAIN", "!!!!"), "incorrect-encoding"},
		{"unpadded", authElement("PLAIN", strings.TrimRight(b64("\x00a\x00bc"), "=")), "incorrect-encoding"},
		{"padding bits set", authElement("PLAIN", "AGEAYmP="), "incorrect-encoding"},
		{"line end", authElement("PLAIN", "AGEA\nYmM="), "incorrect-encoding"},
		{"space", authElement("PLAIN", " "+b64("\x00a\x00b")), "incorrect-encoding"},
		{"empty response", authElement("PLAIN", "="), "malformed-request"},
		{"a child", authElement("PLAIN", "<x/>"), "malformed-request"},
		{"bad grammar", authElement("SCRAM-SHA-256", b64("hello")), "malformed-request"},
		{"abort", authElement("PLAIN", "") + "<abort xmlns='" + nsSASL + "'/>", "aborted"},
		{"bad response", authElement("PLAIN", "") + responseElement("?"), "incorrect-encoding"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newHouse(t).dial()
			c.open()
			c.send(tt.send)
			if got := c.expect("</failure>"); !strings.Contains(got, "<failure xmlns='"+nsSASL+"'><"+tt.condition+"/>") {
				t.Errorf("want %s, got %s", tt.condition, got)
			}
			c.send(plain("juliet", password)) // each refusal leaves the stream usable
			c.expect("<success")
		})
	}
}

func TestAccountDisabled(t *testing.T) {
	h := newHouse(t)
	must(t, h.auth.SetDisabled(t.Context(), jid.MustParse("juliet@verona.lit"), true))
	c := h.dial()
	c.open()
	c.send(plain("juliet", password))
	c.expect("<account-disabled/>")
}

// Every condition of RFC 6120 §6.5 can be sent; others become not-authorized.
func TestSASLConditions(t *testing.T) {
	conditions := []string{"aborted", "account-disabled", "credentials-expired", "encryption-required", "incorrect-encoding",
		"invalid-authzid", "invalid-mechanism", "malformed-request", "mechanism-too-weak", "not-authorized", "temporary-auth-failure"}
	for _, condition := range append(conditions, "made-up") {
		h := newHouse(t)
		h.Hooks.PreAuth.Add("test", 0, func(context.Context, *PreAuth) error {
			return &auth.Failure{Condition: condition, Text: "say <why>"}
		})
		c := h.dial()
		c.open()
		c.send(plain("juliet", password))
		want := condition
		if want == "made-up" {
			want = "not-authorized"
		}
		c.expect("<failure xmlns='" + nsSASL + "'><" + want + "/><text xmlns='" + nsSASL + "' xml:lang='en'>say &lt;why&gt;</text></failure>")
	}
}

// A new auth discards the exchange under way (RFC 6120 §6.4.2).
func TestAuthAnew(t *testing.T) {
	c := newHouse(t).dial()
	c.open()
	c.send(authElement("SCRAM-SHA-256", b64("n,,n=juliet,r=abcdefgh")))
	c.expect("</challenge>")
	c.scramLogin(true)
}

func TestWrongCredentials(t *testing.T) {
	c := newHouse(t).dial()
	c.open()
	for range 5 {
		c.send(plain("juliet", "wrong"))
		c.expect("<not-authorized/>")
	}
	if text := c.expectError("policy-violation"); text != "5 wrong credentials on one stream" {
		t.Errorf("text: %q", text)
	}
}

// Refused mechanisms and aborts are no wrong passwords, but they are not free.
func TestAuthTries(t *testing.T) {
	h := newHouse(t)
	c := h.dial()
	c.open()
	for range 9 {
		c.send(authElement("CRAM-MD5", ""))
		c.expect("<invalid-mechanism/>")
	}
	c.send(plain("juliet", password)) // the tenth
	c.expect("<success")
	for _, send := range []string{authElement("CRAM-MD5", ""), "<abort xmlns='" + nsSASL + "'/>", responseElement("")} {
		c = h.dial()
		c.open()
		for range 10 {
			c.send(send)
			c.expect("</failure>")
		}
		c.send(send)
		if text := c.expectError("policy-violation"); text != "more than 10 attempts to log in on one stream" {
			t.Errorf("text: %q", text)
		}
	}
}

func TestThrottledAddress(t *testing.T) {
	h := newHouse(t, func(u *setup) { u.auth.LimitLoopback, u.auth.FailureBurst = true, 2 })
	c := h.dialTCP()
	c.open()
	for range 2 {
		c.send(plain("juliet", "wrong"))
		c.expect("<not-authorized/>")
	}
	c.send(plain("juliet", password))
	c.expectAll("<temporary-auth-failure/>", "too many failed logins from your address", "</failure>")
}

// Under TLS the header's from must be who logs in (RFC 6120 §6.4.6).
func TestFromMustLogIn(t *testing.T) {
	c := newHouse(t, withTLS).dial()
	c.upgrade()
	c.send(strings.Replace(headerVerona, " to=", " from='romeo@verona.lit' to=", 1))
	c.expect(endFeatures)
	c.send(plain("juliet", password))
	if got := c.expect("</stream:error>"); strings.Contains(got, "success") || !strings.Contains(got, "<invalid-from") {
		t.Errorf("got %s", got)
	}
}

// A from without an account claims nothing: clients built on Perl's XML::Stream name
// a domain, before and after login.
func TestFromNamesNoAccount(t *testing.T) {
	for _, from := range []string{"verona.lit", "laptop.example", "verona.lit/x"} {
		t.Run(from, func(t *testing.T) {
			c := newHouse(t, withTLS).dial()
			c.upgrade()
			h := strings.Replace(headerVerona, " to=", " from='"+from+"' to=", 1)
			c.send(h)
			c.expectAll(" to='"+from+"'", endFeatures) // RFC 6120 §4.7.2
			c.send(plain("juliet", password))
			c.expect("</success>")
			c.send(h)
			c.expect(endFeatures)
			c.send(bindIQ)
			c.expect("<jid>juliet@verona.lit/")
		})
	}
}

// Accounts of the same name on two domains are two accounts.
func TestLoginIsForTheHost(t *testing.T) {
	h := newHouse(t)
	c := h.dial()
	c.send(header("mantua.lit"))
	c.expect(endFeatures)
	c.send(plain("romeo", password)) // exists at verona.lit only
	c.expect("<not-authorized/>")
	c.send(plain("juliet", password))
	c.expect("</success>")
	c.send(header("mantua.lit"))
	c.expect(endFeatures)
	c.send(bindIQ)
	c.expect("<jid>juliet@mantua.lit/balcony</jid>")
}

func TestPreAuth(t *testing.T) {
	for _, tt := range []struct {
		err             error
		answer, endsFor string
	}{
		{errors.New("some trouble"), "<temporary-auth-failure/>", ""},
		{stream.ResourceConstraint, "", "resource-constraint"},
		{streamError(stream.Reset, ""), "", "reset"},
	} {
		h := newHouse(t)
		h.Hooks.PreAuth.Add("test", 0, func(_ context.Context, ev *PreAuth) error {
			if ev.Session == nil || ev.Mechanism != "PLAIN" {
				t.Errorf("event: %+v", ev)
			}
			return tt.err
		})
		c := h.dial()
		c.open()
		c.send(plain("juliet", password))
		if tt.endsFor != "" {
			c.expectError(tt.endsFor)
			continue
		}
		c.expect(tt.answer)
	}
}

func TestAuthFailedHook(t *testing.T) {
	h := newHouse(t)
	events := make(chan AuthFailed, 1)
	h.Hooks.AuthFailed.Add("test", 0, func(ctx context.Context, ev AuthFailed) {
		if s, ok := sessionmgr.FromContext(ctx); !ok || s != ev.Session {
			t.Error("the context has no session")
		}
		events <- ev
	})
	c := h.dial()
	c.open()
	c.send(plain("juliet", "wrong"))
	c.expect("</failure>")
	if ev := <-events; ev.Condition != "not-authorized" || ev.Mechanism != "PLAIN" {
		t.Errorf("event: %+v", ev)
	}
}
