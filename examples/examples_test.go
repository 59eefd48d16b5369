package examples

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/stanza/dataform"

	"mellium.im/xmpp/stanza"
)

// folders lists the examples.
func folders(t *testing.T) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			all = append(all, e.Name())
		}
	}
	if len(all) < 4 {
		t.Fatalf("there are only the examples %v", all)
	}
	return all
}

// TestEachIsIntroduced holds that README.md has a paragraph on each example, and
// how it is run.
func TestEachIsIntroduced(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range folders(t) {
		for _, want := range []string{"\n## [" + name + "](" + name + ")\n", "go run ./examples/" + name} {
			if !strings.Contains(string(text), want) {
				t.Errorf("README.md doesn't have %q", want)
			}
		}
	}
}

// TestTheyRefuseWhatTheyCantDo: an address that can't be listened on is told, and
// ends the program with a code of 1 and the store closed.
func TestTheyRefuseWhatTheyCantDo(t *testing.T) {
	for _, name := range folders(t) {
		data := filepath.Join(t.TempDir(), "data")
		cmd := exec.Command(programs.path(t, name), "-data", data, "-c2s", "127.0.0.1:nowhere")
		if name == "embed" {
			cmd = exec.Command(programs.path(t, name), "-config", settings(t, data, "127.0.0.1:0"), "-http", "127.0.0.1:nowhere")
		}
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "nowhere") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		if strings.Contains(string(out), "panic") {
			t.Errorf("%s panics:\n%s", name, out)
		}
		accounts(t, data, "juliet") // nothing holds the store
	}
}

// TestGreeter: the first who becomes available on a day is greeted, with whichever
// device, and not again after a restart.
func TestGreeter(t *testing.T) {
	data, today := filepath.Join(t.TempDir(), "data"), time.Now().Format(time.DateOnly)
	accounts(t, data, "juliet", "romeo")
	p := start(t, "greeter", data)
	juliet := login(t, p.addr("c2s"), "juliet")
	juliet.sync()
	if len(juliet.messages) > 0 {
		t.Error("greeted before being available")
	}
	juliet.here(stanza.AvailablePresence, "")
	if m := juliet.expect("localhost", "Good day, juliet."); m.Type != stanza.HeadlineMessage {
		t.Errorf("it is of the type %q", m.Type)
	}
	quiet := func(c *client) {
		t.Helper()
		c.here(stanza.AvailablePresence, "")
		c.sync()
		if len(c.messages) > 0 && time.Now().Format(time.DateOnly) == today {
			t.Errorf("greeted again: %q", (<-c.messages).Body)
		}
	}
	quiet(juliet)
	quiet(login(t, p.addr("c2s"), "juliet"))
	romeo := login(t, p.addr("c2s"), "romeo")
	romeo.here(stanza.AvailablePresence, "")
	romeo.expect("localhost", "Good day, romeo.")
	p.stop()

	p = start(t, "greeter", data)
	quiet(login(t, p.addr("c2s"), "juliet"))
}

// limit fills the form of the command in.
func limit(c *client, account, most string) (adhoc, error) {
	c.t.Helper()
	const node = "urn:example:session-limit"
	var form, done adhoc
	if err := c.ask(stanza.SetIQ, "localhost", adhoc{Node: node}, &form); err != nil {
		return form, err
	}
	if form.Status != "executing" || form.Form == nil || len(form.Form.Fields) != 2 {
		return form, fmt.Errorf("asked for %+v", form)
	}
	err := c.ask(stanza.SetIQ, "localhost", adhoc{Node: node, Session: form.Session, Form: &dataform.Form{Type: dataform.TypeSubmit,
		Fields: []dataform.Field{{Var: "account", Values: []string{account}}, {Var: "most", Values: []string{most}}}}}, &done)
	return done, err
}

// TestSessionLimit: an admin limits an account, which gets one session and no
// second, until the first is gone; the limit outlives a restart.
func TestSessionLimit(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	accounts(t, data, "admin", "juliet")
	weir(t, data, "", "user", "role", "admin@localhost", "admin")
	p := start(t, "sessionlimit", data)
	addr := p.addr("c2s")
	admin := login(t, addr, "admin")
	for _, bad := range [][2]string{{"nobody@localhost", "1"}, {"juliet@localhost", "-1"}, {"juliet@localhost", "many"}, {"juliet@localhost", ""}} {
		if r, err := limit(admin, bad[0], bad[1]); err == nil && !strings.Contains(r.Note, "no ") {
			t.Errorf("%v: %+v", bad, r)
		}
	}
	first := login(t, addr, "juliet")
	second := login(t, addr, "juliet")
	if _, err := limit(first, "juliet@localhost", "9"); condition(err) != "forbidden" {
		t.Errorf("a user sets a limit: %v", err)
	}
	r, err := limit(admin, "juliet@localhost", "2")
	if err != nil || r.Status != "completed" || r.Note != "juliet@localhost may have 2 sessions at once" {
		t.Fatalf("the limit: %+v, %v", r, err)
	}
	full := func() {
		t.Helper()
		if _, err := tryLogin(t, addr, "juliet"); condition(err) != "resource-constraint" {
			t.Errorf("one session too many: %v", err)
		}
	}
	full()
	second.leave()
	second = login(t, addr, "juliet") // its server says goodbye when it is gone
	full()
	if r, err := limit(admin, "juliet@localhost", "0"); err != nil || r.Note != "juliet@localhost has no limit of its own" {
		t.Errorf("no limit: %+v, %v", r, err)
	}
	login(t, addr, "juliet")
	if r, err := limit(admin, "juliet@localhost", "1"); err != nil || r.Status != "completed" {
		t.Errorf("the limit: %+v, %v", r, err)
	}
	first.sync() // whoever is there stays
	second.sync()
	p.stop()

	p = start(t, "sessionlimit", data)
	addr = p.addr("c2s")
	stay := make(chan bool)
	for range 6 {
		go func() {
			c, err := tryLogin(t, addr, "juliet")
			if err != nil && condition(err) != "resource-constraint" {
				t.Error(err)
			}
			stay <- err == nil && c.stays()
		}()
	}
	n := 0
	for range 6 {
		if <-stay {
			n++
		}
	}
	if n != 1 {
		t.Errorf("of those that came at the same moment %d stay", n)
	}
	full()
}

