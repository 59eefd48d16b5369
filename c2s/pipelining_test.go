package c2s

import (
	"regexp"
	"strings"
	"testing"

	"weir/auth"
)

var configOf = regexp.MustCompile(`<config-version xmlns='urn:xmpp:iap:0' scheme='opaque' value='([^']+)'/></stream:features>`)

// config returns what features are called.
func config(t testing.TB, features string) string {
	t.Helper()
	m := configOf.FindStringSubmatch(features)
	if m == nil {
		t.Fatalf("no version of the features: %s", features)
	}
	return m[1]
}

func withConfig(value string) string {
	return "<config-version xmlns='" + nsIAP + "' scheme='opaque' value='" + value + "'/>"
}

// The features are named where there is something to log in with, and by what they are.
func TestConfigVersion(t *testing.T) {
	h := newHouse(t, withTLS)
	c := h.dial()
	if f := c.open(); strings.Contains(f, nsIAP) {
		t.Errorf("named before TLS: %s", f)
	}
	c = h.dial()
	c.upgrade()
	first := config(t, c.open())
	c.send(plain2("juliet", withConfig(first)+bind2)) // no need, and no error
	c.expect("</success>")
	if f := c.expect(endFeatures); strings.Contains(f, nsIAP) {
		t.Errorf("named after the login: %s", f)
	}
	c = newHouse(t, withTLS).dial()
	c.upgrade()
	if again := config(t, c.open()); again != first {
		t.Error("another process has another name for the same")
	}
	for name, change := range map[string]func(*setup){
		"mechanisms": func(u *setup) { u.auth.SHA1 = false },
		"limits":     func(u *setup) { u.o.LoginBytes++ },
		"tokens":     func(u *setup) { u.auth.TokenLife = -1 },
	} {
		c := newHouse(t, withTLS, change).dial()
		c.upgrade()
		if config(t, c.open()) == first {
			t.Errorf("other %s have the same name", name)
		}
	}
	h = newHouse(t, withTLS)
	h.HandleInline(Inline{NS: "urn:test", Local: "x", Feature: "x"})
	c = h.dial()
	c.upgrade()
	if config(t, c.open()) == first {
		t.Error("what is new to be asked for has no new name")
	}
}

// Header and login in one segment, for features that are known from before.
func TestPipelinedLogin(t *testing.T) {
	h := newHouse(t)
	c := h.dial()
	known := config(t, c.open())
	c = h.dial()
	c.send(headerVerona + plain2("juliet", withConfig(known)+bind2))
	c.expectAll(endFeatures, "<success xmlns='"+nsSASL2+"'>", "<bound", endFeatures)
	c.sync()
	// Without the scheme, which is optional.
	c = h.dial()
	c.send(headerVerona + plain2("juliet", strings.Replace(withConfig(known), " scheme='opaque'", "", 1)))
	c.expect("</success>")
}

// A login for other features is refused whatever it is, and counts for nothing: the
// client goes on with what it has just been told.
func TestPipelinedForOtherFeatures(t *testing.T) {
	h := newHouse(t, func(u *setup) { u.o.MaxWrong, u.auth.LimitLoopback, u.auth.FailureBurst = 2, true, 1 })
	for name, value := range map[string]string{"old": withConfig("b2xk"), "empty": withConfig(""), "none": "<config-version xmlns='" + nsIAP + "'/>",
		"another scheme": "<config-version xmlns='" + nsIAP + "' scheme='hash' value='b2xk'/>", "long": withConfig(strings.Repeat("A", 3000))} {
		c := h.dialTCP()
		wrong := authenticate("PLAIN", b64("\x00juliet\x00wrong password"), value+bind2)
		c.send(headerVerona + wrong)
		f := c.expect(endFeatures)
		c.expect("<failure xmlns='" + nsSASL2 + "'><aborted xmlns='" + nsSASL + "'/><config-version-mismatch xmlns='" + nsIAP + "'/><text")
		c.expect("</failure>")
		c.send(wrong)
		c.expect("<config-version-mismatch")
		c.send(plain2("juliet", withConfig(config(t, f))+bind2))
		if got := c.expect(endFeatures); !strings.Contains(got, "<bound") {
			t.Errorf("%s: %s", name, got)
		}
	}
	c := h.dial()
	c.open()
	for range auth.DefaultOptions().FailureBurst { // there is an end to it
		c.send(plain2("juliet", withConfig("old")))
	}
	c.expectError("policy-violation")
	c = h.dial()
	known := config(t, c.open())
	c.send(plain2("juliet", withConfig(known)+withConfig(known)))
	c.expect("<malformed-request")
}
