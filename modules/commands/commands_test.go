package commands_test

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/jid"
	"weir/modules/commands"
	"weir/sessionmgr"
	"weir/sessionmgr/sessiontest"
	"weir/stanza"
	"weir/stanza/dataform"
)

// roles are by localpart; who isn't in it is a user.
type roles map[string]string

func (r roles) Role(_ context.Context, j jid.JID) (string, error) {
	switch role := r[j.Local()]; role {
	case "":
		return "user", nil
	case "broken":
		return "", errors.New("the disk burns")
	default:
		return role, nil
	}
}

func ask(name string) commands.Stage {
	return func(_ context.Context, c *commands.Call) (*dataform.Form, error) {
		return &dataform.Form{Title: fmt.Sprint("after ", len(c.Answers)), Fields: []dataform.Field{
			{Var: name, Type: dataform.TextSingle, Required: dataform.Must()},
		}}, nil
	}
}

// scene is a house with some commands.
func scene(t *testing.T, o commands.Options) (*sessiontest.House, *commands.Module) {
	t.Helper()
	h := sessiontest.New()
	t.Cleanup(h.Close)
	mod, err := commands.New(h.Manager, roles{"nurse": "admin", "tybalt": "guest", "paris": "broken"}, o)
	if err != nil {
		t.Fatal(err)
	}
	mod.Offer(commands.Command{Node: "hello", Name: "Hello",
		Run: func(_ context.Context, c *commands.Call) (commands.Result, error) {
			return commands.Result{Note: "hello " + c.Account().String()}, nil
		}})
	mod.Offer(commands.Command{Node: "two", Name: "Two", Stages: []commands.Stage{ask("a"), ask("b")},
		Run: func(_ context.Context, c *commands.Call) (commands.Result, error) {
			return commands.Result{Note: c.Answers[0].Value("a") + "+" + c.Answers[1].Value("b")}, nil
		}})
	mod.Offer(commands.Command{Node: "rule", Name: "Rule", Roles: []string{"admin"},
		Run: func(context.Context, *commands.Call) (commands.Result, error) { return commands.Failed("no"), nil }})
	mod.Offer(commands.Command{Node: "seen", Name: "Seen", When: (*sessionmgr.Session).Available,
		Run: func(context.Context, *commands.Call) (commands.Result, error) {
			return commands.Result{}, stanza.Conflict()
		}})
	return h, mod
}

type answer struct {
	Type    string `xml:"type,attr"`
	Command struct {
		Session string `xml:"sessionid,attr"`
		Status  string `xml:"status,attr"`
	} `xml:"command"`
}

func command(c *sessiontest.Client, attrs, payload string) (string, answer) {
	got := c.Ask("<iq type='set' id='1' to='verona.lit'><command xmlns='" + commands.NS + "' " + attrs + ">" + payload + "</command></iq>")
	var a answer
	if err := xml.Unmarshal([]byte(got), &a); err != nil {
		panic(err)
	}
	return got, a
}

func filled(name, value string) string {
	return "<x xmlns='jabber:x:data' type='submit'><field var='" + name + "'><value>" + value + "</value></field></x>"
}