// TestBot: the bot is there like anybody else, asks, and knows after a kill -9 what
// it had asked and whom.
func TestBot(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	accounts(t, data, "juliet")
	p := start(t, "bot", data)
	juliet := login(t, p.addr("c2s"), "juliet")
	if err := juliet.ask(stanza.GetIQ, "juliet@localhost", roster{}, nil); err != nil {
		t.Fatal(err)
	}
	juliet.here(stanza.AvailablePresence, "")
	if got := weir(t, data, "", "session", "list"); !strings.Contains(got, "lunch@localhost/") {
		t.Errorf("the bot isn't listed:\n%s", got)
	}
	juliet.here(stanza.SubscribePresence, "lunch@localhost")
	for subscribed, there := false, false; !subscribed || !there; {
		select {
		case p := <-juliet.presence:
			if p.From.Bare().String() == "lunch@localhost" {
				subscribed, there = subscribed || p.Type == stanza.SubscribedPresence, there || p.Type == stanza.AvailablePresence
			}
		case <-time.After(patience):
			t.Fatalf("subscribed: %v, there: %v", subscribed, there)
		}
	}
	juliet.say("lunch@localhost", "a", "lunch")
	juliet.expect("lunch@localhost", "What would you like?")
	p.kill()

	p = start(t, "bot", data)
	juliet = login(t, p.addr("c2s"), "juliet")
	juliet.say("lunch@localhost", "b", "pasta & wine")
	juliet.expect("lunch@localhost", "pasta & wine it is.")
	juliet.say("lunch@localhost", "c", "order")
	juliet.expect("lunch@localhost", "You wanted pasta & wine.")
}

// settings writes a configuration file.
func settings(t *testing.T, data, c2s string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "weir.toml")
	text := fmt.Sprintf("data = %q\n\n[listen]\nc2s = %q\nc2s_tls = \"\"\n", data, c2s)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestEmbed: what is posted to the page is told to an account, whether it is there
// or not, and what became of it is told to whoever posted it.
func TestEmbed(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	accounts(t, data, "juliet")
	file := settings(t, data, "127.0.0.1:0")
	embed := func() *program {
		return launch(t, exec.Command(programs.path(t, "embed"), "-config", file, "-http", "127.0.0.1:0"))
	}
	p := embed()
	page := "http://" + p.addr("http") + "/notices/"
	post := func(account, text string, code int, want string) {
		t.Helper()
		r, err := http.Post(page+account, "text/plain", strings.NewReader(text))
		if got := read(t, r, err); r.StatusCode != code || !strings.Contains(got, want) {
			t.Errorf("%s: %d %s, want %d and %s", account, r.StatusCode, got, code, want)
		}
	}
	told := func(account, want string) {
		t.Helper()
		r, err := http.Get(page + account)
		if got := strings.TrimSpace(read(t, r, err)); r.StatusCode != http.StatusOK || got != want {
			t.Errorf("%s was told %d %s, want %s", account, r.StatusCode, got, want)
		}
	}
	post("juliet@localhost", "the door is open", 200, `"fate":"`) // kept, or left already: that nobody is there may be known by then
	juliet := login(t, p.addr("c2s"), "juliet")
	juliet.here(stanza.AvailablePresence, "")
	juliet.expect("localhost", "the door is open")
	post("juliet@localhost", "<it> is \"shut\" & locked", 200, `"account":"juliet@localhost"`)
	juliet.expect("localhost", "<it> is \"shut\" & locked")
	post("nobody@localhost", "hello", 404, "service-unavailable")
	post("juliet@example.org", "hello", 404, "remote-server-not-found")
	post("@", "hello", 400, "no account's address")
	post("juliet@localhost", strings.Repeat("x", 17<<10), 413, "16 KiB")
	p.stop()

	p = embed()
	page = "http://" + p.addr("http") + "/notices/"
	told("juliet@localhost", `["the door is open","\u003cit\u003e is \"shut\" \u0026 locked"]`)
	weir(t, data, "", "user", "delete", "juliet@localhost")
	told("juliet@localhost", "[]")
}

func read(t *testing.T, r *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
