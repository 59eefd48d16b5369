package c2s

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"weir/sessionmgr"
	"weir/stanza"
)

func bindFor(resource string) string {
	return "<iq type='set' id='b2'><bind xmlns='" + nsBind + "'>" + resource + "</bind></iq>"
}

func TestBindMakesResource(t *testing.T) {
	for _, ask := range []string{"", "<resource/>", "<resource></resource>"} {
		c := newHouse(t).dial()
		c.login("juliet")
		c.send(bindFor(ask))
		got := c.expect("</jid></bind></iq>")
		_, resource, _ := strings.Cut(got, "juliet@verona.lit/")
		if resource, _, _ = strings.Cut(resource, "<"); len(resource) < 16 {
			t.Errorf("resource %q", resource)
		}
	}
}

func TestBindResourceIsEscaped(t *testing.T) {
	c := newHouse(t).dial()
	c.login("juliet")
	c.send(strings.Replace(bindFor("<resource>a&amp;b&lt;c&apos;</resource>"), "b2", "&quot;&amp;", 1))
	if got := c.expect("</iq>"); !strings.Contains(got, "id='&quot;&amp;'") || !strings.Contains(got, "/a&amp;b&lt;c&apos;</jid>") {
		t.Errorf("got %s", got)
	}
}

// After each refusal another try is possible, up to a limit (RFC 6120 §7.7.3).
func TestBindErrors(t *testing.T) {
	for _, tt := range []struct{ name, send, answer string }{
		{"bad resource", bindFor("<resource>\u0001</resource>"), ""},
		{"control character by reference", bindFor("<resource>&#x7f;</resource>"), "<error type='modify'><bad-request"},
		{"too long", bindFor("<resource>" + strings.Repeat("x", 1024) + "</resource>"), "<error type='modify'><bad-request"},
		{"taken", bindFor("<resource>taken</resource>"), "<conflict"},
		{"get", strings.Replace(bindFor(""), "set", "get", 1), "<unexpected-request"},
		{"no id", strings.Replace(bindFor(""), " id='b2'", "", 1), "<bad-request"},
		{"two children", strings.Replace(bindFor(""), "</iq>", "<x xmlns='x'/></iq>", 1), "<bad-request"},
		{"no type", "<iq id='1'><bind xmlns='" + nsBind + "'/></iq>", "<bad-request"},
		{"bad to", strings.Replace(bindFor(""), "<iq", "<iq to='@'", 1), "<jid-malformed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, func(u *setup) { u.sm.Conflict = sessionmgr.ConflictRefuse })
			h.dial().bind("juliet", "taken")
			c := h.dial()
			c.login("juliet")
			c.send(tt.send)
			if tt.answer == "" {
				c.expectError("not-well-formed")
				return
			}
			if got := c.expect("</iq>"); !strings.Contains(got, tt.answer) {
				t.Errorf("want %s, got %s", tt.answer, got)
			}
			c.send(bindIQ)
			c.expect("<jid>")
		})
	}
}

func TestBindTries(t *testing.T) {
	c := newHouse(t).dial()
	c.login("juliet")
	for range 10 {
		c.send(bindFor("<resource>&#x7f;</resource>"))
		c.expect("</iq>")
	}
	if text := c.expectError("policy-violation"); text != "10 refused binds on one stream" {
		t.Errorf("text: %q", text)
	}
}

func TestBindPolicies(t *testing.T) {
	t.Run("resource-constraint", func(t *testing.T) {
		h := newHouse(t, func(u *setup) { u.sm.MaxSessions = 2 })
		for i := range 2 {
			h.dial().bind("juliet", "r"+strconv.Itoa(i))
		}
		c := h.dial()
		c.login("juliet")
		c.send(bindFor(""))
		c.expectAll("<error type='wait'><resource-constraint", "</iq>")
	})
	t.Run("replace", func(t *testing.T) {
		h := newHouse(t)
		old := h.dial().bind("juliet", "balcony")
		h.dial().bind("juliet", "balcony").sync()
		old.expectError("conflict")
		if got := h.cause(); got.Code != sessionmgr.Replaced {
			t.Errorf("cause: %v", got)
		}
	})
	t.Run("rename", func(t *testing.T) {
		h := newHouse(t, func(u *setup) { u.sm.Conflict = sessionmgr.ConflictRename })
		h.dial().bind("juliet", "balcony")
		c := h.dial()
		c.login("juliet")
		c.send(bindIQ)
		if got := c.expect("</iq>"); strings.Contains(got, "/balcony<") {
			t.Errorf("got %s", got)
		}
	})
	t.Run("veto", func(t *testing.T) {
		h := newHouse(t)
		h.sm.Hooks.PreBind.Add("test", 0, func(context.Context, *sessionmgr.PreBind) error { return stanza.NotAllowed() })
		c := h.dial()
		c.login("juliet")
		c.send(bindIQ)
		c.expect("<not-allowed")
	})
	t.Run("trouble", func(t *testing.T) {
		h := newHouse(t)
		h.sm.Hooks.PreBind.Add("test", 0, func(context.Context, *sessionmgr.PreBind) error { return errors.New("trouble") })
		c := h.dial()
		c.login("juliet")
		c.send(bindIQ)
		c.expect("<internal-server-error")
	})
	t.Run("panic", func(t *testing.T) {
		h := newHouse(t)
		h.sm.Hooks.PreBind.Add("test", 0, func(context.Context, *sessionmgr.PreBind) error { panic("oh") })
		c := h.dial()
		c.login("juliet")
		c.send(bindIQ)
		c.expect("<stream:error><internal-server-error")
	})
}

// The result comes before anything that the new resource is sent, whatever runs
// while it is bound; what the client sent behind its request waits.
func TestBindAnswersFirst(t *testing.T) {
	h := newHouse(t)
	h.sm.Hooks.Bound.Add("test", 0, func(ctx context.Context, s *sessionmgr.Session) {
		st, err := stanza.New(stanza.Message, "chat", "early", s.JID().Bare(), s.JID(), []byte("<body>early</body>"))
		must(t, err)
		h.sm.Submit(sessionmgr.Entry{Out: []sessionmgr.Delivery{{To: s, Stanza: st}}})
	})
	c := h.dial()
	c.login("juliet")
	c.send(bindIQ + "<message to='juliet@verona.lit/balcony' id='late'><body>late</body></message>")
	c.expectAll("<jid>juliet@verona.lit/balcony</jid>", "id='early'", "id='late'")
}
