package announce

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"weir/jid"
	"weir/presence"
	"weir/roster"
	"weir/sessionmgr/sessiontest"
	"weir/stanza/dataform"
	"weir/storage"
)

var nurse = jid.MustParse("nurse@verona.lit")

func setUp(t testing.TB) (*Module, *sessiontest.House) {
	t.Helper()
	h := sessiontest.New()
	r, err := roster.New(h.Store, roster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := presence.New(h.Manager, r, h.Store, presence.Options{})
	if err != nil {
		t.Fatal(err)
	}
	mod, err := New(context.Background(), h.Manager, p, h.Store, nil)
	if err != nil {
		t.Fatal(err)
	}
	return mod, h
}

// bodies are the messages that a client has got.
func bodies(c *sessiontest.Client) string {
	synctest.Wait()
	var all []string
	for _, x := range c.Got() {
		if _, rest, ok := strings.Cut(x, "<body>"); ok {
			body, _, _ := strings.Cut(rest, "</body>")
			all = append(all, body)
		}
	}
	return strings.Join(all, "|")
}

// TestEachOnce: who is online is told at once, who comes later then, each account
// once; what is edited is for those who haven't had it, what is set anew for all.
func TestEachOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mod, h := setUp(t)
		defer h.Close()
		want := func(who string, c *sessiontest.Client, text string) {
			t.Helper()
			if got := bodies(c); got != text {
				t.Errorf("%s got %q, want %q", who, got, text)
			}
		}
		juliet := h.Online("juliet@verona.lit/balcony")
		want("before", juliet, "")
		if n, err := mod.Set(t.Context(), "verona.lit", nurse, "Night <is> near"); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		want("online", juliet, "Night &lt;is&gt; near")
		want("a second device", h.Bind("juliet@verona.lit/garden"), "")
		romeo := h.Bind("romeo@verona.lit/orchard")
		want("bound, not available", romeo, "")
		romeo.Send("<presence/>")
		want("available", romeo, "Night &lt;is&gt; near")
		romeo.Send("<presence><show>away</show></presence>")
		want("again", romeo, "")
		if err := mod.Edit(t.Context(), "verona.lit", nurse, "Night was near"); err != nil {
			t.Fatal(err)
		}
		want("had the old text", juliet, "")
		paris := h.Bind("paris@verona.lit/x")
		paris.Send("<presence/>")
		want("the new text", paris, "Night was near")
		if _, err := mod.Set(t.Context(), "verona.lit", nurse, "Morning"); err != nil {
			t.Fatal(err)
		}
		want("another message", juliet, "Morning")
		if err := mod.Delete(t.Context(), "verona.lit", nurse); err != nil {
			t.Fatal(err)
		}
		tybalt := h.Bind("tybalt@verona.lit/x")
		tybalt.Send("<presence/>")
		want("deleted", tybalt, "")
		if err := mod.Delete(t.Context(), "verona.lit", nurse); !errors.Is(err, ErrNone) {
			t.Error(err)
		}
		if err := mod.Edit(t.Context(), "verona.lit", nurse, "x"); !errors.Is(err, ErrNone) {
			t.Error(err)
		}
		if _, err := mod.Set(t.Context(), "elsewhere.lit", nurse, "x"); err == nil {
			t.Error("another domain is no error")
		}
	})
}

// TestKept: the message, and who has had it, are there after a restart; a record that
// can't be read is no reason not to start.
func TestKept(t *testing.T) {
	mod, h := setUp(t)
	defer h.Close()
	if _, err := mod.Set(t.Context(), "verona.lit", nurse, "Night is near"); err != nil {
		t.Fatal(err)
	}
	again := func() *Module {
		t.Helper()
		m, err := New(t.Context(), h.Manager, new(presence.Handler), h.Store, nil)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	if msg := again().of("verona.lit"); msg == nil || msg.Text != "Night is near" || msg.By != "nurse@verona.lit" {
		t.Errorf("%+v", msg)
	}
	for _, rec := range []string{"", "{}", "x"} {
		var b storage.Batch
		mod.messages.Set(&b, "verona.lit", []byte(rec))
		if err := storage.Commit(t.Context(), h.Store, &b); err != nil {
			t.Fatal(err)
		}
		if msg := again().of("verona.lit"); msg != nil || CheckRecord(tableMessages, []byte(rec)) == nil || CheckRecord("other", nil) != nil {
			t.Errorf("%q: %+v", rec, msg)
		}
	}
}

// TestCommands holds what is asked and told (XEP-0133 §4.24 to §4.26).
func TestCommands(t *testing.T) {
	mod, h := setUp(t)
	defer h.Close()
	all := mod.Commands()
	answer := func(lines ...string) *dataform.Form {
		return &dataform.Form{Fields: []dataform.Field{{Var: "motd", Values: lines}}}
	}
	for _, c := range []struct {
		n      int
		answer *dataform.Form
		note   string
	}{
		{2, nil, ""}, {1, answer("x"), ""}, {0, answer(" ", ""), ""}, {0, answer(strings.Repeat("x", maxText+1)), ""},
		{0, answer("one", "two"), "0 sessions are told now, everybody else at the next login"}, {1, answer("three"), "changed"}, {2, nil, "deleted"},
	} {
		if note, err := all[c.n].Run(t.Context(), nurse, c.answer); (err == nil) != (c.note != "") || err == nil && note != c.note {
			t.Errorf("%s %+v: %q, %v", all[c.n].Node, c.answer, note, err)
		}
		if c.note == "changed" {
			if f := all[1].Form("verona.lit"); f.Value("motd") != "three" || all[0].Form("verona.lit").Value("motd") != "" {
				t.Errorf("%+v", f)
			}
		}
	}
}

func Example() {
	mod, h := setUp(&testing.T{})
	defer h.Close()
	n, err := mod.Set(context.Background(), "verona.lit", nurse, "Night is near")
	fmt.Println(n, err, mod.of("verona.lit").Text)
	// Output: 0 <nil> Night is near
}
