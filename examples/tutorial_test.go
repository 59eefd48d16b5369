package examples

import (
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mellium.im/xmpp/disco"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
)

// tutorial is the page that teaches writing a module.
const tutorial = "../docs/modules.md"

// block is a block of code of the page, with the line of text before it.
type block struct{ before, lang, text string }

func blocks(t *testing.T) (all []block) {
	t.Helper()
	page, err := os.ReadFile(tutorial)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?sm)^([^\n]*)\n\n```(\\w+)\n(.*?)^```$").FindAllStringSubmatch(string(page), -1) {
		all = append(all, block{m[1], m[2], m[3]})
	}
	if n := strings.Count(string(page), "\n```"); len(all)*2 != n {
		t.Fatalf("%d blocks, and %d fences", len(all), n)
	}
	return all
}

// follow does what a reader of the page does, up to the start of the program: it
// writes the files and runs the commands, in their order. It returns where the
// program is, and what is to be typed in another terminal.
func follow(t *testing.T, root string) (dir string, later []string) {
	t.Helper()
	repository, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(root, "visits")
	named := regexp.MustCompile("^`(\\w+\\.go)`:$")
	var waits []string // until there is all that the page has
	for _, b := range blocks(t) {
		file := named.FindStringSubmatch(b.before)
		switch {
		case b.lang == "go" && file != nil:
			write(t, filepath.Join(dir, file[1]), b.text)
		case b.lang == "go" && b.before == "In `setup.go`, in place of `_ = v`:":
			replace(t, filepath.Join(dir, "setup.go"), "\t_ = v\n", b.text)
		case b.lang == "go" && b.before == "In `setup.go`, before `return nil`:":
			replace(t, filepath.Join(dir, "setup.go"), "\treturn nil\n", b.text+"\treturn nil\n")
		case b.lang == "go":
			t.Errorf("whereto?\n%s", b.text)
		case b.lang == "sh" && strings.HasPrefix(b.text, "mkdir "):
			// The folder that holds this test stands for the clone beside the new one.
			shell(t, root, strings.ReplaceAll(b.text, "weir=../weir", "weir="+repository))
		case b.lang == "sh" && strings.HasPrefix(b.text, "go tool "):
			later = append(later, b.text)
		case b.lang == "sh":
			waits = append(waits, strings.TrimSuffix(b.text, "./visits\n"))
		}
	}
	shell(t, dir, strings.Join(waits, ""))
	return dir, later
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func replace(t *testing.T, file, old, fresh string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), old) != 1 {
		t.Fatalf("%s has %q not once:\n%s", file, old, text)
	}
	write(t, file, strings.Replace(string(text), old, fresh, 1))
}

// shell runs commands of the page. Modules come from this machine: it has those
// that weir is built of.
func shell(t *testing.T, dir, commands string) {
	t.Helper()
	t.Log(commands)
	cmd := exec.Command("sh", "-ec", commands)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GONOSUMDB=*", "GOFLAGS=-mod=mod", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestTutorial is the page from its beginning to its end.
func TestTutorial(t *testing.T) {
	dir, later := follow(t, t.TempDir())
	out, err := exec.Command("gofmt", "-l", dir).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("not as gofmt has it: %s %v", out, err)
	}
	cmd := exec.Command(filepath.Join(dir, "visits"))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "WEIR_LISTEN_C2S=127.0.0.1:0", "WEIR_LISTEN_C2S_TLS=127.0.0.1:0")
	p := launch(t, cmd)
	addr := p.addr("c2s")
	if len(later) != 1 || !strings.HasPrefix(later[0], "go tool weir user add juliet@localhost\n") {
		t.Fatalf("in another terminal: %q", later)
	}
	// go tool weir is the program that the other tests use.
	typed := strings.ReplaceAll(later[0], "go tool weir", programs.path(t, "weir"))
	if got := command(t, dir, password+"\n", "sh", "-ec", typed); !strings.Contains(got, "concierge@localhost/") {
		t.Errorf("the bot isn't listed:\n%s", got)
	}

	juliet := login(t, addr, "juliet")
	if n := visits(juliet); n != 1 {
		t.Errorf("after the first login %d", n)
	}
	shown := command(t, dir, "", programs.path(t, "weir"), "session", "show", idOf(t, dir, juliet))
	for _, line := range shownOnPage(t) {
		if !strings.Contains(squeezed(shown), squeezed(line)) {
			t.Errorf("the page shows %q; this is\n%s", line, shown)
		}
	}
	features(t, juliet)
	juliet.say("concierge@localhost", "", "THIS IS AN OUTRAGE")
	if m := juliet.hear(); m.Type != stanza.ErrorMessage {
		t.Errorf("shouting gets %+v", m)
	}
	juliet.say("concierge@localhost", "", "how often was I here?")
	juliet.expect("concierge@localhost", "You were here 1 times.")

	again := login(t, addr, "juliet")
	again.expect("localhost", "You came back!")
	p.find(`msg=thanks sid=\w+ fate=kept final=false`)
	p.find(`msg=thanks sid=\w+ fate=written final=true`)
	if n := visits(again); n != 2 {
		t.Errorf("after the second login %d", n)
	}
	var done adhoc
	if err := again.ask(stanza.SetIQ, "localhost", adhoc{Node: "urn:example:visits"}, &done); err != nil || done.Note != "2 times" {
		t.Errorf("the command: %+v, %v", done, err)
	}
}

// visits asks the module.
func visits(c *client) int {
	c.t.Helper()
	var answer struct {
		XMLName xml.Name `xml:"urn:example:visits query"`
		Count   int      `xml:"count,attr"`
	}
	err := c.ask(stanza.GetIQ, "juliet@localhost", struct {
		XMLName xml.Name `xml:"urn:example:visits query"`
	}{}, &answer)
	if err != nil {
		c.t.Error(err)
	}
	return answer.Count
}

// features: what the module answers is announced where it is answered.
func features(t *testing.T, c *client) {
	t.Helper()
	info, err := disco.GetInfo(t.Context(), "", jid.MustParse("juliet@localhost"), c.Session)
	if err != nil || !strings.Contains(fmt.Sprint(info.Features), "urn:example:visits") {
		t.Errorf("service discovery: %+v, %v", info, err)
	}
}

// idOf finds the public id of a client's session.
func idOf(t *testing.T, dir string, c *client) string {
	t.Helper()
	list := command(t, dir, "", programs.path(t, "weir"), "session", "list", "juliet@localhost")
	for line := range strings.Lines(list) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[1] == c.LocalAddr().String() {
			return fields[0]
		}
	}
	t.Fatalf("%s isn't listed:\n%s", c.LocalAddr(), list)
	return ""
}

// shownOnPage is what the page says that session show prints.
func shownOnPage(t *testing.T) []string {
	t.Helper()
	all := blocks(t)
	i := slices.IndexFunc(all, func(b block) bool { return strings.Contains(b.before, "session show") })
	if i < 0 {
		t.Fatal("the page doesn't show a session")
	}
	return strings.Split(strings.TrimSpace(all[i].text), "\n")
}

func squeezed(s string) string { return strings.Join(strings.Fields(s), " ") }
