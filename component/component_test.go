package component

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/jid"
	"weir/sessionmgr/sessiontest"
	"weir/stanza"
)

func secrets(t testing.TB, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "components")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestSecrets holds which files are taken; an error doesn't tell a secret.
func TestSecrets(t *testing.T) {
	for text, want := range map[string]string{
		"irc.verona.lit 0123456789abcdef\n": "",
		"# none\n\n":                        "",
		"irc.verona.lit 0123456789abcdef\nMUC.Verona.lit  another one of them\n": "",
		"irc.verona.lit":                                 "16 characters",
		"irc.verona.lit 0123456789abcde":                 "16 characters",
		"a@irc.verona.lit 0123456789abcdef":              "not a domain",
		"verona.lit 0123456789abcdef":                    "of this server itself",
		"a.lit 0123456789abcdef\nA.lit 0123456789abcdef": "line 2: a.lit stands there twice",
		"a b\n# none\nverona.lit 0123456789abcdef\na@b c\nx.lit 0123456789abcdef\nx.lit 0123456789abcdef": ":\nline 1: the secret of a has to have 16 characters or more\n" +
			"line 3: verona.lit is a domain of this server itself\nline 4: \"a@b\" is not a domain\nline 6: x.lit stands there twice, first in line 5",
		strings.Repeat("a@b c\n", 30):                                    "line 20: \"a@b\" is not a domain\nand 10 more",
		"irc.verona.lit 0123456789abcdef\n" + strings.Repeat("x", 1<<17): "token too long",
	} {
		h := sessiontest.New()
		srv, err := New(Options{SecretFile: secrets(t, text)}, h.Manager, h.Store)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "0123456789abcde") {
			t.Errorf("a secret is told: %v", err)
		}
		if err == nil && srv.Connected() != nil {
			t.Error("somebody is connected")
		}
		if told := CheckSecrets(secrets(t, text), []string{"verona.lit"}); (told == nil) != (err == nil) {
			t.Errorf("%.40q: a check says %v, the start %v", text, told, err)
		}
		h.Close()
	}
	h := sessiontest.New()
	defer h.Close()
	for _, o := range []Options{{SecretFile: t.TempDir()}, {SecretFile: "/nonexistent"}, {StanzaBytes: 1}, {HandshakeTimeout: 1}, {KeepAlive: 1}, {ReturnTime: 1}} {
		if _, err := New(o, h.Manager, h.Store); err == nil {
			t.Errorf("%+v is no error", o)
		}
	}
}

// TestAway: what is sent to a component that isn't connected comes back, and an answer or
// presence is dropped.
func TestAway(t *testing.T) {
	h := sessiontest.New()
	defer h.Close()
	if _, err := New(Options{SecretFile: secrets(t, "irc.verona.lit 0123456789abcdef")}, h.Manager, h.Store); err != nil {
		t.Fatal(err)
	}
	juliet := h.Online("juliet@verona.lit/balcony")
	for _, x := range []string{"<message to='room@irc.verona.lit' id='a'><body>hi</body></message>", "<iq type='get' to='irc.verona.lit' id='a'><ping xmlns='urn:xmpp:ping'/></iq>"} {
		juliet.Send(x)
		if got := strings.Join(juliet.Got(), ""); !strings.Contains(got, "<service-unavailable") || !strings.Contains(got, "type='wait'") {
			t.Errorf("%s is answered %s", x, got)
		}
	}
	for _, x := range []string{"<iq type='result' to='irc.verona.lit' id='a'/>", "<presence to='room@irc.verona.lit/juliet'/>", "<message type='error' to='irc.verona.lit'/>"} {
		juliet.Send(x)
		if got := juliet.Got(); len(got) > 0 {
			t.Errorf("%s is answered %s", x, got)
		}
	}
	juliet.Send("<message to='room@other.lit' id='a'><body>hi</body></message>")
	if got := strings.Join(juliet.Got(), ""); !strings.Contains(got, "remote-server-not-found") {
		t.Errorf("another domain: %s", got)
	}
}

// TestShown holds what is remembered of presence: by pairs, up to a bound; receivers that
// have gone make room, not more often than now and then.
func TestShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour)
		w := shown{most: 3}
		gone := map[string]bool{}
		here := func(j jid.JID) bool { return !gone[j.String()] }
		note := func(kind stanza.Kind, typ, from, to string) bool {
			return w.note(&stanza.Stanza{Kind: kind, Type: typ, From: jid.MustParse(from), To: jid.MustParse(to)}, here)
		}
		for i, x := range []struct {
			kind     stanza.Kind
			typ      string
			from, to string
			have     int
			beyond   bool
		}{
			{stanza.Message, "", "a@irc.lit", "juliet@verona.lit/x", 0, false},
			{stanza.Presence, "subscribed", "a@irc.lit", "juliet@verona.lit", 0, false},
			{stanza.Presence, "", "a@irc.lit", "juliet@verona.lit/x", 1, false},
			{stanza.Presence, "", "a@irc.lit", "juliet@verona.lit/x", 1, false},
			{stanza.Presence, "unavailable", "a@irc.lit", "romeo@verona.lit/x", 1, false},
			{stanza.Presence, "unavailable", "a@irc.lit", "juliet@verona.lit/x", 0, false},
			{stanza.Presence, "", "a@irc.lit", "juliet@verona.lit/1", 1, false},
			{stanza.Presence, "", "a@irc.lit", "juliet@verona.lit/2", 2, false},
			{stanza.Presence, "", "a@irc.lit", "juliet@verona.lit", 3, false},
			{stanza.Presence, "", "a@irc.lit", "juliet@verona.lit/3", 3, true},
			{stanza.Presence, "", "a@irc.lit", "juliet@verona.lit/4", 3, false}, // told once
		} {
			if ok := note(x.kind, x.typ, x.from, x.to); len(w.all) != x.have || ok == x.beyond {
				t.Errorf("%d: %d are remembered, want %d; told %v", i, len(w.all), x.have, !ok)
			}
		}
		gone["juliet@verona.lit/1"], gone["juliet@verona.lit/2"] = true, true
		note(stanza.Presence, "", "a@irc.lit", "juliet@verona.lit/5")
		if len(w.all) != 3 {
			t.Errorf("%d: it was looked at again at once", len(w.all))
		}
		time.Sleep(pruneEvery)
		note(stanza.Presence, "", "a@irc.lit", "juliet@verona.lit/5")
		if len(w.all) != 2 {
			t.Errorf("%d are remembered", len(w.all))
		}
	})
}

// TestProof has the example of XEP-0114 §3 in its form.
func TestProof(t *testing.T) {
	if got := proof("3BF96D32", "test"); len(got) != 40 || got != strings.ToLower(got) || got == proof("3BF96D33", "test") {
		t.Error(got)
	}
}

func Example() {
	h := sessiontest.New()
	defer h.Close()
	srv, err := New(Options{}, h.Manager, h.Store) // no file: no components
	fmt.Println(srv.Connected(), err)
	st, _ := stanza.New(stanza.Message, "", "1", jid.MustParse("a@verona.lit"), jid.MustParse("b@irc.verona.lit"), nil)
	h.ToService(st) // goes nowhere
	// Output: [] <nil>
}