// TestWhoMay: by role and by the state of the session, in the list as in deed.
func TestWhoMay(t *testing.T) {
	for _, row := range []struct{ who, node, want string }{
		{"juliet", "hello", "hello juliet@verona.lit"},
		{"nurse", "hello", "hello nurse@verona.lit"},
		{"tybalt", "hello", "forbidden"},
		{"paris", "hello", "internal-server-error"},
		{"juliet", "rule", "forbidden"},
		{"nurse", "rule", `<note type="error">no</note>`},
		{"juliet", "seen", "<conflict"},
		{"juliet", "none", "item-not-found"},
	} {
		h, mod := scene(t, commands.Options{})
		c := h.Bind(row.who + "@verona.lit/x")
		c.SetPresence(must(stanza.Parse([]byte("<presence xmlns='jabber:client'/>"))), 0)
		if got, _ := command(c, "node='"+row.node+"'", ""); !strings.Contains(got, row.want) {
			t.Errorf("%s, %s: %s, want %s", row.who, row.node, got, row.want)
		}
		listed, err := mod.NodeItems(c.Context(), nil, commands.NS)
		forbidden := row.want == "forbidden" || row.want == "item-not-found"
		if row.who == "paris" {
			if err == nil {
				t.Error("a list without a role")
			}
			continue
		}
		found := strings.Contains(fmt.Sprint(listed), " "+row.node+"}")
		if err != nil || found == forbidden {
			t.Errorf("%s, %s: listed %v, %v", row.who, row.node, listed, err)
		}
		if _, err := mod.NodeInfo(c.Context(), nil, row.node); (err != nil) != forbidden {
			t.Errorf("%s, %s: info %v", row.who, row.node, err)
		}
	}
	h, mod := scene(t, commands.Options{})
	c := h.Bind("juliet@verona.lit/x")
	if got, _ := command(c, "node='seen'", ""); !strings.Contains(got, "forbidden") {
		t.Errorf("not available, and got %s", got)
	}
	if _, err := mod.NodeItems(context.Background(), nil, "else"); err == nil {
		t.Error("items of a node that there isn't")
	}
	if i, err := mod.NodeInfo(c.Context(), nil, commands.NS); err != nil || i.Identity[0].Type != "command-list" {
		t.Errorf("%v, %v", i, err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestStages goes forth, back and forth (XEP-0050 §2.4.2).
func TestStages(t *testing.T) {
	h, _ := scene(t, commands.Options{})
	c := h.Bind("juliet@verona.lit/x")
	first, a := command(c, "node='two' action='execute'", "")
	if a.Command.Status != "executing" || a.Command.Session == "" || !strings.Contains(first, `<actions execute="next"><next></next></actions>`) {
		t.Fatal(first)
	}
	in := "node='two' sessionid='" + a.Command.Session + "' "
	for _, row := range []struct{ attrs, payload, want string }{
		{"action='complete'", filled("a", "1"), "bad-action"},
		{"action='prev'", "", "bad-action"},
		{"action='dance'", "", "malformed-action"},
		{"", "", "bad-payload"},
		{"", "<x xmlns='jabber:x:data' type='submit'><field var='a'/></x>", "bad-payload"},
		{"action='next'", filled("a", "1"), `<actions execute="complete"><prev></prev><complete></complete></actions>`},
		{"action='next'", filled("b", "2"), "bad-action"},
		{"action='prev'", "", "after 0"},
		{"", filled("a", "3"), "after 1"},
		{"", filled("b", "4"), "3+4"},
		{"", filled("b", "4"), "session-expired"},
	} {
		if got, _ := command(c, in+row.attrs, row.payload); !strings.Contains(got, row.want) {
			t.Errorf("%s %s: %s, want %s", row.attrs, row.payload, got, row.want)
		}
	}
}

func TestCancel(t *testing.T) {
	h, _ := scene(t, commands.Options{})
	c, other := h.Bind("juliet@verona.lit/x"), h.Bind("juliet@verona.lit/y")
	_, a := command(c, "node='two'", "")
	in := "node='two' sessionid='" + a.Command.Session + "' action='cancel'"
	if got, _ := command(other, in, ""); !strings.Contains(got, "session-expired") {
		t.Errorf("another's command: %s", got)
	}
	if got, _ := command(c, "node='hello' sessionid='"+a.Command.Session+"'", ""); !strings.Contains(got, "bad-sessionid") {
		t.Errorf("as another command: %s", got)
	}
	if got, b := command(c, in, ""); b.Command.Status != "canceled" {
		t.Error(got)
	}
	if got, _ := command(c, in, ""); !strings.Contains(got, "session-expired") || !strings.Contains(got, "not-allowed") {
		t.Error(got)
	}
	if got, _ := command(c, "node='two' action='cancel'", ""); !strings.Contains(got, "bad-action") {
		t.Error(got)
	}
}

// TestBounds: in number, for one account and for all, in bytes and in time.
func TestBounds(t *testing.T) {
	alive := func(c *sessiontest.Client, a answer) bool {
		got, _ := command(c, "node='two' sessionid='"+a.Command.Session+"' action='prev'", "")
		return strings.Contains(got, "bad-action")
	}
	h, _ := scene(t, commands.Options{Executions: 2, All: 3, Bytes: 1500})
	c, d := h.Bind("juliet@verona.lit/x"), h.Bind("romeo@verona.lit/x")
	var all [3]answer
	for i := range all {
		_, all[i] = command(c, "node='two'", "")
	}
	if alive(c, all[0]) || !alive(c, all[1]) || !alive(c, all[2]) {
		t.Error("the third command of an account doesn't end the first")
	}
	_, first := command(d, "node='two'", "")
	_, second := command(d, "node='two'", "")
	if !alive(d, first) || !alive(d, second) || alive(c, all[1]) {
		t.Error("a fourth command doesn't end the oldest of all")
	}
	if got, _ := command(d, "node='two' sessionid='"+second.Command.Session+"'", filled("a", strings.Repeat("x", 1500))); !strings.Contains(got, "policy-violation") {
		t.Errorf("too many bytes: %s", got)
	}
	c.Leave()
	if alive(h.Bind("juliet@verona.lit/x"), all[2]) {
		t.Error("a command outlives its session")
	}
	for _, o := range []commands.Options{{Executions: -1}, {All: -1}, {Bytes: -1}, {Life: -1}} {
		if o.Validate() == nil {
			t.Errorf("%+v is fine", o)
		}
	}
}

func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := scene(t, commands.Options{Life: time.Minute})
		c := h.Bind("juliet@verona.lit/x")
		_, a := command(c, "node='two'", "")
		time.Sleep(50 * time.Second)
		in := "node='two' sessionid='" + a.Command.Session + "' "
		if got, _ := command(c, in, filled("a", "1")); !strings.Contains(got, "after 1") {
			t.Errorf("in time: %s", got)
		}
		time.Sleep(61 * time.Second)
		if got, _ := command(c, in, filled("b", "1")); !strings.Contains(got, "session-expired") {
			t.Errorf("too late: %s", got)
		}
	})
}

func Example() {
	h := sessiontest.New()
	defer h.Close()
	mod, _ := commands.New(h.Manager, roles{}, commands.DefaultOptions())
	mod.Offer(commands.Command{Node: "hello", Name: "Say hello",
		Run: func(_ context.Context, c *commands.Call) (commands.Result, error) {
			return commands.Result{Note: "hello " + c.Account().Local()}, nil
		}})
	got, _ := command(h.Online("juliet@verona.lit/balcony"), "node='hello'", "")
	fmt.Println(strings.Contains(got, "hello juliet"))
	// Output: true
}
